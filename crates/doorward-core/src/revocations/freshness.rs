//! For how long what was read from the store may stand for it.
//!
//! The surprise: the beginning of time is not fresh. What was never read is not known, however young the process is.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::FRESH_FOR;
use crate::{Moment, Timestamp};

/// When the store was read last, as a limit by each of the two clocks: the time that passes may have stood still while
/// the machine was stopped, and the other one can be set back.
#[derive(Default)]
pub(crate) struct Freshness {
    /// The first millisecond of the clock's running time that is too late. 0: nothing was read yet.
    too_late: AtomicU64,
    /// The last one of the time that people set that is not too late.
    last: AtomicI64,
}

impl Freshness {
    /// Whether what was read still stands for the store.
    pub(crate) fn holds(&self, at: Moment) -> bool {
        millis(at.running) < self.too_late.load(Ordering::SeqCst)
            && at.now <= Timestamp(self.last.load(Ordering::SeqCst))
    }

    /// Everything was read. `asked` is when the store was asked, not when it answered.
    pub(crate) fn confirm(&self, asked: Moment) {
        let last = asked.plus(FRESH_FOR);
        let too_late = millis(last.running).saturating_add(1);
        // Of two the one that asked later, whatever was set in between.
        if self.too_late.fetch_max(too_late, Ordering::SeqCst) <= too_late {
            self.last.store(last.now.0, Ordering::SeqCst);
        }
    }

    /// What was read stands for the store no more.
    pub(crate) fn lose(&self) {
        self.too_late.store(0, Ordering::SeqCst);
    }
}

fn millis(running: Duration) -> u64 {
    u64::try_from(running.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn at(running: Duration, now: i64) -> Moment {
        let now = Timestamp(now);
        Moment { running, now }
    }

    #[test]
    fn what_was_never_read_is_not_fresh() {
        let freshness = Freshness::default();
        assert!(
            !freshness.holds(at(Duration::ZERO, 0)),
            "the first moment of the process"
        );
        freshness.confirm(at(Duration::ZERO, 0));
        assert!(freshness.holds(at(Duration::ZERO, 0)) && freshness.holds(at(FRESH_FOR, 0)));
        assert!(!freshness.holds(at(FRESH_FOR + Duration::from_millis(1), 0)));
    }

    #[test]
    fn an_older_question_takes_nothing_back() {
        let freshness = Freshness::default();
        freshness.confirm(at(5 * SECOND, 5_000));
        freshness.confirm(at(2 * SECOND, 2_000));
        assert!(freshness.holds(at(6 * SECOND, 6_000)));
    }

    #[test]
    fn it_ends_by_the_clock_that_goes_on() {
        let freshness = Freshness::default();
        freshness.confirm(at(5 * SECOND, 5_000));
        assert!(freshness.holds(at(5 * SECOND, 6_000)) && freshness.holds(at(6 * SECOND, -9_000)));
        assert!(!freshness.holds(at(5 * SECOND, 6_001)), "the machine was stopped");
        assert!(!freshness.holds(at(7 * SECOND, -9_000)), "the other clock was set back");
        freshness.confirm(at(6 * SECOND, -9_000));
        assert!(freshness.holds(at(6 * SECOND, -8_000)) && !freshness.holds(at(6 * SECOND, -7_999)));
    }
}
