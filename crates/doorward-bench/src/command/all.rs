//! `all`: every command, each with what it does by default, and then the page.
//!
//! The surprise: each runs in a process of its own, as if somebody had typed it, so that none inherits the memory of
//! another. One that fails does not keep the others from running.

use std::process::Command;

use crate::error::{Error, Result};
use crate::{Options, print, report};

/// In the order in which the page shows them.
pub(crate) const COMMANDS: [&str; 8] = [
    "hash",
    "http",
    "storm",
    "peer",
    "grow",
    "postgres",
    "grow-postgres",
    "equal-time",
];

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut failed = Vec::new();
    for name in COMMANDS {
        print::progress(&format!("== {name}"));
        let mut command = Command::new(std::env::current_exe()?);
        command.arg(name).arg("--records").arg(options.records());
        if options.quick {
            command.arg("--quick");
        }
        if !command.status()?.success() {
            failed.push(name);
        }
    }
    report::run(&options.records())?;
    if failed.is_empty() {
        return Ok(());
    }
    let hint = "run each alone to see why; the page has what was recorded before";
    Err(Error::new(format!("commands that failed: {}", failed.join(", "))).hint(hint))
}
