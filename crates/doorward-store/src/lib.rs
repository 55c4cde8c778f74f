//! Where doorward remembers: the domain's [`Store`](doorward_core::store::Store) on SQLite. No HTTP.
//!
//! One file per noun and engine, with the statements beside the code that runs them. The surprise: the texts
//! of the statements keep to what SQLite and PostgreSQL both understand, so that a second engine differs in
//! its migrations and its connections and not in what it asks.

mod sqlite;

use std::path::Path;
use std::sync::Arc;

use doorward_core::SetupError;

pub use crate::sqlite::{Sqlite, WriteCounts};

/// Opens the SQLite database in the file `path`: makes it if there is none (its folder must exist), brings its
/// schema up to date, and starts the writer.
///
/// The file is readable by its owner alone when it is made here: it holds signing keys and password hashes.
/// Several processes may open the same file, also at once. Dropping the last handle finishes every write that
/// was handed in and waits for it.
///
/// # Errors
/// When the file cannot be used: no such folder, no right to write, another program's database, a schema newer
/// than this program, a file system without shared memory. The error says which, and what to do.
pub async fn open_sqlite(path: impl AsRef<Path>) -> Result<Arc<Sqlite>, SetupError> {
    Ok(Arc::new(Sqlite::open(path.as_ref()).await?))
}
