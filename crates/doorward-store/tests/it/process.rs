//! Other processes: this same binary, started to run one of its tests once more, in another role.
//!
//! The surprise: such a test is two. It begins with a look at [`database`], which only the started process has.

use std::env;
use std::process::{Child, Command, Stdio};

/// Says on which database a started process works.
const DATABASE: &str = "DOORWARD_TEST_PROCESS_DATABASE";

/// Starts a process that runs the test of this name (`module::function`) on a database. What it prints can be read from
/// its `stdout`, among the words of the test runner.
pub fn start(test: &str, database: &str) -> Child {
    Command::new(env::current_exe().unwrap())
        .args(["--exact", "--nocapture", "--test-threads=1", test])
        .env(DATABASE, database)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// In a process that was started: on which database.
#[expect(
    clippy::disallowed_methods,
    reason = "the role of a test is no setting of the program"
)]
pub fn database() -> Option<String> {
    env::var(DATABASE).ok()
}
