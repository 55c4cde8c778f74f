//! How long hashes take on this machine, learned from those that were made.
//!
//! The surprise: what is remembered is the time of a *unit* of each kind of work, not of each cost. Argon2 takes its
//! time by the block and bcrypt by the round, so a few numbers tell what a hash of any cost will take.

use std::time::Duration;

use super::memory::Argon2Cost;
use super::pairing::Pairing;

/// How much of a new measurement goes into the average, as one part of this many: the last dozen hashes decide.
const WEIGHT: f64 = 8.0;

/// How many times the average, or the processor time of it if that is more, a measurement counts at most. A process
/// that was stopped for a minute in the middle of a hash would have hashes take seconds by the average, and refuse
/// everybody until it has forgotten that. What took the processor for that long is slow: of hashes that differ in their
/// pace the slow ones count in full, where processor time is measured.
const MOST: f64 = 4.0;

/// What there is to do for a job, as far as its time is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    /// A hash of Argon2.
    Argon2(Argon2Cost),
    /// A hash of bcrypt, with its cost.
    Bcrypt(u32),
    /// An estimate of a password's strength.
    Strength,
}

/// What a thread did, and what it got for that.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effort {
    /// Jobs done, two of them at once.
    pub(super) did: u32,
    /// How long they took, from when the thread could have begun.
    pub(super) took: Duration,
    /// Processor time of that; none where it is not measured.
    pub(super) used: Option<Duration>,
}

/// Nanoseconds that a thread spends on a unit of each kind of work: averages that move.
pub(super) struct Pace {
    /// Argon2 as new hashes are, by the block of 1 KiB and pass.
    argon2: Average,
    /// Argon2 in other variants, which other code computes.
    other_argon2: Average,
    /// bcrypt, by the round.
    bcrypt: Average,
    /// Strength, by the password.
    strength: Average,
    /// Whether two hashes of `argon2` are made at once.
    pairing: Pairing,
}

struct Average {
    nanos: f64,
    measured: bool,
}

impl Average {
    fn unmeasured(nanos: f64) -> Self {
        Self { nanos, measured: false }
    }
}

impl Pace {
    /// What a machine takes that is slower than most, until it is measured, by one of so many threads: 58 hashes of
    /// 19456 KiB in two passes a second, 14 of bcrypt at cost 10, 500 estimates.
    pub(super) fn unmeasured(threads: u32) -> Self {
        Self {
            argon2: Average::unmeasured(450.0),
            other_argon2: Average::unmeasured(450.0),
            bcrypt: Average::unmeasured(70_000.0),
            strength: Average::unmeasured(2_000_000.0),
            pairing: Pairing::new(threads),
        }
    }

    /// How long a thread will take.
    pub(super) fn estimate(&mut self, work: Work) -> Duration {
        let (average, units) = self.of(work);
        Duration::try_from_secs_f64(average.nanos * units / 1e9).unwrap_or(Duration::MAX)
    }

    /// Whether two jobs, both this work, are to be done at once.
    pub(super) fn choose_pair(&mut self) -> bool {
        self.pairing.choose()
    }

    /// Learns what a thread took for this work. Of two jobs at once, each takes half of the time.
    pub(super) fn learn(&mut self, work: Work, effort: Effort) {
        let Some(took) = effort.took.checked_div(effort.did) else {
            return;
        };
        let used = effort.used.map(|used| used / effort.did);
        let (average, units) = self.of(work);
        let by_unit = |time: Duration| time.as_secs_f64() * 1e9 / units;
        let nanos = by_unit(took).min(used.map_or(0.0, by_unit).max(average.nanos) * MOST);
        if average.measured {
            average.nanos += (nanos - average.nanos) / WEIGHT;
        } else {
            *average = Average { nanos, measured: true };
        }
        if matches!(work, Work::Argon2(cost) if cost.is_ours()) {
            self.pairing.learn(effort.did > 1, used.unwrap_or(took), units);
        }
    }

