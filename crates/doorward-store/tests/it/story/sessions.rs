//! Sessions: opened, listed, extended, ended once, remembered until no token of theirs can be alive, purged.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use doorward_core::account::AccountId;
use doorward_core::session::{Client, EndedSession, NewSession, SessionId};
use doorward_core::{Timestamp, random};

use super::super::engine::fresh;
use crate::people::{
    AGES, HOUR, MINUTE, NOW, first_hash, hash, later, living, open, register, session, sign_in, sorted,
};

#[tokio::test]
async fn a_session_opens_only_for_the_password_that_was_checked() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    assert!(!open(&*db, session(ann), &hash("other")).await);
    let nobody = AccountId(random::uuid(NOW).unwrap());
    assert!(!open(&*db, session(nobody), &first_hash()).await);
    assert!(living(&*db, ann).await.is_empty());
    assert!(open(&*db, session(ann), &first_hash()).await);
    assert_eq!(living(&*db, ann).await.len(), 1);
}

#[tokio::test]
async fn a_session_is_listed_as_it_was_opened() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let addresses: [Option<IpAddr>; 3] = [None, "192.0.2.7".parse().ok(), "2001:db8::7".parse().ok()];
    for (address, user_agent) in addresses.into_iter().zip(["", "curl/8", "Mozilla/5.0 (ö)"]) {
        let mut new = session(ann);
        new.session.client = Client {
            address,
            user_agent: user_agent.to_owned(),
        };
        let opened = new.session.clone();
        assert!(open(&*db, new, &first_hash()).await);
        let listed = db.list_sessions(ann, NOW, 10).await.unwrap();
        let listed = listed.iter().find(|session| session.id == opened.id).unwrap();
        assert_eq!(listed.account, ann);
        assert_eq!(listed.client, opened.client);
        assert_eq!(
            (listed.created_at, listed.used_at, listed.expires_at),
            (NOW, NOW, later(HOUR))
        );
    }
}

#[tokio::test]
async fn living_sessions_are_listed_the_last_used_first() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let (a, b, c) = (
        sign_in(&*db, ann).await,
        sign_in(&*db, ann).await,
        sign_in(&*db, ann).await,
    );
    for (id, at) in [(b, 1), (c, 2), (a, 3)] {
        assert!(
            db.extend_session(id, later(HOUR + at), NOW, AGES, later(at))
                .await
                .unwrap()
                .is_some()
        );
    }
    let listed = async |now, limit| -> Vec<SessionId> {
        db.list_sessions(ann, now, limit)
            .await
            .unwrap()
            .iter()
            .map(|session| session.id)
            .collect()
    };
    assert_eq!(listed(NOW, 10).await, [a, c, b]);
    assert_eq!(listed(NOW, 2).await, [a, c]);
    assert_eq!(
        listed(later(HOUR + 1), 10).await,
        [a, c],
        "at the moment it expires, a session is dead"
    );
    assert!(listed(later(HOUR + 3), 10).await.is_empty());
}

#[tokio::test]
async fn a_session_is_extended_and_never_shortened() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let sid = sign_in(&*db, ann).await;
    for (asked, at, expected) in [(2 * HOUR, 5, 2 * HOUR), (HOUR, 6, 2 * HOUR)] {
        assert!(
            db.extend_session(sid, later(asked), NOW, AGES, later(at))
                .await
                .unwrap()
                .is_some()
        );
        let listed = db.list_sessions(ann, NOW, 1).await.unwrap();
        assert_eq!((listed[0].used_at, listed[0].expires_at), (later(at), later(expected)));
        assert_eq!(listed[0].created_at, NOW);
    }
    assert!(
        db.extend_session(sid, later(9 * HOUR), NOW, AGES, later(2 * HOUR))
            .await
            .unwrap()
            .is_none(),
        "it has expired"
    );
    db.end_session(sid, ann, NOW).await.unwrap().unwrap();
    assert!(
        db.extend_session(sid, later(9 * HOUR), NOW, AGES, NOW)
            .await
            .unwrap()
            .is_none(),
        "it has ended"
    );
    let unknown = SessionId(random::uuid(NOW).unwrap());
    assert!(
        db.extend_session(unknown, later(HOUR), NOW, AGES, NOW)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_session_is_extended_to_the_end_of_its_longest_life() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let sid = sign_in(&*db, ann).await;
    let hours = Duration::from_hours;
    let extend = async |lifetime, asked, at| {
        let (asked, at) = (later(asked), later(at));
        let extended = db.extend_session(sid, asked, asked, lifetime, at).await.unwrap();
        extended.map(|session| session.expires_at)
    };
    assert_eq!(extend(hours(3), 2 * HOUR, 1).await, Some(later(2 * HOUR)));
    assert_eq!(extend(hours(3), 4 * HOUR, 2).await, Some(later(3 * HOUR)));
    assert_eq!(
        extend(hours(2), 4 * HOUR, 3).await,
        Some(later(3 * HOUR)),
        "and never back"
    );
    assert_eq!(
        extend(hours(2), 4 * HOUR, 2 * HOUR).await,
        None,
        "its longest life is over"
    );
    assert_eq!(extend(Duration::MAX, 4 * HOUR, 4).await, Some(later(4 * HOUR)));
}

