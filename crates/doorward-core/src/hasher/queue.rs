//! Between callers and hash threads: the line, with a lock around it and a clock beside it.

use std::time::Duration;

use parking_lot::{Condvar, Mutex, MutexGuard};

use super::line::{Line, Refused, Taken, Whose};
use super::pace::{Effort, Pace, Work};
use crate::Clock;

/// Jobs on their way to the threads.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
    clock: Clock,
}

struct State<T> {
    line: Line<T>,
    pace: Pace,
    closed: bool,
}

/// Jobs that were refused, or gave way, with when to come back.
pub(super) struct TurnedAway<T> {
    pub(super) jobs: Vec<(Refused, T)>,
    pub(super) retry_after: Duration,
}

impl<T> Queue<T> {
    /// A queue before `threads` threads, in which nobody waits for longer than `limit`, by this clock.
    pub(super) fn new(threads: usize, limit: Duration, clock: Clock) -> Self {
        let threads = u32::try_from(threads).unwrap_or(u32::MAX);
        Self {
            state: Mutex::new(State {
                line: Line::new(threads, limit),
                pace: Pace::unmeasured(threads),
                closed: false,
            }),
            wake: Condvar::new(),
            clock,
        }
    }

    /// Gives a job its place. Answers the jobs without one: this job, or those that gave way to it, and those that have
    /// waited too long while all threads were busy.
    pub(super) fn push(&self, whose: Whose, work: Work, job: T) -> TurnedAway<T> {
        let now = self.clock.running();
        let mut state = self.state.lock();
        let late = state.line.overdue(now).into_iter().map(|job| (Refused::Late, job));
        let mut jobs: Vec<_> = late.collect();
        let takes = state.pace.estimate(work);
        let pushed = if state.closed {
            Err((Refused::Full, job))
        } else {
            state.line.push(whose, job, takes, now)
        };
        let retry_after = state.line.retry_after();
        drop(state);
        match pushed {
            Err(refused) => jobs.push(refused),
            Ok(gave_way) => {
                self.wake.notify_one();
                jobs.extend(gave_way.into_iter().map(|job| (Refused::GaveWay, job)));
            }
        }
        TurnedAway { jobs, retry_after }
    }

    /// Waits for the next job; none when the queue is closed and empty. A thread that took a job reports
    /// [`Queue::done`] before it asks for another. `rest` is done once, when there was none for as long as the `patience`.
    pub(super) fn take(&self, patience: Duration, rest: impl FnOnce()) -> Option<Taken<T>> {
        let mut rest = Some(rest);
        let mut state = self.state.lock();
        loop {
            if let Some(taken) = state.line.take(self.clock.running()) {
                return Some(taken);
            }
            if state.closed {
                return None;
            }
            if rest.is_none() {
                self.wake.wait(&mut state);
            } else if self.wake.wait_for(&mut state, patience).timed_out()
                && let Some(rest) = rest.take()
            {
                MutexGuard::unlocked(&mut state, rest);
            }
        }
    }

    /// The next job as well, as [`Line::take_second`], where two at once take less time.
    pub(super) fn take_second(&self, fits: impl FnOnce(&T) -> bool) -> Option<Taken<T>> {
        let now = self.clock.running();
        let State { line, pace, .. } = &mut *self.state.lock();
        line.take_second(now, |job| fits(job) && pace.choose_pair())
    }

    /// A thread is without a job again. What it took was estimated to take `takes`, and was done with this effort.
    pub(super) fn done(&self, takes: Duration, work: Work, effort: Effort) {
        let mut state = self.state.lock();
        state.line.done(takes);
        state.pace.learn(work, effort);
    }

    /// This work is expected to take so long, until more is known. A clock that stands still tells nothing.
    pub(super) fn expect(&self, work: Work, took: Duration) {
        if !took.is_zero() {
            let (did, used) = (1, None);
            self.state.lock().pace.learn(work, Effort { did, took, used });
        }
    }

    /// When to come back.
    pub(super) fn retry_after(&self) -> Duration {
        self.state.lock().line.retry_after()
    }

    /// Takes no more jobs; the threads end when those that wait are done.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.wake.notify_all();
    }

    /// Whether so many jobs wait that each thread finds two, whenever it asks.
    pub(super) fn suffices(&self) -> bool {
        self.state.lock().line.suffices()
    }

    /// The jobs that no thread has taken yet.
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().line.len()
    }
}

#[cfg(test)]
mod tests {
    use super::super::memory::Argon2Cost;
    use super::*;
    use crate::Timestamp;

    const SOMEBODY: Whose = Whose { network: None, name: 0 };

    /// What takes 118 ms until it is measured.
    const WORK: Work = Work::Argon2(Argon2Cost::latest(262_144, 1, 1));

