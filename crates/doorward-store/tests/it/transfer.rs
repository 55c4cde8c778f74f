//! Moving everything from one database to another: up, back, after an interruption, and never into somebody else's.
//!
//! The surprise: an interruption is made afterwards. Rows are taken out of the end of what was moved, which is what
//! a move leaves behind that ended earlier.

use std::path::Path;

use doorward_core::client::{Client, ClientId};
use doorward_core::identifier::Canonical;
use doorward_core::status_list::StatusIndex;
use doorward_core::store::Store;
use doorward_store::{Location, Moved, Progress, Step, open_sqlite, transfer};
use rusqlite::Connection;

use crate::engine::Folder;
use crate::people::{NOW, done, find, first_hash, later, living, open, person, register, session, sign_in};
use crate::postgres::engine::{Database, server};

mod interrupted;
mod wrong;

/// More accounts than three pages have, and the last page is not full.
const CROWD: u64 = 1601;

fn sqlite(path: &Path) -> Location {
    Location::Sqlite(path.to_owned())
}

fn postgres(database: &Database) -> Location {
    Location::Postgres(database.url())
}

fn sql(path: &Path, sql: &str) {
    Connection::open(path).unwrap().execute_batch(sql).unwrap();
}

async fn moved(from: &Location, to: &Location) -> Vec<Moved> {
    transfer(from, to, &mut |_| {}).await.unwrap()
}

async fn refused(from: &Location, to: &Location) -> String {
    transfer(from, to, &mut |_| {}).await.unwrap_err().to_string()
}

/// Rows and digest of each table, without what was found.
fn content(moved: &[Moved]) -> Vec<(&str, u64, [u8; 32])> {
    moved
        .iter()
        .map(|table| (table.table, table.rows, table.sha256))
        .collect()
}

fn rows(moved: &[Moved], name: &str) -> (u64, u64) {
    let table = moved.iter().find(|table| table.table == name).unwrap();
    (table.rows, table.found)
}

/// A file with every kind of row: a crowd, somebody with a living and an ended session, keys and a secret.
async fn full(folder: &Folder) -> Location {
    let path = folder.database();
    let store = open_sqlite(&path).await.unwrap();
    let realm = store.ensure_realm("main").await.unwrap();
    store.ensure_realm("second").await.unwrap();
    let ann = register(&*store, &realm, "ann@example.com").await;
    sign_in(&*store, ann.id).await;
    let mut new = session(ann.id);
    new.session.status_index = Some(StatusIndex(store.reserve_status_indices(10).await.unwrap() + 7));
    let ended = new.session.id;
    assert!(open(&*store, new, &first_hash()).await);
    store.end_session(ended, ann.id, NOW).await.unwrap().unwrap();
    store.server_secret("refresh", [7; 32]).await.unwrap();
    let client = Client {
        id: ClientId(ended.0),
        name: "shop".into(),
        secret_hash: [7; 32],
        created_at: NOW,
    };
    store.add_client(client).await.unwrap();
    drop(store);
    sql(
        &path,
        &format!(
            "WITH RECURSIVE crowd (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM crowd WHERE n < {CROWD}) \
             INSERT INTO accounts (id, realm, number, object_id, email, first_name, attributes, password_hash, \
             created_at, updated_at, disabled_at) SELECT randomblob(16), 1, n, randomblob(12), n || '@Example.com', \
             'Zoë', '{{\"n\":' || n || '}}', '$argon2id$x', n, n, CASE n % 3 WHEN 0 THEN n END FROM crowd; \
             INSERT INTO identifiers (realm, canonical, account) SELECT realm, lower(email), id FROM accounts \
             WHERE number > 1; UPDATE realms SET next_number = {CROWD} + 1 WHERE id = 1; \
             INSERT INTO identifiers (realm, canonical, account) SELECT realm, 'é' || number, id FROM accounts; \
             INSERT INTO identifiers (realm, canonical, account) SELECT realm, 'Z' || number, id FROM accounts; \
             INSERT INTO signing_keys VALUES (3, 'one', x'0001', 5), (4, 'two', x'0002', 4)"
        ),
    );
    sqlite(&path)
}

