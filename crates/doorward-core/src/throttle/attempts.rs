//! Attempts that are counted together, and the delay that they cost.
//!
//! The surprise: an attempt that succeeds, or is never made, takes back its moment as well as its number, so that it
//! delays nobody who comes after it.

use std::time::Duration;

use super::{Ending, ThrottleConfig};
use crate::Timestamp;

/// The first delay after the free attempts; each further attempt doubles it.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// The most delays that a network waits for others. One that has tried often can be let in after five delays, so that
/// for four fifths of the time the account is open to whoever has not.
const MOST_TURNS: u32 = 4;

/// How many times a network may ask too early before that counts as a turn: more than somebody presses a button.
const EARLY_FOR_A_TURN: u32 = 10;

/// How many attempts have been made and not taken back, and when the last was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Attempts {
    pub(super) failed: u32,
    in_flight: u32,
    last: Timestamp,
}

/// An attempt in flight: when it began, and when the one before did, to go back to.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    at: Timestamp,
    previous: Timestamp,
}

impl Attempts {
    pub(super) fn none(now: Timestamp) -> Self {
        Self {
            failed: 0,
            in_flight: 0,
            last: now,
        }
    }

    /// Those that failed, or are in flight and may.
    pub(super) fn made(&self) -> u32 {
        self.failed.saturating_add(self.in_flight)
    }

    /// How long ago the last one was. A clock that was set back must not turn a delay of seconds into one of days.
    pub(super) fn age(&mut self, now: Timestamp) -> Duration {
        self.last = self.last.min(now);
        now.since(self.last)
    }

    /// Whether nothing happened for so long that the failures need not be remembered.
    pub(super) fn is_forgotten(&mut self, after: Duration, now: Timestamp) -> bool {
        self.in_flight == 0 && self.age(now) >= after
    }

    /// How long after the last attempt the next one may be made.
    pub(super) fn delay(&self, config: &ThrottleConfig) -> Duration {
        let Some(beyond) = self.made().checked_sub(config.free_attempts) else {
            return Duration::ZERO;
        };
        let factor = 1u32.checked_shl(beyond).unwrap_or(u32::MAX);
        FIRST_DELAY.saturating_mul(factor).min(config.max_delay)
    }

    pub(super) fn begin(&mut self, now: Timestamp) -> Begun {
        self.in_flight = self.in_flight.saturating_add(1);
        let previous = std::mem::replace(&mut self.last, now);
        Begun { at: now, previous }
    }

    pub(super) fn end(&mut self, begun: Begun, ending: Ending) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if ending == Ending::Failed {
            self.failed = self.failed.saturating_add(1);
        } else if self.last == begun.at {
            self.last = begun.previous;
        }
    }
}

/// What a network has done at a subject.
#[derive(Clone, Copy, Debug)]
pub(super) struct Guest {
    pub(super) attempts: Attempts,
    /// How many times it asked too early.
    pub(super) early: u32,
}

impl Guest {
    pub(super) fn new(now: Timestamp) -> Self {
        Self {
            attempts: Attempts::none(now),
            early: 0,
        }
    }

    /// How long it has to wait where this is the delay and the last attempt so long ago. If it has to, it asked too
    /// early, which is remembered; the answer knows of it already, so that who comes back when told is let in.
    pub(super) fn ask(&mut self, delay: Duration, age: Duration) -> Duration {
        let wait = |turns: u32| delay.saturating_mul(1 + turns).saturating_sub(age);
        if wait(self.turns()).is_zero() {
            return Duration::ZERO;
        }
        self.early = self.early.saturating_add(1);
        wait(self.turns())
    }

    /// How many delays it waits for others.
    fn turns(&self) -> u32 {
        let turns = self.attempts.made().saturating_add(self.early / EARLY_FOR_A_TURN);
        turns.min(MOST_TURNS)
    }
}
