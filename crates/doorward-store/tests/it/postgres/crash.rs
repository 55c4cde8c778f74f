//! What was acknowledged survives the death of a node, and that of the server under it; nothing is half there.
//!
//! The surprise: one process lives through all crashes of the server. It is told of each as unavailable, promises
//! nothing then, and goes on by itself when the server is back.

use doorward_store::{PostgresOptions, PostgresUrl, open_postgres};
use tokio::task::yield_now;

use super::engine::{Database, server};
use super::server::Server;
use crate::crash::{Journal, assert_are_there, write_and_acknowledge};
use crate::process;

/// Fewer than on SQLite, where a process is all there is to kill.
const NODES_KILLED: usize = 8;

const SERVERS_KILLED: usize = 4;

/// What the process does that is killed, or whose server is.
async fn write(database: &str) {
    let url: PostgresUrl = database.parse().unwrap();
    let store = open_postgres(&url, PostgresOptions::default()).await.unwrap();
    write_and_acknowledge(store).await;
}

/// Waits until the server has done whatever a dead process had asked of it.
async fn until_alone(server: &Server, database: &str) {
    let others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
         AND backend_type = 'client backend'";
    while server.sql(database, others) != "0" {
        yield_now().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_a_node_was_killed() {
    if let Some(database) = process::database() {
        return write(&database).await;
    }
    let test = "postgres::crash::what_was_acknowledged_is_there_after_a_node_was_killed";
    let database = Database::new();
    let mut acknowledged = 0;
    for round in 0..NODES_KILLED {
        let mut journal = Journal::start(test, &database.url().to_string());
        journal.read_some();
        let done = journal.kill();
        until_alone(server(), &database.0).await;
        let store = database.open().await;
        assert_are_there(&*store, &done, round).await;
        acknowledged += done.len();
    }
    assert_is_whole(server(), &database.0, acknowledged);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_the_server_was_killed() {
    if let Some(database) = process::database() {
        return write(&database).await;
    }
    let test = "postgres::crash::what_was_acknowledged_is_there_after_the_server_was_killed";
    let server = Server::start();
    server.sql("postgres", "CREATE DATABASE door");
    let mut journal = Journal::start(test, &server.url("door").to_string());
    for round in 0..SERVERS_KILLED {
        journal.read_some();
        server.crash();
        server.control("start");
        let store = open_postgres(&server.url("door"), PostgresOptions::default()).await;
        assert_are_there(&*store.unwrap(), &journal.acknowledged, round).await;
    }
    // It has gone on after the last one, too.
    journal.read_some();
    let done = journal.kill();
    until_alone(&server, "door").await;
    let store = open_postgres(&server.url("door"), PostgresOptions::default()).await;
    assert_are_there(&*store.unwrap(), &done, SERVERS_KILLED).await;
    assert_is_whole(&server, "door", done.len());
}

/// Nothing is half-written: every account has both identifiers, every identifier an account, every account a session
/// that lives or has ended, and neither numbers nor sequences have a gap.
fn assert_is_whole(server: &Server, database: &str, acknowledged: usize) {
    let count = |sql: &str| -> usize { server.sql(database, sql).parse().unwrap() };
    let accounts = count("SELECT count(*) FROM accounts");
    assert!(
        accounts >= acknowledged / 2,
        "{accounts} accounts, {acknowledged} acknowledgements"
    );
    for (same, what) in [
        ("SELECT max(number) FROM accounts", "numbers"),
        (
            "SELECT next_number - 1 FROM realms WHERE name = 'main'",
            "the next number",
        ),
        ("SELECT count(*) / 2 FROM identifiers", "identifiers"),
        (
            "SELECT count(*) FROM accounts a WHERE ARRAY[email, username] = \
             ARRAY(SELECT canonical FROM identifiers i WHERE i.account = a.id ORDER BY canonical)",
            "accounts with both identifiers",
        ),
        (
            "SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM ended_sessions)",
            "sessions",
        ),
    ] {
        assert_eq!(count(same), accounts, "{what}");
    }
    let ended = count("SELECT count(*) FROM ended_sessions");
    assert_eq!(count("SELECT max(sequence) FROM ended_sessions"), ended);
    assert_eq!(count("SELECT last_sequence FROM endings"), ended);
    let twice = "SELECT count(*) FROM ended_sessions WHERE session IN (SELECT id FROM sessions)";
    assert_eq!(count(twice), 0);
}
