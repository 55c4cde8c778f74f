//! Accounts: made, found, listed, changed, disabled, deleted.

use doorward_core::account::{AccountId, ObjectId, Profile, ProfileChange};
use doorward_core::random;
use doorward_core::store::{NewAccount, Written};
use serde_json::{Map, Value, json};

use super::super::engine::fresh;
use crate::people::{NOW, done, find, first_hash, later, living, open, person, register, session, sign_in, sorted};

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        other => panic!("no object: {other}"),
    }
}

fn nobody() -> AccountId {
    AccountId(random::uuid(NOW).unwrap())
}

#[tokio::test]
async fn what_is_stored_is_what_was_given() {
    let db = fresh().await;
    let profile = Profile {
        email: Some("Ann@Example.com".into()),
        username: Some("Ann_1".into()),
        first_name: Some("Añ\u{1F600}".into()),
        last_name: Some(String::new()),
        attributes: object(json!({"z": [1, null, {"y": "\u{0}"}], "a": 1.5, "bio": "…"})),
    };
    let new = NewAccount {
        profile: profile.clone(),
        ..person(&db.realm, "-")
    };
    let id = new.id;
    let created = done(db.create_account(new, None).await.unwrap());
    let stored = db.account(id).await.unwrap().unwrap();
    for account in [&created, &stored] {
        assert_eq!(account.id, id);
        assert_eq!(account.realm, db.realm.id);
        assert_eq!(account.number, 1);
        assert_eq!(account.object_id, ObjectId::new(id, NOW));
        assert_eq!(account.profile.email, profile.email);
        assert_eq!(account.profile.username, profile.username);
        assert_eq!(account.profile.first_name, profile.first_name);
        assert_eq!(account.profile.last_name, profile.last_name);
        // As text, since the order of members is to be kept.
        assert_eq!(
            json!(account.profile.attributes).to_string(),
            json!(profile.attributes).to_string()
        );
        assert_eq!((account.created_at, account.updated_at), (NOW, NOW));
        assert_eq!(account.disabled_at, None);
    }
    let (found, hash) = db.account_with_password(id).await.unwrap().unwrap();
    assert_eq!(found.id, id);
    assert_eq!(hash.expose(), first_hash().expose());
}

