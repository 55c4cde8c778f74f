//! How long hashes take on this machine, learned from those that were made.
//!
//! The surprise: what is remembered is the time of a *unit* of each kind of work, not of each cost. Argon2 takes its
//! time by the block and bcrypt by the round, so a few numbers tell what a hash of any cost will take.

use std::time::Duration;

use super::memory::Argon2Cost;

/// How much of a new measurement goes into the average, as one part of this many: the last dozen hashes decide.
const WEIGHT: f64 = 8.0;

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
    /// What a machine takes that is slower than most, until it is measured: 58 hashes of 19456 KiB in two passes a
    /// second, 14 of bcrypt at cost 10, 500 estimates.
    pub(super) fn unmeasured() -> Self {
        Self {
            argon2: Average::unmeasured(450.0),
            other_argon2: Average::unmeasured(450.0),
            bcrypt: Average::unmeasured(70_000.0),
            strength: Average::unmeasured(2_000_000.0),
        }
    }

    /// How long a thread will take.
    pub(super) fn estimate(&mut self, work: Work) -> Duration {
        let (average, units) = self.of(work);
        Duration::try_from_secs_f64(average.nanos * units / 1e9).unwrap_or(Duration::MAX)
    }

    /// Learns that a thread took this long; for two jobs at once, half of the time that both took.
    pub(super) fn learn(&mut self, work: Work, took: Duration) {
        let (average, units) = self.of(work);
        let nanos = took.as_secs_f64() * 1e9 / units;
        if average.measured {
            average.nanos += (nanos - average.nanos) / WEIGHT;
        } else {
            *average = Average { nanos, measured: true };
        }
    }

    /// What is known of this kind of work, and how many units it is.
    fn of(&mut self, work: Work) -> (&mut Average, f64) {
        match work {
            Work::Argon2(cost) => {
                let is_latest = cost == Argon2Cost::latest(cost.m_kib, cost.t, 1);
                let average = if is_latest {
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

    #[test]
    fn one_measurement_tells_of_every_cost_and_no_other_kind() {
        let mut pace = Pace::unmeasured();
        let before = pace.estimate(argon2(1024, 1, 2));
        pace.learn(argon2(1024, 2, 1), 2 * MS);
        assert_eq!(pace.estimate(argon2(1024, 2, 1)), 2 * MS);
        assert_eq!(pace.estimate(argon2(4096, 3, 1)), 12 * MS);
        assert_eq!(pace.estimate(argon2(1024, 1, 2)), before, "other code computes lanes");
        pace.learn(Work::Bcrypt(4), 3 * MS);
        assert_eq!(pace.estimate(Work::Bcrypt(10)), 64 * 3 * MS);
        assert_eq!(
            pace.estimate(Work::Bcrypt(4000)),
            Duration::MAX,
            "nonsense does not overflow"
        );
    }

    #[test]
    fn the_average_moves_and_forgets() {
        let mut pace = Pace::unmeasured();
        let work = argon2(1000, 1, 1);
        pace.learn(work, MS);
        pace.learn(work, 9 * MS);
        assert_eq!(pace.estimate(work), 2 * MS);
        for _ in 0..100 {
            pace.learn(work, 5 * MS);
        }
        let off = pace.estimate(work).abs_diff(5 * MS);
        assert!(off < MS / 100, "{off:?}");
    }
}
