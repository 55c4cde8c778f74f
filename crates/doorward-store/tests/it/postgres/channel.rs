//! What nodes tell each other. No store here looks by itself, so whoever learns of something was told.
//!
//! The surprise: that something is not heard is shown by somebody else who hears it.

use std::sync::Arc;

use doorward_core::account::ProfileChange;
use doorward_core::key::{KeyId, StoredKey};
use doorward_core::store::{Confirmation, PasswordChange, Store};
use doorward_store::{PostgresOptions, open_postgres};

use super::engine::{Database, fresh};
use crate::people::{NOW, done, first_hash, hash, open, register, session, sign_in};

/// A store that does not take part.
async fn silent(database: &Database) -> Arc<dyn Store> {
    let options = PostgresOptions {
        notify: false,
        ..PostgresOptions::default()
    };
    open_postgres(&database.url(), options).await.unwrap()
}

/// Those that listen in this database, or tell.
const EARS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
     AND query ~ '(LISTEN |pg_notify[(].)doorward'";

#[tokio::test]
async fn every_change_that_others_remember_is_told() {
    let db = fresh().await;
    let (one, other) = (&db.store, db.again().await);
    // A new connection is told at once: whatever was said before it was not heard.
    one.told().await;
    other.told().await;
    let ann = register(&**one, &db.realm, "ann@example.com").await.id;
    let key = |name: &str| StoredKey {
        id: KeyId(name.into()),
        pkcs8: vec![0].into(),
        created_at: NOW,
    };
    let (one, sid) = (Arc::clone(one), sign_in(&**one, ann).await);
    one.end_session(sid, ann, NOW).await.unwrap().unwrap();
    other.told().await;
    sign_in(&*one, ann).await;
    assert_eq!(one.end_sessions(ann, None).await.unwrap().len(), 1);
    other.told().await;
    sign_in(&*one, ann).await;
    one.replace_password(ann, None, first_hash(), None).await.unwrap();
    other.told().await;
    let (kept, _) = (sign_in(&*one, ann).await, sign_in(&*one, ann).await);
    let password = Confirmation {
        hash: first_hash(),
        replacement: Some(PasswordChange {
            new: hash("second"),
            keep: kept,
        }),
    };
    let (written, ended) = one
        .update_account(ann, ProfileChange::default(), Some(password), NOW)
        .await
        .unwrap();
    done(written);
    assert_eq!(ended.len(), 1);
    other.told().await;
    assert_eq!(one.disable_account(ann, NOW).await.unwrap().unwrap().len(), 1);
    other.told().await;
    assert!(one.enable_account(ann).await.unwrap());
    assert!(open(&*one, session(ann), &hash("second")).await);
    assert_eq!(one.delete_account(ann, None).await.unwrap().unwrap().len(), 1);
    other.told().await;
    assert!(one.add_signing_key(key("first"), None).await.unwrap());
    other.told().await;
    let first = KeyId("first".to_owned());
    assert!(one.add_signing_key(key("second"), Some(&first)).await.unwrap());
    other.told().await;
    assert!(one.remove_signing_key(&first, NOW).await.unwrap());
    other.told().await;
    let bob = register(&*one, &db.realm, "bob@example.com").await.id;
    sign_in(&*one, bob).await;
    assert_eq!(one.end_next_sessions(None, None, 10).await.unwrap().0.len(), 1);
    other.told().await;
}

/// A command changes something and ends; it keeps no connection for what it has to say.
#[tokio::test]
async fn a_store_that_does_not_listen_tells_all_the_same() {
    let db = fresh().await;
    let other = db.again().await;
    other.told().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let sid = sign_in(&*db, ann).await;
    assert!(db.end_session(sid, ann, NOW).await.unwrap().is_some());
    other.told().await;
    assert_eq!(
        db.database.sql(&format!("SELECT count(*) {EARS} AND query ~ 'LISTEN'")),
        "1"
    );
}

#[tokio::test]
async fn with_the_setting_off_nothing_is_told_and_nothing_heard() {
    let db = fresh().await;
    let silent = silent(&db.database).await;
    db.told().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let (first, second) = (sign_in(&*db, ann).await, sign_in(&*db, ann).await);
    assert!(silent.end_session(first, ann, NOW).await.unwrap().is_some());
    let told = silent.told();
    // What is told later is heard, so what was told before it would have been.
    let said = "SELECT pg_notify('doorward', 'somebody')";
    db.database.sql(said);
    db.told().await;
    assert!(db.end_session(second, ann, NOW).await.unwrap().is_some());
    let other = db.again().await;
    other.told().await;
    db.database.sql(said);
    tokio::select! {
        biased;
        () = told => panic!("somebody who does not listen was told"),
        () = other.told() => {}
    }
    assert_eq!(db.database.sql(&format!("SELECT count(*) {EARS}")), "2", "two listen");
}

/// Nothing is missed: whoever could not hear for a while is told so.
#[tokio::test]
async fn a_connection_that_is_cut_comes_back_and_tells_that_it_was_away() {
    let db = fresh().await;
    let other = db.again().await;
    other.told().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    for round in 0..3 {
        let sid = sign_in(&*db, ann).await;
        // The one before may still be coming back.
        let cut = format!("SELECT count(pg_terminate_backend(pid)) {EARS}");
        while db.database.sql(&cut) != "1" {}
        // Told or not, it is done before anybody listens again, or heard by who does.
        let ended = db.end_session(sid, ann, NOW).await.unwrap().unwrap();
        other.told().await;
        let read = other.ended_sessions(round, 10).await.unwrap();
        assert_eq!(read.len(), 1);
        assert_eq!(read[0].session, ended.session);
    }
}
