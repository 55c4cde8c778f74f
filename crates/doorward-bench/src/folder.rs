//! Folders for databases and logs, gone with their owner.
//!
//! The surprise: they are made beside this program and not in `/tmp`, which is in memory on many machines: a commit
//! that waits for a disk has to meet one.

use std::fs;
use std::io::{self, ErrorKind, Read};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A folder that is removed when it is dropped.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Result<Self> {
        let base = programs()?.join("doorward-bench.tmp");
        fs::create_dir_all(&base)?;
        // Making the folder decides which number is free.
        let free = (0..10_000).map(|n| base.join(format!("{}-{n}", std::process::id())));
        let made = free.into_iter().find(|path| fs::create_dir(path).is_ok());
        let hint = "let this user write there, or remove what is left of earlier runs";
        made.map(Self)
            .ok_or_else(|| Error::new(format!("no folder can be made in {}", base.display())).hint(hint))
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays in the target folder.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Reads every file in a folder to its end, so that the system has all of it in its cache, as far as there is room.
/// A machine may take its cache away from what was not used for seconds, and what is measured afterwards is its disk.
pub(crate) fn read_through(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            read_through(&path)?;
        } else if let Err(error) = read(&path)
            // Databases remove files while they run.
            && error.kind() != ErrorKind::NotFound
        {
            return Err(Error::new(format!("{} cannot be read: {error}", path.display())));
        }
    }
    Ok(())
}

fn read(path: &Path) -> io::Result<()> {
    let mut file = fs::File::open(path)?;
    let mut buffer = vec![0; 1 << 20];
    while file.read(&mut buffer)? > 0 {}
    Ok(())
}

/// Where this program is, and the others that cargo built.
pub(crate) fn programs() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().unwrap_or(Path::new(".")).to_owned())
}

/// The root of the project.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
