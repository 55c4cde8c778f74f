//! The write of a readiness probe: that there can be one is all that it says.
//!
//! The surprise: it is another value each time. For a row that stays as it is SQLite writes no page, and an empty
//! transaction would also do on a full disk.

use super::fault::Fault;
use super::link::Link;

const WRITE: &str = "INSERT INTO secrets (name, value) VALUES ('probe', $1) \
     ON CONFLICT (name) DO UPDATE SET value = excluded.value";

pub(super) async fn write(link: &Link, value: [u8; 8]) -> Result<(), Fault> {
    link.execute(WRITE, &[&value.as_slice()]).await.map(drop)
}
