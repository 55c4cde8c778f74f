//! Standard error as a file of lines that nothing comes between, though many threads write at once.
//!
//! The surprise: the lock is shared by nearly all who write. The library's own lets one after the other, so that a request
//! waits while the line of another one is written; what a pipe takes in one piece the system keeps apart by itself.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::Arc;

use doorward_core::SetupError;
use parking_lot::RwLock;

/// The most that a pipe takes in one piece, on any system (POSIX, `_POSIX_PIPE_BUF`), in bytes.
const PIPE_BUF: usize = 512;

pub(super) struct Lines {
    to: File,
    /// Shared by those who write one piece, and held alone by who writes several.
    pieces: RwLock<()>,
}

/// # Errors
/// When no file can be opened any more.
pub(super) fn standard_error() -> Result<Arc<Lines>, SetupError> {
    let own = io::stderr().as_fd().try_clone_to_owned().map_err(|error| {
        SetupError::new(
            format!("standard error cannot be written: {error}"),
            "raise the limit of open files (`ulimit -n`)",
        )
    })?;
    Ok(Arc::new(Lines::to(own.into())))
}

impl Lines {
    fn to(file: File) -> Self {
        Self {
            to: file,
            pieces: RwLock::new(()),
        }
    }
}

impl Write for &Lines {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        if line.len() <= PIPE_BUF {
            let _shared = self.pieces.read();
            (&self.to).write(line)
        } else {
            let _alone = self.pieces.write();
            (&self.to).write_all(line).map(|()| line.len())
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::{BufRead, BufReader};
    use std::os::fd::OwnedFd;

    use super::*;

    #[test]
    fn a_long_line_stays_in_one_piece_though_the_pipe_is_full() {
        let (reader, writer) = io::pipe().unwrap();
        std::thread::scope(|scope| {
            let read = scope.spawn(|| BufReader::new(reader).lines().map(Result::unwrap).collect::<Vec<_>>());
            let lines = Lines::to(OwnedFd::from(writer).into());
            std::thread::scope(|scope| {
                // A pipe holds 64 KiB.
                for (letter, length) in [("a", 200_000), ("b", 200_000), ("c", 100), ("d", PIPE_BUF - 1)] {
                    let (line, mut lines) = (letter.repeat(length) + "\n", &lines);
                    scope.spawn(move || (0..20).for_each(|_| lines.write_all(line.as_bytes()).unwrap()));
                }
            });
            drop(lines);
            let read = read.join().unwrap();
            assert_eq!(read.len(), 80);
            let is_whole = |line: &String| line.bytes().all(|byte| line.starts_with(char::from(byte)));
            assert!(read.iter().all(is_whole));
        });
    }
}
