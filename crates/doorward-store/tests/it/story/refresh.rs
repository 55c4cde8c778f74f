//! Refresh tokens: each one rotates once, is repeated to the client that may have missed the answer, and is
//! refused to everybody else.

use std::time::Duration;

use doorward_core::account::AccountId;
use doorward_core::random;
use doorward_core::refresh::{Rotation, RotationOutcome};
use doorward_core::session::{Client, Session, SessionId};
use doorward_core::store::Store;

use super::super::engine::{Fresh, fresh};
use crate::people::{HOUR, MINUTE, NOW, client, first_hash, later, open, register, session};

const GRACE: Duration = Duration::from_secs(10);
const DAY: i64 = 24 * HOUR;

/// The hash of the `generation`-th token of a session.
fn token(generation: u8) -> [u8; 32] {
    [generation; 32]
}

/// Presents the token of a generation for the next, at [`NOW`], from client 1.
fn present(session: SessionId, generation: u8) -> Rotation {
    Rotation {
        session,
        presented: token(generation),
        successor: token(generation + 1),
        client: client(1),
        expires_at: later(2 * HOUR),
        access_until: later(HOUR),
        lifetime: Duration::from_hours(24),
        grace: GRACE,
        at: NOW,
    }
}

async fn refreshable(db: &Fresh) -> (AccountId, SessionId) {
    let account = register(&**db, &db.realm, "ann@example.com").await.id;
    let mut new = session(account);
    new.refresh_hash = Some(token(0));
    let id = new.session.id;
    assert!(open(&**db, new, &first_hash()).await);
    (account, id)
}

async fn rotated(db: &dyn Store, rotation: Rotation) -> Session {
    match db.rotate_refresh_token(rotation).await.unwrap() {
        RotationOutcome::Rotated(session) => session,
        other => panic!("not rotated: {other:?}"),
    }
}

async fn repeated(db: &dyn Store, rotation: Rotation) -> Session {
    match db.rotate_refresh_token(rotation).await.unwrap() {
        RotationOutcome::Repeated(session) => session,
        other => panic!("not repeated: {other:?}"),
    }
}

/// The owner and the current token that come with a refusal.
async fn not_current(db: &dyn Store, rotation: Rotation) -> (AccountId, [u8; 32]) {
    match db.rotate_refresh_token(rotation).await.unwrap() {
        RotationOutcome::NotCurrent { account, current } => (account, current),
        other => panic!("current: {other:?}"),
    }
}

async fn is_unknown(db: &dyn Store, rotation: Rotation) -> bool {
    matches!(
        db.rotate_refresh_token(rotation).await.unwrap(),
        RotationOutcome::Unknown
    )
}

#[tokio::test]
async fn the_current_token_is_taken_for_its_successor() {
    let db = fresh().await;
    let (account, sid) = refreshable(&db).await;
    let after = rotated(
        &*db,
        Rotation {
            at: later(7),
            ..present(sid, 0)
        },
    )
    .await;
    assert_eq!((after.id, after.account), (sid, account));
    assert_eq!(
        (after.created_at, after.used_at, after.expires_at),
        (NOW, later(7), later(2 * HOUR))
    );
    assert_eq!(after.client, client(1), "who opened it, not who refreshed it last");
    let stored = db.list_sessions(account, NOW, 1).await.unwrap();
    assert_eq!(
        (stored[0].used_at, stored[0].expires_at),
        (after.used_at, after.expires_at)
    );
    for generation in 1..=3 {
        rotated(
            &*db,
            Rotation {
                client: client(generation),
                ..present(sid, generation)
            },
        )
        .await;
    }
    assert_eq!(not_current(&*db, present(sid, 9)).await, (account, token(4)));
}

