//! The sequence of endings: whoever has read one has read all before it, also while others are being written.
//!
//! The surprise: the dangerous moment is made and not waited for. Another node, played by a connection of the
//! test, takes a number and does not commit; what the store does then is looked at, and only then is it let on.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use doorward_core::Error;
use doorward_core::account::AccountId;
use doorward_core::session::SessionId;
use doorward_core::store::Store;
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio_postgres::{Client, NoTls};

use super::engine::{Fresh, fresh, server};
use crate::people::{AGES, HOUR, NOW, later, register, sign_in};

/// A connection beside the store.
pub async fn another_node(db: &Fresh) -> Client {
    let connected = tokio_postgres::Config::new()
        .host_path(&server().folder)
        .port(server().port)
        .user("doorward")
        .dbname(&db.database.0)
        .connect(NoTls)
        .await;
    let (client, connection) = connected.unwrap();
    tokio::spawn(connection);
    client
}

/// Waits until somebody waits for a lock in this database: the ending, which must not be done before.
pub(super) async fn waits<T>(ending: &JoinHandle<T>, node: &Client) {
    let asked = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while node.query_one(asked, &[]).await.unwrap().get::<_, i64>(0) == 0 {
        assert!(!ending.is_finished());
        yield_now().await;
    }
}

async fn read(store: &dyn Store, after: i64) -> Vec<(i64, SessionId)> {
    let page = store.ended_sessions(after, 100).await.unwrap();
    page.iter().map(|ended| (ended.sequence, ended.session)).collect()
}

#[tokio::test]
async fn a_number_that_is_taken_and_not_committed_holds_back_the_next() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let (first, second) = (sign_in(&*db, ann).await, sign_in(&*db, ann).await);
    let node = another_node(&db).await;
    // As the statement that ends a session does, and stopped before its commit.
    let taken = "BEGIN; UPDATE endings SET last_sequence = last_sequence + 1; \
         INSERT INTO ended_sessions SELECT last_sequence, gen_random_uuid(), 9000000000000000 FROM endings";
    node.batch_execute(taken).await.unwrap();

    let ending = tokio::spawn({
        let store = Arc::clone(&db.store);
        async move { store.end_sessions(ann, None).await.unwrap() }
    });
    waits(&ending, &another_node(&db).await).await;
    assert!(read(&*db, 0).await.is_empty(), "neither is visible");
    assert!(!ending.is_finished());

    node.batch_execute("COMMIT").await.unwrap();
    let ended = ending.await.unwrap();
    let all = read(&*db, 0).await;
    assert_eq!(all.iter().map(|(sequence, _)| *sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(
        ended
            .iter()
            .map(|ended| (ended.sequence, ended.session))
            .collect::<Vec<_>>(),
        all[1..]
    );
    let sessions: HashSet<_> = all[1..].iter().map(|(_, session)| *session).collect();
    assert_eq!(sessions, HashSet::from([first, second]));
}

#[tokio::test]
async fn a_number_that_is_taken_back_is_given_again() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let sid = sign_in(&*db, ann).await;
    let node = another_node(&db).await;
    let taken = "BEGIN; UPDATE endings SET last_sequence = last_sequence + 1";
    node.batch_execute(taken).await.unwrap();
    let ending = tokio::spawn({
        let store = Arc::clone(&db.store);
        async move { store.end_session(sid, ann, NOW).await.unwrap() }
    });
    waits(&ending, &another_node(&db).await).await;
    node.batch_execute("ROLLBACK").await.unwrap();
    assert_eq!(ending.await.unwrap().unwrap().sequence, 1);
    assert_eq!(read(&*db, 0).await, [(1, sid)]);
}

