//! Connections that read, lent to whoever asks and taken back at once.
//!
//! The surprise: `read` blocks the thread that calls it, also one of the asynchronous runtime. A look-up takes
//! microseconds, and nobody holds a connection across an `await`, so there are never more borrowers than
//! threads.

use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use doorward_core::{Error, Result, SetupError};
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use super::{connection, failure};

/// Connections beyond two for each processor, for threads that are not the runtime's.
const SPARE: usize = 4;

/// How long to wait for a connection when all are lent: far longer than any read takes.
const WAIT: Duration = Duration::from_secs(5);

pub(super) struct Readers {
    path: PathBuf,
    /// At most this many are lent at once, and so at most this many are open.
    limit: usize,
    pool: Mutex<Pool>,
    returned: Condvar,
}

struct Pool {
    /// A stack: what was used last has the warmest cache.
    idle: Vec<Connection>,
    lent: usize,
}

/// The right to one connection; given back when dropped, also by a panic.
struct Place<'a>(&'a Readers);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.pool.lock().lent -= 1;
        self.0.returned.notify_one();
    }
}

impl Readers {
    /// Opens the first; the others follow when they are needed.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(super) fn open(path: PathBuf) -> Result<Self, SetupError> {
        let first = connection::for_reading(&path).map_err(|error| connection::explain(&path, &error))?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            path,
            limit: 2 * cores + SPARE,
            pool: Mutex::new(Pool {
                idle: vec![first],
                lent: 0,
            }),
            returned: Condvar::new(),
        })
    }

    /// Runs `work` on a connection that sees everything committed before now. A panic in `work` closes the
    /// connection and goes on.
    ///
    /// # Errors
    /// When `work` fails, or no connection can be had.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let (_place, idle) = self.borrow()?;
        let connection = match idle {
            Some(connection) => connection,
            None => connection::for_reading(&self.path).map_err(|error| failure(&error))?,
        };
        let result = work(&connection);
        self.pool.lock().idle.push(connection);
        result.map_err(|error| failure(&error))
    }

    fn borrow(&self) -> Result<(Place<'_>, Option<Connection>)> {
        let mut pool = self.pool.lock();
        let wait = self
            .returned
            .wait_while_for(&mut pool, |pool| pool.lent >= self.limit, WAIT);
        if wait.timed_out() && pool.lent >= self.limit {
            return Err(Error::unavailable("all connections that read are taken"));
        }
        pool.lent += 1;
        Ok((Place(self), pool.idle.pop()))
    }
}