#[tokio::test]
async fn a_session_ends_once_and_for_its_owner_alone() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let bob = register(&*db, &db.realm, "bob@example.com").await.id;
    let (first, second) = (sign_in(&*db, ann).await, sign_in(&*db, ann).await);
    assert!(db.end_session(first, bob, NOW).await.unwrap().is_none());
    assert!(
        db.end_session(first, ann, later(HOUR)).await.unwrap().is_none(),
        "it has expired by then"
    );
    assert_eq!(living(&*db, ann).await.len(), 2);

    let one = db.end_session(first, ann, NOW).await.unwrap().unwrap();
    assert_eq!((one.session, one.expires_at), (first, later(HOUR)));
    assert!(db.end_session(first, ann, NOW).await.unwrap().is_none());
    assert_eq!(living(&*db, ann).await, [second]);
    let two = db.end_session(second, ann, NOW).await.unwrap().unwrap();
    assert!(two.sequence > one.sequence);
}

/// However it ends: as long as its last access token may live, and not until no refresh token could be used.
#[tokio::test]
async fn an_ending_is_remembered_for_as_long_as_access_tokens_live() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    // What the first token needs, what the second one does, and what comes of it.
    for (first, second, expected) in [
        (15, None, 15),
        (15, Some(25), 25),
        (25, Some(15), 25),
        (15, Some(90), 60),
    ] {
        for way in 0..3 {
            let mut new = session(ann);
            new.session.access_until = later(first * MINUTE);
            let id = new.session.id;
            assert!(open(&*db, new, &first_hash()).await);
            if let Some(second) = second {
                let until = later(second * MINUTE);
                let extended = db
                    .extend_session(id, later(1), until, AGES, NOW)
                    .await
                    .unwrap()
                    .unwrap();
                assert_eq!(extended.access_until, later(first.max(second) * MINUTE));
                assert_eq!(extended.expires_at, later(HOUR));
            }
            let listed = db.list_sessions(ann, NOW, 1).await.unwrap();
            assert_eq!(listed[0].access_until, later(first.max(second.unwrap_or(0)) * MINUTE));
            let ended = match way {
                0 => db.end_session(id, ann, NOW).await.unwrap().unwrap(),
                1 => db.end_sessions(ann, None).await.unwrap()[0],
                _ => db
                    .replace_password(ann, None, first_hash(), None)
                    .await
                    .unwrap()
                    .unwrap()[0],
            };
            assert_eq!((ended.session, ended.expires_at), (id, later(expected * MINUTE)));
        }
    }
}

#[tokio::test]
async fn endings_are_read_in_order_page_by_page() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let mut ended = Vec::new();
    for _ in 0..5 {
        let sid = sign_in(&*db, ann).await;
        ended.push(db.end_session(sid, ann, NOW).await.unwrap().unwrap());
    }
    let mut read = Vec::new();
    let mut sequence = 0;
    loop {
        let page = db.ended_sessions(sequence, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        assert!(page.len() <= 2);
        sequence = last.sequence;
        read.extend(page);
    }
    let key = |ended: &EndedSession| (ended.sequence, ended.session, ended.expires_at);
    assert_eq!(
        read.iter().map(key).collect::<Vec<_>>(),
        ended.iter().map(key).collect::<Vec<_>>()
    );
    assert!(read.is_sorted_by_key(|ended| ended.sequence));
}

#[tokio::test]
async fn all_sessions_of_one_account_end_but_the_one_kept() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let bob = register(&*db, &db.realm, "bob@example.com").await.id;
    let (mine, bobs) = (sign_in(&*db, ann).await, sign_in(&*db, bob).await);
    let mut others = [sign_in(&*db, ann).await, sign_in(&*db, ann).await];
    others.sort_by_key(|id| id.0);
    assert_eq!(sorted(&db.end_sessions(ann, Some(mine)).await.unwrap()), others);
    assert!(db.end_sessions(ann, Some(mine)).await.unwrap().is_empty());
    assert_eq!(living(&*db, ann).await, [mine]);
    assert_eq!(sorted(&db.end_sessions(ann, None).await.unwrap()), [mine]);
    assert!(db.end_sessions(ann, None).await.unwrap().is_empty());
    assert_eq!(living(&*db, bob).await, [bobs]);
}