/// What has to go on after a move: whoever is signed in, numbers, sequences and realms.
async fn goes_on(store: &dyn Store) {
    let realm = store.ensure_realm("main").await.unwrap();
    let ann = find(store, &realm, "ann@example.com").await.unwrap();
    let lives = living(store, ann.id).await;
    assert_eq!(lives.len(), 1);
    let (_, hash) = store
        .account_by_identifier(realm.id, &Canonical::of("ann@example.com"))
        .await
        .unwrap()
        .unwrap();
    assert!(open(store, session(ann.id), &hash).await);
    let before = store.ended_sessions(0, 10).await.unwrap();
    let ended = store.end_session(lives[0], ann.id, later(1)).await.unwrap().unwrap();
    assert_eq!(ended.sequence, before.last().unwrap().sequence + 1);
    let keys = store.signing_keys().await.unwrap();
    let ids: Vec<&str> = keys.iter().map(|key| key.id.0.as_str()).collect();
    assert_eq!(ids, ["two", "one"]);
    assert_eq!(store.server_secret("refresh", [8; 32]).await.unwrap(), [7; 32]);
    let next = done(
        store
            .create_account(person(&realm, "new@example.com"), None)
            .await
            .unwrap(),
    );
    assert_eq!(u64::try_from(next.number).unwrap(), CROWD + 1);
    let third = store.ensure_realm("third").await.unwrap();
    assert!(third.id.0 > store.ensure_realm("second").await.unwrap().id.0);
}

#[tokio::test]
async fn everything_is_the_same_on_every_engine_and_goes_on() {
    let (first, last, database, other) = (Folder::new(), Folder::new(), Database::new(), Database::new());
    let source = full(&first).await;
    let up = moved(&source, &postgres(&database)).await;
    assert_eq!(rows(&up, "accounts"), (CROWD, 0));
    assert_eq!(rows(&up, "identifiers"), (3 * CROWD, 0));
    for (table, count) in [
        ("realms", 2),
        ("sessions", 1),
        ("ended_sessions", 1),
        ("status_indices", 1),
        ("signing_keys", 2),
        ("secrets", 1),
        ("clients", 1),
    ] {
        assert_eq!(rows(&up, table), (count, 0), "{table}");
    }
    let across = moved(&postgres(&database), &postgres(&other)).await;
    let back = moved(&postgres(&other), &sqlite(&last.database())).await;
    assert_eq!(content(&up), content(&across));
    assert_eq!(content(&up), content(&back));
    let folder = Folder::new();
    let along = moved(&sqlite(&last.database()), &sqlite(&folder.database())).await;
    assert_eq!(content(&up), content(&along));
    goes_on(&*open_sqlite(folder.database()).await.unwrap()).await;
    goes_on(&*database.open().await).await;
}

/// A sequence outlives the rows that had it, and must not be given out again after a move either.
#[tokio::test]
async fn endings_count_on_when_all_are_forgotten() {
    let (folder, last, database) = (Folder::new(), Folder::new(), Database::new());
    let source = full(&folder).await;
    sql(
        &folder.database(),
        "DELETE FROM ended_sessions; UPDATE sqlite_sequence SET seq = 41",
    );
    moved(&source, &postgres(&database)).await;
    assert_eq!(database.sql("SELECT last_sequence FROM endings"), "41");
    moved(&postgres(&database), &sqlite(&last.database())).await;
    let store = open_sqlite(last.database()).await.unwrap();
    let realm = store.ensure_realm("main").await.unwrap();
    let ann = find(&*store, &realm, "ann@example.com").await.unwrap();
    let ended = store.end_sessions(ann.id, None).await.unwrap();
    assert_eq!(ended[0].sequence, 42);
}

