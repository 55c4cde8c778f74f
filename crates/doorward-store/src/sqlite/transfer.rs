//! SQLite as one side of a move: pages of rows, read and written.
//!
//! The surprise: the file is locked for the connection alone, also to read from it. So a server that still runs on
//! it is noticed at once, and none can be started until the move is over.

use std::path::{Path, PathBuf};

use doorward_core::SetupError;
use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{Connection, ErrorCode, params_from_iter};

use super::{connection, migrations};
use crate::Schema;
use crate::transfer::table::{Row, Table, Value};
use crate::transfer::{PAGE, Stage};

/// AUTOINCREMENT counts here; there is no row before the first ending.
const LAST_SEQUENCE: &str = "SELECT COALESCE((SELECT MAX(seq) FROM sqlite_sequence WHERE name = 'ended_sessions'), 0)";
// The table of SQLite has no key that could decide between the two; the lock of the file does.
const COUNT_ON: &str = "UPDATE sqlite_sequence SET seq = $1 WHERE name = 'ended_sessions'";
const COUNT_FROM: &str = "INSERT INTO sqlite_sequence (name, seq) VALUES ('ended_sessions', $1)";

/// A file that nobody else may open meanwhile.
pub(crate) struct TransferEnd {
    connection: Connection,
    path: PathBuf,
}

impl TransferEnd {
    /// The database to move from, which stays as it is.
    ///
    /// # Errors
    /// As [`TransferEnd::take`], and when there is no such file.
    pub(crate) fn take_source(path: &Path) -> Result<Self, SetupError> {
        if !path.exists() {
            return Err(SetupError::new(
                format!("there is no database {} to move from", path.display()),
                "correct the path; `sqlite:PATH` names the file that a server has used",
            ));
        }
        Self::take(path)
    }

    /// A database that nobody else uses from here on. An empty file is made if there is none.
    ///
    /// # Errors
    /// As [`open_sqlite`](crate::open_sqlite), and when somebody else has it open.
    pub(crate) fn take(path: &Path) -> Result<Self, SetupError> {
        let path = std::path::absolute(path)
            .map_err(|e| SetupError::new(format!("the database has no usable path: {e}"), "name a file for it"))?;
        let connection = connection::for_one_alone(&path)?;
        Ok(Self { connection, path })
    }

    /// How far its schema is.
    pub(crate) fn stage(&self) -> Stage {
        let does_for = |schema| migrations::check(&self.connection, &self.path, schema).is_ok();
        match (does_for(Schema::Keep), does_for(Schema::Make)) {
            (true, _) => Stage::Current,
            (false, true) => Stage::Empty,
            (false, false) => Stage::Older,
        }
    }

    /// Makes the schema, or brings it up to date.
    ///
    /// # Errors
    /// As [`open_sqlite`](crate::open_sqlite).
    pub(crate) fn prepare(&mut self) -> Result<(), SetupError> {
        connection::prepare_alone(&mut self.connection, &self.path)
    }

