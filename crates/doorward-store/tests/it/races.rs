//! What happens when many want the same thing at once: exactly one gets it, and the others are told so.
//!
//! The surprise: the races hold for several handles on one database as well, since another process (another
//! node, or a command beside the server) is one.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use doorward_core::account::{AccountId, ProfileChange};
use doorward_core::refresh::{Rotation, RotationOutcome};
use doorward_core::session::SessionId;
use doorward_core::store::{Store, Written};
use tokio::task::JoinSet;

use super::engine::{Fresh, fresh};
use crate::people::{NOW, client, done, first_hash, hash, later, living, open, person, register, session, sign_in};

/// How many want the same thing.
const CROWD: u8 = 50;

/// How often a login races what is to shut it out.
const ROUNDS: usize = 40;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_identifier_makes_one_account() {
    let db = fresh().await;
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let (store, new) = (Arc::clone(&db.store), person(&db.realm, "ann@example.com"));
        crowd.spawn(async move { store.create_account(new, None).await.unwrap() });
    }
    let written = crowd.join_all().await;
    let done = written
        .iter()
        .filter(|written| matches!(written, Written::Done(_)))
        .count();
    let taken = written
        .iter()
        .filter(|written| matches!(written, Written::Taken(_)))
        .count();
    assert_eq!((done, taken), (1, usize::from(CROWD) - 1));
    assert_eq!(register(&*db, &db.realm, "bob@example.com").await.number, 2, "no gap");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn numbers_have_no_gap_and_no_twin() {
    let db = fresh().await;
    let mut crowd = JoinSet::new();
    for person_number in 0..CROWD {
        let new = person(&db.realm, &format!("ann{}@example.com", person_number / 2));
        let store = Arc::clone(&db.store);
        crowd.spawn(async move { store.create_account(new, None).await.unwrap() });
    }
    let numbers: HashSet<i64> = crowd
        .join_all()
        .await
        .into_iter()
        .filter_map(|written| match written {
            Written::Done(account) => Some(account.number),
            _ => None,
        })
        .collect();
    assert_eq!(numbers, (1..=i64::from(CROWD / 2)).collect());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_identifier_makes_one_account_among_several_processes() {
    let db = fresh().await;
    let mut crowd = JoinSet::new();
    for _ in 0..3 {
        let store = db.again().await;
        for _ in 0..CROWD / 3 {
            let (store, new) = (Arc::clone(&store), person(&db.realm, "ann@example.com"));
            crowd.spawn(async move { store.create_account(new, None).await.unwrap() });
        }
    }
    let written = crowd.join_all().await;
    assert_eq!(
        written
            .iter()
            .filter(|written| matches!(written, Written::Done(_)))
            .count(),
        1
    );
}

/// A change reads before it writes; another process must not come between the two.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_by_several_processes_are_all_made() {
    let db = fresh().await;
    let mut crowd = JoinSet::new();
    for process in 0..3 {
        let store = db.again().await;
        let ann = register(&*store, &db.realm, &format!("ann{process}@example.com"))
            .await
            .id;
        crowd.spawn(async move {
            for round in 0..CROWD {
                let name = Some(Some(round.to_string()));
                let change = ProfileChange {
                    first_name: name,
                    ..ProfileChange::default()
                };
                done(store.update_account(ann, change, None, NOW).await.unwrap().0);
            }
            store.account(ann).await.unwrap().unwrap().profile.first_name
        });
    }
    let last = (CROWD - 1).to_string();
    assert!(
        crowd
            .join_all()
            .await
            .into_iter()
            .all(|name| name.as_ref() == Some(&last))
    );
}

/// Each change sets another attribute of one account; one that is based on what it read too early would take back
/// what others have set.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_one_account_do_not_take_each_other_back() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let mut crowd = JoinSet::new();
    for process in 0..3 {
        let store = db.again().await;
        for number in 0..CROWD / 3 {
            let store = Arc::clone(&store);
            crowd.spawn(async move {
                let mut change = ProfileChange::default();
                change.attributes.insert(format!("{process}-{number}"), true.into());
                done(store.update_account(ann, change, None, NOW).await.unwrap().0);
            });
        }
    }
    let changes = crowd.join_all().await.len();
    let ann = db.account(ann).await.unwrap().unwrap();
    assert_eq!(ann.profile.attributes.len(), changes);
}

#[tokio::test]
async fn an_ending_made_by_another_process_is_seen_by_its_sequence() {
    let db = fresh().await;
    let (server, command) = (db.again().await, db.again().await);
    let ann = register(&*server, &db.realm, "ann@example.com").await.id;
    let mut sequence = 0;
    for by in [&command, &server, &command] {
        let sid = sign_in(&*server, ann).await;
        by.end_sessions(ann, None).await.unwrap();
        let seen = server.ended_sessions(sequence, 10).await.unwrap();
        assert_eq!(seen.iter().map(|ended| ended.session).collect::<Vec<_>>(), [sid]);
        sequence = seen[0].sequence;
    }
}

