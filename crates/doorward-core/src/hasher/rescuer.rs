//! Who hashes when the other threads of the machine leave a hash thread no time.
//!
//! The surprise: each place of the pool has two threads, of which one works at a time. The first yields to everybody, so
//! that where all cores are wanted it gets next to nothing; and Linux lets nobody without privileges take such a policy
//! back. So the worker is passed to a rescuer then, which yields less, and back once there is time again.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::job::Queued;
use super::pace::Effort;
use super::queue::Queue;
use super::worker::Worker;

/// What takes less than this is not worth a rescue.
const PATIENCE: Duration = Duration::from_millis(100);

/// Who gets less than one part in so many of the time starves. In a storm of log-ins hash threads get most of it.
const STARVED: u32 = 8;

/// A rescuer gets enough with more than one part in so many of the time.
const ENOUGH: u32 = 2;

/// After so many jobs in a row with enough time a rescuer is not needed any more. A single job says little: whoever wakes
/// up is let in first and is often done before others are.
const IN_A_ROW: u32 = 64;

/// Which thread of a place works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// The one that yields to everybody.
    Yielding,
    /// The one that yields less.
    Rescuing,
    /// None: the pool has ended.
    Over,
}

impl Turn {
    /// Whose turn is next. `in_a_row` counts jobs for which a rescuer had enough time; one that was not done, since it
    /// came too late or its caller had gone, tells nothing of that.
    fn after(self, Effort { did, took, used }: Effort, in_a_row: &mut u32) -> Self {
        let used = used.unwrap_or(took);
        if self != Self::Rescuing {
            *in_a_row = 0;
        } else if did > 0 {
            *in_a_row = if used > took / ENOUGH { *in_a_row + did } else { 0 };
        }
        match self {
            Self::Yielding if took > PATIENCE && used < took / STARVED => Self::Rescuing,
            Self::Rescuing if *in_a_row >= IN_A_ROW => Self::Yielding,
            stays => stays,
        }
    }
}

/// A place of the pool: a worker, and whose it is.
pub(super) struct Place {
    seat: Mutex<Seat>,
    passed: Condvar,
}

struct Seat {
    worker: Worker,
    turn: Turn,
    /// Jobs in a row for which a rescuer had enough time.
    in_a_row: u32,
}

/// Ends the place for both threads when one leaves it, also by a panic.
struct Leaving<'a>(&'a Place);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        self.0.seat.lock().turn = Turn::Over;
        self.0.passed.notify_all();
    }
}

impl Place {
    pub(super) fn new(worker: Worker) -> Self {
        Self {
            seat: Mutex::new(Seat {
                worker,
                turn: Turn::Yielding,
                in_a_row: 0,
            }),
            passed: Condvar::new(),
        }
    }

    /// The life of one of the two threads: works while it is its turn, until the queue is closed and empty.
    pub(super) fn work(&self, own: Turn, queue: &Queue<Queued>) {
        let _leaving = Leaving(self);
        let mut seat = self.seat.lock();
        loop {
            self.passed
                .wait_while(&mut seat, |seat| seat.turn != own && seat.turn != Turn::Over);
            if seat.turn == Turn::Over {
                return;
            }
            let Some(effort) = seat.worker.work(queue) else { return };
            if own == Turn::Rescuing {
                seat.worker.count_rescued(effort.did);
            }
            seat.turn = own.after(effort, &mut seat.in_a_row);
            if seat.turn != own {
                self.passed.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn effort(took: u64, used: u64) -> Effort {
        let [took, used] = [took, used].map(Duration::from_millis);
        let (did, used) = (1, Some(used));
        Effort { did, took, used }
    }

    #[test]
    fn whoever_starves_is_rescued() {
        for (took, used, next) in [
            (800, 3, Turn::Rescuing),
            (800, 99, Turn::Rescuing),
            (800, 100, Turn::Yielding),
            (100, 3, Turn::Yielding),
            (0, 0, Turn::Yielding),
        ] {
            assert_eq!(Turn::Yielding.after(effort(took, used), &mut 0), next, "{took} {used}");
        }
    }

    #[test]
    fn a_rescuer_goes_after_many_jobs_in_a_row_with_enough_time() {
        let mut in_a_row = 0;
        let mut after = |took, used| Turn::Rescuing.after(effort(took, used), &mut in_a_row);
        for too_little in [(10, 5), (0, 0), (800, 3)] {
            for _ in 1..IN_A_ROW {
                assert_eq!(after(10, 6), Turn::Rescuing);
            }
            assert_eq!(after(too_little.0, too_little.1), Turn::Rescuing);
        }
        let stays = (1..IN_A_ROW).all(|_| after(10, 6) == Turn::Rescuing);
        assert!(stays && after(10, 6) == Turn::Yielding);
    }

    /// In a storm some come too late again and again, and to tell them so takes next to nothing.
    #[test]
    fn a_job_that_is_not_done_keeps_no_rescuer() {
        let mut in_a_row = 0;
        let mut after = |effort| Turn::Rescuing.after(effort, &mut in_a_row);
        let late = Effort { did: 0, ..effort(1, 0) };
        let stays = (1..IN_A_ROW).all(|_| after(effort(10, 6)) == Turn::Rescuing && after(late) == Turn::Rescuing);
        assert!(stays && after(effort(10, 6)) == Turn::Yielding);
    }
}

/// Elsewhere threads do not yield.
#[cfg(target_os = "linux")]
#[cfg(test)]
mod starved_tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::super::{Hasher, HasherConfig, Scheme};
    use crate::Clock;
    use crate::presence::Presence;
    use crate::secret::Secret;

    /// Some want every core until they are told to stop.
    #[test]
    fn hashes_are_made_while_others_want_all_cores() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let config = HasherConfig {
            // Long enough to starve, and no longer than it has to be.
            scheme: Scheme::Argon2id {
                m_kib: 1024,
                t: 1,
                p: 1,
            },
            threads: 1,
            ..HasherConfig::default()
        };
        let hasher = Hasher::start(config, Clock::system()).unwrap();
        let (caller, password) = (
            hasher.caller(None, "ann", &Presence::ALWAYS),
            Secret::new("password".to_owned()),
        );
        // Who wants the cores must be told to stop before anything panics here.
        let was_rescued = || {
            let before = hasher.metrics().rescued;
            let hashed = runtime.block_on(hasher.hash(&caller, &password));
            hashed.map(|_| hasher.metrics().rescued > before)
        };
        let stop = AtomicBool::new(false);
        let cores = thread::available_parallelism().unwrap().get();
        thread::scope(|scope| {
            for _ in 0..2 * cores {
                scope.spawn(|| {
                    while !stop.load(Ordering::Relaxed) {
                        std::hint::spin_loop();
                    }
                });
            }
            let rescued = (0..2_000).any(|_| matches!(was_rescued(), Ok(true)));
            stop.store(true, Ordering::Relaxed);
            assert!(rescued, "the first that starves has the next one rescued");
        });
        // That the rescuer gives back is tested above only: others on the machine may want the cores as well.
    }
}
