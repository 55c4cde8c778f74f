//! Places in status lists.
//!
//! The surprise: the row that counts them is made by the first who takes some, so that an empty database has none
//! and can be moved to.

use doorward_core::status_list::StatusIndex;
use rusqlite::{Connection, OptionalExtension};

const RESERVE: &str = "INSERT INTO status_indices (id, next_index) VALUES (1, $1) \
     ON CONFLICT (id) DO UPDATE SET next_index = status_indices.next_index + excluded.next_index \
     RETURNING next_index";
const RESERVED: &str = "SELECT next_index FROM status_indices WHERE id = 1";
const ENDED: &str = "SELECT status_index FROM ended_sessions WHERE status_index >= $1 AND status_index < $2";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[RESERVE, RESERVED, ENDED];

/// The first of so many places.
pub(super) fn reserve(connection: &Connection, count: i64) -> rusqlite::Result<i64> {
    let next: i64 = connection
        .prepare_cached(RESERVE)?
        .query_row([count], |row| row.get(0))?;
    Ok(next - count)
}

pub(super) fn reserved(connection: &Connection) -> rusqlite::Result<i64> {
    let next = connection.prepare_cached(RESERVED)?.query_row([], |row| row.get(0));
    Ok(next.optional()?.unwrap_or(0))
}

pub(super) fn ended(connection: &Connection, from: i64, to: i64) -> rusqlite::Result<Vec<StatusIndex>> {
    let mut statement = connection.prepare_cached(ENDED)?;
    let rows = statement.query_map([from, to], |row| row.get(0).map(StatusIndex))?;
    rows.collect()
}