    fn push(queue: &Queue<u8>, job: u8) -> bool {
        queue.push(SOMEBODY, WORK, job).jobs.is_empty()
    }

    fn take(queue: &Queue<u8>) -> Option<u8> {
        queue.take(Duration::ZERO, || ()).map(|taken| taken.job)
    }

    fn taken(queue: &Queue<u8>) -> Taken<u8> {
        queue.take(Duration::ZERO, || ()).unwrap()
    }

    #[test]
    fn what_was_learned_decides_who_has_a_place() {
        let queue = Queue::new(1, Duration::from_secs(1), Clock::manual(Timestamp(0)));
        assert!(push(&queue, 0));
        let taken = taken(&queue);
        let (took, used) = (Duration::from_millis(400), Some(Duration::from_millis(300)));
        queue.done(taken.takes, WORK, Effort { did: 1, took, used });
        assert!((1..=3).all(|job| push(&queue, job)), "0, 400 and 800 ms to wait");
        let refused = queue.push(SOMEBODY, WORK, 4);
        assert_eq!(refused.jobs, [(Refused::Share, 4)]);
        assert_eq!(refused.retry_after, Duration::from_secs(1));
        assert_eq!(queue.waiting(), 3);
    }

    #[test]
    fn what_is_expected_decides_before_anything_is_done() {
        let places = |expected| {
            let queue = Queue::new(1, Duration::from_secs(1), Clock::manual(Timestamp(0)));
            queue.expect(WORK, Duration::from_millis(expected));
            (0..100).take_while(|job| push(&queue, *job)).count()
        };
        assert_eq!(places(0), places(118), "nothing was measured");
        assert_eq!((places(118), places(20)), (9, 51));
    }

    #[test]
    fn a_second_job_is_taken_where_two_at_once_take_less_time() {
        let pairs_of = |alone, both| {
            let queue = Queue::new(1, Duration::from_secs(60), Clock::manual(Timestamp(0)));
            let (mut pairs, mut did) = (0, 0);
            while did < 2_000 {
                while queue.waiting() < 2 {
                    assert!(push(&queue, 0));
                }
                let first = taken(&queue);
                let second = queue.take_second(|_| true);
                let takes = first.takes + second.as_ref().map_or(Duration::ZERO, |second| second.takes);
                let (jobs, used) = if second.is_some() { (2, both) } else { (1, alone) };
                let (took, used) = (Duration::from_secs(1), Some(Duration::from_millis(used)));
                queue.done(takes, WORK, Effort { did: jobs, took, used });
                did += jobs;
                pairs += jobs / 2;
            }
            pairs
        };
        assert!(pairs_of(10, 18) > 900);
        assert!(pairs_of(10, 22) < 300);
    }

    /// All threads are busy for longer than anybody shall wait.
    #[test]
    fn whoever_has_waited_too_long_hears_of_it_when_the_next_one_comes() {
        let clock = Clock::manual(Timestamp(0));
        let queue = Queue::new(1, Duration::from_secs(1), clock.clone());
        assert!(push(&queue, 0));
        let _busy = taken(&queue);
        assert!(push(&queue, 1));
        clock.advance(Duration::from_secs(1));
        assert!(push(&queue, 2));
        clock.advance(Duration::from_millis(1_001));
        let turned_away = queue.push(SOMEBODY, WORK, 3);
        assert_eq!(turned_away.jobs, [(Refused::Late, 1)]);
        assert_eq!(queue.waiting(), 2);
    }

    #[test]
    fn whoever_finds_no_job_rests_once_and_takes_what_has_come_meanwhile() {
        let queue = Queue::new(1, Duration::from_secs(1), Clock::manual(Timestamp(0)));
        let mut rests = 0;
        let mut rest = || {
            rests += 1;
            assert!(push(&queue, 7), "without the lock");
        };
        let taken = queue.take(Duration::ZERO, &mut rest).unwrap();
        assert_eq!(taken.job, 7);
        queue.done(taken.takes, WORK, Effort::default());
        assert!(push(&queue, 8));
        assert_eq!(queue.take(Duration::ZERO, &mut rest).unwrap().job, 8);
        assert_eq!(rests, 1, "there was a job");
    }

    #[test]
    fn a_closed_queue_is_emptied_and_takes_nothing() {
        let queue = Queue::new(1, Duration::from_secs(1), Clock::manual(Timestamp(0)));
        assert!(push(&queue, 1) && push(&queue, 2));
        queue.close();
        assert!(!push(&queue, 3));
        assert_eq!((take(&queue), take(&queue), take(&queue)), (Some(1), Some(2), None));
    }
}
