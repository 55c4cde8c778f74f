//! Opening a database: new, again, by many at once, and every way in which it cannot be.
//!
//! The surprise: a refusal is tested by its words, and for what it must not say: the password.

use std::net::TcpListener;

use doorward_store::{PostgresOptions, PostgresUrl, Schema, open_postgres};
use tokio::task::JoinSet;

use super::endings::{another_node, waits};
use super::engine::{Database, fresh, server};
use super::server::PASSWORD;
use crate::heard::Log;
use crate::people::{NOW, find, register, sign_in};

/// The schema that this program makes; a new migration counts it up.
pub(super) const VERSION: i64 = 7;

/// Asserts that opening fails, that the error says `what`, that it comes with this `hint`, and that it has no
/// password in it.
pub(super) async fn assert_refused(url: &PostgresUrl, what: &str, hint: &str) {
    let error = open_postgres(url, PostgresOptions::default())
        .await
        .err()
        .unwrap()
        .to_string();
    let (said, hinted) = error.split_once("\nhint: ").unwrap();
    assert!(said.contains(what), "{error}");
    assert!(hinted.contains(hint), "{error}");
    assert!(!error.contains("hunter2"), "{error}");
}

fn parse(url: &str) -> PostgresUrl {
    url.parse().unwrap()
}

#[tokio::test]
async fn what_was_written_is_there_after_reopening() {
    let database = Database::new();
    for round in 0..3 {
        let store = database.open().await;
        let realm = store.ensure_realm("main").await.unwrap();
        assert_eq!(find(&*store, &realm, "ann@example.com").await.is_some(), round > 0);
        if round == 0 {
            register(&*store, &realm, "ann@example.com").await;
        }
    }
    assert_eq!(database.sql("SELECT version FROM doorward_schema"), VERSION.to_string());
}