    pub(crate) fn page(&self, table: &Table, after: Option<&Row>) -> Result<Vec<Row>, SetupError> {
        let key: Vec<&str> = table.key_columns().map(|(name, _)| name).collect();
        let order = key.join(", ");
        let places: Vec<String> = (1..=key.len()).map(|place| format!("${place}")).collect();
        let following = match after {
            Some(_) => format!("WHERE ({order}) > ({})", places.join(", ")),
            None => String::new(),
        };
        let sql = format!(
            "SELECT {} FROM {} {following} ORDER BY {order} LIMIT {PAGE}",
            table.names(),
            table.name
        );
        let read = || {
            let mut statement = self.connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params_from_iter(after.into_iter().flatten().map(bound)), |row| {
                (0..table.columns.len()).map(|at| value(row.get_ref(at)?)).collect()
            })?;
            rows.collect::<rusqlite::Result<Vec<Row>>>()
        };
        read().map_err(|error| self.failed(table.name, &error))
    }

    pub(crate) fn write(&self, table: &Table, rows: &[Row]) -> Result<(), SetupError> {
        let places: Vec<String> = (1..=table.columns.len()).map(|place| format!("${place}")).collect();
        let sql = format!(
            "INSERT INTO {} ({}) VALUES ({}) ON CONFLICT DO NOTHING",
            table.name,
            table.names(),
            places.join(", ")
        );
        let write = || {
            // Taken back when dropped before its end.
            let transaction = self.connection.unchecked_transaction()?;
            for row in rows {
                let mut statement = transaction.prepare_cached(&sql)?;
                statement.execute(params_from_iter(row.iter().map(bound)))?;
            }
            transaction.commit()
        };
        write().map_err(|error| self.failed(table.name, &error))
    }

    pub(crate) fn count(&self, table: &Table) -> Result<u64, SetupError> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let count: rusqlite::Result<i64> = self.connection.query_row(&sql, [], |row| row.get(0));
        let count = count.map_err(|error| self.failed(table.name, &error))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    pub(crate) fn last_sequence(&self) -> Result<i64, SetupError> {
        let sequence = self.connection.query_row(LAST_SEQUENCE, [], |row| row.get(0));
        sequence.map_err(|error| self.failed("ended_sessions", &error))
    }

    pub(crate) fn finish(&self, last_sequence: i64) -> Result<(), SetupError> {
        let count = || match self.connection.execute(COUNT_ON, [last_sequence])? {
            0 => self.connection.execute(COUNT_FROM, [last_sequence]).map(drop),
            _ => Ok(()),
        };
        count().map_err(|error| self.failed("ended_sessions", &error))
    }

    fn failed(&self, table: &str, error: &rusqlite::Error) -> SetupError {
        let path = self.path.display();
        let hint = match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => "make room on the disk and run the move again: it goes on where it stopped",
            Some(ErrorCode::DatabaseCorrupt) => "restore a backup; `sqlite3 FILE .recover` may save what is left",
            _ => "look at the file and its disk, and run the move again: it goes on where it stopped",
        };
        SetupError::new(format!("`{table}` of the database {path}: {error}"), hint)
    }
}

fn value(column: ValueRef<'_>) -> rusqlite::Result<Value> {
    Ok(match column {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Integer(number),
        ValueRef::Text(_) => Value::Text(column.as_str()?.to_owned()),
        ValueRef::Blob(bytes) => Value::Bytes(bytes.to_vec()),
        // No column of ours has any: the tables are STRICT.
        ValueRef::Real(_) => return Err(rusqlite::Error::InvalidQuery),
    })
}

fn bound(value: &Value) -> ToSqlOutput<'_> {
    ToSqlOutput::Borrowed(match value {
        Value::Null => ValueRef::Null,
        Value::Integer(number) => ValueRef::Integer(*number),
        Value::Text(text) => ValueRef::Text(text.as_bytes()),
        Value::Bytes(bytes) => ValueRef::Blob(bytes),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::transfer::table::TABLES;

    /// A column that a later schema adds must not be left behind.
    #[test]
    fn every_table_and_column_is_moved() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::apply(&mut connection, ":memory:".as_ref()).unwrap();
        let mut statement = connection
            .prepare(
                "SELECT t.name, c.name FROM pragma_table_list t, pragma_table_info(t.name) c \
                 WHERE t.schema = 'main' AND t.type = 'table' AND t.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
            )
            .unwrap();
        let stored: BTreeSet<(String, String)> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .and_then(Iterator::collect)
            .unwrap();
        let columns = |table: &Table| {
            let name = table.name.to_owned();
            let columns = table.columns.iter();
            columns
                .map(|(column, _)| (name.clone(), (*column).to_owned()))
                .collect::<Vec<_>>()
        };
        assert_eq!(stored, TABLES.iter().flat_map(columns).collect());
    }

    /// A table that is walked through must not be sorted for each page.
    #[test]
    fn no_page_is_sorted() {
        let mut connection = Connection::open_in_memory().unwrap();
        migrations::apply(&mut connection, ":memory:".as_ref()).unwrap();
        for table in TABLES {
            let key: Vec<&str> = table.key_columns().map(|(name, _)| name).collect();
            let order = key.join(", ");
            let places = vec!["?"; key.len()].join(", ");
            let (names, name) = (table.names(), table.name);
            let sql = format!(
                "EXPLAIN QUERY PLAN SELECT {names} FROM {name} WHERE ({order}) > ({places}) ORDER BY {order} LIMIT 500"
            );
            let mut statement = connection.prepare(&sql).unwrap();
            let steps: Vec<String> = statement
                .query_map(params_from_iter(vec![None::<i64>; key.len()]), |row| row.get("detail"))
                .and_then(Iterator::collect)
                .unwrap();
            assert!(
                steps.iter().all(|step| step.starts_with("SEARCH ")),
                "{name}: {steps:?}"
            );
        }
    }
}