#[tokio::test]
async fn an_interrupted_move_goes_on_where_it_stopped() {
    let (folder, last, database) = (Folder::new(), Folder::new(), Database::new());
    let source = full(&folder).await;
    let whole = moved(&source, &postgres(&database)).await;
    moved(&source, &sqlite(&last.database())).await;
    // What the move of a page of accounts, and none of what follows, leaves behind.
    let cut = |place: &str| {
        format!(
            "DELETE FROM secrets; DELETE FROM signing_keys; DELETE FROM ended_sessions; DELETE FROM sessions; \
             DELETE FROM identifiers; DELETE FROM accounts WHERE id NOT IN (SELECT id FROM accounts ORDER BY id \
             LIMIT 500); {place}"
        )
    };
    database.sql(&cut("UPDATE endings SET last_sequence = 0"));
    sql(&last.database(), &cut("DELETE FROM sqlite_sequence"));
    for target in [postgres(&database), sqlite(&last.database())] {
        let again = moved(&source, &target).await;
        assert_eq!(content(&again), content(&whole));
        assert_eq!(rows(&again, "accounts"), (CROWD, 500));
        assert_eq!(rows(&again, "realms"), (2, 2));
        let third = moved(&source, &target).await;
        assert_eq!(content(&third), content(&whole));
        assert_eq!(
            rows(&third, "identifiers"),
            (3 * CROWD, 3 * CROWD),
            "nothing is left to do"
        );
    }
    goes_on(&*database.open().await).await;
}

#[tokio::test]
async fn a_target_that_holds_anything_else_is_refused_and_left_alone() {
    let (folder, last, database) = (Folder::new(), Folder::new(), Database::new());
    let source = full(&folder).await;
    let store = database.open().await;
    let realm = store.ensure_realm("main").await.unwrap();
    register(&*store, &realm, "ann@example.com").await;
    drop(store);
    let said = refused(&source, &postgres(&database)).await;
    assert!(
        said.contains("already holds rows of `realms`") && said.contains("hint: nothing was written"),
        "{said}"
    );
    assert_eq!(database.sql("SELECT count(*) FROM accounts"), "1");
    // A move that was begun before the source went on.
    moved(&source, &sqlite(&last.database())).await;
    sql(
        &folder.database(),
        "UPDATE accounts SET first_name = 'Zoe' WHERE number = 900",
    );
    let said = refused(&source, &sqlite(&last.database())).await;
    assert!(said.contains("already holds rows of `accounts`"), "{said}");
}

/// Whoever else writes to the target, here the database itself, is found out.
#[tokio::test]
async fn a_row_that_arrives_changed_is_noticed() {
    let (folder, last, database) = (Folder::new(), Folder::new(), Database::new());
    let source = full(&folder).await;
    drop(database.open().await);
    database.sql(
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN NEW.first_name := 'Eve'; RETURN NEW; END $$; \
         CREATE TRIGGER spoil BEFORE INSERT ON accounts FOR EACH ROW WHEN (NEW.number = 700) EXECUTE FUNCTION spoil()",
    );
    drop(open_sqlite(last.database()).await.unwrap());
    sql(
        &last.database(),
        "CREATE TRIGGER spoil AFTER INSERT ON accounts WHEN NEW.number = 700 \
         BEGIN UPDATE accounts SET first_name = 'Eve' WHERE id = NEW.id; END",
    );
    for target in [postgres(&database), sqlite(&last.database())] {
        let said = refused(&source, &target).await;
        assert!(
            said.contains("`accounts` is not the same in both") && said.contains("hint: "),
            "{said}"
        );
    }
}

#[tokio::test]
async fn a_source_that_is_in_use_or_not_there_is_refused() {
    let (folder, last) = (Folder::new(), Folder::new());
    let said = refused(&sqlite(&folder.database()), &sqlite(&last.database())).await;
    assert!(
        said.contains("there is no database") && !folder.database().exists(),
        "{said}"
    );
    let source = full(&folder).await;
    let store = open_sqlite(folder.database()).await.unwrap();
    let said = refused(&source, &sqlite(&last.database())).await;
    assert!(said.contains("open\nhint: stop every server"), "{said}");
    drop(store);
    moved(&source, &sqlite(&last.database())).await;
}