fn rotation(session: SessionId, client_number: u8) -> Rotation {
    Rotation {
        session,
        presented: [0; 32],
        successor: [1; 32],
        client: client(client_number),
        expires_at: later(7_200_000),
        access_until: later(900_000),
        lifetime: Duration::from_hours(24),
        grace: Duration::from_secs(10),
        at: NOW,
    }
}

/// A crowd presents one token at once, each as the client of the number that `as_client` gives: how many were
/// answered rotated, repeated, not current.
async fn rotate_at_once(db: &Fresh, as_client: fn(u8) -> u8) -> (usize, usize, usize) {
    let ann = register(&**db, &db.realm, "ann@example.com").await.id;
    let mut new = session(ann);
    let sid = new.session.id;
    new.refresh_hash = Some([0; 32]);
    assert!(open(&**db, new, &first_hash()).await);
    let mut crowd = JoinSet::new();
    for number in 0..CROWD {
        let (store, rotation) = (Arc::clone(&db.store), rotation(sid, as_client(number)));
        crowd.spawn(async move { store.rotate_refresh_token(rotation).await.unwrap() });
    }
    let (mut rotated, mut repeated, mut not_current) = (0, 0, 0);
    for outcome in crowd.join_all().await {
        match outcome {
            RotationOutcome::Rotated(_) => rotated += 1,
            RotationOutcome::Repeated(_) => repeated += 1,
            RotationOutcome::NotCurrent { .. } => not_current += 1,
            RotationOutcome::Unknown => panic!("the session lives"),
        }
    }
    (rotated, repeated, not_current)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_client_is_always_given_the_same_successor() {
    let db = fresh().await;
    assert_eq!(rotate_at_once(&db, |_| 1).await, (1, usize::from(CROWD) - 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_clients_one_is_given_a_successor() {
    let db = fresh().await;
    assert_eq!(
        rotate_at_once(&db, |number| number).await,
        (1, 0, usize::from(CROWD) - 1)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_ends_once_and_has_one_sequence() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let sid = sign_in(&*db, ann).await;
    let mut crowd = JoinSet::new();
    for _ in 0..CROWD {
        let store = Arc::clone(&db.store);
        crowd.spawn(async move { store.end_session(sid, ann, NOW).await.unwrap() });
    }
    assert_eq!(crowd.join_all().await.into_iter().flatten().count(), 1);
    assert_eq!(db.ended_sessions(0, 10).await.unwrap().len(), 1);
}

/// Logins race `shut_out`, which ends all sessions and lets none with the old password in. Afterwards none of
/// them may be left, and each that was opened must have been ended.
async fn logins_race(shut_out: impl AsyncFn(Arc<dyn Store>, AccountId)) {
    let db = fresh().await;
    for round in 0..ROUNDS {
        let ann = register(&*db, &db.realm, &format!("ann{round}@example.com")).await.id;
        let mut logins = JoinSet::new();
        for _ in 0..8 {
            let (store, new) = (Arc::clone(&db.store), session(ann));
            logins.spawn(async move {
                let id = new.session.id;
                open(&*store, new, &first_hash()).await.then_some(id)
            });
        }
        shut_out(Arc::clone(&db.store), ann).await;
        let opened: HashSet<_> = logins.join_all().await.into_iter().flatten().collect();
        assert!(living(&*db, ann).await.is_empty(), "round {round}");
        let ended: HashSet<_> = db
            .ended_sessions(0, usize::MAX)
            .await
            .unwrap()
            .iter()
            .map(|ended| ended.session)
            .collect();
        assert!(opened.is_subset(&ended), "round {round}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_login_outruns_the_disabling_of_its_account() {
    logins_race(async |store, ann| {
        store.disable_account(ann, NOW).await.unwrap().unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_login_outruns_a_new_password() {
    logins_race(async |store, ann| {
        store
            .replace_password(ann, Some(&first_hash()), hash("second"), None)
            .await
            .unwrap()
            .unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_login_outruns_the_deletion_of_its_account() {
    logins_race(async |store, ann| {
        store.delete_account(ann, None).await.unwrap().unwrap();
    })
    .await;
}

/// Each login that passes the limit keeps its own session, and may end those of the others. Both of two must not end.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_many_logins_where_one_session_is_allowed_one_stays() {
    let db = fresh().await;
    for round in 0..ROUNDS {
        let ann = register(&*db, &db.realm, &format!("ann{round}@example.com")).await.id;
        let mut logins = JoinSet::new();
        for _ in 0..8 {
            let (store, new) = (Arc::clone(&db.store), session(ann));
            logins.spawn(async move {
                let newest = new.session.id;
                store.open_session(new, &first_hash(), 1).await.unwrap();
                store.end_excess_sessions(ann, newest, 1, NOW).await.unwrap().len()
            });
        }
        let ended: usize = logins.join_all().await.into_iter().sum();
        assert_eq!((ended, living(&*db, ann).await.len()), (7, 1), "round {round}");
    }
}
