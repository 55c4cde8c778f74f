//! For how long what was read from the store may stand for it.
//!
//! The surprise: the beginning of time is not fresh. What was never read is not known, however young the process is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::FRESH_FOR;

/// When the store was read last, as a limit in the clock's running time.
#[derive(Default)]
pub(crate) struct Freshness {
    /// The first millisecond that is too late. 0: nothing was read yet.
    too_late: AtomicU64,
}

impl Freshness {
    /// Whether what was read still stands for the store.
    pub(crate) fn holds(&self, running: Duration) -> bool {
        millis(running) < self.too_late.load(Ordering::SeqCst)
    }

    /// Everything was read. `asked` is when the store was asked, not when it answered.
    pub(crate) fn confirm(&self, asked: Duration) {
        let too_late = millis(asked + FRESH_FOR).saturating_add(1);
        self.too_late.fetch_max(too_late, Ordering::SeqCst);
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

    #[test]
    fn what_was_never_read_is_not_fresh() {
        let freshness = Freshness::default();
        assert!(!freshness.holds(Duration::ZERO), "the first moment of the process");
        freshness.confirm(Duration::ZERO);
        assert!(freshness.holds(Duration::ZERO) && freshness.holds(FRESH_FOR));
        assert!(!freshness.holds(FRESH_FOR + Duration::from_millis(1)));
    }

    #[test]
    fn an_older_question_takes_nothing_back() {
        let (freshness, second) = (Freshness::default(), Duration::from_secs(1));
        freshness.confirm(5 * second);
        freshness.confirm(2 * second);
        assert!(freshness.holds(6 * second));
    }
}
