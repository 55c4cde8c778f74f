//! The thread that copies the log into the file while the writer goes on writing.
//!
//! The surprise: it does not finish. As long as somebody writes there is a rest, and the log cannot start over; that is
//! left to the writer, which stops for it when the log is full and finds little to do. Without this thread it would
//! copy all of it: sessions of accounts from anywhere among ten million are on thousands of pages, and nobody could log
//! in for 40 to 60 ms, several times a second.
//!
//! Nor does SQLite have the disk write what was copied before all is; the writer waited 60 ms for it. So the thread does
//! that, too.
//!
//! One copies at a time. While the thread does, the writer writes on, and where the disk is slow it could do so faster
//! than the thread copies; at [`LONGEST`] it waits for it.

use std::error::Error;
use std::ffi::c_int;
use std::fs::{File, OpenOptions};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use doorward_core::SetupError;
use parking_lot::{Mutex, MutexGuard};
use rusqlite::Connection;
use rusqlite::hooks::Wal;

use super::connection;

/// Pages more in the log after which the thread copies it again. Each time is two flushes of the disk; the more pages there
/// are, the longer everybody who writes waits for the second.
const STEP: c_int = 500;

/// Pages in the log from which on the writer copies what is left, after each commit until the log starts over, when that
/// is not much. A commit during which the thread copies is left alone.
const FULL: c_int = 4000;

/// Pages that are not much, unless the last commit has as many; and after so many more the thread copies a full log again.
const REST: c_int = 128;

/// Pages in the log at which the writer waits for the thread, and copies whatever is left. The log becomes longer by one
/// transaction at most, unless somebody reads what was true before (a backup).
const LONGEST: c_int = 4 * FULL;

/// Has the log of the writer's connection copied, in place of `wal_autocheckpoint`, which would undo this.
///
/// # Errors
/// When there can be no thread, or SQLite refuses.
pub(super) fn keep_short(writer: &mut Connection, path: &Path) -> Result<(), SetupError> {
    let mut checkpoints = Checkpoints::start(path.to_owned())?;
    let hook = move |log: &mut Wal, pages: c_int| {
        if let Some(_alone) = checkpoints.committed(pages) {
            // What fails here is tried again after the next commit. This one has succeeded and must say so.
            let _ = log.checkpoint();
        }
        Ok(())
    };
    writer
        .wal_hook(Some(hook))
        .map_err(|error| connection::explain(path, &error))
}

/// The thread as the writer sees it. Dropping it waits for what it copies.
struct Checkpoints {
    /// `None` only while being dropped.
    wake: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
    /// Pages of the log that the thread has copied. Whoever copies holds it.
    copied: Arc<Mutex<c_int>>,
    /// Pages in the log after the last commit, and with how many the thread is woken.
    pages: c_int,
    next: c_int,
}

impl Checkpoints {
    /// Starts the thread, which opens the file when it has something to do.
    fn start(path: PathBuf) -> Result<Self, SetupError> {
        let (wake, due) = sync_channel(1);
        let copied = Arc::new(Mutex::new(0));
        let shared = Arc::clone(&copied);
        let thread = thread::Builder::new()
            .name("doorward-log".into())
            .spawn(move || run(&path, &due, &shared))
            .map_err(|error| {
                SetupError::new(
                    format!("the thread that copies the database's log cannot start: {error}"),
                    "allow this user more threads (`ulimit -u`) and memory",
                )
            })?;
        Ok(Self {
            wake: Some(wake),
            thread: Some(thread),
            copied,
            pages: 0,
            next: STEP,
        })
    }

    /// There are so many pages in the log after a commit. While the writer has what this returns, it is to copy what is
    /// left.
    fn committed(&mut self, pages: c_int) -> Option<MutexGuard<'_, c_int>> {
        if pages < self.pages {
            // It has started over. The thread, if it copies just now, will know.
            (self.pages, self.next) = (0, STEP);
            if let Some(mut copied) = self.copied.try_lock() {
                *copied = 0;
            }
        }
        let of_this_commit = pages - self.pages;
        self.pages = pages;
        if pages >= LONGEST {
            return Some(self.copied.lock());
        }
        if pages >= FULL
            && let Some(copied) = self.copied.try_lock()
            && pages - *copied <= of_this_commit.max(REST)
        {
            return Some(copied);
        }
        if let Some(wake) = &self.wake
            && pages >= self.next
            && wake.try_send(()).is_ok()
        {
            self.next = pages.saturating_add(if pages < FULL { STEP } else { REST });
        }
        None
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        drop(self.wake.take());
        if let Some(thread) = self.thread.take() {
            // It has nothing that could panic.
            let _ = thread.join();
        }
    }
}

/// The life of the thread. Without it the writer does all, and only slower: what fails is said, and tried again.
fn run(path: &Path, due: &Receiver<()>, copied: &Mutex<c_int>) {
    let mut database = None;
    while due.recv().is_ok() {
        let mut copied = copied.lock();
        match copy(path, &mut database) {
            Ok(pages) => *copied = pages,
            Err(error) => {
                tracing::warn!(%error, "the database's log could not be copied into it; the writer will try, too");
            }
        }
    }
}

/// What the thread has open.
struct Database {
    connection: Connection,
    /// Never closed: to close any handle of a file is to lose the locks that this process has on it (POSIX says so).
    file: ManuallyDrop<File>,
}

/// Copies what can be copied, and has the disk write it. Answers how many pages of the log have been copied by now.
fn copy(path: &Path, opened: &mut Option<Database>) -> Result<c_int, Box<dyn Error>> {
    let database = match opened {
        Some(database) => database,
        none => none.insert(Database {
            connection: connection::for_checkpoints(path)?,
            file: ManuallyDrop::new(OpenOptions::new().write(true).open(path)?),
        }),
    };
    let pages = database
        .connection
        .prepare_cached("PRAGMA wal_checkpoint(PASSIVE)")?
        .query_row([], |row| row.get("checkpointed"))?;
    database.file.sync_data()?;
    Ok(pages)
}

