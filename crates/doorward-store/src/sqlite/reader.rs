//! A connection that maps the file while nobody writes, and copies its pages while somebody does.
//!
//! The surprise: what is fastest for a reader depends on the writer. After each commit SQLite gives back all that a
//! reader has mapped: system calls, interrupts of the other processors, and a fault for each page that is read again. To
//! copy a page costs less than that, and more than to look at a mapped one.

use std::path::Path;

use rusqlite::Connection;

use super::connection;

/// The file is mapped once it was read so often without a commit in between: far more often than a busy writer lets
/// anybody, and soon reached when it rests.
const CALM: u32 = 256;

pub(super) struct Reader {
    connection: Connection,
    is_mapped: bool,
    /// How many commits there had been at the last read, and how many reads there were since that changed.
    commits: u64,
    reads: u32,
}

impl Reader {
    /// # Errors
    /// When SQLite cannot open the file.
    pub(super) fn open(path: &Path) -> rusqlite::Result<Self> {
        Ok(Self {
            connection: connection::for_reading(path)?,
            is_mapped: false,
            commits: 0,
            reads: 0,
        })
    }

    /// The connection, for one read. `commits` counts those of this process; what others commit is seen as well, and only
    /// makes the choice a worse one.
    ///
    /// # Errors
    /// When SQLite cannot map the file, or give it back.
    pub(super) fn prepare(&mut self, commits: u64) -> rusqlite::Result<&Connection> {
        if self.commits != commits {
            (self.commits, self.reads) = (commits, 0);
        }
        let maps = self.reads >= CALM;
        if maps != self.is_mapped {
            connection::map(&self.connection, maps)?;
            self.is_mapped = maps;
        }
        self.reads = self.reads.saturating_add(1);
        Ok(&self.connection)
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::tests::Numbers;
    use super::*;

    #[test]
    fn the_file_is_mapped_while_nobody_writes() {
        let numbers = Numbers::new();
        let mut reader = Reader::open(&numbers.path()).unwrap();
        let mut after = |commits| {
            let connection = reader.prepare(commits).unwrap();
            Numbers::read(connection);
            connection::mapped(connection).unwrap() > 0
        };
        for commits in 1..=2 {
            let not_yet = (0..CALM).filter(|_| !after(commits)).count();
            assert_eq!(not_yet, CALM as usize);
            assert!(after(commits) && after(commits), "nobody has written for long");
        }
    }
}
