//! The write-ahead log while many read: it starts over, and another process can empty it.
//!
//! The surprise: nobody waits for a reader, but a reader that stays would let the log grow for as long as it does. Here
//! two threads read without pause.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use doorward_core::account::AccountId;
use doorward_core::realm::Realm;
use doorward_core::store::{Store, Written};
use doorward_store::{Sqlite, open_sqlite};
use rusqlite::Connection;
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::engine::Folder;
use crate::people::{person, register};

/// A store in a folder of its own, and somebody in it.
async fn opened() -> (Arc<Sqlite>, Realm, AccountId, Folder) {
    let folder = Folder::new();
    let store = open_sqlite(folder.database()).await.unwrap();
    let realm = store.ensure_realm("main").await.unwrap();
    let ann = register(&*store, &realm, "ann@example.com").await;
    (store, realm, ann.id, folder)
}

/// Two threads that read an account without pause, as long as `work` takes.
fn while_many_read(store: &Sqlite, account: AccountId, work: impl FnOnce(&AtomicU64)) {
    let (stop, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let runtime = Builder::new_current_thread().build().unwrap();
                while !stop.load(Ordering::Relaxed) {
                    assert!(runtime.block_on(store.account(account)).unwrap().is_some());
                    reads.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        // Also after a panic: the scope waits for its threads.
        let result = catch_unwind(AssertUnwindSafe(|| work(&reads)));
        stop.store(true, Ordering::Relaxed);
        result.unwrap_or_else(|panic| resume_unwind(panic));
    });
}

/// Waits until there were so many reads more.
fn after(more: u64, reads: &AtomicU64) {
    let until = reads.load(Ordering::Relaxed) + more;
    while reads.load(Ordering::Relaxed) < until {
        thread::yield_now();
    }
}

#[test]
fn the_log_starts_over() {
    let runtime = Runtime::new().unwrap();
    let (store, realm, ann, folder) = runtime.block_on(opened());
    let log = folder.join("doorward.db-wal");
    let write = |number: usize| {
        let (_inside, mut writes) = (runtime.enter(), JoinSet::new());
        for place in 0..128 {
            let mut new = person(&realm, &format!("ann{number}-{place}@example.com"));
            // Pages of its own for each.
            new.profile.first_name = Some("a".repeat(64 << 10));
            let store = Arc::clone(&store);
            writes.spawn(async move { store.create_account(new, None).await });
        }
        for written in runtime.block_on(writes.join_all()) {
            assert!(matches!(written, Ok(Written::Done(_))), "{written:?}");
        }
    };
    while_many_read(&store, ann, |_| {
        // 8 MB each, where the log is to start over after 4,000 pages, 16 MB. How often it does not, because a reader was
        // put aside by the machine at that moment, nobody can say.
        (0..20).for_each(write);
        assert!(starts(&log) > 0);
    });
}

/// How often the log has started over: the number in its head says so (SQLite's file format, section 4.1).
fn starts(log: &Path) -> u32 {
    let mut number = [0; 4];
    let mut log = File::open(log).unwrap();
    log.seek(SeekFrom::Start(12)).unwrap();
    log.read_exact(&mut number).unwrap();
    u32::from_be_bytes(number)
}

#[test]
fn another_process_empties_the_log() {
    let runtime = Runtime::new().unwrap();
    let (store, realm, ann, folder) = runtime.block_on(opened());
    let other = Connection::open(folder.database()).unwrap();
    other.busy_timeout(Duration::from_secs(30)).unwrap();
    let log = folder.join("doorward.db-wal");
    while_many_read(&store, ann, |reads| {
        for number in 0..5 {
            // The second one finds that nobody else has written since the first.
            for email in ["bob", "cat"].map(|name| format!("{name}{number}@example.com")) {
                after(100, reads);
                runtime.block_on(register(&*store, &realm, &email));
            }
            assert!(fs::metadata(&log).unwrap().len() > 0);
            let busy = other.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
            assert_eq!((busy, fs::metadata(&log).unwrap().len()), (Ok(0), 0));
        }
    });
}
