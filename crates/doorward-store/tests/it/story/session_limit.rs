//! How many sessions an account may have: which of too many end, and how many at once.

use std::sync::Arc;

use doorward_core::session::SessionId;
use doorward_core::store::{MAX_EXCESS, Opened};
use tokio::task::JoinSet;

use super::super::engine::fresh;
use crate::people::{AGES, HOUR, MANY, NOW, first_hash, later, living, register, session, sign_in, sorted};

#[tokio::test]
async fn of_too_many_sessions_those_that_were_used_last_stay() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let bob = register(&*db, &db.realm, "bob@example.com").await.id;
    let other = sign_in(&*db, bob).await;
    let open = async |expected| {
        let new = session(ann);
        let id = new.session.id;
        assert_eq!(db.open_session(new, &first_hash(), 3).await.unwrap(), expected);
        id
    };
    let (a, b) = (open(Opened::Done).await, open(Opened::Done).await);
    let (c, newest) = (open(Opened::Done).await, open(Opened::OverLimit).await);
    for (id, at) in [(b, 1), (a, 2), (c, 3)] {
        db.extend_session(id, later(HOUR), NOW, AGES, later(at))
            .await
            .unwrap()
            .unwrap();
    }
    let end = async |limit, at| db.end_excess_sessions(ann, newest, limit, later(at)).await.unwrap();
    let mut expected = [a, b];
    expected.sort_by_key(|id| id.0);
    let ended = end(2, 4).await;
    assert_eq!(sorted(&ended), expected);
    assert_eq!(
        living(&*db, ann).await,
        [c, newest],
        "the newest, though it was used first"
    );
    assert_eq!(sorted(&db.ended_sessions(0, 10).await.unwrap()), expected);
    assert!(end(2, 4).await.is_empty(), "there are no more");
    assert_eq!(living(&*db, bob).await, [other], "somebody else's go on");
}

#[tokio::test]
async fn of_too_many_sessions_the_expired_go_first() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let (dead, lives) = (sign_in(&*db, ann).await, sign_in(&*db, ann).await);
    let newest = sign_in(&*db, ann).await;
    // The one that has expired was used last.
    for (id, until, at) in [(newest, 2 * HOUR, 0), (lives, 2 * HOUR, 1), (dead, HOUR, 2)] {
        let extended = db.extend_session(id, later(until), NOW, AGES, later(at)).await;
        assert!(extended.unwrap().is_some());
    }
    let at = later(HOUR);
    let ended = db.end_excess_sessions(ann, newest, 2, at).await.unwrap();
    assert_eq!(sorted(&ended), [dead], "by another clock it may live");
    let listed = db.list_sessions(ann, at, 10).await.unwrap();
    assert_eq!(
        listed.iter().map(|session| session.id).collect::<Vec<_>>(),
        [lives, newest]
    );
    assert_eq!(db.purge_sessions(at, 10).await.unwrap(), 0, "it is no row any more");
}

/// Those that are left over are not the least recently used: a limit that is passed by far is reached from that end.
#[tokio::test]
async fn of_too_many_to_end_at_once_those_used_last_the_longest_ago_go_first() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let mut opening = JoinSet::new();
    let mut oldest_first = Vec::new();
    // The newest comes first by its time of use, and the one that has expired comes last.
    for used in 0..MAX_EXCESS + 5 {
        let mut new = session(ann);
        new.session.used_at = later(i64::try_from(used).unwrap());
        let is_last = used == MAX_EXCESS + 4;
        new.session.expires_at = later(if is_last { HOUR } else { 2 * HOUR });
        oldest_first.push(new.session.id);
        let store = Arc::clone(&db.store);
        opening.spawn(async move { store.open_session(new, &first_hash(), MANY).await.unwrap() });
    }
    opening.join_all().await;
    let newest = oldest_first[0];
    let end = async || db.end_excess_sessions(ann, newest, 2, later(HOUR)).await.unwrap();
    let by_id = |mut ids: Vec<SessionId>| {
        ids.sort_unstable_by_key(|id| id.0);
        ids
    };
    let at_once = MAX_EXCESS - 1;
    let first = end().await;
    let mut expected = oldest_first[1..=at_once].to_vec();
    expected.push(oldest_first[MAX_EXCESS + 4]);
    assert_eq!(sorted(&first), by_id(expected));
    assert_eq!(
        sorted(&end().await),
        by_id(oldest_first[at_once + 1..MAX_EXCESS + 3].to_vec()),
        "the next time it ends the others"
    );
    let left = db.list_sessions(ann, later(HOUR), MANY).await.unwrap();
    let left: Vec<_> = left.iter().map(|session| session.id).collect();
    assert_eq!(left, [oldest_first[MAX_EXCESS + 3], newest]);
}
