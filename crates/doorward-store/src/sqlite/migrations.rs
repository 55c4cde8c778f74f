//! Bringing the schema up to date: numbered files, each applied once, all of them or none.
//!
//! The surprise: what is already applied is told by two numbers in the header of the file and not by a table.
//! `user_version` counts the files, `application_id` says that the database is ours at all.

use std::path::Path;

use doorward_core::SetupError;
use rusqlite::{Connection, TransactionBehavior};

use super::connection::explain;
use crate::Schema;

/// Every migration, in order. A released one is never edited; the next one mends it.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_accounts_and_sessions.sql"),
    include_str!("migrations/0002_clients.sql"),
    include_str!("migrations/0003_status_list.sql"),
    include_str!("migrations/0004_ending_marks.sql"),
    include_str!("migrations/0005_access_until.sql"),
    include_str!("migrations/0006_fewer_pages.sql"),
    include_str!("migrations/0007_no_index_of_expiry.sql"),
    include_str!("migrations/0008_no_index_of_endings.sql"),
];

/// `door` in ASCII: the mark of a database of ours in its header.
const APPLICATION_ID: i64 = 0x646f_6f72;

/// Refuses a database that is not ours, that a newer program has changed, or whose schema would have to be changed and
/// may not be. Writes nothing.
///
/// # Errors
/// When it is such a database, or none.
pub(super) fn check(connection: &Connection, path: &Path, schema: Schema) -> Result<(), SetupError> {
    let seen = version(connection, path, MIGRATIONS.len())?;
    schema.allow(path.display(), seen, MIGRATIONS.len())
}

/// Applies what is missing. Several processes may do so at once: one does it, the others wait and find it done.
///
/// # Errors
/// As [`check`], and when a migration fails; then none is applied.
pub(super) fn apply(connection: &mut Connection, path: &Path) -> Result<(), SetupError> {
    apply_these(MIGRATIONS, connection, path)
}

fn apply_these(migrations: &[&str], connection: &mut Connection, path: &Path) -> Result<(), SetupError> {
    if version(connection, path, migrations.len())? == migrations.len() {
        return Ok(());
    }
    let explain = |error| explain(path, &error);
    // A migration that rebuilds a table must be free to drop the old one; the check below makes up for it.
    // The switch has no effect inside a transaction.
    connection.pragma_update(None, "foreign_keys", false).map_err(explain)?;
    let transaction = connection
        .transaction_with_behavior(TransactionBehavior::Exclusive)
        .map_err(explain)?;
    // Asked again under the lock: somebody may have been faster.
    let applied = version(&transaction, path, migrations.len())?;
    for (number, migration) in (1..).zip(migrations).skip(applied) {
        transaction
            .execute_batch(migration)
            .map_err(|error| failed(path, number, &error.to_string()))?;
    }
    let broken = transaction
        .prepare("PRAGMA foreign_key_check")
        .and_then(|mut check| check.exists([]));
    if broken.map_err(explain)? {
        return Err(failed(
            path,
            migrations.len(),
            "a row would refer to one that is not there",
        ));
    }
    let marks = format!(
        "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};",
        migrations.len()
    );
    transaction
        .execute_batch(&marks)
        .and_then(|()| transaction.commit())
        .map_err(explain)
}

/// How many migrations the database has seen; 0 for an empty file.
fn version(connection: &Connection, path: &Path, known: usize) -> Result<usize, SetupError> {
    // One statement, and so one moment: another process may be migrating.
    let header = connection.query_row(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), \
         (SELECT count(*) FROM sqlite_schema)",
        [],
        |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)),
    );
    let (application, version, objects) = header.map_err(|error| explain(path, &error))?;
    let path = path.display();
    if (application, version, objects) == (0, 0, 0) {
        return Ok(0);
    }
    let version = match usize::try_from(version) {
        Ok(version) if application == APPLICATION_ID => version,
        _ => {
            return Err(SetupError::new(
                format!("{path} is a database of another program"),
                "choose another path; doorward makes a database where there is no file",
            ));
        }
    };
    if version > known {
        return Err(SetupError::new(
            format!("the database {path} has schema version {version}; this doorward knows up to {known}"),
            "start the newer doorward, or restore the backup made before the upgrade",
        ));
    }
    Ok(version)
}

