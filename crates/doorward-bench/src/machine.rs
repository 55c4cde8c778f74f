//! The machine that a record was made on.
//!
//! The surprise: it is asked for the share of time that other guests of the same host took, too. Figures of a virtual
//! machine mean nothing without it.

use std::fs;
use std::process::Command;
use std::thread;

use serde::{Deserialize, Serialize};

/// What decides how fast things are.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) kernel_of_hash: String,
    pub(crate) cores: usize,
    pub(crate) memory_gib: u64,
    pub(crate) system: String,
    pub(crate) compiler: String,
}

impl Machine {
    pub(crate) fn this() -> Self {
        let information = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
        let kib = member(&memory, "MemTotal").and_then(|text| text.split(' ').next()?.parse::<u64>().ok());
        Self {
            processor: member(&information, "model name").unwrap_or("unknown").to_owned(),
            kernel_of_hash: format!("{:?}", doorward_argon2::kernel()),
            cores: cores(),
            memory_gib: kib.unwrap_or(0).div_ceil(1 << 20),
            system: said("uname", &["-sr"]),
            compiler: said("rustc", &["--version"]),
        }
    }
}

/// Cores that this process may use.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(1, usize::from)
}

/// The commit that the sources are at, with a `+` when they have changed since; nothing outside a repository.
pub(crate) fn revision() -> String {
    let commit = said("git", &["rev-parse", "--short", "HEAD"]);
    let changed = !said("git", &["status", "--porcelain", "--untracked-files=no", "crates"]).is_empty();
    if changed { format!("{commit}+") } else { commit }
}

/// MiB that this machine has read from its disks since its start, whoever asked for them.
pub(crate) fn read_mib() -> f64 {
    let text = fs::read_to_string("/proc/vmstat").unwrap_or_default();
    let kib = text
        .lines()
        .find_map(|line| line.strip_prefix("pgpgin ")?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// Seconds of all cores together since the start of the machine: of work of this machine, idle, and taken by others.
pub(crate) fn stolen_and_all() -> (u64, u64) {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let line = text.lines().next().unwrap_or_default();
    let ticks: Vec<u64> = line
        .split_whitespace()
        .skip(1)
        .filter_map(|word| word.parse().ok())
        .collect();
    (ticks.get(7).copied().unwrap_or(0), ticks.iter().take(8).sum())
}

/// The value of `name : value` in a text of the kernel.
fn member<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let line = text.lines().find(|line| line.starts_with(name))?;
    line.split_once(':').map(|(_, value)| value.trim())
}

/// What a program prints, or nothing.
fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    text.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_of_what_the_kernel_prints() {
        assert_eq!(member("processor\t: 0\nmodel name\t: X Y\n", "model name"), Some("X Y"));
        assert_eq!(member("", "model name"), None);
    }
}
