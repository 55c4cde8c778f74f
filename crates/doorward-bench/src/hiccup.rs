//! When the machine itself stood still: what a thread that only wants to wake up is late by.
//!
//! The surprise: there is one for each core, and it stays there, before every other thread. One that may go elsewhere
//! wakes up on the core that is free, and sees nothing of one whose processor the host has taken away; one that waits for
//! others sees what they do, and not what the machine does.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::clock::{self, Span};
use crate::error::{Error, Result};

/// How often each wakes up: often enough to meet what lasts for twenty milliseconds, and seldom enough to be no part of what
/// it watches. Four times as often it took 1.7 % of a core beside threads that hash.
const EVERY: Duration = Duration::from_millis(8);

/// What is shorter is not kept one by one.
const LONG: Duration = Duration::from_millis(2);
/// So many are kept of a core: hours of standing still.
const MANY: usize = 100_000;

/// Threads that watch, one on each core that this process may use.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<io::Result<Core>>>,
}

/// What a core was late by.
#[derive(Default)]
struct Core {
    longest: Duration,
    stalls: Vec<Span>,
}

/// What the cores were late by.
pub(crate) struct Hiccups(Vec<Core>);

impl Hiccups {
    /// The longest of all cores.
    pub(crate) fn longest(&self) -> Duration {
        self.0.iter().map(|core| core.longest).max().unwrap_or_default()
    }

    /// How long a core stood still meanwhile, the one that did for longest.
    pub(crate) fn within(&self, span: Span) -> Duration {
        let of = |core: &Core| core.stalls.iter().map(|stall| stall.shared(span)).sum();
        self.0.iter().map(of).max().unwrap_or_default()
    }
}

impl Watch {
    /// # Errors
    /// When the system refuses threads.
    pub(crate) fn begin() -> Result<Self> {
        let mut watch = Self {
            stop: Arc::default(),
            threads: Vec::new(),
        };
        let allowed = sched_getaffinity(None)?;
        for core in (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core)) {
            let stop = Arc::clone(&watch.stop);
            let mut only = CpuSet::new();
            only.set(core);
            let body = move || {
                sched_setaffinity(None, &only)?;
                Ok(stay_awake(&stop))
            };
            watch
                .threads
                .push(thread::Builder::new().name("hiccup".into()).spawn(body)?);
        }
        Ok(watch)
    }

    /// Ends it.
    ///
    /// # Errors
    /// When the system did not let a thread stay on its core.
    pub(crate) fn end(self) -> Result<Hiccups> {
        self.stop.store(true, Ordering::Relaxed);
        let mut cores = Vec::new();
        for thread in self.threads {
            cores.push(thread.join().map_err(|_| Error::new("a thread that watches died"))??);
        }
        Ok(Hiccups(cores))
    }
}

fn stay_awake(stop: &AtomicBool) -> Core {
    clock::be_punctual();
    // Where the system does not let it, it waits for threads as well, and the table says so.
    clock::go_before_all();
    let mut core = Core::default();
    while !stop.load(Ordering::Relaxed) {
        let due = clock::now() + EVERY;
        clock::wait_until(due);
        let late = Span {
            from: due,
            to: clock::now(),
        };
        core.longest = core.longest.max(late.length());
        if late.length() >= LONG && core.stalls.len() < MANY {
            core.stalls.push(late);
        }
    }
    core
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_core_that_stood_still_for_longest_counts() {
        let began = clock::now();
        let at = |ms| began + Duration::from_millis(ms);
        let core = |stalls: &[(u64, u64)]| Core {
            longest: Duration::from_millis(stalls.iter().map(|(from, to)| to - from).max().unwrap_or(0)),
            stalls: stalls
                .iter()
                .map(|(from, to)| Span {
                    from: at(*from),
                    to: at(*to),
                })
                .collect(),
        };
        let hiccups = Hiccups(vec![core(&[(10, 20), (30, 36)]), core(&[(0, 5), (18, 30)]), core(&[])]);
        assert_eq!(hiccups.longest(), Duration::from_millis(12));
        for (from, to, ms) in [(0, 40, 17), (12, 34, 12), (5, 10, 0), (19, 20, 1), (40, 50, 0)] {
            let span = Span {
                from: at(from),
                to: at(to),
            };
            assert_eq!(hiccups.within(span), Duration::from_millis(ms), "{from} to {to}");
        }
    }
}
