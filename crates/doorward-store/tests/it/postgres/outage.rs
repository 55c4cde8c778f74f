//! A server that goes away and comes back. It is not the one that the other tests share.
//!
//! The surprise: nothing tells the store that the server is back. It finds out by itself, and the test asks until
//! it has, or until the test runner loses patience.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use doorward_core::Error;
use doorward_core::identifier::Canonical;
use doorward_core::store::{Store, Written};
use doorward_store::{PostgresOptions, open_postgres};
use tokio::task::yield_now;
use tokio::time::sleep;

use super::engine::{self, Database, fresh};
use super::relay::Relay;
use super::server::Server;
use crate::crash::PAUSE;
use crate::people::{MANY, NOW, find, first_hash, person, register, session, sign_in};

fn is_unavailable<T>(answer: &Result<T, Error>) -> bool {
    matches!(answer, Err(Error::Unavailable(_)))
}

/// Asks until the store answers; every other answer has to be that it is unavailable.
async fn until_ready(store: &dyn Store) {
    loop {
        match store.ready().await {
            Ok(()) => return,
            Err(Error::Unavailable(_)) => yield_now().await,
            Err(other) => panic!("{other}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_is_unavailable_while_the_server_is_away_and_recovers_by_itself() {
    let server = Server::start();
    server.sql("postgres", "CREATE DATABASE door");
    let store = open_postgres(&server.url("door"), PostgresOptions::default())
        .await
        .unwrap();
    let realm = store.ensure_realm("main").await.unwrap();
    let ann = register(&*store, &realm, "ann@example.com").await;
    let sid = sign_in(&*store, ann.id).await;

    server.control("stop");
    assert!(is_unavailable(&store.ready().await));
    assert!(is_unavailable(&store.account(ann.id).await));
    assert!(is_unavailable(&store.ended_sessions(0, 10).await));
    assert!(is_unavailable(&store.end_session(sid, ann.id, NOW).await));
    assert!(is_unavailable(
        &store.create_account(person(&realm, "bob@example.com"), None).await
    ));
    server.control("start");
    until_ready(&*store).await;
    assert_eq!(
        find(&*store, &realm, "ann@example.com").await.map(|found| found.id),
        Some(ann.id)
    );
    assert!(find(&*store, &realm, "bob@example.com").await.is_none());
    assert_eq!(register(&*store, &realm, "bob@example.com").await.number, 2);
    assert!(store.end_session(sid, ann.id, NOW).await.unwrap().is_some());
}

/// What was acknowledged is there after the server was restarted under a crowd of writers, and what was refused
/// was refused as unavailable and in no other way.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_restart_loses_nothing_that_was_acknowledged() {
    let server = Server::start();
    server.sql("postgres", "CREATE DATABASE door");
    let store = open_postgres(&server.url("door"), PostgresOptions::default())
        .await
        .unwrap();
    let realm = store.ensure_realm("main").await.unwrap();
    let (mut writers, over) = (Vec::new(), Arc::new(AtomicBool::new(false)));
    for writer in 0..8 {
        let (store, realm, over) = (Arc::clone(&store), realm.clone(), Arc::clone(&over));
        writers.push(tokio::spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0.. {
                let is_over = over.load(Ordering::SeqCst);
                let email = format!("ann{writer}-{number}@example.com");
                match store.create_account(person(&realm, &email), None).await {
                    Ok(Written::Done(_)) => acknowledged.push(email),
                    // One that waits for a connection while the server is away may never be refused.
                    Err(Error::Unavailable(_)) => {
                        sleep(PAUSE).await;
                        continue;
                    }
                    other => panic!("{other:?}"),
                }
                if is_over {
                    break;
                }
            }
            acknowledged
        }));
    }
    while store.list_accounts(realm.id, 20, 1).await.unwrap().is_empty() {
        yield_now().await;
    }
    tokio::task::block_in_place(|| server.control("restart"));
    over.store(true, Ordering::SeqCst);
    for writer in writers {
        for email in writer.await.unwrap() {
            let found = store.account_by_identifier(realm.id, &Canonical::of(&email)).await;
            assert!(found.unwrap().is_some(), "{email}");
        }
    }
    let accounts = server.sql("door", "SELECT count(*) FROM accounts");
    assert_eq!(
        server.sql("door", "SELECT max(number) FROM accounts"),
        accounts,
        "no gap"
    );
}

