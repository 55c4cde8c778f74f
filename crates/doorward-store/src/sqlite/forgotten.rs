//! Up to which moment what is dead by age may be forgotten: the latest that any clock has shown at a purge.
//!
//! The surprise: it stands among the secrets, though it is none. It is one value of the whole database as those are,
//! and its bytes are in the order of time, the highest first.

use doorward_core::Timestamp;
use rusqlite::{Connection, OptionalExtension};

const RAISE: &str = "INSERT INTO secrets (name, value) VALUES ('forgotten-until', $1) \
     ON CONFLICT (name) DO UPDATE SET value = max(secrets.value, excluded.value)";
const UNTIL: &str = "SELECT value FROM secrets WHERE name = 'forgotten-until'";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[RAISE, UNTIL];

pub(super) fn raise(connection: &Connection, until: Timestamp) -> rusqlite::Result<()> {
    // Before 1970 nothing was.
    let value = until.0.max(0).to_be_bytes();
    connection.prepare_cached(RAISE)?.execute([value]).map(drop)
}

pub(super) fn until(connection: &Connection) -> rusqlite::Result<Timestamp> {
    let value = connection.prepare_cached(UNTIL)?.query_row([], |row| row.get(0));
    Ok(Timestamp(value.optional()?.map_or(0, i64::from_be_bytes)))
}