/// A move that is refused must not be the end of an older server.
#[tokio::test]
async fn a_database_that_is_in_use_keeps_its_schema() {
    let (folder, last) = (Folder::new(), Folder::new());
    let (source, other) = (full(&folder).await, sqlite(&last.database()));
    drop(open_sqlite(last.database()).await.unwrap());
    let version = |database: &Connection| {
        let version = database.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0));
        version.unwrap()
    };
    // As an older server has it: the last migration is undone.
    let server = Connection::open(folder.database()).unwrap();
    let latest = version(&server);
    let undone = "CREATE INDEX ended_sessions_expires_at ON ended_sessions (expires_at)";
    server.execute_batch(undone).unwrap();
    server.pragma_update(None, "user_version", latest - 1).unwrap();
    for (from, to) in [(&source, &other), (&other, &source)] {
        let said = refused(from, to).await;
        assert!(said.contains("open\nhint: stop every server"), "{said}");
        assert_eq!(version(&server), latest - 1);
    }
    drop(server);
    moved(&source, &other).await;
    assert_eq!(version(&Connection::open(folder.database()).unwrap()), latest);
}

#[tokio::test]
async fn nobody_writes_to_the_source_meanwhile() {
    let (folder, last, database) = (Folder::new(), Folder::new(), Database::new());
    moved(&full(&folder).await, &postgres(&database)).await;
    let locked = "SELECT count(*) FROM pg_locks WHERE mode = 'ShareLock' AND locktype = 'relation' AND granted \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let mut steps = Vec::new();
    let mut tell = |progress| {
        if steps.is_empty() {
            assert_eq!(database.sql(locked), "10");
        }
        steps.push(progress);
    };
    let target = sqlite(&last.database());
    transfer(&postgres(&database), &target, &mut tell).await.unwrap();
    let at = |step, table, rows, of| Progress { step, table, rows, of };
    let (copying, comparing) = (Step::Copying, Step::Comparing);
    for (step, rows) in [(copying, 500), (copying, 1000), (copying, CROWD), (comparing, CROWD)] {
        let told = at(step, "accounts", rows, CROWD);
        assert!(steps.contains(&told), "{told:?} {steps:?}");
    }
    assert_eq!(steps.first(), Some(&at(Step::Checking, "realms", 0, 0)));
    assert_eq!(steps.last(), Some(&at(Step::Comparing, "clients", 1, 1)));
}

/// The list of what is moved is checked against SQLite's schema; so this checks it against PostgreSQL's.
#[tokio::test]
async fn both_engines_have_the_same_tables_and_columns() {
    let (folder, database) = (Folder::new(), Database::new());
    drop(database.open().await);
    drop(open_sqlite(folder.database()).await.unwrap());
    let theirs = database.sql(
        "SELECT table_name || '.' || column_name FROM information_schema.columns WHERE table_schema = 'public' \
         AND table_name NOT IN ('doorward_schema', 'endings') ORDER BY (table_name || '.' || column_name) COLLATE \"C\"",
    );
    let connection = Connection::open(folder.database()).unwrap();
    let mut statement = connection
        .prepare(
            "SELECT t.name || '.' || c.name FROM pragma_table_list t, pragma_table_info(t.name) c \
             WHERE t.schema = 'main' AND t.name NOT LIKE 'sqlite%' ORDER BY 1",
        )
        .unwrap();
    let ours: Vec<String> = statement
        .query_map([], |row| row.get(0))
        .and_then(Iterator::collect)
        .unwrap();
    assert_eq!(theirs.lines().collect::<Vec<_>>(), ours);
}

#[tokio::test]
async fn no_password_is_said() {
    let folder = Folder::new();
    let target = Location::Postgres(server().tcp("hunter2-wrong", "postgres", ""));
    let said = refused(&full(&folder).await, &target).await;
    assert!(said.contains("does not accept the password"), "{said}");
    assert!(
        !said.contains("hunter2") && !format!("{target} {target:?}").contains("hunter2"),
        "{said}"
    );
}
