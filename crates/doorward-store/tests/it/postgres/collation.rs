//! Who has an identifier is decided by bytes, whatever the locale library of the operating system thinks of their order.
//!
//! The surprise: that library is not replaced here. What its upgrade leaves behind is an index in another order than the
//! one that it is searched by, and the catalog of the server is told so.

use std::fs;
use std::path::Path;

use super::engine::Database;
use super::opening::{VERSION, assert_refused};
use crate::people::{find, register};

/// The version before text was compared by its bytes.
const BEFORE: usize = 6;

/// Every text of an index, with its collation.
const COMPARED: &str = "SELECT string_agg(DISTINCT format('%s.%s %s', i.indrelid::regclass, a.attname, \
     a.attcollation::regcollation), ', ') FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid \
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey) \
     WHERE c.relnamespace = 'public'::regnamespace AND a.attcollation <> 0";

const BY_BYTES: &str = "identifiers.canonical \"C\", realms.name \"C\", secrets.name \"C\", signing_keys.id \"C\"";

/// People whose names are in another order in a language than by their bytes.
const PEOPLE: &str = "\
    INSERT INTO realms (name, next_number) VALUES ('main', 1001); \
    INSERT INTO accounts SELECT gen_random_uuid(), 1, n, '\\x000000000000000000000000', \
    concat((ARRAY['a', 'z', 'é', 'ß', '_'])[1 + n % 5], (ARRAY['-', '_', '.', 'o'])[1 + n % 4], n, '@example.com'), \
    NULL, NULL, NULL, '{}', 'x', 0, 0, NULL FROM generate_series(1, 1000) n; \
    INSERT INTO identifiers SELECT realm, email, id FROM accounts";

/// Makes an index of identifiers as an older library ordered them.
const BY_AN_OLDER_LIBRARY: &str = "ALTER TABLE identifiers ALTER COLUMN canonical TYPE text COLLATE \"C\"; \
    UPDATE pg_attribute SET attcollation = 'default'::regcollation \
    WHERE attrelid IN ('identifiers'::regclass, 'identifiers_pkey'::regclass) AND attname = 'canonical'; \
    UPDATE pg_index SET indcollation = '0 100' WHERE indexrelid = 'identifiers_pkey'::regclass";

/// How many people are not found under their name.
const MISSED: &str = "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; \
    SELECT count(*) FROM accounts a WHERE NOT EXISTS \
    (SELECT 1 FROM identifiers i WHERE i.realm = a.realm AND i.canonical = a.email)";

/// A database of the version before, with people in it, after an upgrade of the library.
fn upgraded_system() -> Database {
    let database = Database::in_english();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/postgres/migrations");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = files.collect();
    files.sort();
    for file in &files[..BEFORE] {
        database.sql(&fs::read_to_string(file).unwrap());
    }
    database.sql(&format!(
        "CREATE TABLE doorward_schema (id bigint NOT NULL PRIMARY KEY CHECK (id = 1), version bigint NOT NULL); \
         INSERT INTO doorward_schema VALUES (1, {BEFORE}); {BY_AN_OLDER_LIBRARY}"
    ));
    database
}

/// The older library wrote it, and the newer one reads.
fn fill(database: &Database) {
    let by = |collation: &str| {
        database.sql(&format!(
            "UPDATE pg_index SET indcollation = '0 {collation}' WHERE indexrelid = 'identifiers_pkey'::regclass"
        ));
    };
    by("950");
    database.sql(PEOPLE);
    by("100");
}

#[tokio::test]
async fn a_new_database_compares_by_bytes() {
    let database = Database::in_english();
    drop(database.open().await);
    assert_eq!(database.sql(COMPARED), BY_BYTES);
}

#[tokio::test]
async fn everybody_is_found_again_after_an_upgrade_of_the_locale_library() {
    let database = upgraded_system();
    fill(&database);
    let missed: u32 = database.sql(MISSED).parse().unwrap();
    assert!(missed > 100, "{missed} are missed");
    let store = database.open().await;
    assert_eq!(database.sql("SELECT version FROM doorward_schema"), VERSION.to_string());
    assert_eq!(database.sql(COMPARED), BY_BYTES);
    assert_eq!(database.sql(MISSED), "0");
    let realm = store.ensure_realm("main").await.unwrap();
    for email in database.sql("SELECT email FROM accounts").lines() {
        let found = find(&*store, &realm, email).await;
        assert!(found.is_some(), "{email}");
    }
    register(&*store, &realm, "zoe@example.com").await;
}

/// Somebody else has registered a name that was not found.
#[tokio::test]
async fn a_name_that_two_have_is_told_and_nothing_is_changed() {
    let database = upgraded_system();
    fill(&database);
    let again = "WITH missed AS (SELECT email FROM accounts a WHERE NOT EXISTS \
         (SELECT 1 FROM identifiers i WHERE i.realm = a.realm AND i.canonical = a.email) LIMIT 1), \
         made AS (INSERT INTO accounts SELECT gen_random_uuid(), 1, 1001, '\\x00', email, NULL, NULL, NULL, '{}', \
         'x', 1, 1, NULL FROM missed RETURNING id, email) \
         INSERT INTO identifiers SELECT 1, email, id FROM made";
    database.sql(&format!(
        "SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off; {again}"
    ));
    assert_refused(
        &database.url(),
        "migration 7 of the database",
        "nothing was changed; the manual for operators",
    )
    .await;
    assert_refused(&database.url(), "rows of `identifiers` are there twice", "there twice").await;
    assert_eq!(database.sql("SELECT version FROM doorward_schema"), BEFORE.to_string());
    assert!(!database.sql(COMPARED).contains("\"C\""));
    // The manual says how to find both.
    let manual = include_str!("../../../../../docs/operating.md");
    let (_, section) = manual.split_once("## Identifiers that are there twice").unwrap();
    let query = section.split("```").nth(1).unwrap().strip_prefix("sql").unwrap();
    let found = database.sql(query);
    assert_eq!(found.lines().count(), 2, "{found}");
    assert!(found.lines().last().unwrap().contains("|1001|"), "{found}");
    let newer = database.sql("SELECT id FROM accounts WHERE number = 1001");
    database.sql(&format!(
        "DELETE FROM identifiers WHERE account = '{newer}'; DELETE FROM accounts WHERE id = '{newer}'"
    ));
    drop(database.open().await);
    assert_eq!(database.sql(COMPARED), BY_BYTES);
}