fn failed(path: &Path, number: usize, why: &str) -> SetupError {
    SetupError::new(
        format!("migration {number} of the database {} failed: {why}", path.display()),
        "nothing was changed; start the older doorward again and report this",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn apply(migrations: &[&str], connection: &mut Connection) -> Result<(), SetupError> {
        apply_these(migrations, connection, ":memory:".as_ref())
    }

    fn applied(connection: &Connection) -> i64 {
        connection
            .query_row("PRAGMA user_version", [], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn only_what_is_missing_is_applied() {
        let mut connection = Connection::open_in_memory().unwrap();
        let (one, two) = ("CREATE TABLE one (n INTEGER)", "CREATE TABLE two (n INTEGER)");
        apply(&[one], &mut connection).unwrap();
        assert_eq!(applied(&connection), 1);
        // Applied a second time, either would fail.
        apply(&[one, two], &mut connection).unwrap();
        apply(&[one, two], &mut connection).unwrap();
        assert_eq!(applied(&connection), 2);
        connection.execute_batch("INSERT INTO one SELECT n FROM two").unwrap();
    }

    #[test]
    fn one_that_fails_takes_all_back() {
        let mut connection = Connection::open_in_memory().unwrap();
        let error = apply(&["CREATE TABLE one (n INTEGER)", "CREATE TABEL two"], &mut connection)
            .err()
            .unwrap();
        assert!(error.to_string().contains("migration 2 "), "{error}");
        assert_eq!(applied(&connection), 0);
        apply(&["CREATE TABLE one (n INTEGER)"], &mut connection).unwrap();
    }

    #[test]
    fn one_that_leaves_a_row_without_its_parent_fails() {
        let mut connection = Connection::open_in_memory().unwrap();
        let tables = "CREATE TABLE one (n INTEGER PRIMARY KEY); CREATE TABLE two (n INTEGER REFERENCES one (n)); \
             INSERT INTO one VALUES (1); INSERT INTO two VALUES (1)";
        apply(&[tables], &mut connection).unwrap();
        assert!(apply(&[tables, "DELETE FROM one"], &mut connection).is_err());
        assert_eq!(applied(&connection), 1);
    }

    /// Sessions and endings are rebuilt by the sixth migration: nothing of them is lost, and no sequence comes back.
    #[test]
    fn a_rebuilt_table_has_what_the_old_one_had() {
        let mut connection = Connection::open_in_memory().unwrap();
        let (before, sixth) = MIGRATIONS.split_at(5);
        apply(before, &mut connection).unwrap();
        let rows = "INSERT INTO realms VALUES (1, 'main', 2); \
             INSERT INTO accounts VALUES (x'aa', 1, 1, x'00', 'ann@example.com', NULL, NULL, NULL, '{}', '', 1, 1, NULL); \
             INSERT INTO sessions VALUES (x'02', x'aa', 1, 2, 3, '192.0.2.1', 'a', x'01', x'02', 4, 'b', 'c', 5, 6), \
                 (x'01', x'aa', 1, 2, 3, NULL, 'a', NULL, NULL, NULL, NULL, NULL, NULL, NULL); \
             INSERT INTO ended_sessions VALUES (6, x'06', 9, 7, 8), (9, x'09', 9, NULL, 0), (11, x'0b', 9, NULL, 0); \
             DELETE FROM ended_sessions WHERE sequence = 11";
        connection.execute_batch(rows).unwrap();
        let all = |connection: &Connection| {
            [
                "SELECT * FROM sessions ORDER BY id",
                "SELECT * FROM ended_sessions ORDER BY sequence",
            ]
            .map(|sql| {
                let mut statement = connection.prepare(sql).unwrap();
                let columns = statement.column_count();
                let row = |row: &rusqlite::Row<'_>| (0..columns).map(|column| row.get(column)).collect();
                let rows = statement.query_map([], row).unwrap();
                rows.collect::<rusqlite::Result<Vec<Vec<rusqlite::types::Value>>>>()
                    .unwrap()
            })
        };
        let old = all(&connection);
        assert_eq!([old[0].len(), old[1].len()], [2, 2]);
        apply(&[before, &sixth[..1]].concat(), &mut connection).unwrap();
        assert_eq!(all(&connection), old);
        let next = "INSERT INTO ended_sessions (session, expires_at) VALUES (x'0c', 9) RETURNING sequence";
        assert_eq!(connection.query_row(next, [], |row| row.get(0)), Ok(12));
    }
}
