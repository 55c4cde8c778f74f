//! How writes share commits, and that a failing one harms no neighbour.
//!
//! The surprise: the tests hold the write lock themselves, through a connection beside the store, until all
//! writes are queued. So what shares a commit does not depend on who is how fast.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Waker};

use doorward_core::Error;
use doorward_core::realm::Realm;
use doorward_core::store::{Store, Written};
use doorward_store::{Sqlite, WriteCounts, open_sqlite};
use rusqlite::Connection;

use crate::engine::Folder;
use crate::people::{HOUR, NOW, find, later, person, register, sign_in};

async fn open(folder: &Folder) -> (Arc<Sqlite>, Realm) {
    let store = open_sqlite(folder.database()).await.unwrap();
    let realm = store.ensure_realm("main").await.unwrap();
    (store, realm)
}

/// Takes the write lock, as another process would.
fn another_writer(folder: &Folder) -> Connection {
    let connection = Connection::open(folder.database()).unwrap();
    connection.execute_batch("BEGIN IMMEDIATE").unwrap();
    connection
}

fn since(store: &Sqlite, before: WriteCounts) -> (u64, u64) {
    let now = store.write_counts();
    (now.jobs - before.jobs, now.commits - before.commits)
}

/// Hands a write in without waiting for it. It is made even if the future that comes back is dropped.
fn hand_in<F: Future>(write: F) -> Pin<Box<F>> {
    let mut write = Box::pin(write);
    let queued = write.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    assert!(queued.is_pending());
    write
}

#[tokio::test]
async fn writes_that_wait_together_are_committed_together() {
    let folder = Folder::new();
    let (store, realm) = open(&folder).await;
    let before = store.write_counts();
    let other = another_writer(&folder);
    let mut writes = Vec::new();
    for number in 0..200 {
        writes.push(hand_in(
            store.create_account(person(&realm, &format!("ann{number}@example.com")), None),
        ));
    }
    other.execute_batch("ROLLBACK").unwrap();
    for write in writes {
        assert!(matches!(write.await, Ok(Written::Done(_))));
    }
    let (jobs, commits) = since(&store, before);
    assert_eq!(jobs, 200);
    // The first of them may have been taken alone.
    assert!(commits <= 2, "{commits} commits");
}

#[tokio::test]
async fn a_write_that_fails_leaves_its_neighbours_written() {
    let folder = Folder::new();
    let (store, realm) = open(&folder).await;
    register(&*store, &realm, "taken@example.com").await;
    let before = store.write_counts();
    let other = another_writer(&folder);
    let (mut nowhere, realm_again) = (realm.clone(), realm.clone());
    nowhere.id.0 += 1;
    let release = async {
        tokio::task::yield_now().await;
        other.execute_batch("ROLLBACK").unwrap();
    };
    let (first, broken, second, taken, third, ()) = tokio::join!(
        store.create_account(person(&realm, "ann@example.com"), None),
        store.create_account(person(&nowhere, "bob@example.com"), None),
        store.create_account(person(&realm, "cat@example.com"), None),
        store.create_account(person(&realm_again, "taken@example.com"), None),
        store.create_account(person(&realm, "dan@example.com"), None),
        release,
    );
    assert!(matches!(broken, Err(Error::Internal(_))), "{broken:?}");
    assert!(matches!(taken, Ok(Written::Taken(_))), "{taken:?}");
    for (written, email, number) in [
        (first, "ann@example.com", 2),
        (second, "cat@example.com", 3),
        (third, "dan@example.com", 4),
    ] {
        assert!(matches!(written, Ok(Written::Done(_))), "{written:?}");
        assert_eq!(
            find(&*store, &realm, email).await.map(|account| account.number),
            Some(number)
        );
    }
    let (jobs, commits) = since(&store, before);
    assert_eq!(jobs, 5);
    assert!(commits <= 2, "{commits} commits");
}

#[tokio::test]
async fn closing_finishes_what_was_handed_in() {
    let folder = Folder::new();
    let (store, realm) = open(&folder).await;
    for number in 0..100 {
        drop(hand_in(store.create_account(
            person(&realm, &format!("ann{number}@example.com")),
            None,
        )));
    }
    drop(store);
    assert!(
        !folder.join("doorward.db-wal").exists(),
        "the log is part of the file again"
    );
    let (store, realm) = open(&folder).await;
    assert_eq!(store.list_accounts(realm.id, 0, 1000).await.unwrap().len(), 100);
}

#[tokio::test]
async fn reads_see_every_write_that_was_answered() {
    let folder = Folder::new();
    let (store, realm) = open(&folder).await;
    for number in 1..=50 {
        let account = register(&*store, &realm, &format!("ann{number}@example.com")).await;
        assert_eq!(
            store.account(account.id).await.unwrap().map(|account| account.number),
            Some(number)
        );
    }
}

/// The walk through a table is not past what it could not forget.
#[tokio::test]
async fn what_could_not_be_forgotten_is_tried_again() {
    let folder = Folder::new();
    let (store, realm) = open(&folder).await;
    let ann = register(&*store, &realm, "ann@example.com").await.id;
    for number in 0..8 {
        let sid = sign_in(&*store, ann).await;
        if number % 2 == 0 {
            store.end_session(sid, ann, NOW).await.unwrap().unwrap();
        }
    }
    let sql = |sql: &str| Connection::open(folder.database()).unwrap().execute_batch(sql).unwrap();
    let keep = |table: &str| {
        format!("CREATE TRIGGER keep_{table} BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, 'kept'); END;")
    };
    sql(&(keep("sessions") + &keep("ended_sessions")));
    let sessions = async || store.purge_sessions(later(HOUR), 2).await;
    let endings = async || store.purge_ended_sessions(later(HOUR), i64::MAX, 2).await;
    assert!(sessions().await.is_err() && endings().await.is_err());
    sql("DROP TRIGGER keep_sessions; DROP TRIGGER keep_ended_sessions");
    assert_eq!((sessions().await.unwrap(), sessions().await.unwrap()), (2, 2));
    assert_eq!(
        (endings().await.unwrap(), endings().await.unwrap()),
        (2, 1),
        "the last stays"
    );
}
