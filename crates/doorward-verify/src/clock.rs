//! The only place of this crate that reads the time.
//!
//! The surprise: both clocks of the machine are read each time. The monotonic one measures, because nobody can set it;
//! but it stands still while a machine sleeps, and only the other one then shows that time has passed.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What the clocks of this machine say, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Moment {
    /// Since the clock was made, by the monotonic clock.
    pub(crate) running: i64,
    /// Since 1970-01-01T00:00:00Z, by the clock that people set.
    pub(crate) wall: i64,
}

impl Moment {
    /// How far the clock that people set is ahead of the monotonic one. It grows when the machine sleeps or is set
    /// forward, and is constant otherwise.
    pub(crate) fn lead(self) -> i64 {
        self.wall.saturating_sub(self.running)
    }

    /// Whole seconds since the epoch (RFC 7519 section 2, `NumericDate`).
    pub(crate) fn seconds(self) -> i64 {
        self.wall.div_euclid(1_000_000)
    }
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock(Instant);

impl Clock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
    pub(crate) fn now(&self) -> Moment {
        // In this order: whoever is interrupted in between takes the lead for smaller, and proofs for older than they are.
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Moment {
            running: micros(self.0.elapsed()),
            wall: micros(wall),
        }
    }
}

/// A duration in microseconds.
pub(crate) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

/// Microseconds as a duration; zero for what is negative.
pub(crate) fn duration(micros: i64) -> Duration {
    Duration::from_micros(u64::try_from(micros).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_never_goes_back() {
        let clock = Clock::start();
        let (first, second) = (clock.now(), clock.now());
        assert!(first.running <= second.running);
        assert!(first.seconds() > 1_700_000_000, "the machine knows the century");
    }
}