/// Follows the endings from page to page until `done`, as a node does; what it has seen, in the order it saw it.
async fn follow(store: Arc<dyn Store>, done: Arc<AtomicBool>) -> Vec<(i64, SessionId)> {
    let mut seen = Vec::new();
    loop {
        // Asked before reading: what is written before the end is told is there to be read after it.
        let last = done.load(Ordering::SeqCst);
        let after = seen.last().map_or(0, |(sequence, _)| *sequence);
        let page = read(&*store, after).await;
        if last && page.is_empty() {
            return seen;
        }
        seen.extend(page);
    }
}

/// Ends the sessions of an account in turn by each way there is, and answers which those were.
async fn end_all_ways(store: Arc<dyn Store>, ann: AccountId) -> Vec<SessionId> {
    let mut ended = Vec::new();
    for round in 0..30 {
        let (one, two) = (sign_in(&*store, ann).await, sign_in(&*store, ann).await);
        match round % 3 {
            0 => {
                for sid in [two, one] {
                    assert!(store.end_session(sid, ann, NOW).await.unwrap().is_some());
                }
            }
            1 => assert_eq!(store.end_sessions(ann, None).await.unwrap().len(), 2),
            _ => {
                assert_eq!(store.disable_account(ann, NOW).await.unwrap().unwrap().len(), 2);
                assert!(store.enable_account(ann).await.unwrap());
            }
        }
        ended.extend([one, two]);
    }
    ended
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nobody_who_follows_misses_one() {
    let db = fresh().await;
    let done = Arc::new(AtomicBool::new(false));
    let mut followers = JoinSet::new();
    for _ in 0..2 {
        followers.spawn(follow(db.again().await, Arc::clone(&done)));
    }
    let mut writers = JoinSet::new();
    for number in 0..8 {
        let ann = register(&*db, &db.realm, &format!("ann{number}@example.com")).await.id;
        let store = if number % 2 == 0 {
            db.again().await
        } else {
            Arc::clone(&db.store)
        };
        writers.spawn(end_all_ways(store, ann));
    }
    let ended: HashSet<SessionId> = writers.join_all().await.into_iter().flatten().collect();
    done.store(true, Ordering::SeqCst);
    for seen in followers.join_all().await {
        assert!(seen.is_sorted_by(|(one, _), (next, _)| one < next));
        assert_eq!(seen.iter().map(|(_, session)| *session).collect::<HashSet<_>>(), ended);
    }
}

/// Who wants a session ended waits for the one commit that holds the counter, and for those who came before him, but
/// not for each of them in turn.
#[tokio::test]
async fn endings_that_wait_share_a_commit() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let bob = register(&*db, &db.realm, "bob@example.com").await.id;
    let node = another_node(&db).await;
    node.batch_execute("BEGIN; UPDATE endings SET last_sequence = last_sequence")
        .await
        .unwrap();
    let mut endings = JoinSet::new();
    for number in 0..100 {
        let (store, account) = (Arc::clone(&db.store), if number % 2 == 0 { ann } else { bob });
        let sid = sign_in(&*db, account).await;
        // Nobody's but the account's own.
        let (other, foreign) = (Arc::clone(&db.store), if account == ann { bob } else { ann });
        endings.spawn(async move { store.end_session(sid, account, NOW).await.unwrap() });
        if number < 10 {
            endings.spawn(async move { other.end_session(sid, foreign, NOW).await.unwrap() });
        }
    }
    let first = tokio::spawn(async move { endings.join_all().await });
    waits(&first, &another_node(&db).await).await;
    node.batch_execute("COMMIT").await.unwrap();
    let ended: Vec<i64> = first
        .await
        .unwrap()
        .into_iter()
        .flatten()
        .map(|ended| ended.sequence)
        .collect();
    assert_eq!(ended.iter().copied().collect::<HashSet<_>>(), (1..=100).collect());
    let commits: u32 = db
        .database
        .sql("SELECT count(DISTINCT xmin::text) FROM ended_sessions")
        .parse()
        .unwrap();
    // Those who came while the first waited, and those whose place in a batch another account had taken.
    assert!(commits <= 12, "{commits} commits");
}

