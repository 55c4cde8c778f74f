//! A target that is none: nothing of the source is changed for it, least of all its schema, without which the server that
//! has used it cannot be started again.
//!
//! The surprise: the older databases are real ones. The last migration is undone.

use std::path::Path;

use doorward_core::store::Store;
use doorward_store::{Location, open_sqlite};
use rusqlite::Connection;

use super::{full, moved, postgres, refused, sql, sqlite};
use crate::engine::Folder;
use crate::postgres::engine::{Database, server};

/// Takes the last migration back.
fn make_older(source: &Path, database: &Database) {
    sql(
        source,
        "CREATE INDEX ended_sessions_expires_at ON ended_sessions (expires_at)",
    );
    sql(
        source,
        &format!("PRAGMA user_version = {}", versions(source, database).0 - 1),
    );
    database.sql(
        "ALTER TABLE ended_sessions ADD CONSTRAINT ended_sessions_session_key UNIQUE (session); \
         UPDATE doorward_schema SET version = version - 1",
    );
}

/// Of the schemas in the file and in the database.
fn versions(file: &Path, database: &Database) -> (i64, i64) {
    let connection = Connection::open(file).unwrap();
    let version = connection.query_row("PRAGMA user_version", [], |row| row.get(0));
    let other = database.sql("SELECT version FROM doorward_schema");
    (version.unwrap(), other.parse().unwrap())
}

#[tokio::test]
async fn the_schema_of_a_source_stays_when_the_target_is_none() {
    let (folder, database) = (Folder::new(), Database::new());
    let file = full(&folder).await;
    moved(&file, &postgres(&database)).await;
    let current = versions(&folder.database(), &database);
    make_older(&folder.database(), &database);
    let older = versions(&folder.database(), &database);

    let (songs, used, open) = (Folder::new(), Folder::new(), Folder::new());
    sql(&songs.database(), "CREATE TABLE songs (title TEXT)");
    let store = open_sqlite(used.database()).await.unwrap();
    store.ensure_realm("main").await.unwrap();
    drop(store);
    let (theirs, used_there, open_there) = (Database::new(), Database::new(), Database::new());
    theirs.sql("CREATE TABLE songs (title text)");
    used_there.open().await.ensure_realm("main").await.unwrap();
    let servers = (open_sqlite(open.database()).await.unwrap(), open_there.open().await);
    for (target, why) in [
        (sqlite(&folder.join("nowhere/doorward.db")), "does not exist"),
        (sqlite(&songs.database()), "a database of another program"),
        (sqlite(&open.database()), "somebody has the database"),
        (sqlite(&used.database()), "already holds rows of `realms`"),
        (Location::Postgres(server().url("no_such_database")), "does not exist"),
        (postgres(&theirs), "a database of another program"),
        (postgres(&open_there), "somebody uses the database"),
        (postgres(&used_there), "already holds rows of `realms`"),
    ] {
        for source in [&file, &postgres(&database)] {
            let said = refused(source, &target).await;
            assert!(said.contains(why) && said.contains("\nhint: "), "{said}");
            assert_eq!(versions(&folder.database(), &database), older, "{said}");
        }
    }
    drop(servers);

    // The same source and a target of which nobody has made use.
    moved(&file, &sqlite(&open.database())).await;
    moved(&postgres(&database), &postgres(&open_there)).await;
    assert_eq!(versions(&folder.database(), &database), current);
}

/// What is moved has the schema of this program on both sides before it has a row. So this is somebody else's.
#[tokio::test]
async fn the_schema_of_a_target_with_rows_stays() {
    let (folder, other, database) = (Folder::new(), Folder::new(), Database::new());
    let source = full(&folder).await;
    for target in [sqlite(&other.database()), postgres(&database)] {
        moved(&source, &target).await;
    }
    make_older(&other.database(), &database);
    let older = versions(&other.database(), &database);
    for target in [sqlite(&other.database()), postgres(&database)] {
        let said = refused(&source, &target).await;
        assert!(
            said.contains("not both have the schema of this doorward\nhint: nothing was changed"),
            "{said}"
        );
    }
    assert_eq!(versions(&other.database(), &database), older);
    // With the schema alone it is as good as empty.
    database.sql("TRUNCATE realms CASCADE; TRUNCATE ended_sessions, status_indices, signing_keys, secrets, clients");
    database.sql("UPDATE endings SET last_sequence = 0");
    moved(&source, &postgres(&database)).await;
}
