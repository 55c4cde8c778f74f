//! When what a node said was true, told by the clocks of this machine. Arithmetic only.
//!
//! A node says at the head of a stream what its own clock says (`hello`), and later when, by that clock, it asked its
//! database (`fresh`). This side knows when it sent the request. The hello was made after that, so what the node did
//! `n` later was done later than `n` after the request: counting from the request makes every proof too old by the
//! time the request took, and never too young. The surprise: the arrival of an event proves nothing. One that was
//! in flight for ten seconds is ten seconds old when it comes.

use crate::clock::Moment;

/// Of how many microseconds two clocks may differ by one: Linux slews a clock by 500 ppm at most, and the other one
/// may go the other way.
const DRIFT: i64 = 1000;
/// A node tells whole milliseconds: the difference of two of them may be too long by one.
const GRAIN: i64 = 1000;

/// The two clocks, tied together: what this machine's said when a stream was asked for, and what the node's said when
/// it answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Anchor {
    sent: Moment,
    /// The node's clock at its hello, in microseconds.
    hello: i64,
    /// The smallest lead seen since, so that a clock set back does not hide a later sleep.
    lead: i64,
}

/// A moment at which the database was asked and everything it said is known here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Proof {
    /// By the monotonic clock of this machine, not later than it really was.
    at: i64,
    /// The lead that [`Anchor`] had.
    lead: i64,
}

impl Anchor {
    /// The request went out at `sent`; the node's clock said `hello` milliseconds when it answered.
    pub(crate) fn new(sent: Moment, hello: u64) -> Self {
        Self {
            sent,
            hello: micros(hello),
            lead: sent.lead(),
        }
    }

    /// The node asked its database when its clock said `asked` milliseconds, and everything that it answered is here;
    /// that was told at `arrived`.
    pub(crate) fn proof(&mut self, asked: u64, arrived: Moment) -> Proof {
        self.lead = self.lead.min(arrived.lead());
        let since_hello = micros(asked).saturating_sub(self.hello);
        let drift = arrived.running.saturating_sub(self.sent.running) / DRIFT;
        let at = self.sent.running.saturating_add(since_hello) - drift.max(0) - GRAIN;
        Proof {
            // No node sees into the future.
            at: at.min(arrived.running),
            lead: self.lead,
        }
    }

    /// By how much the clocks of this machine have parted since: it slept, or somebody set it forward.
    pub(crate) fn parted(&self, now: Moment) -> i64 {
        now.lead().saturating_sub(self.lead).max(0)
    }
}

impl Proof {
    /// Whether it is a proof of that moment of the monotonic clock, or of a later one.
    pub(crate) fn is_of(&self, moment: i64) -> bool {
        self.at >= moment
    }

    /// How old it is at least taken for, in microseconds.
    pub(crate) fn age(&self, now: Moment) -> i64 {
        let running = now.running.saturating_sub(self.at).max(0);
        let slept = now.lead().saturating_sub(self.lead).max(0);
        running.saturating_add(slept)
    }
}

fn micros(millis: u64) -> i64 {
    i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1000)
}

#[cfg(test)]
#[path = "freshness_tests.rs"]
mod tests;
