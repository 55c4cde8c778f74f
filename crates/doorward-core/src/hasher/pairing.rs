//! Whether threads make two hashes at once or one after the other: as it costs less time of the processor, learned
//! from the hashes that were made.
//!
//! The surprise: neither is faster everywhere, nor at all times on one machine, and no thread can tell alone. Of two at
//! once one computes while the memory of the other is on its way; but they want twice as much of the cache that all
//! cores share, with other guests of the host as well. So all threads change together, for a while.

use std::time::Duration;

/// Choices of each thread before the other way is tried: as many after a change, and twice as many each time that the
/// other way turned out to be no better, up to some seconds of work. While the dearer way is tried, hashes cost more.
const STAY: u32 = 128;
const LONGEST_STAY: u32 = 1024;

/// Choices of each thread that try it.
const TRY: u32 = 8;

/// Hashes of each thread that tell nothing, while the cache still has what the way before left there.
const SETTLE: u32 = 2;

/// Measurements in an average: the first so many count alike, and after that each is one part of this many.
const WEIGHT: u32 = 16;

/// What the other way has to cost of this one, so that it is worth a change: less than noise makes it.
const WORTH: f64 = 0.97;

/// The way that is taken, and what is known of both.
pub(super) struct Pairing {
    threads: u32,
    way: Way,
    /// Whether the way is only being tried, after the other.
    is_trial: bool,
    /// Choices of each thread before the next trial.
    stay: u32,
    /// Choices of all threads until the next change.
    left: u32,
    /// Hashes until what they cost counts.
    unsettled: u32,
    /// Measurements of this way since then.
    measured: u32,
    /// Nanoseconds that a unit of work costs by this way, and by the one before.
    cost: Option<f64>,
    cost_before: Option<f64>,
}

/// How two hashes that wait are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    AtOnce,
    InTurn,
}

impl Way {
    fn other(self) -> Self {
        match self {
            Self::AtOnce => Self::InTurn,
            Self::InTurn => Self::AtOnce,
        }
    }
}

impl Pairing {
    /// For so many threads, at least one. First come pairs, which most machines make faster.
    pub(super) fn new(threads: u32) -> Self {
        let mut pairing = Self {
            threads,
            way: Way::InTurn,
            is_trial: false,
            stay: STAY,
            left: 0,
            unsettled: 0,
            measured: 0,
            cost: None,
            cost_before: None,
        };
        pairing.change(false);
        pairing
    }

    /// Whether the next two hashes are to be made at once. To be asked only when there are two.
    pub(super) fn choose(&mut self) -> bool {
        if self.left == 0 {
            self.decide();
        }
        self.left = self.left.saturating_sub(1);
        self.way == Way::AtOnce
    }

    /// Learns what a unit of work cost of the processor: waiting for memory counts, for other threads not. What was made
    /// the other way, because nobody else waited or before the change, tells nothing.
    pub(super) fn learn(&mut self, is_pair: bool, cost: Duration, units: f64) {
        if is_pair != (self.way == Way::AtOnce) {
            return;
        }
        if self.unsettled > 0 {
            self.unsettled -= 1;
            return;
        }
        let nanos = cost.as_secs_f64() * 1e9 / units;
        self.measured = self.measured.saturating_add(1);
        let weight = f64::from(self.measured.min(WEIGHT));
        self.cost = Some(self.cost.map_or(nanos, |cost| cost + (nanos - cost) / weight));
    }

    /// Tries the other way, or keeps the better one of both after that.
    fn decide(&mut self) {
        let is_worse = match (self.cost, self.cost_before) {
            (Some(cost), Some(before)) => cost > before * WORTH,
            _ => true,
        };
        if !self.is_trial {
            self.change(true);
        } else if is_worse {
            self.stay = LONGEST_STAY.min(2 * self.stay);
            self.change(false);
        } else {
            self.stay = STAY;
            self.is_trial = false;
            self.left = STAY.saturating_mul(self.threads);
        }
    }

    fn change(&mut self, is_trial: bool) {
        self.way = self.way.other();
        self.is_trial = is_trial;
        self.left = if is_trial { TRY } else { self.stay }.saturating_mul(self.threads);
        self.unsettled = SETTLE.saturating_mul(self.threads);
        self.measured = 0;
        self.cost_before = self.cost.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the next choices, how many are for pairs, on a machine where both ways cost this much.
    fn pairs_of(pairing: &mut Pairing, choices: u32, alone: u64, paired: u64) -> usize {
        let mut choose = |_: &u32| {
            let is_pair = pairing.choose();
            let nanos = if is_pair { paired } else { alone };
            pairing.learn(is_pair, Duration::from_nanos(nanos * 10), 10.0);
            is_pair
        };
        (0..choices).filter(&mut choose).count()
    }

    #[test]
    fn the_way_that_costs_less_is_taken_and_the_other_tried() {
        for threads in [1, 4] {
            let mut pairing = Pairing::new(threads);
            let mut pairs = |choices, alone, paired| pairs_of(&mut pairing, choices * threads, alone, paired);
            let all = |choices: u32| (choices * threads) as usize;
            assert_eq!((pairs(STAY, 100, 90), pairs(TRY, 100, 90)), (all(STAY), 0));
            assert_eq!((pairs(2 * STAY, 90, 100), pairs(TRY, 90, 100)), (all(2 * STAY), 0));
            assert_eq!((pairs(STAY, 90, 100), pairs(TRY, 90, 100)), (0, all(TRY)));
            assert_eq!((pairs(2 * STAY, 90, 100), pairs(TRY, 90, 100)), (0, all(TRY)));
        }
    }

    #[test]
    fn what_was_better_each_time_is_seldom_questioned() {
        let mut pairing = Pairing::new(1);
        for stay in [STAY, 2 * STAY, 4 * STAY, LONGEST_STAY, LONGEST_STAY] {
            assert_eq!(pairs_of(&mut pairing, stay, 100, 90), stay as usize);
            assert_eq!(pairs_of(&mut pairing, TRY, 100, 90), 0);
        }
    }

    #[test]
    fn a_difference_that_may_be_noise_changes_nothing() {
        let mut pairing = Pairing::new(1);
        for stay in [STAY, 2 * STAY, 4 * STAY] {
            assert_eq!(pairs_of(&mut pairing, stay + TRY, 98, 100), stay as usize);
        }
    }

    /// Of two ways, the one that costs less most of the time is taken, whichever hash comes first.
    #[test]
    fn a_single_hash_does_not_decide() {
        for odd_one in 0..TRY {
            let mut pairing = Pairing::new(1);
            assert_eq!(pairs_of(&mut pairing, STAY, 0, 100), STAY as usize);
            for number in 0..TRY {
                // Dearer by a tenth, but for one that was as cheap as can be.
                let nanos = if number == odd_one { 70 } else { 110 };
                assert_eq!(pairs_of(&mut pairing, 1, nanos, 0), 0);
            }
            assert_eq!(pairs_of(&mut pairing, 1, 0, 100), 1, "{odd_one}");
        }
    }

    /// Alone, because nobody else waited, hashes cost less: there is more of the cache for them.
    #[test]
    fn hashes_without_a_choice_tell_nothing() {
        let mut pairing = Pairing::new(1);
        for stay in [STAY, 2 * STAY, 4 * STAY] {
            assert_eq!(pairs_of(&mut pairing, stay, 100, 90), stay as usize);
            pairing.learn(false, Duration::from_nanos(1), 1.0);
            assert_eq!(pairs_of(&mut pairing, TRY, 100, 90), 0);
        }
    }
}
