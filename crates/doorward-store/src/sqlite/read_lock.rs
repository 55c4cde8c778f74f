//! A read transaction that the writer keeps open between its own while many read.
//!
//! The surprise: nobody reads in it. The connections of a process share the locks that they have on the file, so while
//! this one has them, who reads neither asks the system for any nor waits for another thread that does: a tenth of the
//! processor time of a profile. It is let go before every write, since a log that somebody reads cannot start over, and
//! not taken while another process writes, whose log has to start over as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use rusqlite::Connection;

use super::writer::{execute, take_back};

/// How long it is kept while nobody writes: the longest that another process waits for it, to empty the log for
/// instance.
pub(super) const KEEP: Duration = Duration::from_millis(200);

/// It is kept once more if there were so many reads while it was not looked at.
const MANY: u64 = 8;

pub(super) struct ReadLock<'a> {
    connection: &'a Connection,
    /// Reads of this process since it was started, and how many there were at the last look.
    reads: Arc<AtomicU64>,
    seen: u64,
    /// Changes when somebody else has written.
    version: i64,
}

impl<'a> ReadLock<'a> {
    pub(super) fn new(connection: &'a Connection, reads: Arc<AtomicU64>) -> Self {
        Self {
            connection,
            reads,
            seen: 0,
            version: 0,
        }
    }

    /// Takes it, with a view of what is committed now, if that pays.
    pub(super) fn take(&mut self) {
        let reads = self.reads.load(Ordering::Relaxed);
        let many = reads.wrapping_sub(self.seen) >= MANY;
        self.seen = reads;
        if many && !self.begin().unwrap_or(false) {
            self.release();
        }
    }

    pub(super) fn release(&self) {
        take_back(self.connection);
    }

    /// Whether it may be kept.
    fn begin(&mut self) -> rusqlite::Result<bool> {
        execute(self.connection, "BEGIN")?;
        let version = self
            .connection
            .prepare_cached("PRAGMA data_version")?
            .query_row([], |row| row.get(0))?;
        Ok(std::mem::replace(&mut self.version, version) == version)
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::tests::Folder;
    use super::*;

    /// Two connections to one file, as two processes have them.
    fn connections() -> (Connection, Connection, Folder) {
        let folder = Folder::new();
        let open = || Connection::open(folder.join("numbers.db")).unwrap();
        let (one, other) = (open(), open());
        one.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE numbers (number INTEGER)")
            .unwrap();
        (one, other, folder)
    }

    fn write(connection: &Connection) {
        connection.execute("INSERT INTO numbers VALUES (1)", []).unwrap();
    }

    /// Asks for the lock after so many reads; whether it is held.
    fn taken_after(reads: u64, lock: &mut ReadLock<'_>) -> bool {
        lock.release();
        lock.reads.fetch_add(reads, Ordering::Relaxed);
        lock.take();
        !lock.connection.is_autocommit()
    }

    #[test]
    fn it_is_held_while_many_read_and_nobody_else_writes() {
        let (one, other, _folder) = connections();
        let mut lock = ReadLock::new(&one, Arc::default());
        assert!(!taken_after(MANY, &mut lock), "who else wrote before is not known");
        assert!(taken_after(MANY, &mut lock));
        assert!(taken_after(MANY, &mut lock));
        assert!(!taken_after(MANY - 1, &mut lock), "too few");
        lock.release();
        write(&one);
        assert!(taken_after(MANY, &mut lock), "its own writes do not matter");
        write(&other);
        assert!(!taken_after(MANY, &mut lock), "another process writes");
        assert!(taken_after(MANY, &mut lock), "it has stopped");
    }

    #[test]
    fn it_sees_what_is_committed_when_it_is_taken() {
        let (one, other, _folder) = connections();
        let mut lock = ReadLock::new(&one, Arc::default());
        write(&other);
        assert!(!taken_after(MANY, &mut lock) && taken_after(MANY, &mut lock));
        // Nothing older than that is read, and so all of the log can be written to the file.
        let checkpoint = "PRAGMA wal_checkpoint(PASSIVE)";
        let (log, moved): (i64, i64) = other
            .query_row(checkpoint, [], |row| Ok((row.get(1)?, row.get(2)?)))
            .unwrap();
        assert!(log > 0 && log == moved, "{moved} of {log} pages");
    }
}
