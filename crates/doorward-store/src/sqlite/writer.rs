//! The one thread that writes, and how many writes share one commit.
//!
//! The surprise: a job that fails takes back its own changes and no others (each runs in a savepoint, unless it is
//! known that it cannot fail halfway), but its answer, like every other, waits for the commit: what it saw may have
//! been written by a neighbour whose writes are not durable yet.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use doorward_core::{Error, Result, SetupError};
use rusqlite::Connection;
use tokio::sync::oneshot;

use super::read_lock::{self, ReadLock};
use super::{WriteCounts, failure};

/// The most writes that share a commit. More would make the first wait longer than a flush of the disk takes.
pub(super) const MAX_BATCH: usize = 256;

/// The most writes that wait. Past that the disk is not keeping up, and a caller is better told so at once.
const MAX_QUEUE: usize = 4096;

/// Why a write is to be taken back.
pub(super) enum Undo<T> {
    /// It has an answer all the same. Boxed, since it travels as an error, and errors are to be small.
    Answer(Box<T>),
    /// SQLite refused a statement.
    Failure(rusqlite::Error),
}

impl<T> From<rusqlite::Error> for Undo<T> {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failure(error)
    }
}

/// A write: runs inside the open transaction, and leaves how to answer once it is known how that ended.
type Job = Box<dyn FnOnce(&Connection) -> Answer + Send>;
type Answer = Box<dyn FnOnce(Result<(), &rusqlite::Error>) + Send>;

/// The writer thread as the others see it. Dropping it runs what is queued, commits, and waits for that.
pub(super) struct Writer {
    /// `None` only while being dropped.
    queue: Option<SyncSender<Job>>,
    thread: Option<JoinHandle<()>>,
    counters: Arc<Counters>,
}

#[derive(Default)]
struct Counters {
    jobs: AtomicU64,
    commits: Arc<AtomicU64>,
}

impl Writer {
    /// Starts the thread; `open` runs on it, since it may wait for other processes. `reads` counts those of this process.
    ///
    /// # Errors
    /// Those of `open`, or when there can be no thread.
    pub(super) async fn start(
        open: impl FnOnce() -> Result<Connection, SetupError> + Send + 'static,
        reads: Arc<AtomicU64>,
    ) -> Result<Self, SetupError> {
        let (queue, jobs) = sync_channel(MAX_QUEUE);
        let (opened, outcome) = oneshot::channel();
        let counters = Arc::new(Counters::default());
        let thread = thread::Builder::new().name("doorward-writer".into()).spawn({
            let counters = Arc::clone(&counters);
            move || match open() {
                Ok(connection) => {
                    // Nobody waits any more: then the queue is closed, too, and the thread ends at once.
                    let _ = opened.send(Ok(()));
                    run(&connection, &jobs, &counters, ReadLock::new(&connection, reads));
                }
                Err(error) => drop(opened.send(Err(error))),
            }
        });
        let no_thread = |why: &str| {
            SetupError::new(
                format!("the thread that writes to the database cannot start: {why}"),
                "allow this user more threads (`ulimit -u`) and memory",
            )
        };
        let thread = thread.map_err(|error| no_thread(&error.to_string()))?;
        outcome.await.unwrap_or_else(|_| Err(no_thread("it ended at once")))?;
        Ok(Self {
            queue: Some(queue),
            thread: Some(thread),
            counters,
        })
    }

    /// How often it has committed so far.
    pub(super) fn commits(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.counters.commits)
    }

    /// Runs `work` inside a transaction and answers after it is committed. When `work` fails, nothing of it
    /// is written.
    ///
    /// The work is done even if the caller stops waiting for it.
    ///
    /// # Errors
    /// When `work` or the commit fails, or too many writes are waiting; nothing is written then.
    pub(super) async fn write<T, E>(&self, work: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T>
    where
        T: Send + 'static,
        E: Into<Undo<T>>,
    {
        self.queue(move |connection| in_savepoint(connection, work)).await
    }

    /// As [`Writer::write`], for work that is one statement, or fails after its first change only when the disk does:
    /// a savepoint costs a copy of each page that is touched. When it fails after a change all the same, everything
    /// that shares its transaction is taken back and answered with a failure.
    ///
    /// # Errors
    /// As [`Writer::write`].
    pub(super) async fn write_plain<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        self.queue(move |connection| without_savepoint(connection, work)).await
    }

    async fn queue<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let outcome = work(connection);
            Box::new(move |committed: Result<(), &rusqlite::Error>| {
                let outcome = outcome.and_then(|value| match committed {
                    Ok(()) => Ok(value),
                    Err(error) => Err(Error::unavailable(format!("the write could not be committed: {error}"))),
                });
                // The caller may have gone away; what it asked for is done all the same.
                let _ = reply.send(outcome);
            })
        });
        let Some(queue) = &self.queue else {
            return Err(Error::unavailable("the store is closing"));
        };
        queue
            .try_send(job)
            .map_err(|_| Error::unavailable("too many writes are waiting for the disk"))?;
        // Without an answer the job was not run; the thread has said why.
        answer
            .await
            .unwrap_or_else(|_| Err(Error::unavailable("no transaction could be begun")))
    }

    /// What was done since the start.
    pub(super) fn counts(&self) -> WriteCounts {
        WriteCounts {
            jobs: self.counters.jobs.load(Ordering::Relaxed),
            commits: self.counters.commits.load(Ordering::Relaxed),
        }
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.queue.take());
        if let Some(thread) = self.thread.take() {
            // It cannot have panicked: jobs are caught.
            let _ = thread.join();
        }
    }
}

