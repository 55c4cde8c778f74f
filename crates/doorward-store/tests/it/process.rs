//! Other processes: this same binary, started to run one of its ignored tests.

use std::io::{self, Write};
use std::process::{Child, Command, Stdio};

/// Starts a process that runs the ignored test of this name (`module::function`) on a database. What it
/// prints can be read from its `stdout`, among the words of the test runner.
pub fn start(test: &str, database: &str) -> Child {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "--test-threads=1", test])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{database}").unwrap();
    child
}

/// In the process that was started: on which database.
pub fn database() -> String {
    let mut line = String::new();
    io::stdin().read_line(&mut line).unwrap();
    assert!(!line.trim().is_empty(), "this test is a process that other tests start");
    line.trim_end_matches('\n').to_owned()
}
