//! The file of a database: how it is made, and what to tell a person when it cannot be opened.
//!
//! The surprise: nobody whose file cannot be opened is told to take another one. It may hold every account.

use std::fs::OpenOptions;
use std::io;
use std::path::Path;

use doorward_core::SetupError;
use rusqlite::ErrorCode;

/// A link whose file is missing: of a disk that is not mounted, more often than not. Nothing is made in its place.
pub(super) fn refuse_link_to_nothing(path: &Path) -> Result<(), SetupError> {
    match path.read_link() {
        Ok(target) if !path.exists() => Err(SetupError::new(
            format!(
                "the database {} is a link to {}, where there is no file",
                path.display(),
                target.display()
            ),
            "mount or restore what it leads to, or name the file itself",
        )),
        _ => Ok(()),
    }
}

/// Makes an empty file that only its owner may read; SQLite would leave that to the umask. Its log and index
/// take over the rights of the file.
///
/// A file that is there is not touched: to close any handle of a file is to lose the locks that this process
/// has on it (POSIX says so), and somebody else in it may have the database open.
pub(super) fn make_file(path: &Path) -> Result<(), SetupError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let Err(error) = options.open(path) else {
        return Ok(());
    };
    let shown = path.display();
    let folder = path.parent().unwrap_or(path).display();
    match error.kind() {
        io::ErrorKind::AlreadyExists if path.is_dir() => Err(SetupError::new(
            format!("the database {shown} is a folder"),
            format!("name a file in it, for instance {}", path.join("doorward.db").display()),
        )),
        io::ErrorKind::AlreadyExists => Ok(()),
        io::ErrorKind::NotFound => Err(SetupError::new(
            format!("the folder {folder} of the database does not exist"),
            format!("make it with `mkdir -p {folder}`, or choose another path"),
        )),
        _ => Err(SetupError::new(
            format!("the database {shown} cannot be made: {error}"),
            format!("let the user that doorward runs as write in {folder}, or choose another path"),
        )),
    }
}

/// What SQLite said while opening, for a person.
pub(in crate::sqlite) fn explain(path: &Path, error: &rusqlite::Error) -> SetupError {
    let path = path.display();
    let (what, hint) = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => (
            format!("{path} is not a SQLite database"),
            "choose another path; doorward makes a database where there is no file",
        ),
        Some(ErrorCode::DatabaseCorrupt) => (
            format!("the database {path} is damaged: {error}"),
            "restore a backup; `sqlite3 FILE .recover` may save what is left",
        ),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => (
            format!("another process holds the database {path}"),
            "wait until it has finished, or end it",
        ),
        // Where the log's index cannot grow, a full disk is told as an error of the system.
        Some(ErrorCode::DiskFull | ErrorCode::SystemIoFailure) => (
            format!("the disk of {path} cannot be read or written, or is full: {error}"),
            "make room on it, and look at the system's log",
        ),
        Some(ErrorCode::CannotOpen | ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => (
            format!("the database {path} cannot be opened for writing: {error}"),
            "let the user that doorward runs as read and write the file and its folder",
        ),
        _ => (
            format!("the database {path} cannot be opened: {error}"),
            "look at the file, its disk and the system's log",
        ),
    };
    SetupError::new(what, hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_fails_is_told_as_such() {
        for code in [
            rusqlite::ffi::SQLITE_IOERR,
            rusqlite::ffi::SQLITE_IOERR_WRITE,
            rusqlite::ffi::SQLITE_NOMEM,
        ] {
            let error = rusqlite::Error::SqliteFailure(rusqlite::ffi::Error::new(code), None);
            let said = explain(Path::new("door.db"), &error).to_string();
            assert!(!said.contains("afresh") && !said.contains("another path"), "{said}");
            let is_disk = said.contains("the disk of door.db cannot be read or written, or is full");
            assert_eq!(is_disk, code != rusqlite::ffi::SQLITE_NOMEM, "{said}");
        }
    }
}
