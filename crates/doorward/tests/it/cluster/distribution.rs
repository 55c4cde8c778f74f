//! Times, told as the middle and the ends of their distribution.
//!
//! The surprise: a report goes past the test runner's capture, since the one who reads it is the one whose tests pass.

use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

/// Times, in order.
pub(crate) struct Distribution(Vec<Duration>);

impl FromIterator<Duration> for Distribution {
    fn from_iter<I: IntoIterator<Item = Duration>>(times: I) -> Self {
        let mut times: Vec<Duration> = times.into_iter().collect();
        times.sort_unstable();
        Self(times)
    }
}

impl Distribution {
    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// The time that so many in a hundred do not exceed (nearest rank).
    fn percentile(&self, percent: usize) -> Duration {
        let rank = (self.0.len() * percent).div_ceil(100).max(1);
        self.0.get(rank - 1).copied().unwrap_or_default()
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, percent) in [("p50", 50), ("p90", 90), ("p99", 99), ("max", 100)] {
            let gap = if percent == 50 { "" } else { ", " };
            write!(
                f,
                "{gap}{name} {:.1} ms",
                self.percentile(percent).as_secs_f64() * 1000.0
            )?;
        }
        Ok(())
    }
}

/// Shows a line to whoever runs the tests.
pub(crate) fn report(line: &str) {
    // What nobody can read is no failure.
    drop(writeln!(io::stderr(), "{line}"));
}

#[test]
fn percentiles_are_of_the_nearest_rank() {
    let times: Distribution = (1..=200).rev().map(Duration::from_millis).collect();
    assert_eq!(
        times.to_string(),
        "p50 100.0 ms, p90 180.0 ms, p99 198.0 ms, max 200.0 ms"
    );
    let one: Distribution = [Duration::from_millis(7)].into_iter().collect();
    assert_eq!(one.to_string(), "p50 7.0 ms, p90 7.0 ms, p99 7.0 ms, max 7.0 ms");
}