    /// What is known of this kind of work, and how many units it is.
    fn of(&mut self, work: Work) -> (&mut Average, f64) {
        match work {
            Work::Argon2(cost) => {
                let average = if cost.is_ours() {
                    &mut self.argon2
                } else {
                    &mut self.other_argon2
                };
                (average, f64::from(cost.m_kib) * f64::from(cost.t))
            }
            Work::Bcrypt(cost) => (&mut self.bcrypt, f64::from(cost).exp2()),
            Work::Strength => (&mut self.strength, 1.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn argon2(m_kib: u32, t: u32, p: u32) -> Work {
        Work::Argon2(Argon2Cost::latest(m_kib, t, p))
    }

    fn one_in(took: Duration) -> Effort {
        let (did, used) = (1, Some(took));
        Effort { did, took, used }
    }

    #[test]
    fn one_measurement_tells_of_every_cost_and_no_other_kind() {
        let mut pace = Pace::unmeasured(1);
        let before = pace.estimate(argon2(1024, 1, 2));
        pace.learn(argon2(1024, 2, 1), one_in(2 * MS));
        assert_eq!(pace.estimate(argon2(1024, 2, 1)), 2 * MS);
        assert_eq!(pace.estimate(argon2(4096, 3, 1)), 12 * MS);
        assert_eq!(pace.estimate(argon2(1024, 1, 2)), before, "other code computes lanes");
        pace.learn(Work::Bcrypt(4), one_in(3 * MS));
        assert_eq!(pace.estimate(Work::Bcrypt(10)), 64 * 3 * MS);
        assert_eq!(
            pace.estimate(Work::Bcrypt(4000)),
            Duration::MAX,
            "nonsense does not overflow"
        );
    }

    #[test]
    fn the_average_moves_and_forgets() {
        let mut pace = Pace::unmeasured(1);
        let work = argon2(1000, 1, 1);
        pace.learn(work, one_in(MS));
        pace.learn(work, one_in(3 * MS));
        assert_eq!(pace.estimate(work), MS + MS / 4);
        for _ in 0..100 {
            pace.learn(work, one_in(5 * MS));
        }
        let off = pace.estimate(work).abs_diff(5 * MS);
        assert!(off < MS / 100, "{off:?}");
    }

    /// While a process is stopped it uses no processor, if anybody can tell.
    #[test]
    fn a_process_that_was_stopped_does_not_take_its_hashes_for_slow() {
        for used in [Some(MS), None] {
            let stopped = Effort {
                used,
                ..one_in(3600 * 1000 * MS)
            };
            let mut pace = Pace::unmeasured(1);
            let work = argon2(16_000, 1, 1);
            let before = pace.estimate(work);
            pace.learn(work, stopped);
            assert_eq!(pace.estimate(work), 4 * before, "also where it was the first");
            for _ in 0..100 {
                pace.learn(work, one_in(MS));
            }
            pace.learn(work, stopped);
            assert!(pace.estimate(work) < 2 * MS, "{:?}", pace.estimate(work));
            let starved = Effort {
                used,
                ..one_in(1000 * MS)
            };
            for _ in 0..100 {
                pace.learn(work, starved);
            }
            let off = pace.estimate(work).abs_diff(1000 * MS);
            assert!(off < 10 * MS, "what stays slow is learned: {off:?}");
        }
    }

    /// Stored hashes of other variants are computed by other code, at a pace of their own.
    #[test]
    fn of_fast_and_slow_hashes_the_average_is_learned() {
        let mut pace = Pace::unmeasured(1);
        let work = argon2(1000, 1, 2);
        let (mut estimated, rounds) = (Duration::ZERO, 100);
        for _ in 0..rounds {
            for took in [MS, MS, MS, 100 * MS] {
                pace.learn(work, one_in(took));
                estimated += pace.estimate(work);
            }
        }
        let on_average = estimated / (4 * rounds);
        assert!(on_average > 24 * MS && on_average < 28 * MS, "{on_average:?}");
    }
}