#[tokio::test]
async fn the_predecessor_is_repeated_to_the_same_client_for_a_while() {
    let db = fresh().await;
    let (account, sid) = refreshable(&db).await;
    let before = rotated(&*db, present(sid, 0)).await;
    for at in [0, 1, 9_999] {
        let after = repeated(
            &*db,
            Rotation {
                at: later(at),
                ..present(sid, 0)
            },
        )
        .await;
        assert_eq!(
            (after.id, after.used_at, after.expires_at),
            (sid, before.used_at, before.expires_at)
        );
    }
    let late = Rotation {
        at: later(10_000),
        ..present(sid, 0)
    };
    assert_eq!(not_current(&*db, late).await, (account, token(1)));
    // A clock that was set back, or another node's: a little is forgiven, and hours are no moment.
    let earlier = |by: i64| Rotation {
        at: later(-by),
        ..present(sid, 0)
    };
    repeated(&*db, earlier(9_999)).await;
    for by in [10_000, HOUR] {
        assert_eq!(not_current(&*db, earlier(by)).await, (account, token(1)));
    }
    let without_grace = Rotation {
        grace: Duration::ZERO,
        ..present(sid, 0)
    };
    assert_eq!(not_current(&*db, without_grace).await, (account, token(1)));
    rotated(&*db, present(sid, 1)).await;
}

#[tokio::test]
async fn the_predecessor_is_refused_to_anybody_else() {
    let db = fresh().await;
    let (account, sid) = refreshable(&db).await;
    rotated(&*db, present(sid, 0)).await;
    let strangers = [
        client(2),
        Client {
            address: None,
            ..client(1)
        },
        Client {
            user_agent: "curl/8".into(),
            ..client(1)
        },
    ];
    for stranger in strangers {
        let rotation = Rotation {
            client: stranger,
            ..present(sid, 0)
        };
        assert_eq!(not_current(&*db, rotation).await, (account, token(1)));
    }
    repeated(&*db, present(sid, 0)).await;
}

#[tokio::test]
async fn the_client_that_rotated_last_is_the_one_that_counts() {
    let db = fresh().await;
    let (account, sid) = refreshable(&db).await;
    // No address and no user agent are somebody, too, and the same one each time.
    let plain = || Rotation {
        client: Client::default(),
        ..present(sid, 0)
    };
    rotated(&*db, plain()).await;
    repeated(&*db, plain()).await;
    assert_eq!(
        not_current(&*db, present(sid, 0)).await,
        (account, token(1)),
        "who opened it is not asked"
    );
}

#[tokio::test]
async fn only_the_predecessor_is_repeated_and_only_to_the_stored_successor() {
    let db = fresh().await;
    let (account, sid) = refreshable(&db).await;
    assert_eq!(
        not_current(&*db, present(sid, 7)).await,
        (account, token(0)),
        "never rotated"
    );
    rotated(&*db, present(sid, 0)).await;
    let other_secret = Rotation {
        successor: token(9),
        ..present(sid, 0)
    };
    assert_eq!(not_current(&*db, other_secret).await, (account, token(1)));
    rotated(&*db, present(sid, 1)).await;
    assert_eq!(
        not_current(&*db, present(sid, 0)).await,
        (account, token(2)),
        "two generations old"
    );
    assert_eq!(
        not_current(
            &*db,
            Rotation {
                successor: token(2),
                ..present(sid, 0)
            }
        )
        .await,
        (account, token(2))
    );
    repeated(&*db, present(sid, 1)).await;
}

#[tokio::test]
async fn a_session_that_does_not_live_has_no_tokens() {
    let db = fresh().await;
    let (account, sid) = refreshable(&db).await;
    assert!(
        is_unknown(&*db, present(SessionId(random::uuid(NOW).unwrap()), 0)).await,
        "there is none"
    );
    assert!(
        is_unknown(
            &*db,
            Rotation {
                at: later(HOUR),
                ..present(sid, 0)
            }
        )
        .await,
        "it has expired"
    );
    let long_lived = Duration::from_mins(30);
    let too_old = Rotation {
        at: later(HOUR / 2),
        lifetime: long_lived,
        ..present(sid, 0)
    };
    assert!(is_unknown(&*db, too_old).await, "its longest life is over");

    let plain = session(account);
    let plain_id = plain.session.id;
    assert!(open(&*db, plain, &first_hash()).await);
    assert!(is_unknown(&*db, present(plain_id, 0)).await, "it has no refresh tokens");

    db.end_session(sid, account, NOW).await.unwrap().unwrap();
    assert!(is_unknown(&*db, present(sid, 0)).await, "it has ended");
}