#[tokio::test]
async fn nobody_is_found_where_nobody_is() {
    let db = fresh().await;
    assert!(db.account(nobody()).await.unwrap().is_none());
    assert!(db.account_with_password(nobody()).await.unwrap().is_none());
    assert!(find(&*db, &db.realm, "ann@example.com").await.is_none());
    assert!(db.list_accounts(db.realm.id, 0, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_account_is_made_together_with_its_first_session() {
    let db = fresh().await;
    let new = person(&db.realm, "ann@example.com");
    let (id, first) = (new.id, session(new.id));
    let sid = first.session.id;
    done(db.create_account(new, Some(first)).await.unwrap());
    assert_eq!(living(&*db, id).await, [sid]);
}

#[tokio::test]
async fn an_account_of_no_realm_is_an_error_and_leaves_nothing() {
    let db = fresh().await;
    let mut new = person(&db.realm, "ann@example.com");
    new.realm.0 += 1;
    let id = new.id;
    assert!(db.create_account(new, None).await.is_err());
    assert!(db.account(id).await.unwrap().is_none());
}

#[tokio::test]
async fn numbers_count_within_a_realm() {
    let db = fresh().await;
    let other = db.ensure_realm("other").await.unwrap();
    for number in 1..=3 {
        let account = register(&*db, &db.realm, &format!("ann{number}@example.com")).await;
        assert_eq!(account.number, number);
    }
    assert_eq!(register(&*db, &other, "ann1@example.com").await.number, 1);
}

#[tokio::test]
async fn accounts_are_listed_by_number_page_by_page() {
    let db = fresh().await;
    let other = db.ensure_realm("other").await.unwrap();
    register(&*db, &other, "stranger@example.com").await;
    for number in 1..=5 {
        register(&*db, &db.realm, &format!("ann{number}@example.com")).await;
    }
    let mut pages = Vec::new();
    for after in [0, 2, 4, 5] {
        let page = db.list_accounts(db.realm.id, after, 2).await.unwrap();
        pages.push(page.iter().map(|account| account.number).collect::<Vec<_>>());
    }
    assert_eq!(pages, [vec![1, 2], vec![3, 4], vec![5], vec![]]);
    assert_eq!(db.list_accounts(db.realm.id, 0, usize::MAX).await.unwrap().len(), 5);
}

#[tokio::test]
async fn a_change_keeps_what_it_does_not_name() {
    let db = fresh().await;
    let new = NewAccount {
        profile: Profile {
            email: Some("ann@example.com".into()),
            username: None,
            first_name: Some("Ann".into()),
            last_name: Some("Lee".into()),
            attributes: object(json!({"bio": "old", "image": "i.png"})),
        },
        ..person(&db.realm, "-")
    };
    let id = new.id;
    done(db.create_account(new, None).await.unwrap());
    let change = ProfileChange {
        last_name: Some(None),
        attributes: object(json!({"bio": "new", "image": null, "site": "x"})),
        ..ProfileChange::default()
    };
    let changed = done(db.update_account(id, change, None, later(5)).await.unwrap().0);
    let stored = db.account(id).await.unwrap().unwrap();
    for account in [changed, stored] {
        assert_eq!(account.profile.email.as_deref(), Some("ann@example.com"));
        assert_eq!(account.profile.first_name.as_deref(), Some("Ann"));
        assert_eq!(account.profile.last_name, None);
        assert_eq!(json!(account.profile.attributes), json!({"bio": "new", "site": "x"}));
        assert_eq!((account.created_at, account.updated_at), (NOW, later(5)));
    }
    let gone = db
        .update_account(nobody(), ProfileChange::default(), None, NOW)
        .await
        .unwrap()
        .0;
    assert!(matches!(gone, Written::Gone), "{gone:?}");
}

#[tokio::test]
async fn a_disabled_account_has_no_sessions_and_gets_none() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let bob = register(&*db, &db.realm, "bob@example.com").await.id;
    let mut sessions = [sign_in(&*db, ann).await, sign_in(&*db, ann).await];
    sessions.sort_by_key(|id| id.0);
    let bobs = sign_in(&*db, bob).await;

    let ended = db.disable_account(ann, later(1)).await.unwrap().unwrap();
    assert_eq!(sorted(&ended), sessions);
    assert_eq!(db.account(ann).await.unwrap().unwrap().disabled_at, Some(later(1)));
    assert!(!open(&*db, session(ann), &first_hash()).await);
    assert!(living(&*db, ann).await.is_empty());
    assert_eq!(living(&*db, bob).await, [bobs]);

    // Once more: nothing to end, and the time of the first stays.
    assert!(db.disable_account(ann, later(2)).await.unwrap().unwrap().is_empty());
    assert_eq!(db.account(ann).await.unwrap().unwrap().disabled_at, Some(later(1)));

    assert!(db.enable_account(ann).await.unwrap());
    assert!(db.enable_account(ann).await.unwrap());
    assert_eq!(db.account(ann).await.unwrap().unwrap().disabled_at, None);
    assert!(
        living(&*db, ann).await.is_empty(),
        "an ended session does not come back"
    );
    sign_in(&*db, ann).await;

    assert!(db.disable_account(nobody(), NOW).await.unwrap().is_none());
    assert!(!db.enable_account(nobody()).await.unwrap());
}

#[tokio::test]
async fn a_deleted_account_leaves_only_the_memory_of_its_endings() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await;
    let bob = register(&*db, &db.realm, "bob@example.com").await;
    let sid = sign_in(&*db, ann.id).await;
    let ended = db.delete_account(ann.id, None).await.unwrap().unwrap();
    assert_eq!(sorted(&ended), [sid]);

    assert!(db.account(ann.id).await.unwrap().is_none());
    assert!(find(&*db, &db.realm, "ann@example.com").await.is_none());
    assert!(living(&*db, ann.id).await.is_empty());
    assert!(!open(&*db, session(ann.id), &first_hash()).await);
    assert_eq!(sorted(&db.ended_sessions(0, 10).await.unwrap()), [sid]);
    assert!(db.delete_account(ann.id, None).await.unwrap().is_none());
    assert!(
        find(&*db, &db.realm, "bob@example.com")
            .await
            .is_some_and(|found| found.id == bob.id)
    );

    let again = register(&*db, &db.realm, "ann@example.com").await;
    assert_eq!(again.number, 3, "a number is never given twice");
    db.delete_account(again.id, None).await.unwrap().unwrap();
    assert_eq!(
        register(&*db, &db.realm, "ann@example.com").await.number,
        4,
        "not even the last one"
    );
}
