//! A process that this program started: what it takes, and its end with its owner.
//!
//! The surprise: memory and processor time are read from `/proc`, so both are those of the whole process, with
//! everything that a library does behind the program's back.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};

/// How long a start may take: one with ten million endings to read takes some seconds.
const PATIENCE: Duration = Duration::from_secs(180);
/// The kernel counts processor time in hundredths of a second wherever Linux runs on x86-64 or ARM.
const TICKS: f64 = 100.0;
/// Lines that wait for somebody to read them; later ones are dropped.
const LINES: usize = 1000;

/// A running process. Dropped, it is killed.
pub(crate) struct Process {
    child: Child,
}

impl Process {
    /// Starts it and waits for a line on its standard output that `find` takes something from.
    pub(crate) fn start<T>(mut command: Command, log: &Path, find: impl Fn(&str) -> Option<T>) -> Result<(Self, T)> {
        let shown = command.get_program().to_string_lossy().into_owned();
        let stderr = fs::File::options().create(true).append(true).open(log)?;
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(stderr);
        let mut child = command
            .spawn()
            .map_err(|error| Error::new(format!("{shown} does not start: {error}")))?;
        let stdout = child.stdout.take();
        let process = Self { child };
        let stdout = stdout.ok_or_else(|| Error::new(format!("{shown} has no standard output")))?;
        let lines = lines_of(stdout)?;
        while let Ok(line) = lines.recv_timeout(PATIENCE) {
            if let Some(found) = find(&line) {
                return Ok((process, found));
            }
        }
        let log = fs::read_to_string(log).unwrap_or_default();
        let end: Vec<&str> = log.lines().rev().take(5).collect();
        let end: Vec<&str> = end.into_iter().rev().collect();
        Err(Error::new(format!("{shown} did not start: {}", end.join(" / "))))
    }

    /// Processor time so far, in seconds of one core.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap_or_default();
        // The name of the program stands in parentheses and may have spaces.
        let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
        let ticks = rest.split_whitespace().skip(11).take(2);
        ticks.filter_map(|word| word.parse::<f64>().ok()).sum::<f64>() / TICKS
    }

    /// A member of `/proc/PID/status` that counts memory, in MiB: `VmHWM`, `VmRSS`, `RssAnon`.
    pub(crate) fn memory_mib(&self, name: &str) -> f64 {
        let text = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap_or_default();
        memory_mib(&text, name)
    }

    /// Lets the highest memory (`VmHWM`) be counted anew.
    pub(crate) fn forget_peak(&self) {
        // Where this is refused the peak is that of the whole run, which is more.
        drop(fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5"));
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn memory_mib(status: &str, name: &str) -> f64 {
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or_default() / 1024.0
}

/// The lines that somebody prints. They are read to the end, so that nobody waits for a reader.
fn lines_of(from: std::process::ChildStdout) -> Result<Receiver<String>> {
    let (send, lines) = mpsc::sync_channel(LINES);
    thread::Builder::new().name("lines".into()).spawn(move || {
        BufReader::new(from)
            .lines()
            .map_while(Result::ok)
            .for_each(|line| drop(send.try_send(line)));
    })?;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_a_status() {
        let status = "Name:\tx\nVmHWM:\t    2048 kB\nRssAnon:\t 512 kB\n";
        assert!((memory_mib(status, "VmHWM") - 2.0).abs() < 1e-9);
        assert!((memory_mib(status, "RssAnon") - 0.5).abs() < 1e-9);
        assert!(memory_mib(status, "Vm").abs() < 1e-9);
    }
}