/// Some engines that speak PostgreSQL's protocol have no advisory locks, and say so as here.
#[tokio::test]
async fn an_engine_that_refuses_advisory_locks_is_used_without() {
    let database = Database::new();
    for lock in ["pg_advisory_xact_lock", "pg_advisory_lock", "pg_advisory_lock_shared"] {
        database.sql(&format!(
            "CREATE FUNCTION {lock}(bigint) RETURNS void LANGUAGE plpgsql \
             AS $$ BEGIN RAISE EXCEPTION 'no {lock}' USING ERRCODE = '0A000'; END $$"
        ));
    }
    // Ours are found before those of PostgreSQL.
    let url = parse(&format!(
        "{}&options=-csearch_path%3Dpublic%2Cpg_catalog",
        database.url()
    ));
    for known in [false, true] {
        let store = open_postgres(&url, PostgresOptions::default()).await.unwrap();
        let realm = store.ensure_realm("main").await.unwrap();
        assert_eq!(find(&*store, &realm, "ann@example.com").await.is_some(), known);
        if !known {
            register(&*store, &realm, "ann@example.com").await;
        }
    }
    assert_eq!(database.sql("SELECT version FROM doorward_schema"), VERSION.to_string());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn twenty_nodes_may_make_the_schema_at_once() {
    let database = Database::new();
    let mut crowd = JoinSet::new();
    for _ in 0..20 {
        let url = database.url();
        crowd.spawn(async move {
            let store = open_postgres(&url, PostgresOptions::default()).await.unwrap();
            store.ensure_realm("main").await.unwrap().id
        });
    }
    let realms = crowd.join_all().await;
    assert!(realms.iter().all(|realm| *realm == realms[0]), "{realms:?}");
    assert_eq!(database.sql("SELECT version FROM doorward_schema"), VERSION.to_string());
    assert_eq!(database.sql("SELECT count(*) FROM realms"), "1");
}

#[tokio::test]
async fn a_newer_schema_is_refused_and_left_alone() {
    let database = Database::new();
    drop(database.open().await);
    let newer = VERSION + 1;
    database.sql(&format!("UPDATE doorward_schema SET version = {newer}"));
    let what = format!("has schema version {newer}; this doorward knows up to {VERSION}");
    assert_refused(
        &database.url(),
        &what,
        "start the newer doorward, or restore the backup",
    )
    .await;
    assert_eq!(database.sql("SELECT version FROM doorward_schema"), newer.to_string());
}

#[tokio::test]
async fn a_schema_that_is_not_to_be_changed_is_left_alone() {
    let database = Database::new();
    let opened = async |schema: Schema| {
        let options = PostgresOptions {
            schema,
            ..PostgresOptions::default()
        };
        let opened = open_postgres(&database.url(), options).await;
        opened.map_or_else(|error| error.to_string(), |_| String::new())
    };
    assert!(opened(Schema::Keep).await.contains("is empty\nhint: "));
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(database.sql(tables), "0");
    assert_eq!(opened(Schema::Make).await, "");
    assert_eq!(opened(Schema::Keep).await, "");
    let older = VERSION - 1;
    database.sql(&format!("UPDATE doorward_schema SET version = {older}"));
    for schema in [Schema::Keep, Schema::Make] {
        let said = opened(schema).await;
        let what = format!("has schema version {older}; this doorward needs {VERSION}\nhint: make a backup");
        assert!(said.contains(&what), "{said}");
    }
    assert_eq!(database.sql("SELECT version FROM doorward_schema"), older.to_string());
}

#[tokio::test]
async fn a_database_of_another_program_is_refused_and_left_alone() {
    let database = Database::new();
    database.sql("CREATE TABLE songs (title text)");
    assert_refused(&database.url(), "is a database of another program", "createdb").await;
    assert_eq!(
        database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
        "1"
    );

    // A schema of its own beside the other program's is as good.
    database.sql("CREATE SCHEMA door");
    let (folder, port) = (server().folder.display(), server().port);
    let name = &database.0;
    let options = format!("user=doorward&host={folder}&port={port}&options=-csearch_path%3Ddoor");
    let url = parse(&format!("postgres:///{name}?{options}"));
    let store = open_postgres(&url, PostgresOptions::default()).await.unwrap();
    assert!(store.ready().await.is_ok());
}

/// Monitoring puts views into `public`, often before anybody else comes.
#[tokio::test]
async fn what_an_extension_has_brought_is_no_other_program() {
    let database = Database::new();
    database.sql("CREATE EXTENSION pg_stat_statements; CREATE TABLE songs (title text)");
    assert_refused(&database.url(), "is a database of another program", "createdb").await;
    database.sql("DROP TABLE songs");
    // Who may not ask what belongs to an extension is told what he was before.
    let name = &database.0;
    database.sql(&format!(
        "CREATE USER user_of_{name} PASSWORD 'hunter2'; ALTER DATABASE {name} OWNER TO user_of_{name}; \
         REVOKE SELECT ON pg_catalog.pg_depend FROM PUBLIC"
    ));
    let port = server().port;
    let url = parse(&format!("postgres://user_of_{name}:hunter2@127.0.0.1:{port}/{name}"));
    assert_refused(&url, "is a database of another program", "createdb").await;
    database.sql("GRANT SELECT ON pg_catalog.pg_depend TO PUBLIC");
    let store = open_postgres(&url, PostgresOptions::default()).await.unwrap();
    assert!(store.ready().await.is_ok());
    drop(store);
    database.sql(&format!(
        "ALTER DATABASE {name} OWNER TO doorward; REASSIGN OWNED BY user_of_{name} TO doorward; \
         DROP USER user_of_{name}"
    ));
}

#[tokio::test]
async fn a_migration_that_fails_leaves_nothing() {
    let database = Database::new();
    // An index takes a name that the first migration wants to give; a look for tables does not see it.
    database.sql("CREATE SEQUENCE sessions_account");
    assert_refused(&database.url(), "migration 1 of the database", "nothing was changed").await;
    assert_eq!(
        database.sql("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"),
        "0"
    );
    database.sql("DROP SEQUENCE sessions_account");
    assert!(database.open().await.ready().await.is_ok());
}

/// Whoever wants a table stands in line behind one who waits to change it. A backup reads for long, and all that time
/// nobody could be served.
#[tokio::test]
async fn a_migration_that_meets_a_reader_keeps_nobody_else_waiting_and_comes_again() {
    let db = fresh().await;
    // What the last migration has changed.
    let older = "ALTER TABLE identifiers ALTER COLUMN canonical TYPE text COLLATE \"default\"";
    let last = VERSION - 1;
    db.database
        .sql(&format!("{older}; UPDATE doorward_schema SET version = {last}"));
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let backup = another_node(&db).await;
    backup.batch_execute("BEGIN; SELECT FROM identifiers").await.unwrap();
    let url = db.database.url();
    let newer = tokio::spawn(async move { open_postgres(&url, PostgresOptions::default()).await });
    waits(&newer, &another_node(&db).await).await;
    for number in 0..3 {
        assert!(find(&*db, &db.realm, "ann@example.com").await.is_some());
        register(&*db, &db.realm, &format!("ann{number}@example.com")).await;
        let sid = sign_in(&*db, ann).await;
        assert!(db.end_session(sid, ann, NOW).await.unwrap().is_some());
    }
    assert!(!newer.is_finished());
    assert_eq!(db.database.sql("SELECT version FROM doorward_schema"), last.to_string());
    backup.batch_execute("COMMIT").await.unwrap();
    let newer = newer.await.unwrap().unwrap();
    assert_eq!(newer.ended_sessions(0, 10).await.unwrap().len(), 3);
    assert_eq!(
        db.database.sql("SELECT version FROM doorward_schema"),
        VERSION.to_string()
    );
}

/// Who starts beside a long migration would seem to hang. The lock is that of every version, in `public`.
#[tokio::test]
async fn who_waits_for_the_migration_of_another_says_so_once() {
    let (db, log) = (fresh().await, Log::listen());
    db.sql("DROP SCHEMA public CASCADE; CREATE SCHEMA public");
    let other = another_node(&db).await;
    let lock = format!("SELECT pg_advisory_lock({})", i64::from_be_bytes(*b"doorward"));
    other.batch_execute(&lock).await.unwrap();
    let url = db.database.url();
    let newer = tokio::spawn(async move { open_postgres(&url, PostgresOptions::default()).await });
    log.until("brings the schema of the database up to date").await;
    assert!(!newer.is_finished());
    other.batch_execute("SELECT pg_advisory_unlock_all()").await.unwrap();
    assert!(newer.await.unwrap().unwrap().ready().await.is_ok());
    assert_eq!(log.count("up to date"), 1);
    assert_eq!(
        log.count(&format!("database=\"{}\" seconds=3600", db.database.url())),
        1
    );
}

#[tokio::test]
async fn a_wrong_password_is_refused() {
    let database = Database::new();
    let url = server().tcp("hunter2-wrong", &database.0, "");
    assert_refused(&url, "does not accept the password", "correct the user or the password").await;
    let url = server().tcp(PASSWORD, &database.0, "");
    assert!(open_postgres(&url, PostgresOptions::default()).await.is_ok());
    let url = parse(&format!(
        "postgres://doorward@127.0.0.1:{}/{}",
        server().port,
        database.0
    ));
    assert_refused(&url, "password missing", "write the password into the URL").await;
}

#[tokio::test]
async fn what_is_not_there_is_refused() {
    let port = server().port;
    let url = server().tcp(PASSWORD, "no_such_database", "");
    assert_refused(&url, "\"no_such_database\" does not exist", "createdb").await;
    let url = server().url("no_such_database");
    assert_refused(&url, "\"no_such_database\" does not exist", "createdb").await;
    let url = parse(&format!("postgres://nobody:hunter2@127.0.0.1:{port}/postgres"));
    assert_refused(&url, "does not accept the password", "correct the user").await;
    let url = parse("postgres://doorward:hunter2@no-such-host.invalid/postgres");
    assert_refused(
        &url,
        "no-such-host.invalid:5432/postgres is not known",
        "correct the host",
    )
    .await;
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = parse(&format!("postgres://doorward:hunter2@127.0.0.1:{closed}/postgres"));
    assert_refused(
        &url,
        "nothing listens at postgres://doorward@127.0.0.1",
        "start PostgreSQL",
    )
    .await;
    let url = parse("postgres:///postgres?host=/nowhere&user=doorward&password=hunter2");
    assert_refused(
        &url,
        "nothing listens at postgres://doorward@/postgres?host=/nowhere",
        "start",
    )
    .await;
}

#[tokio::test]
async fn a_user_without_rights_is_refused() {
    let database = Database::new();
    let user = format!("user_of_{}", database.0);
    database.sql(&format!("CREATE USER {user} PASSWORD 'hunter2'"));
    let url = parse(&format!(
        "postgres://{user}:hunter2@127.0.0.1:{}/{}",
        server().port,
        database.0
    ));
    assert_refused(&url, "permission denied for schema public", "ALTER DATABASE").await;
    database.sql(&format!("ALTER DATABASE {} OWNER TO {user}", database.0));
    assert!(open_postgres(&url, PostgresOptions::default()).await.is_ok());
    database.sql(&format!(
        "ALTER DATABASE {} OWNER TO doorward; REASSIGN OWNED BY {user} TO doorward",
        database.0
    ));
    database.sql(&format!("DROP USER {user}"));
}

#[tokio::test]
async fn a_database_that_cannot_be_written_is_refused() {
    let database = Database::new();
    drop(database.open().await);
    server().sql(
        "postgres",
        &format!("ALTER DATABASE {} SET default_transaction_read_only = on", database.0),
    );
    assert_refused(&database.url(), "can only be read", "name the primary").await;
}

#[tokio::test]
async fn a_database_in_another_encoding_is_refused() {
    let database = Database::new();
    let name = format!("{}_latin", database.0);
    let make = format!("CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0");
    server().sql("postgres", &make);
    assert_refused(&server().url(&name), "has the encoding LATIN1", "--encoding=UTF8").await;
    server().drop_database(&name);
}

#[tokio::test]
async fn of_several_hosts_the_one_that_answers_is_taken() {
    let database = Database::new();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = parse(&format!(
        "postgres://doorward:{PASSWORD}@127.0.0.1:{closed},127.0.0.1:{}/{}?target_session_attrs=read-write",
        server().port,
        database.0
    ));
    let store = open_postgres(&url, PostgresOptions::default()).await.unwrap();
    assert!(store.ready().await.is_ok());
}

/// What a statement may cost is set by us, whatever the database was set to.
#[tokio::test]
async fn every_connection_is_set_to_what_the_engine_is_made_for() {
    let database = Database::new();
    let name = &database.0;
    for setting in [
        "synchronous_commit = off",
        "statement_timeout = 0",
        "default_transaction_isolation = 'serializable'",
    ] {
        server().sql("postgres", &format!("ALTER DATABASE {name} SET {setting}"));
    }
    let store = database.open().await;
    // Seen through what the store writes: a trigger notes the settings of its connection.
    database.sql(
        "CREATE TABLE seen (setting text, value text); \
         CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO seen SELECT name, current_setting(name) FROM unnest(ARRAY['synchronous_commit', \
         'statement_timeout', 'lock_timeout', 'idle_in_transaction_session_timeout', 'transaction_isolation']) name; \
         RETURN NEW; END $$; \
         CREATE TRIGGER look AFTER INSERT ON realms FOR EACH ROW EXECUTE FUNCTION look()",
    );
    store.ensure_realm("main").await.unwrap();
    let seen = database.sql("SELECT string_agg(value, ' ') FROM seen");
    assert_eq!(seen, "on 5s 4s 10s read committed");
}