/// What has been forgotten for one moment has been for all before.
#[tokio::test]
async fn it_is_known_up_to_when_anything_was_forgotten() {
    let db = fresh().await;
    assert_eq!(db.forgotten_until().await.unwrap(), Timestamp(0));
    for (asked, known) in [(0, 0), (HOUR, HOUR), (MINUTE, HOUR), (2 * HOUR, 2 * HOUR)] {
        db.forget_until(later(asked)).await.unwrap();
        assert_eq!(db.forgotten_until().await.unwrap(), later(known));
    }
    db.forget_until(Timestamp(-1)).await.unwrap();
    assert_eq!(db.again().await.forgotten_until().await.unwrap(), later(2 * HOUR));
}

#[tokio::test]
async fn only_what_is_dead_by_age_is_forgotten_and_no_more_than_asked() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    for hours in [1, 1, 1, 3] {
        for end in [false, true] {
            let NewSession {
                mut session,
                refresh_hash,
            } = session(ann);
            (session.expires_at, session.access_until) = (later(hours * HOUR), later(hours * HOUR));
            let id = session.id;
            assert!(open(&*db, NewSession { session, refresh_hash }, &first_hash()).await);
            if end {
                db.end_session(id, ann, NOW).await.unwrap().unwrap();
            }
        }
    }
    for (at, purged) in [(HOUR - 1, 0), (HOUR, 2), (HOUR, 1), (HOUR, 0)] {
        assert_eq!(db.purge_sessions(later(at), 2).await.unwrap(), purged);
        assert_eq!(db.purge_ended_sessions(later(at), i64::MAX, 2).await.unwrap(), purged);
    }
    assert_eq!(living(&*db, ann).await.len(), 1);
    let endings = db.ended_sessions(0, 10).await.unwrap();
    assert_eq!(endings.len(), 1);
    assert_eq!(endings[0].expires_at, later(3 * HOUR));
}

#[tokio::test]
async fn a_sequence_is_not_given_twice_after_a_purge() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let sid = sign_in(&*db, ann).await;
    let before = db.end_session(sid, ann, NOW).await.unwrap().unwrap();
    db.purge_ended_sessions(later(HOUR), i64::MAX, 10).await.unwrap();
    let sid = sign_in(&*db, ann).await;
    let after = db.end_session(sid, ann, NOW).await.unwrap().unwrap();
    assert!(after.sequence > before.sequence);
}

/// Whoever has read the last ending finds it again, however long ago that was.
#[tokio::test]
async fn the_last_ending_is_kept_until_there_is_another() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let mut kept = Vec::new();
    for _ in 0..3 {
        let sid = sign_in(&*db, ann).await;
        let ended = db.end_session(sid, ann, NOW).await.unwrap().unwrap();
        db.purge_ended_sessions(later(HOUR), i64::MAX, 10).await.unwrap();
        let read = db.ended_sessions(0, 10).await.unwrap();
        assert_eq!(
            read.iter().map(EndedSession::place).collect::<Vec<_>>(),
            [ended.place()]
        );
        kept.push(ended);
    }
    assert_eq!(db.purge_ended_sessions(later(HOUR), i64::MAX, 10).await.unwrap(), 0);
}

/// A database that goes back in time gives numbers out again: the marks tell their endings apart.
#[tokio::test]
async fn every_ending_has_a_mark_of_its_own() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let mut ended = Vec::new();
    for round in 0..30 {
        let sid = sign_in(&*db, ann).await;
        sign_in(&*db, ann).await;
        match round % 2 {
            0 => ended.extend(db.end_session(sid, ann, NOW).await.unwrap()),
            _ => ended.extend(db.end_sessions(ann, None).await.unwrap()),
        }
    }
    let marks: HashSet<i64> = ended.iter().map(|ended| ended.mark).collect();
    assert_eq!(marks.len(), ended.len());
    assert!(marks.iter().all(|mark| *mark > 0), "{marks:?}");
    let read = db.ended_sessions(0, 100).await.unwrap();
    let places = |ended: &[EndedSession]| ended.iter().map(EndedSession::place).collect::<Vec<_>>();
    assert_eq!(places(&read), places(&ended));
}

#[tokio::test]
async fn a_session_lives_until_it_ends_or_expires() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let (one, other) = (sign_in(&*db, ann).await, sign_in(&*db, ann).await);
    assert!(db.session_lives(one, NOW).await.unwrap());
    assert!(db.session_lives(one, later(HOUR - 1)).await.unwrap());
    assert!(!db.session_lives(one, later(HOUR)).await.unwrap());
    db.end_session(one, ann, NOW).await.unwrap().unwrap();
    assert!(!db.session_lives(one, NOW).await.unwrap());
    assert!(db.session_lives(other, NOW).await.unwrap());
}