#[tokio::test]
async fn a_session_lives_on_to_the_end_of_its_longest_life() {
    let db = fresh().await;
    let (_, sid) = refreshable(&db).await;
    // Asked for, at, and what comes of it: never earlier than before, never later than a day after the birth.
    for (generation, (asked, at, expected)) in (0..).zip([
        (2 * HOUR, 0, 2 * HOUR),
        (HOUR, 1, 2 * HOUR),
        (DAY, 2, DAY),
        (DAY + 1, 3, DAY),
        (HOUR, 4, DAY),
    ]) {
        let rotation = Rotation {
            expires_at: later(asked),
            at: later(at),
            ..present(sid, generation)
        };
        assert_eq!(
            rotated(&*db, rotation).await.expires_at,
            later(expected),
            "generation {generation}"
        );
    }
    // A lifetime that was set shorter takes back nothing that was promised, and one without end is none.
    let outlived = |lifetime, generation| Rotation {
        expires_at: later(2 * DAY),
        lifetime,
        ..present(sid, generation)
    };
    for (generation, (lifetime, expected)) in (5..).zip([
        (Duration::from_hours(3), DAY),
        (Duration::from_millis(u64::MAX / 2), 2 * DAY),
        (Duration::MAX, 2 * DAY),
    ]) {
        assert_eq!(
            rotated(&*db, outlived(lifetime, generation)).await.expires_at,
            later(expected),
            "{lifetime:?}"
        );
    }
}

#[tokio::test]
async fn a_session_knows_how_long_its_access_tokens_live() {
    let db = fresh().await;
    let (account, sid) = refreshable(&db).await;
    // What is asked for, and what comes of it: never earlier than before.
    for (generation, (asked, expected)) in (0..).zip([(HOUR + 5, HOUR + 5), (MINUTE, HOUR + 5), (HOUR + 9, HOUR + 9)]) {
        let rotation = Rotation {
            access_until: later(asked),
            ..present(sid, generation)
        };
        assert_eq!(rotated(&*db, rotation).await.access_until, later(expected));
    }
    let seen = repeated(&*db, present(sid, 2)).await;
    assert_eq!(seen.access_until, later(HOUR + 9), "a repetition writes nothing");
    let found = db.refreshable(sid, NOW).await.unwrap().unwrap();
    assert_eq!(found.session.access_until, later(HOUR + 9));
    let ended = db.end_session(sid, account, NOW).await.unwrap().unwrap();
    assert_eq!(ended.expires_at, later(HOUR + 9));
}

#[tokio::test]
async fn looking_at_a_session_shows_its_current_token_and_changes_nothing() {
    let db = fresh().await;
    let (account, id) = refreshable(&db).await;
    for generation in 0..2 {
        let found = db.refreshable(id, NOW).await.unwrap().unwrap();
        assert_eq!((found.session.id, found.session.account), (id, account));
        assert_eq!((found.realm.id, found.realm.name.as_str()), (db.realm.id, "main"));
        assert_eq!(found.current, token(generation));
        rotated(&*db, present(id, generation)).await;
    }
    assert!(
        db.refreshable(id, later(DAY)).await.unwrap().is_none(),
        "it has expired"
    );
    let without = session(account);
    let other = without.session.id;
    assert!(open(&*db, without, &first_hash()).await);
    assert!(db.refreshable(other, NOW).await.unwrap().is_none(), "it has none");
    assert!(db.end_session(id, account, NOW).await.unwrap().is_some());
    assert!(db.refreshable(id, NOW).await.unwrap().is_none(), "it has ended");
}

/// Somebody else has written it. It is worth no error, which would be everybody's who writes at that moment.
#[tokio::test]
async fn an_address_that_cannot_be_read_is_none() {
    let db = fresh().await;
    let (ann, sid) = refreshable(&db).await;
    db.sql("UPDATE sessions SET address = 'nowhere'");
    let session = rotated(&*db, present(sid, 0)).await;
    assert_eq!(
        (session.client.address, session.client.user_agent),
        (None, client(1).user_agent)
    );
    db.sql("UPDATE sessions SET refresh_address = 'nowhere'");
    let by_another = not_current(&*db, present(sid, 0)).await;
    assert_eq!(by_another, (ann, token(1)), "nobody knows whose the last rotation was");
    assert_eq!(db.list_sessions(ann, NOW, 2).await.unwrap().len(), 1);
}
