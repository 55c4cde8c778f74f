//! Opening a file: new, again, by many at once, and every way in which it cannot be.
//!
//! The surprise: a refusal is tested by its words. They are all that the person at the keyboard has.

use std::fs::{self, OpenOptions, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use doorward_core::store::Store;
use doorward_store::open_sqlite;
use rusqlite::Connection;
use tokio::task::JoinSet;

use crate::engine::Folder;
use crate::people::{find, register};
use crate::process;

/// The schema that this program makes; a new migration counts it up.
const VERSION: i64 = 8;

fn number(database: &Path, sql: &str) -> i64 {
    Connection::open(database)
        .unwrap()
        .query_row(sql, [], |row| row.get(0))
        .unwrap()
}

/// Asserts that opening fails, that the error says `what`, and that it comes with this `hint`.
async fn assert_refused(database: &Path, what: &str, hint: &str) {
    let error = open_sqlite(database).await.err().unwrap().to_string();
    let (said, hinted) = error.split_once("\nhint: ").unwrap();
    assert!(said.contains(what), "{error}");
    assert!(hinted.contains(hint), "{error}");
}

#[tokio::test]
async fn a_new_file_is_made_and_belongs_to_its_owner_alone() {
    let folder = Folder::new();
    let store = open_sqlite(folder.database()).await.unwrap();
    store.ensure_realm("main").await.unwrap();
    for name in ["doorward.db", "doorward.db-wal", "doorward.db-shm"] {
        let mode = fs::metadata(folder.join(name)).unwrap().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(number(&folder.database(), "PRAGMA user_version"), VERSION);
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let folder = Folder::new();
    for round in 0..3 {
        let store = open_sqlite(folder.database()).await.unwrap();
        let realm = store.ensure_realm("main").await.unwrap();
        assert_eq!(find(&*store, &realm, "ann@example.com").await.is_some(), round > 0);
        if round == 0 {
            register(&*store, &realm, "ann@example.com").await;
        }
    }
}

#[tokio::test]
async fn an_empty_file_is_a_new_database() {
    let folder = Folder::new();
    fs::write(folder.database(), "").unwrap();
    let store = open_sqlite(folder.database()).await.unwrap();
    assert!(store.ready().await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_may_make_the_schema_at_once() {
    let folder = Folder::new();
    let mut crowd = JoinSet::new();
    for _ in 0..10 {
        let database = folder.database();
        crowd.spawn(async move {
            open_sqlite(database)
                .await
                .unwrap()
                .ensure_realm("main")
                .await
                .unwrap()
                .id
        });
    }
    let realms = crowd.join_all().await;
    assert!(realms.iter().all(|realm| *realm == realms[0]), "{realms:?}");
}

#[tokio::test]
async fn ten_processes_may_make_the_schema_at_once() {
    if let Some(database) = process::database() {
        let store = open_sqlite(database).await.unwrap();
        let realm = store.ensure_realm("main").await.unwrap();
        let email = format!("{}@example.com", std::process::id());
        register(&*store, &realm, &email).await;
        return;
    }
    let test = "opening::ten_processes_may_make_the_schema_at_once";
    let folder = Folder::new();
    let children: Vec<_> = (0..10)
        .map(|_| process::start(test, folder.database().to_str().unwrap()))
        .collect();
    for child in children {
        let ended = child.wait_with_output().unwrap();
        assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
    }
    assert_eq!(number(&folder.database(), "SELECT count(*) FROM accounts"), 10);
    assert_eq!(number(&folder.database(), "SELECT count(*) FROM realms"), 1);
    assert_eq!(number(&folder.database(), "PRAGMA user_version"), VERSION);
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let folder = Folder::new();
    drop(open_sqlite(folder.database()).await.unwrap());
    Connection::open(folder.database())
        .unwrap()
        .pragma_update(None, "user_version", VERSION + 1)
        .unwrap();
    let what = format!(
        "has schema version {}; this doorward knows up to {VERSION}",
        VERSION + 1
    );
    assert_refused(
        &folder.database(),
        &what,
        "start the newer doorward, or restore the backup",
    )
    .await;
    assert_eq!(number(&folder.database(), "PRAGMA user_version"), VERSION + 1);
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    let folder = Folder::new();
    Connection::open(folder.database())
        .unwrap()
        .execute_batch("CREATE TABLE songs (title TEXT)")
        .unwrap();
    let before = fs::read(folder.database()).unwrap();
    assert_refused(
        &folder.database(),
        "is a database of another program",
        "choose another path",
    )
    .await;
    assert_eq!(fs::read(folder.database()).unwrap(), before);
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_and_left_alone() {
    let folder = Folder::new();
    let text = "Dear diary, ".repeat(1000);
    fs::write(folder.database(), &text).unwrap();
    assert_refused(&folder.database(), "is not a SQLite database", "choose another path").await;
    assert_eq!(fs::read_to_string(folder.database()).unwrap(), text);
}

#[tokio::test]
async fn a_path_that_cannot_be_a_file_is_refused() {
    let folder = Folder::new();
    assert_refused(&folder, "is a folder", "doorward.db").await;
    assert_refused(&folder.join("none/doorward.db"), "does not exist", "mkdir -p").await;
    assert_refused(Path::new(""), "no usable path", "name a file").await;
    fs::write(folder.join("file"), "").unwrap();
    assert_refused(
        &folder.join("file/doorward.db"),
        "cannot be made",
        "choose another path",
    )
    .await;
}

#[tokio::test]
async fn a_read_only_file_is_refused() {
    let folder = Folder::new();
    drop(open_sqlite(folder.database()).await.unwrap());
    fs::set_permissions(folder.database(), Permissions::from_mode(0o400)).unwrap();
    // The superuser may write everything; then so may the store.
    if OpenOptions::new().write(true).open(folder.database()).is_ok() {
        assert!(open_sqlite(folder.database()).await.is_ok());
    } else {
        assert_refused(&folder.database(), "is read-only", "write").await;
    }
}

#[tokio::test]
async fn a_name_that_sqlite_would_take_for_something_else_is_a_file() {
    let folder = Folder::new();
    for name in [":memory:", "file:x?mode=memory", "ä b%20.db"] {
        drop(open_sqlite(folder.join(name)).await.unwrap());
        assert!(folder.join(name).exists(), "{name}");
    }
}
