//! The endings as a node reads them on while others are forgotten.
//!
//! The surprise: an ending may be dead by age when it is written. Nobody has to be told of it, and yet it is a place to
//! which a node may have read.

use std::sync::Arc;

use super::super::engine::{Fresh, fresh};
use super::nodes::started;
use crate::people::{NOW, first_hash, open, register, session};

/// Ends a session whose access tokens are all dead by age.
async fn end_dead(db: &Fresh) {
    let email = format!("{}@example.com", doorward_core::random::uuid(NOW).unwrap());
    let ann = register(&**db, &db.realm, &email).await.id;
    let mut new = session(ann);
    new.session.access_until = NOW;
    let id = new.session.id;
    assert!(open(&**db, new, &first_hash()).await);
    let ended = db.end_session(id, ann, NOW).await.unwrap().unwrap();
    assert_eq!(ended.expires_at, NOW, "it is dead when it is written");
}

/// Another node forgets, and knows of later ones. It must not look as if the database had gone back in time.
#[tokio::test]
async fn the_ending_read_last_is_found_again_however_soon_it_can_be_forgotten() {
    let db = fresh().await;
    let (follower, other) = (
        started(db.again().await, NOW).await,
        started(Arc::clone(&db.store), NOW).await,
    );
    for round in 1..=4 {
        end_dead(&db).await;
        follower.catch_up_endings().await.unwrap();
        end_dead(&db).await;
        other.catch_up_endings().await.unwrap();
        other.purge().await.unwrap();
        follower.catch_up_endings().await.unwrap();
        let progress = follower.ended_sessions().recent().progress();
        assert_eq!((progress.timeline, progress.sequence), (0, 2 * round));
    }
    let left = db.ended_sessions(0, 100).await.unwrap();
    let left: Vec<i64> = left.iter().map(|ended| ended.sequence).collect();
    assert_eq!(
        left,
        [6, 7, 8],
        "what stood at the purge before, and what came after it"
    );
}
