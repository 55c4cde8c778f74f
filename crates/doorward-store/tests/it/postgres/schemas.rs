//! Two schemas of one database: each is the database of a doorward that knows nothing of the other.
//!
//! The surprise: what both share would be told by waiting for good. So a test that hangs is one that has failed.

use std::sync::Arc;

use doorward_core::store::Store;
use doorward_store::{Location, PostgresOptions, PostgresUrl, open_postgres, transfer};

use super::endings::another_node;
use super::engine::{Database, fresh};
use crate::people::{NOW, find, register, sign_in};

/// A new schema of the database.
fn schema(database: &Database, name: &str) -> PostgresUrl {
    database.sql(&format!("CREATE SCHEMA {name}"));
    let url = format!("{}&options=-csearch_path%3D{name}", database.url());
    url.parse().unwrap()
}

async fn opened(url: &PostgresUrl) -> Arc<dyn Store> {
    open_postgres(url, PostgresOptions::default()).await.unwrap()
}

/// The lock is as older nodes take it, who know of no schemas.
#[tokio::test]
async fn a_schema_of_its_own_waits_for_nobody_in_public() {
    let db = fresh().await;
    let inner = schema(&db.database, "inner_door");
    let other = another_node(&db).await;
    let lock = format!("SELECT pg_advisory_lock({})", i64::from_be_bytes(*b"doorward"));
    other.batch_execute(&lock).await.unwrap();
    let store = opened(&inner).await;
    assert!(store.ready().await.is_ok());
}

/// So that such a node is not overlooked by a move, nor a move by it.
#[tokio::test]
async fn in_public_the_database_is_used_as_older_nodes_use_it() {
    let db = fresh().await;
    let alone = format!("SELECT pg_try_advisory_lock({})", i64::from_be_bytes(*b"doorware"));
    assert_eq!(db.database.sql(&alone), "f");
}

#[tokio::test]
async fn what_is_told_in_one_schema_is_not_heard_in_another() {
    let db = fresh().await;
    let url = schema(&db.database, "inner_door");
    let (inner, fellow) = (opened(&url).await, opened(&url).await);
    let (outer, other) = (&db.store, db.again().await);
    for store in [&inner, &fellow, outer, &other] {
        store.told().await;
    }
    let ann = register(&**outer, &db.realm, "ann@example.com").await.id;
    let sid = sign_in(&**outer, ann).await;
    outer.end_session(sid, ann, NOW).await.unwrap().unwrap();
    other.told().await;
    // What is told later is heard, so what was told before it would have been.
    let told = inner.told();
    db.sql("SELECT pg_notify('doorward', 'an older node')");
    tokio::select! {
        biased;
        () = told => panic!("another schema was heard"),
        () = other.told() => {}
    }
    let realm = inner.ensure_realm("main").await.unwrap();
    let bob = register(&*inner, &realm, "bob@example.com").await.id;
    let sid = sign_in(&*inner, bob).await;
    inner.end_session(sid, bob, NOW).await.unwrap().unwrap();
    fellow.told().await;
}

/// A server runs in one, and everything is moved between two others.
#[tokio::test]
async fn a_schema_is_moved_to_another_of_its_database_while_a_third_is_used() {
    let db = fresh().await;
    let (from, to) = (schema(&db.database, "first_door"), schema(&db.database, "second_door"));
    let source = opened(&from).await;
    let realm = source.ensure_realm("main").await.unwrap();
    register(&*source, &realm, "ann@example.com").await;
    let (from, target) = (Location::Postgres(from), Location::Postgres(to.clone()));
    let refused = transfer(&from, &target, &mut |_| {}).await.unwrap_err().to_string();
    assert!(
        refused.contains("somebody uses the database") && refused.contains("first_door"),
        "{refused}"
    );
    drop(source);
    transfer(&from, &target, &mut |_| {}).await.unwrap();
    assert!(find(&*opened(&to).await, &realm, "ann@example.com").await.is_some());
    assert!(find(&*db, &db.realm, "ann@example.com").await.is_none());
}
