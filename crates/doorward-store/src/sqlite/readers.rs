//! Connections that read, lent to whoever asks and taken back at once.
//!
//! The surprise: `read` blocks the thread that calls it, also one of the asynchronous runtime. A look-up takes
//! microseconds, and nobody holds a connection across an `await`, so there are never more borrowers than
//! threads.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use doorward_core::{Error, Result, SetupError};
use parking_lot::{Condvar, Mutex};
use rusqlite::Connection;

use super::reader::Reader;
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
    /// How often somebody has read.
    reads: Arc<AtomicU64>,
    /// How often the writer has committed.
    commits: Arc<AtomicU64>,
}

struct Pool {
    /// A stack: what was used last has the warmest cache.
    idle: Vec<Reader>,
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
    pub(super) fn open(path: PathBuf, reads: Arc<AtomicU64>, commits: Arc<AtomicU64>) -> Result<Self, SetupError> {
        let first = Reader::open(&path).map_err(|error| connection::explain(&path, &error))?;
        let cores = thread::available_parallelism().map_or(1, usize::from);
        Ok(Self {
            path,
            limit: 2 * cores + SPARE,
            pool: Mutex::new(Pool {
                idle: vec![first],
                lent: 0,
            }),
            returned: Condvar::new(),
            reads,
            commits,
        })
    }

    /// Runs `work` on a connection that sees everything committed before now. A panic in `work` closes the
    /// connection and goes on.
    ///
    /// # Errors
    /// When `work` fails, or no connection can be had.
    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let (_place, idle) = self.borrow()?;
        let mut reader = match idle {
            Some(reader) => reader,
            None => Reader::open(&self.path).map_err(|error| failure(&error))?,
        };
        let result = reader.prepare(self.commits.load(Ordering::Relaxed)).and_then(work);
        self.reads.fetch_add(1, Ordering::Relaxed);
        self.pool.lock().idle.push(reader);
        result.map_err(|error| failure(&error))
    }

    fn borrow(&self) -> Result<(Place<'_>, Option<Reader>)> {
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

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::atomic::AtomicUsize;

    use super::*;

    /// Readers of a private temporary database each: the empty path.
    fn readers(limit: usize) -> Readers {
        Readers {
            limit,
            ..Readers::open(PathBuf::new(), Arc::default(), Arc::default()).unwrap()
        }
    }

    fn one(connection: &Connection) -> rusqlite::Result<i64> {
        connection.query_row("SELECT 1", [], |row| row.get(0))
    }

    #[test]
    fn a_connection_comes_back_after_a_failure_and_a_place_after_a_panic() {
        let readers = readers(1);
        for _ in 0..3 {
            let failed = readers.read(|db| db.execute_batch("SELECT nothing"));
            assert!(matches!(failed, Err(Error::Internal(_))), "{failed:?}");
            let panicked = catch_unwind(AssertUnwindSafe(|| {
                readers.read(|_| -> rusqlite::Result<()> { panic!("a fault in a read, made by a test") })
            }));
            assert!(panicked.is_err());
            assert_eq!(readers.read(one).unwrap(), 1);
        }
        let pool = readers.pool.lock();
        assert_eq!((pool.lent, pool.idle.len()), (0, 1));
    }

    #[test]
    fn no_more_are_lent_than_the_limit_and_all_who_wait_are_served() {
        let (readers, lent, served) = (readers(2), AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for _ in 0..16 {
                scope.spawn(|| {
                    for _ in 0..50 {
                        let answer = readers.read(|db| {
                            assert!(lent.fetch_add(1, Ordering::SeqCst) < 2);
                            thread::yield_now();
                            let answer = one(db);
                            lent.fetch_sub(1, Ordering::SeqCst);
                            answer
                        });
                        served.fetch_add(usize::from(answer.is_ok()), Ordering::SeqCst);
                    }
                });
            }
        });
        assert_eq!(served.into_inner(), 16 * 50);
        assert!(readers.pool.lock().idle.len() <= 2);
    }

    #[test]
    fn a_reader_cannot_write() {
        let failed = readers(1).read(|db| db.execute_batch("CREATE TABLE numbers (number INTEGER)"));
        assert!(failed.is_err());
    }
}
