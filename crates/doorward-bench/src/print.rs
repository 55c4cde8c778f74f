//! What people see while it runs: the table on standard output, what goes on on standard error.
//!
//! The surprise: these are the only two places that print, so that a table can be piped.

use std::io::{self, Write};

/// A line of a table, or anything that another program reads. A pipe that nobody reads any more is no failure.
pub(crate) fn line(text: &str) {
    let mut out = io::stdout();
    drop(writeln!(out, "{text}").and_then(|()| out.flush()));
}

/// What is being done now.
pub(crate) fn progress(text: &str) {
    drop(writeln!(io::stderr(), "{text}"));
}
