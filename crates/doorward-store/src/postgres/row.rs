//! Reading rows: what is the same for every noun.
//!
//! The surprise: a value of the wrong length is a fault and no panic, although the engine wrote it itself:
//! the database is open to other programs.

use tokio_postgres::Row;

use super::fault::Fault;

/// Every row as something.
pub(super) fn all<T>(rows: &[Row], read: impl Fn(&Row) -> Result<T, Fault>) -> Result<Vec<T>, Fault> {
    rows.iter().map(read).collect()
}

/// The row, if there is one, as something.
pub(super) fn maybe<T>(row: Option<&Row>, read: impl Fn(&Row) -> Result<T, Fault>) -> Result<Option<T>, Fault> {
    row.map(read).transpose()
}

/// A column of exactly so many bytes.
pub(super) fn bytes<const N: usize>(row: &Row, column: usize) -> Result<[u8; N], Fault> {
    exact(row.try_get(column)?, column)
}

/// A column of exactly so many bytes, or none.
pub(super) fn maybe_bytes<const N: usize>(row: &Row, column: usize) -> Result<Option<[u8; N]>, Fault> {
    let bytes: Option<&[u8]> = row.try_get(column)?;
    bytes.map(|bytes| exact(bytes, column)).transpose()
}

fn exact<const N: usize>(bytes: &[u8], column: usize) -> Result<[u8; N], Fault> {
    let length = bytes.len();
    bytes
        .try_into()
        .map_err(|_| Fault::Nonsense(format!("column {column} has {length} bytes and not {N}")))
}

/// A number of rows as the domain counts.
pub(super) fn count(rows: u64) -> usize {
    usize::try_from(rows).unwrap_or(usize::MAX)
}

/// A page size as SQL counts.
pub(super) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
