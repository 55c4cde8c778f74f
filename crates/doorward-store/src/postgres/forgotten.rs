//! Up to which moment what is dead by age may be forgotten: the latest that any clock has shown at a purge.
//!
//! The surprise: it stands among the secrets, though it is none. It is one value of the whole database as those are,
//! and its bytes are in the order of time, the highest first.

use doorward_core::{Result, Timestamp};

use super::fault::Fault;
use super::link::Link;
use super::readers::Readers;
use super::row;

const RAISE: &str = "INSERT INTO secrets (name, value) VALUES ('forgotten-until', $1) \
     ON CONFLICT (name) DO UPDATE SET value = GREATEST(secrets.value, excluded.value)";
const UNTIL: &str = "SELECT value FROM secrets WHERE name = 'forgotten-until'";

pub(super) async fn raise(link: &Link, until: Timestamp) -> Result<(), Fault> {
    // Before 1970 nothing was.
    let value = until.0.max(0).to_be_bytes();
    link.execute(RAISE, &[&value.as_slice()]).await.map(drop)
}

pub(super) async fn until(readers: &Readers) -> Result<Timestamp> {
    let rows = readers.rows(UNTIL, &[]).await?;
    let value = row::maybe(rows.first(), |row| row::bytes(row, 0))?;
    Ok(Timestamp(value.map_or(0, i64::from_be_bytes)))
}
