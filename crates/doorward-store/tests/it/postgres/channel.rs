//! What nodes tell each other. No store here looks by itself, so whoever learns of something was told.
//!
//! The surprise: that something is not heard is shown by somebody else who hears it.

use std::sync::Arc;

use doorward_core::account::ProfileChange;
use doorward_core::key::{KeyId, StoredKey};
use doorward_core::store::{Confirmation, PasswordChange, Store};
use doorward_store::{PostgresOptions, PostgresUrl, open_postgres};
use tokio::task::yield_now;

use super::engine::{Database, fresh, server};
use crate::heard::Log;
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

/// The connections that listen, and those that have said a word since.
fn ears(database: &Database, query: &str) -> String {
    database.sql(&format!(
        "SELECT string_agg(pid::text, ' ' ORDER BY pid) {EARS} AND query ~ '{query}'"
    ))
}

/// Waits until whoever listens has tried to say a word, or has gone.
async fn until_one_speaks(database: &Database, listening: &str) {
    while ears(database, "LISTEN") == listening {
        yield_now().await;
    }
}

/// Whoever may not tell goes on to listen, on the connection that he has.
#[tokio::test]
async fn a_user_who_may_not_notify_listens_and_logs_it_once() {
    let (database, log) = (Database::new(), Log::listen());
    let name = &database.0;
    database.sql(&format!(
        "CREATE USER user_of_{name} PASSWORD 'hunter2'; ALTER DATABASE {name} OWNER TO user_of_{name}; \
         REVOKE EXECUTE ON FUNCTION pg_notify(text, text) FROM PUBLIC"
    ));
    let port = server().port;
    let url = format!("postgres://user_of_{name}:hunter2@127.0.0.1:{port}/{name}");
    let url: PostgresUrl = url.parse().unwrap();
    let one = open_postgres(&url, PostgresOptions::default()).await.unwrap();
    let realm = one.ensure_realm("main").await.unwrap();
    let ann = register(&*one, &realm, "ann@example.com").await.id;
    one.told().await;
    let listening = ears(&database, "LISTEN");
    let sid = sign_in(&*one, ann).await;
    assert!(one.end_session(sid, ann, NOW).await.unwrap().is_some());
    until_one_speaks(&database, &listening).await;
    assert_eq!(ears(&database, ""), listening, "it listens on");
    log.until("lets nobody notify (permission denied for function pg_notify")
        .await;
    for _ in 0..20 {
        let sid = sign_in(&*one, ann).await;
        assert!(one.end_session(sid, ann, NOW).await.unwrap().is_some());
    }
    // What is told later is heard, so whatever else there was to say would have been said.
    database.sql("SELECT pg_notify('doorward', 'somebody')");
    one.told().await;
    assert_eq!(ears(&database, ""), listening, "it listens on");
    log.until("lets nobody notify (permission denied for function pg_notify")
        .await;
    let other = open_postgres(&url, PostgresOptions::default()).await.unwrap();
    assert_eq!(other.ended_sessions(0, 100).await.unwrap().len(), 21);
    assert_eq!(
        log.count("hint: let the user of the URL do so, `GRANT EXECUTE ON FUNCTION"),
        1
    );
    drop((one, other));
    database.sql(&format!(
        "ALTER DATABASE {name} OWNER TO doorward; REASSIGN OWNED BY user_of_{name} TO doorward; \
         DROP USER user_of_{name}"
    ));
}

/// The queue of what is told is that of all databases of a server, and anybody can fill it.
#[tokio::test]
async fn a_word_that_is_refused_for_now_is_said_later_on_the_same_connection() {
    let (database, log) = (Database::new(), Log::listen());
    // Found before that of PostgreSQL. The number of a sequence is not taken back with what fails.
    database.sql(
        "CREATE SCHEMA first; CREATE SEQUENCE first.attempts; \
         CREATE FUNCTION first.pg_notify(channel text, word text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN \
         IF nextval('first.attempts') < 4 THEN RAISE EXCEPTION 'too many notifications in the NOTIFY queue' \
         USING ERRCODE = '54000'; END IF; PERFORM pg_catalog.pg_notify(channel, word); END $$",
    );
    let options = "options=-csearch_path%3Dpublic%2Cfirst%2Cpg_catalog";
    let url: PostgresUrl = format!("{}&{options}", database.url()).parse().unwrap();
    let one = open_postgres(&url, PostgresOptions::default()).await.unwrap();
    let other = database.open().await;
    let realm = one.ensure_realm("main").await.unwrap();
    let ann = register(&*one, &realm, "ann@example.com").await.id;
    one.told().await;
    other.told().await;
    let listening = ears(&database, "LISTEN");
    let sid = sign_in(&*one, ann).await;
    assert!(one.end_session(sid, ann, NOW).await.unwrap().is_some());
    other.told().await;
    assert_eq!(ears(&database, ""), listening);
    assert_eq!(database.sql("SELECT last_value FROM first.attempts"), "4");
    assert_eq!(
        log.count("lets nobody notify (too many notifications in the NOTIFY queue"),
        1
    );
}
