//! The only place that reads the time. The surprise: a clock can stand still, so that tests move it.
//!
//! How long ago something was is told by the time that passes, which nobody can set. Where that stands still, in a
//! machine that was stopped, the clock that people set shows it once it is right again; what must not be trusted for
//! too long is held against both ([`Moment`]).

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use self::passing::Passing;

mod passing;

/// A moment, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// Whole seconds since the epoch, as JWTs count (RFC 7519 section 2, `NumericDate`).
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The moment `duration` later; stops at the end of time and does not wrap.
    pub fn plus(self, duration: Duration) -> Self {
        let ms = i64::try_from(duration.as_millis()).unwrap_or(i64::MAX);
        Self(self.0.saturating_add(ms))
    }

    /// How long it is from `earlier` until this moment; zero when it is not later.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }
}

/// RFC 3339 in UTC with milliseconds, as in `2024-06-23T08:19:51.000Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(at) => write!(f, "{at:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

/// What the clocks show, to tell how old something is by now.
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// How long the clock has been running.
    pub running: Duration,
    /// The time.
    pub now: Timestamp,
}

impl Moment {
    /// The moment `duration` later, by both clocks.
    pub fn plus(self, duration: Duration) -> Self {
        Self {
            running: self.running.saturating_add(duration),
            now: self.now.plus(duration),
        }
    }

    /// Whether neither clock is past that moment. If one is set forward, something counts as older than it is.
    pub fn is_within(self, last: Self) -> bool {
        self.running <= last.running && self.now <= last.now
    }
}

/// Tells the time: the machine's, or one that a test moves.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    /// With the moment from which it measures what must not be fooled by a clock that is set.
    System(Passing),
    Manual(Arc<Manual>),
}

/// What a test has made of the time, in milliseconds.
#[derive(Debug)]
struct Manual {
    now: AtomicI64,
    running: AtomicI64,
}

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(Source::System(Passing::start()))
    }

    /// A clock that stands still at `start` until [`Clock::advance`].
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(Manual {
            now: AtomicI64::new(start.0),
            running: AtomicI64::new(start.0),
        })))
    }

    /// Now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System(_) => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Source::Manual(manual) => Timestamp(manual.now.load(Ordering::SeqCst)),
        }
    }

    /// A point to measure how long something takes from; always the machine's.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the time")]
    pub fn instant(&self) -> Instant {
        Instant::now()
    }

    /// How long this clock has been running: it never goes back, also when somebody sets the machine's, and on Linux it
    /// goes on while the machine sleeps.
    pub fn running(&self) -> Duration {
        match &self.0 {
            Source::System(start) => start.elapsed(),
            Source::Manual(manual) => {
                let running = manual.running.load(Ordering::SeqCst);
                Duration::from_millis(u64::try_from(running).unwrap_or(0))
            }
        }
    }

    /// What both show now.
    pub fn moment(&self) -> Moment {
        Moment {
            running: self.running(),
            now: self.now(),
        }
    }

    /// Moves a manual clock on; the machine's clock is left alone.
    pub fn advance(&self, by: Duration) {
        if let Source::Manual(manual) = &self.0 {
            let by = i64::try_from(by.as_millis()).unwrap_or(0);
            manual.now.fetch_add(by, Ordering::SeqCst);
            manual.running.fetch_add(by, Ordering::SeqCst);
        }
    }

    /// Sets a manual clock, as somebody sets the machine's: no time passes by it. The machine's is left alone.
    pub fn set(&self, at: Timestamp) {
        if let Source::Manual(manual) = &self.0 {
            manual.now.store(at.0, Ordering::SeqCst);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_as_the_documents_do() {
        assert_eq!(Timestamp(1_719_130_791_000).to_string(), "2024-06-23T08:19:51.000Z");
        assert_eq!(Timestamp(7).to_string(), "1970-01-01T00:00:00.007Z");
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = Clock::manual(Timestamp(5));
        assert_eq!(clock.now(), Timestamp(5));
        clock.advance(Duration::from_millis(2));
        assert_eq!((clock.now(), clock.running()), (Timestamp(7), Duration::from_millis(7)));
        clock.set(Timestamp(3));
        assert_eq!((clock.now(), clock.running()), (Timestamp(3), Duration::from_millis(7)));
    }
}
