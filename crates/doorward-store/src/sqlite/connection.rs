//! Opening the file: what every connection is set to, and what to tell a person when it cannot be opened.
//!
//! The surprise: readers are opened for writing as well and only forbidden to do it. A read-only connection
//! could not repair the log's index after another process died in the middle of a write, and would fail until
//! somebody wrote.

use std::path::Path;
use std::time::Duration;

use doorward_core::SetupError;
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, OptionalExtension};

use self::file::{make_file, refuse_link_to_nothing};
use super::{checkpoints, migrations};
use crate::Schema;

mod file;

pub(super) use self::file::explain;

/// How long to wait for another process (a command beside the server) that is writing.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a start waits for another one that is bringing the schema up to date.
const MIGRATION_TIMEOUT: Duration = Duration::from_secs(60);

/// How often the switch to the write-ahead log is tried when others do the same at the same time.
const WAL_ATTEMPTS: usize = 100;

/// Prepared statements kept per connection: more than there are, so that none is prepared twice.
const STATEMENT_CACHE: usize = 64;

/// What the writer is set to.
/// - `synchronous = FULL`: a commit is answered after it is on the disk; `NORMAL` could take it back after a
///   power cut. `fullfsync` says the same to macOS, where `fsync` alone does not reach the disk.
/// - `wal_autocheckpoint`, in pages: a full batch of writes touches more than the default of 1000, and each
///   commit would then pay for a checkpoint. [`checkpoints`] takes its place in a server.
/// - `journal_size_limit`: after a burst the log shrinks to 64 MiB again.
/// - `secure_delete = FAST`: what is deleted is overwritten where that costs no further write.
/// - `cache_size`, in KiB: sessions end in any order, and with the default of 2,000 each page that one of them is on was
///   read again for each. It is memory only once so much has been touched.
const WRITER: &str = "PRAGMA synchronous = FULL; PRAGMA fullfsync = ON; PRAGMA foreign_keys = ON;
     PRAGMA trusted_schema = OFF; PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 67108864;
     PRAGMA secure_delete = FAST; PRAGMA cache_size = -8192;";

/// What every reader is set to.
const READER: &str = "PRAGMA query_only = ON; PRAGMA trusted_schema = OFF;";

/// Up to 2 GiB of the file, the most that SQLite allows, are read in place from the system's cache, which all connections
/// share, rather than copied into a cache of each. The writer changes a copy.
const MAPPED: &str = "PRAGMA mmap_size = 2147418112;";

/// Gives back what is mapped: as long as it is, it counts as memory of this process.
const UNMAPPED: &str = "PRAGMA mmap_size = 0;";

/// The connection of the writer; makes the file and its schema if need be, and if that is allowed.
///
/// # Errors
/// As [`open_sqlite_as`](crate::open_sqlite_as).
pub(super) fn for_writing(path: &Path, schema: Schema) -> Result<Connection, SetupError> {
    refuse_link_to_nothing(path)?;
    if schema == Schema::Keep && !path.exists() {
        return Err(SetupError::new(
            format!("there is no database {}", path.display()),
            "`doorward serve` makes it; `--database sqlite:PATH` names another one",
        ));
    }
    make_file(path)?;
    let explain = |error| explain(path, &error);
    let mut connection = connect(path).map_err(explain)?;
    connection.busy_timeout(MIGRATION_TIMEOUT).map_err(explain)?;
    prepare(&mut connection, path, schema)?;
    connection.busy_timeout(BUSY_TIMEOUT).map_err(explain)?;
    connection.execute_batch(WRITER).map_err(explain)?;
    connection.execute_batch(MAPPED).map_err(explain)?;
    checkpoints::keep_short(&mut connection, path)?;
    Ok(connection)
}

/// Makes the schema or brings it up to date, if the file is ours and that is allowed.
fn prepare(connection: &mut Connection, path: &Path, schema: Schema) -> Result<(), SetupError> {
    if connection.is_readonly(MAIN_DB).map_err(|error| explain(path, &error))? {
        return Err(SetupError::new(
            format!("the database {} is read-only", path.display()),
            "let the user that doorward runs as write it, and its folder",
        ));
    }
    // Before anything is written: the file may be somebody else's.
    migrations::check(connection, path, schema)?;
    use_write_ahead_log(connection, path)?;
    migrations::apply(connection, path)
}

/// A connection that only reads a file which [`for_writing`] has prepared.
///
/// # Errors
/// When SQLite cannot open it.
pub(super) fn for_reading(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.execute_batch(READER)?;
    Ok(connection)
}

/// A connection that only copies the log into a file which [`for_writing`] has prepared.
///
/// # Errors
/// When SQLite cannot open it.
pub(super) fn for_checkpoints(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    connection.execute_batch(WRITER)?;
    Ok(connection)
}

/// Lets a connection map the file, or has it give back what it has mapped. No statement may be on its way.
///
/// # Errors
/// When SQLite refuses.
pub(super) fn map(connection: &Connection, maps: bool) -> rusqlite::Result<()> {
    connection.execute_batch(if maps { MAPPED } else { UNMAPPED })
}

/// How much of the file a connection may map, in bytes; of a database without a file nothing.
///
/// # Errors
/// When SQLite refuses.
pub(super) fn mapped(connection: &Connection) -> rusqlite::Result<i64> {
    let size = connection.pragma_query_value(None, "mmap_size", |row| row.get(0));
    Ok(size.optional()?.unwrap_or(0))
}

/// Forgets the pages of the file that a connection has read, for who will not read them again. No statement may be on its
/// way.
///
/// # Errors
/// When SQLite refuses.
pub(super) fn forget_pages(connection: &Connection) -> rusqlite::Result<()> {
    let maps = mapped(connection)? > 0;
    map(connection, false)?;
    connection.execute_batch("PRAGMA shrink_memory")?;
    map(connection, maps)
}

