//! The write of a readiness probe: that there can be one is all that it says.
//!
//! The surprise: it is another value each time. For a row that stays as it is SQLite writes no page, and an empty
//! transaction would also do on a full disk.

use rusqlite::Connection;

const WRITE: &str = "INSERT INTO secrets (name, value) VALUES ('probe', $1) \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[WRITE];

pub(super) fn write(connection: &Connection, value: [u8; 8]) -> rusqlite::Result<()> {
    connection.prepare_cached(WRITE)?.execute([value]).map(drop)
}