#[cfg(test)]
mod tests {
    use rusqlite::OpenFlags;

    use super::super::connection::tests::Folder;
    use super::*;

    /// The numbers that are in the file itself.
    fn in_the_file(path: &Path) -> i64 {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        let name = format!("file:{}?immutable=1", path.display());
        let connection = Connection::open_with_flags(name, flags).unwrap();
        connection
            .query_row("SELECT count(*) FROM numbers", [], |row| row.get(0))
            .unwrap()
    }

    #[test]
    fn the_log_is_copied_while_the_writer_has_the_file_open() {
        let folder = Folder::new();
        let path = folder.join("numbers.db");
        let writer = Connection::open(&path).unwrap();
        writer
            .execute_batch("CREATE TABLE numbers (number INTEGER); PRAGMA journal_mode = WAL")
            .unwrap();
        let begun = "INSERT INTO numbers VALUES (1); BEGIN; INSERT INTO numbers VALUES (2)";
        writer.execute_batch(begun).unwrap();
        for (pages, copied) in [(STEP - 1, 0), (STEP, 1)] {
            let mut checkpoints = Checkpoints::start(path.clone()).unwrap();
            assert!(checkpoints.committed(pages).is_none());
            // Waits for the thread.
            drop(checkpoints);
            assert_eq!(in_the_file(&path), copied, "with {pages} pages");
        }
        writer.execute_batch("COMMIT").unwrap();
    }

    /// A writer's view of a thread that the test takes the place of.
    fn without_thread() -> (Checkpoints, Receiver<()>) {
        let (wake, due) = sync_channel(1);
        let checkpoints = Checkpoints {
            wake: Some(wake),
            thread: None,
            copied: Arc::default(),
            pages: 0,
            next: STEP,
        };
        (checkpoints, due)
    }

    #[test]
    fn the_thread_is_woken_in_steps() {
        let (mut checkpoints, due) = without_thread();
        let mut wakes = |pages| {
            assert!(checkpoints.committed(pages).is_none());
            due.try_recv().is_ok()
        };
        assert!(!wakes(STEP - 1) && wakes(STEP));
        assert!(!wakes(2 * STEP - 1) && wakes(2 * STEP));
        assert!(wakes(FULL) && !wakes(FULL + REST - 1) && wakes(FULL + REST));
        assert!(!wakes(3) && wakes(STEP), "it has started over");
    }

    #[test]
    fn the_writer_copies_what_little_is_left_when_the_log_is_full() {
        let (mut checkpoints, _due) = without_thread();
        let mut helps = |copied, before, pages| {
            assert!(checkpoints.committed(1).is_none(), "it has started over");
            drop(checkpoints.committed(before));
            *checkpoints.copied.lock() = copied;
            checkpoints.committed(pages).is_some()
        };
        assert!(!helps(FULL - 1, FULL - 2, FULL - 1), "it is not full");
        assert!(helps(FULL - REST, FULL - 1, FULL));
        assert!(!helps(FULL - REST - 1, FULL - 1, FULL), "too much is left");
        assert!(
            helps(FULL, FULL, FULL + 2 * REST),
            "nothing but the last commit is left"
        );
        assert!(!helps(FULL - 1, FULL, FULL + 2 * REST));
        assert!(helps(0, FULL, LONGEST));
    }

    #[test]
    fn what_was_copied_of_the_log_before_does_not_count() {
        let (mut checkpoints, _due) = without_thread();
        *checkpoints.copied.lock() = FULL;
        for pages in [FULL - 1, 1, FULL - 1, FULL] {
            assert!(checkpoints.committed(pages).is_none(), "with {pages} pages");
        }
    }

    #[test]
    fn the_writer_waits_for_the_thread_only_at_the_longest() {
        let (mut checkpoints, _due) = without_thread();
        let copied = Arc::clone(&checkpoints.copied);
        let thread_copies = copied.lock();
        assert!(checkpoints.committed(FULL).is_none());
        assert!(checkpoints.committed(LONGEST - 1).is_none());
        drop(thread_copies);
        // Often enough that the writer comes before the thread is ready, too.
        for _ in 0..100 {
            let thread_copies = copied.lock();
            thread::scope(|scope| {
                let writer = scope.spawn(|| checkpoints.committed(LONGEST).is_some());
                thread::yield_now();
                drop(thread_copies);
                assert!(writer.join().unwrap());
            });
        }
    }

    /// However slow the disk is here: the thread's copies are flushed, the writer's commits are not.
    #[test]
    fn the_log_of_a_writer_starts_over() {
        let folder = Folder::new();
        let path = folder.join("numbers.db");
        let writer = connection::for_writing(&path, crate::Schema::Update).unwrap();
        // Not to flush the disk twenty thousand times.
        let quick = "PRAGMA synchronous = OFF; CREATE TABLE numbers (number BLOB)";
        writer.execute_batch(quick).unwrap();
        let page = vec![0; 4096];
        for _ in 0..LONGEST + FULL {
            writer.execute("INSERT INTO numbers VALUES ($1)", [&page]).unwrap();
        }
        let log = std::fs::metadata(folder.join("numbers.db-wal")).unwrap().len();
        // A page of the log has a header of 24 bytes. A commit is four pages here at most.
        let longest = u64::try_from(LONGEST + 4).unwrap() * (4096 + 24) + 32;
        assert!(log <= longest, "{log} bytes");
    }
}
