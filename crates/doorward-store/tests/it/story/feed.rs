//! The endings as a node reads them on while others are forgotten.
//!
//! The surprise: an ending may be dead by age when it is written. Nobody has to be told of it, and yet it is a place to
//! which a node may have read.

use std::sync::Arc;
use std::time::Duration;

use doorward_core::auth::Parts;
use doorward_core::hasher::{Hasher, HasherConfig, Scheme};
use doorward_core::password::PasswordPolicy;
use doorward_core::store::Store;
use doorward_core::throttle::{Throttle, ThrottleConfig};
use doorward_core::{Auth, Clock, Policy};

use super::super::engine::{Fresh, fresh};
use crate::people::{NOW, first_hash, open, register, session};

/// A node that has just started.
async fn node(store: Arc<dyn Store>) -> Auth {
    let clock = Clock::manual(NOW);
    let config = HasherConfig {
        scheme: Scheme::Argon2id { m_kib: 8, t: 1, p: 1 },
        threads: 1,
        ..HasherConfig::default()
    };
    let parts = Parts {
        store,
        hasher: Hasher::start(config, clock.clone()).unwrap(),
        throttle: Throttle::new(ThrottleConfig::default(), clock.clone()),
        clock,
    };
    let policy = Policy {
        issuer: "story".into(),
        shared_secret: None,
        hide_accounts: false,
        sessions_per_account: 100,
        passwords: Arc::new(PasswordPolicy::default()),
        key_overlap: Duration::from_hours(1),
        status_lists: None,
    };
    Auth::open(parts, policy).await.unwrap()
}

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
    let (follower, other) = (node(db.again().await).await, node(Arc::clone(&db.store)).await);
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
