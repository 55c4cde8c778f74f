//! Passwords: replaced with everything that hung on the old one, or upgraded in silence.

use doorward_core::account::{AccountId, ProfileChange};
use doorward_core::secret::PasswordHash;
use doorward_core::store::{Confirmation, PasswordChange, Store, Written};
use doorward_core::{Timestamp, random};

use super::super::engine::fresh;
use crate::people::{HOUR, NOW, done, first_hash, hash, living, open, register, session, sign_in, sorted};

async fn stored(db: &dyn Store, id: AccountId) -> PasswordHash {
    db.account_with_password(id).await.unwrap().unwrap().1
}

#[tokio::test]
async fn a_new_password_ends_every_session_but_the_one_kept() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let bob = register(&*db, &db.realm, "bob@example.com").await.id;
    let (mine, other, bobs) = (
        sign_in(&*db, ann).await,
        sign_in(&*db, ann).await,
        sign_in(&*db, bob).await,
    );

    let ended = db
        .replace_password(ann, Some(&first_hash()), hash("second"), Some(mine))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(sorted(&ended), [other]);
    assert_eq!(living(&*db, ann).await, [mine]);
    assert_eq!(living(&*db, bob).await, [bobs]);
    assert_eq!(stored(&*db, ann).await.expose(), "second");
    assert_eq!(
        db.account(ann).await.unwrap().unwrap().updated_at,
        NOW,
        "no change of the profile"
    );

    // Without an expectation (a reset) and without a session to keep.
    let ended = db
        .replace_password(ann, None, hash("third"), None)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(sorted(&ended), [mine]);
    assert!(living(&*db, ann).await.is_empty());
    assert_eq!(stored(&*db, ann).await.expose(), "third");
}

#[tokio::test]
async fn a_password_that_is_another_one_by_now_stays() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let mine = sign_in(&*db, ann).await;
    let outcome = db
        .replace_password(ann, Some(&hash("guess")), hash("second"), None)
        .await
        .unwrap();
    assert!(outcome.is_none());
    assert_eq!(stored(&*db, ann).await.expose(), first_hash().expose());
    assert_eq!(living(&*db, ann).await, [mine]);
    let nobody = AccountId(random::uuid(NOW).unwrap());
    assert!(
        db.replace_password(nobody, None, hash("second"), None)
            .await
            .unwrap()
            .is_none()
    );
}

#[tokio::test]
async fn a_login_with_the_password_from_before_comes_too_late() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    db.replace_password(ann, None, hash("second"), None)
        .await
        .unwrap()
        .unwrap();
    assert!(!open(&*db, session(ann), &first_hash()).await);
    assert!(open(&*db, session(ann), &hash("second")).await);
}

#[tokio::test]
async fn a_stronger_hash_of_the_same_password_ends_nothing() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let mine = sign_in(&*db, ann).await;
    db.upgrade_password_hash(ann, &first_hash(), hash("stronger"))
        .await
        .unwrap();
    assert_eq!(stored(&*db, ann).await.expose(), "stronger");
    assert_eq!(living(&*db, ann).await, [mine]);
    // Somebody was faster, or the password is another one by now: the upgrade is of no use and no error.
    db.upgrade_password_hash(ann, &first_hash(), hash("late"))
        .await
        .unwrap();
    assert_eq!(stored(&*db, ann).await.expose(), "stronger");
}

#[tokio::test]
async fn an_expired_session_ends_with_the_others() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let mut expired = session(ann);
    expired.session.expires_at = NOW;
    let id = expired.session.id;
    assert!(open(&*db, expired, &first_hash()).await);
    let ended = db.replace_password(ann, None, hash("second"), None).await.unwrap();
    assert_eq!(sorted(&ended.unwrap()), [id], "by another clock it may live");
    assert_eq!(sorted(&db.ended_sessions(0, 10).await.unwrap()), [id]);
    let before = Timestamp(NOW.0 - HOUR);
    assert!(db.list_sessions(ann, before, 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_password_changes_with_the_profile_or_not_at_all() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    register(&*db, &db.realm, "bob@example.com").await;
    let (here, elsewhere) = (sign_in(&*db, ann).await, sign_in(&*db, ann).await);
    let to = |email: &str| ProfileChange {
        email: Some(email.to_owned()),
        ..ProfileChange::default()
    };
    let password = |hash_before: PasswordHash| Confirmation {
        hash: hash_before,
        replacement: Some(PasswordChange {
            new: hash("second"),
            keep: here,
        }),
    };

    let (written, ended) = db
        .update_account(ann, to("bob@example.com"), Some(password(first_hash())), NOW)
        .await
        .unwrap();
    assert!(matches!(written, Written::Taken(_)) && ended.is_empty(), "{written:?}");
    let (written, ended) = db
        .update_account(ann, to("lee@example.com"), Some(password(hash("other"))), NOW)
        .await
        .unwrap();
    assert!(matches!(written, Written::Gone) && ended.is_empty(), "{written:?}");
    let (account, kept) = db.account_with_password(ann).await.unwrap().unwrap();
    assert_eq!(account.profile.email.as_deref(), Some("ann@example.com"));
    assert_eq!(kept.expose(), first_hash().expose());
    assert_eq!(living(&*db, ann).await.len(), 2, "nothing has ended");

    let (written, ended) = db
        .update_account(ann, to("lee@example.com"), Some(password(first_hash())), NOW)
        .await
        .unwrap();
    assert_eq!(done(written).profile.email.as_deref(), Some("lee@example.com"));
    assert_eq!(sorted(&ended), [elsewhere]);
    assert_eq!(living(&*db, ann).await, [here]);
    let (_, kept) = db.account_with_password(ann).await.unwrap().unwrap();
    assert_eq!(kept.expose(), "second");
}

/// Somebody confirms the old password, and a new one is set before what it was confirmed for is written.
#[tokio::test]
async fn what_was_confirmed_by_an_old_password_is_not_done() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let to = |email: &str| ProfileChange {
        email: Some(email.to_owned()),
        ..ProfileChange::default()
    };
    let by = |hash: PasswordHash| {
        Some(Confirmation {
            hash,
            replacement: None,
        })
    };
    let here = sign_in(&*db, ann).await;
    let replaced = db.replace_password(ann, None, hash("second"), Some(here)).await;
    assert!(replaced.unwrap().is_some());

    let change = to("lee@example.com");
    let (written, _) = db.update_account(ann, change, by(first_hash()), NOW).await.unwrap();
    assert!(matches!(written, Written::Gone), "{written:?}");
    let deleted = db.delete_account(ann, Some(&first_hash())).await.unwrap();
    assert!(deleted.is_none());
    assert_eq!(living(&*db, ann).await, [here], "nothing has ended");
    let account = db.account(ann).await.unwrap().unwrap();
    assert_eq!(account.profile.email.as_deref(), Some("ann@example.com"));

    let change = to("lee@example.com");
    let (written, _) = db.update_account(ann, change, by(hash("second")), NOW).await.unwrap();
    assert_eq!(done(written).profile.email.as_deref(), Some("lee@example.com"));
    let deleted = db.delete_account(ann, Some(&hash("second"))).await.unwrap();
    assert_eq!(sorted(&deleted.unwrap()), [here]);
}