/// Commits wait while the standby is away, and whoever wants one is told to come back. They must not take a new
/// connection each time, or nobody could connect any more, not even to let them go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_that_wait_for_a_standby_do_not_use_up_the_connections() {
    let server = Server::start();
    server.sql("postgres", "CREATE DATABASE door");
    let options = PostgresOptions {
        writers: 2,
        ..PostgresOptions::default()
    };
    let store = open_postgres(&server.url("door"), options).await.unwrap();
    let realm = store.ensure_realm("main").await.unwrap();
    let ann = register(&*store, &realm, "ann@example.com").await;
    let set = |sql: &str| {
        server.sql("postgres", sql);
        server.sql("postgres", "SELECT pg_reload_conf()");
    };
    let log_in = || {
        let store = Arc::clone(&store);
        tokio::spawn(async move { store.open_session(session(ann.id), &first_hash(), MANY).await })
    };
    set("ALTER SYSTEM SET synchronous_standby_names TO 'nobody'");
    // Until the server has heard of it.
    while !is_unavailable(&log_in().await.unwrap()) {}
    for _ in 0..2 {
        let attempts: Vec<_> = (0..4).map(|_| log_in()).collect();
        for attempt in attempts {
            assert!(is_unavailable(&attempt.await.unwrap()));
        }
    }
    let waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'";
    assert_eq!(server.sql("postgres", waiting), "2", "one for each that may write");
    assert!(store.account(ann.id).await.unwrap().is_some(), "reads go on");
    set("ALTER SYSTEM RESET synchronous_standby_names");
    until_ready(&*store).await;
    sign_in(&*store, ann.id).await;
    assert_eq!(server.sql("postgres", waiting), "0");
}

/// Every connection of the store is cut by the server, which goes on.
#[tokio::test]
async fn connections_that_are_cut_are_replaced() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await;
    for _ in 0..5 {
        db.database.sql(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
             WHERE datname = current_database() AND pid <> pg_backend_pid()",
        );
        // A read is put a second time and waits for a connection, so nobody notices.
        assert_eq!(db.account(ann.id).await.unwrap().map(|found| found.id), Some(ann.id));
        until_ready(&*db).await;
        sign_in(&*db, ann.id).await;
    }
}

/// A statement that waits for somebody else's lock is given up after a while, and so is nothing else.
#[tokio::test]
async fn a_lock_that_is_held_for_long_makes_a_write_unavailable_and_no_read() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await;
    let (client, connection) = tokio_postgres::Config::new()
        .host_path(&engine::server().folder)
        .port(engine::server().port)
        .user("doorward")
        .dbname(&db.database.0)
        .connect(tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    client
        .batch_execute("BEGIN; SELECT 1 FROM accounts FOR UPDATE")
        .await
        .unwrap();
    let hash = first_hash();
    let login = db.open_session(session(ann.id), &hash, MANY);
    let read = async {
        for _ in 0..100 {
            assert!(db.account(ann.id).await.unwrap().is_some());
        }
    };
    let (login, ()) = tokio::join!(login, read);
    assert!(is_unavailable(&login), "{login:?}");
    client.batch_execute("ROLLBACK").await.unwrap();
    sign_in(&*db, ann.id).await;
}

/// A read goes on over another connection than that which has fallen silent, and that one is replaced.
#[tokio::test]
async fn a_connection_that_falls_silent_keeps_no_read_waiting_while_another_answers() {
    let (database, relay) = (Database::new(), Relay::start().await);
    let options = PostgresOptions {
        readers: 2,
        notify: false,
        ..PostgresOptions::default()
    };
    let store = open_postgres(&relay.url(&database.0), options).await.unwrap();
    let realm = store.ensure_realm("main").await.unwrap();
    let ann = register(&*store, &realm, "ann@example.com").await.id;
    relay.count();
    // More than it takes to connect.
    while relay.asked(20) < 2 {
        assert!(store.account(ann).await.unwrap().is_some());
    }
    let before = relay.connections();
    relay.silence_next();
    for _ in 0..20 {
        assert!(store.account(ann).await.unwrap().is_some());
        assert!(store.ended_sessions(0, 10).await.unwrap().is_empty());
    }
    relay.connected(before + 1).await;
    relay.count();
    while relay.asked(20) < 2 {
        assert!(store.account(ann).await.unwrap().is_some());
    }
}

/// What ended the connection is told, and nothing more is asked on it.
#[tokio::test]
async fn a_transaction_whose_connection_ends_is_not_asked_to_be_taken_back() {
    let db = fresh().await;
    db.database.sql(
        "CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$; \
         CREATE TRIGGER leave BEFORE INSERT ON accounts FOR EACH ROW EXECUTE FUNCTION leave()",
    );
    let refused = db.create_account(person(&db.realm, "ann@example.com"), None).await;
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("terminating connection"), "{said}");
}
