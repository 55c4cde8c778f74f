//! The longest that the machine itself stood still: what a thread that only wants to wake up is late by.
//!
//! The surprise: there is one for each core, and it stays there. A thread that may go elsewhere wakes up on the core that
//! is free, and sees nothing of one whose processor the host has taken away.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::clock;
use crate::error::{Error, Result};

/// How often each wakes up: often enough to meet what lasts for twenty milliseconds, and seldom enough to be no part of what
/// it watches. Four times as often it took 1.7 % of a core beside threads that hash.
const EVERY: Duration = Duration::from_millis(8);

/// Threads that watch, one on each core that this process may use.
pub(crate) struct Watch {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<io::Result<Duration>>>,
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
                Ok(longest(&stop))
            };
            watch
                .threads
                .push(thread::Builder::new().name("hiccup".into()).spawn(body)?);
        }
        Ok(watch)
    }

    /// Ends it; the longest of all cores.
    ///
    /// # Errors
    /// When the system did not let a thread stay on its core.
    pub(crate) fn end(self) -> Result<Duration> {
        self.stop.store(true, Ordering::Relaxed);
        let mut longest = Duration::ZERO;
        for thread in self.threads {
            let of_core = thread.join().map_err(|_| Error::new("a thread that watches died"))??;
            longest = longest.max(of_core);
        }
        Ok(longest)
    }
}

fn longest(stop: &AtomicBool) -> Duration {
    clock::be_punctual();
    let mut longest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let due = clock::now() + EVERY;
        clock::wait_until(due);
        longest = longest.max(clock::now().saturating_duration_since(due));
    }
    longest
}
