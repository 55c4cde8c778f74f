//! Where doorward remembers: the domain's [`Store`] on SQLite and on PostgreSQL. No
//! HTTP.
//!
//! One file per noun and engine, with the statements beside the code that runs them. The surprise: the engines
//! ask nearly the same and share next to nothing. What differs is where each one waits: SQLite has one writer
//! and never does, PostgreSQL has many, and each statement there says whom it waits for.

mod identifiers;
mod postgres;
mod schema;
mod sqlite;
mod transfer;

use std::path::Path;
use std::sync::Arc;

use doorward_core::SetupError;
use doorward_core::store::Store;

pub use crate::postgres::{PostgresOptions, PostgresUrl};
pub use crate::schema::Schema;
pub use crate::sqlite::{Sqlite, WriteCounts};
pub use crate::transfer::{Location, Moved, Progress, Step, transfer};

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
    open_sqlite_as(path, Schema::Update).await
}

/// As [`open_sqlite`], where the schema may not be changed, or only made. Without a right to make it a file that is not
/// there is refused.
///
/// # Errors
/// As [`open_sqlite`], and when the schema would have to be changed.
pub async fn open_sqlite_as(path: impl AsRef<Path>, schema: Schema) -> Result<Arc<Sqlite>, SetupError> {
    Ok(Arc::new(Sqlite::open(path.as_ref(), schema).await?))
}

/// Opens the PostgreSQL database at `url`: brings its schema up to date, if the options say nothing else (many nodes may
/// start at once), and connects to it. The database must be there; it is encoded in UTF-8 and belongs to doorward alone.
///
/// Has to be called within a Tokio runtime, which drives the connections. A connection that is lost is replaced
/// in the background; while there is none, every method fails with
/// [`Error::Unavailable`](doorward_core::Error::Unavailable). So does a write whose connection breaks before the
/// answer is there, and nobody knows whether it has happened.
///
/// # Errors
/// When the database cannot be used: unknown host, nobody listening, wrong password, no such database, one of
/// another program, a schema newer than this program. The error says which, and what to do, and never the password.
pub async fn open_postgres(url: &PostgresUrl, options: PostgresOptions) -> Result<Arc<dyn Store>, SetupError> {
    Ok(Arc::new(postgres::Postgres::open(url, options).await?))
}