/// A connection to a file that nobody else may have open meanwhile. Makes the file if need be; whatever else there is
/// stays as it is.
///
/// # Errors
/// As [`open_sqlite`](crate::open_sqlite), and when somebody has it open.
pub(super) fn for_one_alone(path: &Path) -> Result<Connection, SetupError> {
    refuse_link_to_nothing(path)?;
    make_file(path)?;
    let connection = alone(path).map_err(|error| match error.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => SetupError::new(
            format!("somebody has the database {} open", path.display()),
            "stop every server and command that uses it, and run the move again",
        ),
        _ => explain(path, &error),
    })?;
    migrations::check(&connection, path, Schema::Update)?;
    Ok(connection)
}

/// Makes the schema of a file that [`for_one_alone`] has opened, or brings it up to date.
///
/// # Errors
/// As [`open_sqlite`](crate::open_sqlite).
pub(super) fn prepare_alone(connection: &mut Connection, path: &Path) -> Result<(), SetupError> {
    prepare(connection, path, Schema::Update)?;
    connection.execute_batch(WRITER).map_err(|error| explain(path, &error))
}

/// Takes the lock: whoever has the file open makes this fail at once, and whoever comes later waits in vain.
/// (`locking_mode` says so before anything is read.)
fn alone(path: &Path) -> rusqlite::Result<Connection> {
    let connection = connect(path)?;
    // A server has it open for days.
    connection.busy_timeout(Duration::ZERO)?;
    connection.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    connection.execute_batch("BEGIN IMMEDIATE; COMMIT")?;
    Ok(connection)
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    // No mutex: a connection is used by one thread at a time, which the types see to.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    keep_statements(&connection)?;
    Ok(connection)
}

/// Sees to it that a statement is parsed and planned once.
pub(super) fn keep_statements(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(STATEMENT_CACHE);
    // Plans that do not look at the values: otherwise SQLite plans a join anew whenever a value in it changes,
    // which costs several times what running it does.
    connection
        .set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)
        .map(drop)
}

fn use_write_ahead_log(connection: &Connection, path: &Path) -> Result<(), SetupError> {
    let mode = switch_journal(connection).map_err(|error| explain(path, &error))?;
    if mode == "wal" {
        return Ok(());
    }
    Err(SetupError::new(
        format!(
            "the file system of {} has no shared memory for SQLite's write-ahead log",
            path.display()
        ),
        "put the database on a local disk, not on a network share",
    ))
}

/// Switches to the write-ahead log and answers the mode that is on after that.
///
/// The switch needs the file for itself and does not wait for it; so whoever meets another one waits by
/// taking the write lock, which does wait, and tries again.
fn switch_journal(connection: &Connection) -> rusqlite::Result<String> {
    let switch = || connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0));
    for _ in 1..WAL_ATTEMPTS {
        match switch() {
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK")?;
            }
            result => return result,
        }
    }
    switch()
}

#[cfg(test)]
pub(super) mod tests {
    use std::path::PathBuf;

    use doorward_core::{Timestamp, random};

    use super::*;

    /// What a killed process cannot show: that a commit waits for the disk.
    #[test]
    fn the_writer_waits_for_the_disk_and_watches_over_references() {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(WRITER).unwrap();
        let setting = |name| {
            connection
                .pragma_query_value(None, name, |row| row.get::<_, i64>(0))
                .unwrap()
        };
        assert_eq!(setting("synchronous"), 2, "FULL");
        assert_eq!(setting("fullfsync"), 1);
        assert_eq!(setting("foreign_keys"), 1);
    }

    /// A folder that is removed when dropped.
    pub(in crate::sqlite) struct Folder(PathBuf);

    impl Folder {
        pub(in crate::sqlite) fn new() -> Self {
            let name = format!("doorward-{}", random::uuid(Timestamp(0)).unwrap());
            let folder = Self(std::env::temp_dir().join(name));
            std::fs::create_dir(&folder.0).unwrap();
            folder
        }

        pub(in crate::sqlite) fn join(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    /// A file with one number.
    pub(in crate::sqlite) struct Numbers(Folder);

    impl Numbers {
        pub(in crate::sqlite) fn new() -> Self {
            let numbers = Self(Folder::new());
            let rows =
                "CREATE TABLE numbers (number INTEGER); INSERT INTO numbers VALUES (1); PRAGMA journal_mode = WAL";
            Connection::open(numbers.path()).unwrap().execute_batch(rows).unwrap();
            numbers
        }

        pub(in crate::sqlite) fn path(&self) -> PathBuf {
            self.0.join("numbers.db")
        }

        pub(in crate::sqlite) fn read(connection: &Connection) {
            let read = connection.query_row("SELECT number FROM numbers", [], |row| row.get(0));
            assert_eq!(read, Ok(1));
        }
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pages_that_are_forgotten_are_no_memory_of_this_process() {
        let numbers = Numbers::new();
        let reader = for_reading(&numbers.path()).unwrap();
        let is_mapped = || {
            let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
            let name = numbers.path();
            maps.lines().any(|line| line.ends_with(name.to_str().unwrap()))
        };
        Numbers::read(&reader);
        forget_pages(&reader).unwrap();
        assert!(!is_mapped(), "nobody has asked for that");
        map(&reader, true).unwrap();
        for _ in 0..2 {
            Numbers::read(&reader);
            assert!(is_mapped());
            forget_pages(&reader).unwrap();
            assert!(!is_mapped());
        }
    }
}