/// The commit that holds the counter does not end. Who stands in line meanwhile is refused with the first, and not after
/// as long a wait for each batch before him.
#[tokio::test]
async fn endings_that_wait_behind_one_that_fails_are_refused_with_it() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let mut sessions = Vec::new();
    for _ in 0..600 {
        sessions.push(sign_in(&*db, ann).await);
    }
    let node = another_node(&db).await;
    node.batch_execute("BEGIN; UPDATE endings SET last_sequence = last_sequence")
        .await
        .unwrap();
    let mut endings = JoinSet::new();
    for sid in &sessions {
        let (store, sid) = (Arc::clone(&db.store), *sid);
        endings.spawn(async move { store.end_session(sid, ann, NOW).await });
    }
    let first = endings.join_next().await.unwrap().unwrap();
    // From here on an ending could be made.
    node.batch_execute("COMMIT").await.unwrap();
    for refused in [vec![first], endings.join_all().await].concat() {
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    }
    assert!(read(&*db, 0).await.is_empty());
    assert!(db.end_session(sessions[0], ann, NOW).await.unwrap().is_some());
}

#[tokio::test]
async fn a_session_that_somebody_holds_keeps_nobody_else_waiting() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let (held, free) = (sign_in(&*db, ann).await, sign_in(&*db, ann).await);
    let node = another_node(&db).await;
    let hold = format!("BEGIN; SELECT FROM sessions WHERE id = '{}' FOR UPDATE", held.0);
    node.batch_execute(&hold).await.unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&db.store);
        async move { store.end_session(held, ann, NOW).await.unwrap() }
    });
    waits(&waiting, &another_node(&db).await).await;
    assert_eq!(db.end_session(free, ann, NOW).await.unwrap().unwrap().sequence, 1);
    assert!(!waiting.is_finished());
    node.batch_execute("COMMIT").await.unwrap();
    assert_eq!(waiting.await.unwrap().unwrap().sequence, 2);
}

/// It would be the one that is left over: whoever goes through all of them does not come by again.
#[tokio::test]
async fn a_session_that_somebody_holds_ends_with_all_others() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let (held, free) = (sign_in(&*db, ann).await, sign_in(&*db, ann).await);
    let node = another_node(&db).await;
    let hold = format!("BEGIN; UPDATE sessions SET used_at = used_at WHERE id = '{}'", held.0);
    node.batch_execute(&hold).await.unwrap();
    let waiting = tokio::spawn({
        let store = Arc::clone(&db.store);
        async move { store.end_next_sessions(None, None, 10).await.unwrap().0 }
    });
    waits(&waiting, &another_node(&db).await).await;
    node.batch_execute("COMMIT").await.unwrap();
    let ended: HashSet<_> = waiting.await.unwrap().iter().map(|ended| ended.session).collect();
    assert_eq!(ended, HashSet::from([held, free]));
}

/// Nobody wrote down how long their access tokens live.
#[tokio::test]
async fn the_ending_of_an_older_session_is_remembered_as_long_as_it_would_have_lived() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let old = "UPDATE sessions SET access_until = NULL";
    for way in 0..3 {
        let sid = sign_in(&*db, ann).await;
        db.database.sql(old);
        let listed = db.list_sessions(ann, NOW, 1).await.unwrap();
        assert_eq!(listed[0].access_until, later(HOUR));
        let ended = match way {
            0 => db.end_session(sid, ann, NOW).await.unwrap().unwrap(),
            1 => db.end_sessions(ann, None).await.unwrap()[0],
            _ => {
                let until = later(HOUR + 5);
                let extended = db
                    .extend_session(sid, later(2 * HOUR), NOW, AGES, NOW)
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(extended.access_until, later(HOUR), "as before, until more is asked for");
                let extended = db.extend_session(sid, NOW, until, AGES, NOW).await.unwrap().unwrap();
                assert_eq!(extended.access_until, until);
                continue;
            }
        };
        assert_eq!((ended.session, ended.expires_at), (sid, later(HOUR)));
    }
}
