//! What the pool tells about itself.
//!
//! The surprise: a histogram of our own. What is counted here is shown by another crate, in another format, and this
//! one knows no formats.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::line::Refused;

/// Upper bounds of the buckets of durations in milliseconds, from a hash on a fast machine to more than the longest wait
/// that is usual: 5 s and the second of grace.
const BOUNDS: [u64; 14] = [1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 60_000];

/// How the pool is doing.
#[derive(Clone, Debug)]
pub struct HasherMetrics {
    /// Jobs that wait now.
    pub queued: u64,
    /// Passwords hashed or verified since the start.
    pub done: u64,
    /// Of these, those that were made by a rescuer, since other threads left the hash threads no time.
    pub rescued: u64,
    /// Of all, those that were made two at once by one thread, where that costs less than one after the other.
    pub paired: u64,
    /// Jobs refused since the start, by reason.
    pub refused: [(&'static str, u64); 5],
    /// Threads.
    pub threads: u64,
    /// What each thread keeps allocated, in bytes. A stored hash of a higher cost takes more while it is verified.
    pub memory_per_thread: u64,
    /// How long jobs waited for a thread.
    pub waits: Histogram,
    /// How long passwords took in a thread. Two that are made at once count each with the time of both.
    pub hashes: Histogram,
}

/// Durations, counted.
#[derive(Clone, Debug)]
pub struct Histogram {
    /// How many.
    pub count: u64,
    /// All together.
    pub sum: Duration,
    /// Upper bounds, the last of them infinity, each with how many were over the bound before and not over this one.
    pub buckets: Vec<(f64, u64)>,
}

/// Counters that threads share.
#[derive(Default)]
pub(super) struct Tally {
    pub(super) done: AtomicU64,
    pub(super) rescued: AtomicU64,
    pub(super) paired: AtomicU64,
    refused: [AtomicU64; 5],
    pub(super) waits: Counts,
    pub(super) hashes: Counts,
}

impl Tally {
    pub(super) fn refuse(&self, reason: Refused) {
        let [long, share, full, gave_way, late] = &self.refused;
        let counter = match reason {
            Refused::Long => long,
            Refused::Share => share,
            Refused::Full => full,
            Refused::GaveWay => gave_way,
            Refused::Late => late,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn refused(&self) -> [(&'static str, u64); 5] {
        let [long, share, full, gave_way, late] = &self.refused;
        [
            ("wait", long),
            ("share", share),
            ("memory", full),
            ("gave_way", gave_way),
            ("late", late),
        ]
        .map(|(reason, counter)| (reason, counter.load(Ordering::Relaxed)))
    }
}

/// A histogram that is counted into.
#[derive(Default)]
pub(super) struct Counts {
    micros: AtomicU64,
    buckets: [AtomicU64; BOUNDS.len() + 1],
}

impl Counts {
    pub(super) fn observe(&self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        let bucket = BOUNDS.iter().take_while(|bound| micros > **bound * 1000).count();
        self.micros.fetch_add(micros, Ordering::Relaxed);
        if let Some(bucket) = self.buckets.get(bucket) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn histogram(&self) -> Histogram {
        let bounds = BOUNDS.iter().map(|millis| Duration::from_millis(*millis).as_secs_f64());
        let counts = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed));
        let buckets: Vec<(f64, u64)> = bounds.chain([f64::INFINITY]).zip(counts).collect();
        Histogram {
            count: buckets.iter().map(|(_, count)| count).sum(),
            sum: Duration::from_micros(self.micros.load(Ordering::Relaxed)),
            buckets,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_is_counted_once_up_to_its_bound() {
        let counts = Counts::default();
        for micros in [0, 1_000, 1_001, 70_000_000] {
            counts.observe(Duration::from_micros(micros));
        }
        let histogram = counts.histogram();
        assert_eq!((histogram.count, histogram.sum), (4, Duration::from_micros(70_002_001)));
        let found: Vec<_> = histogram.buckets.into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(found, [(0.001, 2), (0.002, 1), (f64::INFINITY, 1)]);
    }

    #[test]
    fn refusals_are_told_apart() {
        let tally = Tally::default();
        for reason in [Refused::Share, Refused::Late, Refused::Share] {
            tally.refuse(reason);
        }
        let counted: Vec<_> = tally.refused().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [("share", 2), ("late", 1)]);
    }
}
