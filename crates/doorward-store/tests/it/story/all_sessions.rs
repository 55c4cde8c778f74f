//! The sessions of everybody, ended in portions: every one, each once, and only those of a realm where one is named.

use std::collections::HashSet;

use doorward_core::realm::RealmId;
use doorward_core::session::{EndedSession, SessionId};
use doorward_core::status_list::StatusIndex;
use doorward_core::store::Store;

use super::super::engine::fresh;
use crate::people::{AGES, HOUR, NOW, first_hash, later, living, open, register, session, sign_in, sorted};

/// Ends all there are, so many at a time, and answers the portions.
async fn end_all(db: &dyn Store, realm: Option<RealmId>, limit: usize) -> Vec<Vec<EndedSession>> {
    let (mut portions, mut after) = (Vec::new(), None);
    loop {
        let (ended, next) = db.end_next_sessions(after, realm, limit).await.unwrap();
        assert!(ended.len() <= limit, "a portion is bounded");
        portions.push(ended);
        if next.is_none() {
            return portions;
        }
        assert_ne!(next, after, "it goes on");
        after = next;
    }
}

#[tokio::test]
async fn the_sessions_of_everybody_end_in_portions() {
    let db = fresh().await;
    let other = db.ensure_realm("other").await.unwrap();
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let bob = register(&*db, &other, "bob@example.com").await.id;
    let mut opened = HashSet::new();
    for account in [ann, bob, ann, bob] {
        opened.insert(sign_in(&*db, account).await);
    }
    let mut with_place = session(ann);
    with_place.session.status_index = Some(StatusIndex(7));
    opened.insert(with_place.session.id);
    assert!(open(&*db, with_place, &first_hash()).await);

    let portions = end_all(&*db, None, 2).await;
    let sizes: Vec<usize> = portions.iter().map(Vec::len).collect();
    assert_eq!(sizes, [2, 2, 1]);
    let ended: Vec<EndedSession> = portions.into_iter().flatten().collect();
    assert_eq!(ended.iter().map(|ended| ended.session).collect::<HashSet<_>>(), opened);
    let places = |ended: &[EndedSession]| ended.iter().map(EndedSession::place).collect::<Vec<_>>();
    let read = db.ended_sessions(0, 10).await.unwrap();
    assert_eq!(places(&read), places(&ended), "others read them in their order");
    assert_eq!(db.ended_status_indices(0, 10).await.unwrap(), [StatusIndex(7)]);
    for account in [ann, bob] {
        assert!(living(&*db, account).await.is_empty());
    }
    // Whoever was interrupted begins anew, and finds what is left.
    let late = sign_in(&*db, bob).await;
    let again = end_all(&*db, None, 2).await.concat();
    assert_eq!(sorted(&again), [late]);
    assert!(end_all(&*db, None, 2).await.concat().is_empty());
}

#[tokio::test]
async fn of_a_realm_that_is_named_all_sessions_end_and_of_no_other() {
    let db = fresh().await;
    let other = db.ensure_realm("other").await.unwrap();
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let bob = register(&*db, &other, "bob@example.com").await.id;
    let mut bobs = Vec::new();
    let mut anns: Vec<SessionId> = Vec::new();
    for _ in 0..3 {
        anns.push(sign_in(&*db, ann).await);
        bobs.push(sign_in(&*db, bob).await);
    }
    bobs.sort_by_key(|id| id.0);
    let ended = end_all(&*db, Some(other.id), 2).await.concat();
    assert_eq!(sorted(&ended), bobs);
    let left = living(&*db, ann).await;
    assert_eq!(left.iter().collect::<HashSet<_>>(), anns.iter().collect());
    assert!(living(&*db, bob).await.is_empty());
}

/// By another clock their tokens may be good.
#[tokio::test]
async fn of_all_sessions_those_that_have_expired_end_as_well() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let expires_soonest = sign_in(&*db, ann).await;
    let lives = sign_in(&*db, ann).await;
    let until = later(2 * HOUR);
    assert!(db.extend_session(lives, until, NOW, AGES, NOW).await.unwrap().is_some());
    let (ended, next) = db.end_next_sessions(None, None, 10).await.unwrap();
    let mut both = vec![expires_soonest, lives];
    both.sort_by_key(|id| id.0);
    assert_eq!((sorted(&ended), next), (both, None));
    assert_eq!(
        db.purge_sessions(later(HOUR), 10).await.unwrap(),
        0,
        "neither is a row any more"
    );
}
