//! Latencies, counted in buckets whose width is under a hundredth of what is in them.
//!
//! The surprise: a percentile is the upper end of its bucket. It may be a hundredth too high and is never too low.

use std::time::Duration;

/// Buckets for each doubling: 2⁷.
const PRECISION: u32 = 7;
/// Enough for every number of 64 bits.
const BUCKETS: usize = (64 - PRECISION as usize + 1) << PRECISION;

/// How often which latency was seen, in nanoseconds.
#[derive(Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS],
            count: 0,
            max: 0,
        }
    }
}

impl Histogram {
    pub(crate) fn record(&mut self, latency: Duration) {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        if let Some(count) = self.counts.get_mut(bucket(ns)) {
            *count += 1;
        }
        self.count += 1;
        self.max = self.max.max(ns);
    }

    /// Takes over what another one counted.
    pub(crate) fn add(&mut self, other: &Self) {
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.count += other.count;
        self.max = self.max.max(other.max);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// How many took longer.
    pub(crate) fn over(&self, latency: Duration) -> u64 {
        let ns = u64::try_from(latency.as_nanos()).unwrap_or(u64::MAX);
        self.counts.iter().skip(bucket(ns) + 1).sum()
    }

    /// The latency within which a share (0 to 1) was answered, in milliseconds.
    pub(crate) fn ms(&self, share: f64) -> f64 {
        let rank = (share * crate::statistics::number(self.count)).ceil().max(1.0);
        let mut seen = 0.0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += crate::statistics::number(*count);
            if seen >= rank {
                return ms(upper_end(index).min(self.max));
            }
        }
        ms(self.max)
    }

    /// The longest, in milliseconds.
    pub(crate) fn max_ms(&self) -> f64 {
        ms(self.max)
    }
}

fn ms(ns: u64) -> f64 {
    crate::statistics::number(ns) / 1e6
}

/// The bucket of a number: the first 2⁷ have one each, then each doubling has 2⁷.
fn bucket(ns: u64) -> usize {
    let doubling = (64 - ns.leading_zeros()).saturating_sub(PRECISION + 1);
    let within = usize::try_from(ns >> doubling).unwrap_or(usize::MAX);
    // Past the first doubling, `within` lies between 2⁷ and 2⁸.
    (doubling as usize * (1 << PRECISION)).saturating_add(within)
}

/// The highest number of a bucket.
fn upper_end(bucket: usize) -> u64 {
    let doubling = (bucket >> PRECISION).saturating_sub(1);
    let within = (bucket - (doubling << PRECISION)) as u64;
    ((within + 1) << doubling).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;

    #[test]
    fn a_bucket_holds_what_belongs_to_it_and_is_narrow() {
        let mut dice = Dice::new(1);
        let edges = [0, 1, 127, 128, 255, 256, 257, u64::MAX - 1, u64::MAX];
        let random = (0..100_000).map(|_| {
            let bits = dice.below(64);
            dice.next() >> bits
        });
        for ns in edges.into_iter().chain(random) {
            let end = upper_end(bucket(ns));
            assert!(bucket(ns) < BUCKETS, "{ns}");
            assert!(end >= ns && end - ns <= ns / 100, "{ns} in a bucket up to {end}");
        }
    }

    #[test]
    fn percentiles_of_known_values() {
        let mut histogram = Histogram::default();
        for ms in 1..=1000 {
            histogram.record(Duration::from_millis(ms));
        }
        for (share, wanted) in [(0.5, 500.0), (0.99, 990.0), (0.999, 999.0), (1.0, 1000.0)] {
            let is = histogram.ms(share);
            assert!(is >= wanted && is < wanted * 1.01, "{share}: {is}");
        }
        assert_eq!(histogram.count(), 1000);
        assert_eq!(histogram.over(Duration::from_millis(1000)), 0);
        let over = histogram.over(Duration::from_millis(900));
        assert!((93..=100).contains(&over), "{over}");
        let mut two = histogram.clone();
        two.add(&histogram);
        assert_eq!(two.count(), 2000);
    }

    #[test]
    fn nothing_has_no_latency() {
        assert!(Histogram::default().ms(0.99).abs() < f64::EPSILON);
    }
}
