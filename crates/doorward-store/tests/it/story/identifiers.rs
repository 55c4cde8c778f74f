//! Identifiers: one namespace per realm, decided by an index, freed with what replaces them.

use doorward_core::account::{Profile, ProfileChange};
use doorward_core::identifier::IdentifierKind::{self, Email, Username};
use doorward_core::store::{NewAccount, Written};

use super::super::engine::{Fresh, fresh};
use crate::people::{NOW, done, find, living, person, register, session};

fn named(db: &Fresh, email: Option<&str>, username: Option<&str>) -> NewAccount {
    let profile = Profile {
        email: email.map(str::to_owned),
        username: username.map(str::to_owned),
        ..Profile::default()
    };
    NewAccount {
        profile,
        ..person(&db.realm, "-")
    }
}

fn to_email(email: &str) -> ProfileChange {
    ProfileChange {
        email: Some(email.to_owned()),
        ..ProfileChange::default()
    }
}

fn to_username(username: &str) -> ProfileChange {
    ProfileChange {
        username: Some(username.to_owned()),
        ..ProfileChange::default()
    }
}

fn taken(written: Written) -> IdentifierKind {
    match written {
        Written::Taken(kind) => kind,
        other => panic!("not taken: {other:?}"),
    }
}

#[tokio::test]
async fn an_account_is_found_by_either_identifier_however_typed() {
    let db = fresh().await;
    let ann = done(
        db.create_account(named(&db, Some("Ann@Example.com"), Some("ann_1")), None)
            .await
            .unwrap(),
    );
    for typed in ["ann@example.com", "ANN@EXAMPLE.COM", "ann_1", "Ann_1"] {
        let found = find(&*db, &db.realm, typed).await;
        assert_eq!(found.map(|found| found.id), Some(ann.id), "{typed}");
    }
    let other = db.ensure_realm("other").await.unwrap();
    assert!(find(&*db, &other, "ann_1").await.is_none());
}

#[tokio::test]
async fn a_refused_registration_leaves_no_trace() {
    let db = fresh().await;
    done(
        db.create_account(named(&db, Some("ann@example.com"), Some("ann")), None)
            .await
            .unwrap(),
    );
    for (email, username, kind) in [
        (Some("ANN@example.com"), Some("free"), Email),
        (Some("free@example.com"), Some("Ann"), Username),
        (None, Some("ann@example.com"), Username),
        (Some("ann"), None, Email),
        (Some("ann@example.com"), Some("ann"), Email),
    ] {
        let new = named(&db, email, username);
        let (id, first) = (new.id, session(new.id));
        assert_eq!(
            taken(db.create_account(new, Some(first)).await.unwrap()),
            kind,
            "{email:?} {username:?}"
        );
        assert!(db.account(id).await.unwrap().is_none());
        assert!(living(&*db, id).await.is_empty());
    }
    for free in ["free", "free@example.com"] {
        assert!(find(&*db, &db.realm, free).await.is_none(), "{free}");
    }
    assert_eq!(
        register(&*db, &db.realm, "free@example.com").await.number,
        2,
        "no number is lost"
    );
}

#[tokio::test]
async fn an_account_does_not_collide_with_itself() {
    let db = fresh().await;
    let both = named(&db, Some("Ann@example.com"), Some("ann@EXAMPLE.com"));
    let ann = done(db.create_account(both, None).await.unwrap());
    assert!(
        find(&*db, &db.realm, "ann@example.com")
            .await
            .is_some_and(|found| found.id == ann.id)
    );

    // What one of the two lets go of, the other still holds.
    done(
        db.update_account(ann.id, to_email("lee@example.com"), None, NOW)
            .await
            .unwrap()
            .0,
    );
    for held in ["ann@example.com", "lee@example.com"] {
        assert!(
            find(&*db, &db.realm, held)
                .await
                .is_some_and(|found| found.id == ann.id),
            "{held}"
        );
        let new = named(&db, Some(held), None);
        assert_eq!(taken(db.create_account(new, None).await.unwrap()), Email, "{held}");
    }
    done(
        db.update_account(ann.id, to_username("lee@example.com"), None, NOW)
            .await
            .unwrap()
            .0,
    );
    assert!(find(&*db, &db.realm, "ann@example.com").await.is_none());
    assert!(
        find(&*db, &db.realm, "lee@example.com")
            .await
            .is_some_and(|found| found.id == ann.id)
    );
}

#[tokio::test]
async fn a_replaced_identifier_is_free_at_once() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await;
    let changed = done(
        db.update_account(ann.id, to_email("Lee@Example.com"), None, NOW)
            .await
            .unwrap()
            .0,
    );
    assert_eq!(changed.profile.email.as_deref(), Some("Lee@Example.com"));
    assert!(find(&*db, &db.realm, "ann@example.com").await.is_none());
    assert!(
        find(&*db, &db.realm, "lee@example.com")
            .await
            .is_some_and(|found| found.id == ann.id)
    );
    let bob = register(&*db, &db.realm, "ann@example.com").await;
    assert_ne!(bob.id, ann.id);

    // A change of letter case alone is a change of what is shown, not of who is found.
    let changed = done(
        db.update_account(ann.id, to_email("LEE@example.com"), None, NOW)
            .await
            .unwrap()
            .0,
    );
    assert_eq!(changed.profile.email.as_deref(), Some("LEE@example.com"));
    assert!(
        find(&*db, &db.realm, "lee@example.com")
            .await
            .is_some_and(|found| found.id == ann.id)
    );
}

#[tokio::test]
async fn e_mail_and_username_can_be_exchanged() {
    let db = fresh().await;
    let ann = done(db.create_account(named(&db, Some("a"), Some("b")), None).await.unwrap());
    let change = ProfileChange {
        email: Some("b".into()),
        username: Some("a".into()),
        ..ProfileChange::default()
    };
    done(db.update_account(ann.id, change, None, NOW).await.unwrap().0);
    for held in ["a", "b"] {
        assert!(
            find(&*db, &db.realm, held)
                .await
                .is_some_and(|found| found.id == ann.id),
            "{held}"
        );
    }
}

#[tokio::test]
async fn a_refused_change_changes_nothing() {
    let db = fresh().await;
    done(
        db.create_account(named(&db, Some("ann@example.com"), Some("ann")), None)
            .await
            .unwrap(),
    );
    let bob = done(
        db.create_account(named(&db, Some("bob@example.com"), Some("bob")), None)
            .await
            .unwrap(),
    );
    for (change, kind) in [
        (to_email("ANN@example.com"), Email),
        (to_email("ann"), Email),
        (to_username("ann@example.com"), Username),
        (
            ProfileChange {
                email: Some("free@example.com".into()),
                ..to_username("Ann")
            },
            Username,
        ),
    ] {
        let change = ProfileChange {
            first_name: Some(Some("Bob".into())),
            ..change
        };
        assert_eq!(
            taken(db.update_account(bob.id, change, None, NOW).await.unwrap().0),
            kind
        );
    }
    let stored = db.account(bob.id).await.unwrap().unwrap();
    assert_eq!(stored.profile.email.as_deref(), Some("bob@example.com"));
    assert_eq!(stored.profile.username.as_deref(), Some("bob"));
    assert_eq!(stored.profile.first_name, None);
    for held in ["bob@example.com", "bob"] {
        assert!(
            find(&*db, &db.realm, held)
                .await
                .is_some_and(|found| found.id == bob.id),
            "{held}"
        );
    }
    assert!(find(&*db, &db.realm, "free@example.com").await.is_none());
}
