//! Folders for databases and logs, gone with their owner.
//!
//! The surprise: they are made beside this program and not in `/tmp`, which is in memory on many machines: a commit
//! that waits for a disk has to meet one.

use std::fs;
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

/// Where this program is, and the others that cargo built.
pub(crate) fn programs() -> Result<PathBuf> {
    let program = std::env::current_exe()?;
    Ok(program.parent().unwrap_or(Path::new(".")).to_owned())
}

/// The root of the project.
pub(crate) fn project() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}
