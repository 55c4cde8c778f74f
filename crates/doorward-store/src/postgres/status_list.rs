//! Places in status lists.
//!
//! The surprise: the row that counts them is made by the first who takes some, so that an empty database has none
//! and can be moved to.

use doorward_core::Result;
use doorward_core::status_list::StatusIndex;

use super::fault::Fault;
use super::link::Link;
use super::readers::Readers;
use super::row;

const RESERVE: &str = "INSERT INTO status_indices (id, next_index) VALUES (1, $1) \
     ON CONFLICT (id) DO UPDATE SET next_index = status_indices.next_index + excluded.next_index \
     RETURNING next_index";
const RESERVED: &str = "SELECT next_index FROM status_indices WHERE id = 1";
const ENDED: &str = "SELECT status_index FROM ended_sessions WHERE status_index >= $1 AND status_index < $2";

/// The first of so many places.
pub(super) async fn reserve(link: &Link, count: i64) -> Result<i64, Fault> {
    let next: i64 = link.one(RESERVE, &[&count]).await?.try_get(0)?;
    Ok(next - count)
}

pub(super) async fn reserved(readers: &Readers) -> Result<i64> {
    let rows = readers.rows(RESERVED, &[]).await?;
    let next = row::maybe(rows.first(), |row| Ok(row.try_get(0)?))?;
    Ok(next.unwrap_or(0))
}

pub(super) async fn ended(readers: &Readers, from: i64, to: i64) -> Result<Vec<StatusIndex>> {
    let rows = readers.rows(ENDED, &[&from, &to]).await?;
    Ok(row::all(&rows, |row| Ok(StatusIndex(row.try_get(0)?)))?)
}
