//! Places in status lists: reserved once, kept by their sessions, told when those end.

use doorward_core::session::NewSession;
use doorward_core::status_list::StatusIndex;

use super::super::engine::{Fresh, fresh};
use crate::people::{AGES, HOUR, NOW, first_hash, later, open, register, session, sign_in};

async fn ended(db: &Fresh, from: i64, to: i64) -> Vec<i64> {
    let ended = db.ended_status_indices(from, to).await.unwrap();
    let mut places: Vec<i64> = ended.iter().map(|index| index.0).collect();
    places.sort_unstable();
    places
}

fn at(new: NewSession, place: i64) -> NewSession {
    let mut new = new;
    new.session.status_index = Some(StatusIndex(place));
    new
}

#[tokio::test]
async fn nobody_is_given_a_place_twice() {
    let db = fresh().await;
    let other = db.again().await;
    assert_eq!(db.reserved_status_indices().await.unwrap(), 0);
    assert_eq!(db.reserve_status_indices(10).await.unwrap(), 0);
    assert_eq!(other.reserve_status_indices(5).await.unwrap(), 10);
    assert_eq!(db.reserve_status_indices(10).await.unwrap(), 15);
    assert_eq!(other.reserved_status_indices().await.unwrap(), 25);
}

#[tokio::test]
async fn a_session_takes_its_place_along() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let mut ids = Vec::new();
    for place in [3, 4, 5, 100] {
        let new = at(session(ann), place);
        ids.push(new.session.id);
        assert!(open(&*db, new, &first_hash()).await);
    }
    let without = sign_in(&*db, ann).await;
    let listed = db.list_sessions(ann, NOW, 10).await.unwrap();
    let place_of = |id| listed.iter().find(|session| session.id == id).unwrap().status_index;
    assert_eq!(place_of(ids[0]), Some(StatusIndex(3)));
    assert_eq!(place_of(without), None);
    let extended = db
        .extend_session(ids[1], later(2 * HOUR), later(2 * HOUR), AGES, NOW)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((extended.id, extended.expires_at), (ids[1], later(2 * HOUR)));
    assert_eq!(extended.status_index, Some(StatusIndex(4)));

    assert_eq!(ended(&db, 0, 1000).await, [0; 0]);
    db.end_session(ids[0], ann, NOW).await.unwrap().unwrap();
    db.end_session(without, ann, NOW).await.unwrap().unwrap();
    assert_eq!(ended(&db, 0, 1000).await, [3]);
    db.end_sessions(ann, Some(ids[2])).await.unwrap();
    assert_eq!(ended(&db, 0, 1000).await, [3, 4, 100]);
    assert_eq!(
        (ended(&db, 4, 100).await, ended(&db, 100, 101).await),
        (vec![4], vec![100])
    );
    assert!(db.delete_account(ann, None).await.unwrap().is_some());
    assert_eq!(ended(&db, 0, 1000).await, [3, 4, 5, 100]);
    db.purge_ended_sessions(later(HOUR), i64::MAX, 10).await.unwrap();
    assert_eq!(
        ended(&db, 0, 1000).await,
        [4, 5],
        "the others are dead by age, and the last is kept"
    );
}
