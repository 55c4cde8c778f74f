//! The SQLite engine: many readers, one writer, one file.
//!
//! The surprise: a write is not run where it is asked for. It becomes a job for the writer thread, which
//! commits many jobs at once and answers each after the commit: one flush of the disk for up to
//! [`writer::MAX_BATCH`] callers. Reads run where they are asked for, since a row from memory is there before
//! another thread would have woken up.

mod account;
mod checkpoints;
mod client;
mod connection;
mod forgotten;
mod key;
mod migrations;
mod probe;
mod read_lock;
mod reader;
mod readers;
mod realm;
mod refresh;
mod rowids;
mod session;
#[cfg(test)]
mod statements;
mod status_list;
mod store;
mod transfer;
mod writer;

use std::path::Path;
use std::sync::Arc;

use doorward_core::session::SessionId;
use doorward_core::{Error, Result, SetupError};
use parking_lot::Mutex;
use rusqlite::{Connection, ErrorCode};

use self::readers::Readers;
use self::rowids::Rowids;
pub(crate) use self::transfer::TransferEnd;
use self::writer::Writer;
use crate::Schema;

/// How often a purge looks at the next sessions, and at the next endings: at 200,000 of each in all, in a tenth of a second.
/// Of a million each is looked at every 25 minutes, of ten million every four hours; until then those that can be forgotten
/// only take room.
const STEPS: usize = 200;

/// An open SQLite database. Implements [`Store`](doorward_core::store::Store).
pub struct Sqlite {
    // Dropped first, so that the writer closes the last connection and takes the write-ahead log with it.
    readers: Readers,
    writer: Writer,
    rowids: Rowids,
    /// The session after which to look for those that have expired, and the ending; none to begin with the first.
    sessions_walk: Mutex<Option<SessionId>>,
    endings_walk: Mutex<Option<i64>>,
}

/// What the writer has done since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteCounts {
    /// Writes that were run and answered after a commit, those that changed nothing included.
    pub jobs: u64,
    /// Commits that they shared.
    pub commits: u64,
}

impl Sqlite {
    pub(crate) async fn open(path: &Path, schema: Schema) -> Result<Self, SetupError> {
        // An absolute path has no second meaning to SQLite (`:memory:`, `file:…`) and survives a change of folder.
        let path = std::path::absolute(path)
            .map_err(|e| SetupError::new(format!("the database has no usable path: {e}"), "name a file for it"))?;
        let reads = Arc::default();
        let open = {
            let path = path.clone();
            move || connection::for_writing(&path, schema)
        };
        let writer = Writer::start(open, Arc::clone(&reads)).await?;
        let readers = Readers::open(path, reads, writer.commits())?;
        Ok(Self {
            readers,
            writer,
            rowids: Rowids::new(),
            sessions_walk: Mutex::default(),
            endings_walk: Mutex::default(),
        })
    }

    /// What can be forgotten of a table, at most `limit`, and where the walk through it is to go on once that is done.
    async fn walk_on<K: Copy>(
        &self,
        mut after: Option<K>,
        limit: usize,
        look: impl Fn(&Connection, Option<K>, usize) -> rusqlite::Result<(Vec<K>, Option<K>)>,
    ) -> Result<(Vec<K>, Option<K>)> {
        let mut found = Vec::new();
        for _ in 0..STEPS {
            let most = limit - found.len();
            let (dead, next) = self.readers.read(|db| look(db, after, most))?;
            found.extend(dead);
            after = next;
            if after.is_none() || found.len() >= limit {
                break;
            }
            tokio::task::yield_now().await;
        }
        Ok((found, after))
    }

    /// How many writes were made and how many commits they took, for metrics.
    pub fn write_counts(&self) -> WriteCounts {
        self.writer.counts()
    }
}

/// What a failure of SQLite means to the domain.
fn failure(error: &rusqlite::Error) -> Error {
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::SystemIoFailure
            | ErrorCode::CannotOpen
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory
            | ErrorCode::FileLockingProtocolFailed,
        ) => Error::unavailable(error),
        _ => Error::internal(error),
    }
}

/// A page size as SQL counts.
fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