/// The life of the thread: take what is waiting, commit it, answer; until the queue is closed and empty.
fn run(connection: &Connection, jobs: &Receiver<Job>, counters: &Counters, mut read_lock: ReadLock<'_>) {
    let mut batch = Vec::with_capacity(MAX_BATCH);
    loop {
        let first = jobs.recv_timeout(read_lock::KEEP);
        read_lock.release();
        match first {
            Ok(job) => batch.push(job),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if !batch.is_empty() {
            batch.extend(jobs.try_iter().take(MAX_BATCH - 1));
            write(connection, jobs, &mut batch, counters);
        }
        read_lock.take();
    }
}

/// Commits what was taken from the queue, and answers.
fn write(connection: &Connection, jobs: &Receiver<Job>, batch: &mut Vec<Job>, counters: &Counters) {
    let writes = batch.len();
    let mut answers = Vec::with_capacity(writes);
    let committed = commit(connection, batch, &mut answers);
    match &committed {
        Ok(()) => {
            let answered = u64::try_from(answers.len()).unwrap_or(u64::MAX);
            counters.jobs.fetch_add(answered, Ordering::Relaxed);
            counters.commits.fetch_add(1, Ordering::Relaxed);
        }
        Err(error) => {
            tracing::warn!(
                %error,
                writes,
                "a commit failed; none of its writes happened; hint: look for room on the disk of the database (`df`), \
                 and whether this user may write there"
            );
            take_back(connection);
            if answers.is_empty() {
                // Nothing could be begun, after the longest wait for the file. Those who queued meanwhile
                // are not made to wait that long again, batch after batch.
                batch.extend(jobs.try_iter().take(MAX_QUEUE));
                batch.clear();
            }
        }
    }
    for answer in answers {
        answer(committed.as_ref().map(drop));
    }
}

/// One transaction. `IMMEDIATE`: it waits for another process that writes now, where waiting is possible, and
/// not at its first statement, where it is not.
///
/// Takes no job out of the batch when it cannot begin.
fn commit(connection: &Connection, batch: &mut Vec<Job>, answers: &mut Vec<Answer>) -> rusqlite::Result<()> {
    execute(connection, "BEGIN IMMEDIATE")?;
    for job in batch.drain(..) {
        answers.push(job(connection));
        if connection.is_autocommit() {
            // A full disk or a failed read makes SQLite take back the whole transaction by itself.
            return Err(rusqlite::Error::SqliteFailure(
                rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_ABORT_ROLLBACK),
                Some("one of its writes made the transaction fail".into()),
            ));
        }
    }
    execute(connection, "COMMIT")
}

/// Runs `work` so that either all of it is part of the transaction or nothing.
fn in_savepoint<T, E: Into<Undo<T>>>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T> {
    execute(connection, "SAVEPOINT job").map_err(|error| failure(&error))?;
    // Nothing of the work is left behind by a panic but what the savepoint takes back.
    let outcome = match catch_unwind(AssertUnwindSafe(|| work(connection))) {
        Ok(Ok(value)) => match execute(connection, "RELEASE job") {
            Ok(()) => return Ok(value),
            Err(error) => Err(failure(&error)),
        },
        Ok(Err(undo)) => match undo.into() {
            Undo::Answer(value) => Ok(*value),
            Undo::Failure(error) => Err(failure(&error)),
        },
        Err(_) => Err(Error::internal("a write panicked")),
    };
    let undone = execute(connection, "ROLLBACK TO job").and_then(|()| execute(connection, "RELEASE job"));
    if undone.is_err() {
        // What cannot be taken back alone must not be committed with the rest.
        take_back(connection);
    }
    outcome
}

/// Runs `work` so that it either leaves all of its changes, or none, or no transaction.
fn without_savepoint<T>(connection: &Connection, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
    // A statement that fails takes back itself, and does not count.
    let before = connection.total_changes();
    let error = match catch_unwind(AssertUnwindSafe(|| work(connection))) {
        Ok(Ok(value)) => return Ok(value),
        Ok(Err(error)) => failure(&error),
        Err(_) => Error::internal("a write panicked"),
    };
    if connection.total_changes() != before {
        take_back(connection);
    }
    Err(error)
}

pub(super) fn take_back(connection: &Connection) {
    if !connection.is_autocommit() && execute(connection, "ROLLBACK").is_err() {
        tracing::error!("a transaction can be neither committed nor taken back");
    }
}

pub(super) fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

#[cfg(test)]
mod tests;
