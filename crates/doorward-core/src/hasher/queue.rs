//! The bounded queue between callers and hash threads: first come, first served, and a refusal when it is full.
//!
//! The surprise: idle threads count as places. A job that a thread is about to take does not wait, and a burst
//! must not be refused because a thread has not woken up yet.

use std::collections::VecDeque;

use parking_lot::{Condvar, Mutex};

/// Jobs on their way to the threads.
pub(super) struct Queue<T> {
    state: Mutex<State<T>>,
    wake: Condvar,
    limit: usize,
}

struct State<T> {
    jobs: VecDeque<T>,
    /// Threads without a job.
    idle: usize,
    closed: bool,
}

impl<T> Queue<T> {
    /// A queue in which `limit` jobs may wait for `threads` threads.
    pub(super) fn new(limit: usize, threads: usize) -> Self {
        Self {
            state: Mutex::new(State {
                jobs: VecDeque::new(),
                idle: threads,
                closed: false,
            }),
            wake: Condvar::new(),
            limit,
        }
    }

    /// Puts a job at the end, unless the queue is full.
    #[must_use]
    pub(super) fn push(&self, job: T) -> bool {
        let mut state = self.state.lock();
        if state.closed || state.jobs.len() >= self.limit + state.idle {
            return false;
        }
        state.jobs.push_back(job);
        drop(state);
        self.wake.notify_one();
        true
    }

    /// Waits for the next job; none when the queue is closed and empty. A thread that took a job reports
    /// [`Queue::done`] before it asks for another.
    pub(super) fn take(&self) -> Option<T> {
        let mut state = self.state.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                state.idle = state.idle.saturating_sub(1);
                return Some(job);
            }
            if state.closed {
                return None;
            }
            self.wake.wait(&mut state);
        }
    }

    /// The next job as well, for a thread that has one and can do both at once: if one waits that `fits`, and no
    /// thread is free to do it at the same time.
    pub(super) fn take_second(&self, fits: impl Fn(&T) -> bool) -> Option<T> {
        let mut state = self.state.lock();
        if state.idle > 0 {
            return None;
        }
        state.jobs.pop_front_if(|job| fits(job))
    }

    /// A thread is without a job again.
    pub(super) fn done(&self) {
        self.state.lock().idle += 1;
    }

    /// Takes no more jobs; the threads end when those that wait are done.
    pub(super) fn close(&self) {
        self.state.lock().closed = true;
        self.wake.notify_all();
    }

    /// The jobs that no thread has taken yet.
    pub(super) fn waiting(&self) -> usize {
        self.state.lock().jobs.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_threads_are_places_and_busy_ones_are_not() {
        let queue = Queue::new(1, 2);
        assert!(queue.push('a') && queue.push('b') && queue.push('c'));
        assert!(!queue.push('d'), "two for the threads, one waits");
        assert_eq!(queue.take(), Some('a'));
        assert!(!queue.push('d'), "taken, but its thread is no place any more");
        queue.done();
        assert!(queue.push('d'));
        assert_eq!(queue.waiting(), 3);
    }

    #[test]
    fn a_second_job_is_taken_when_it_fits_and_nobody_else_is_free() {
        let queue = Queue::new(4, 2);
        for job in [1, 2, 3, 4] {
            assert!(queue.push(job));
        }
        assert_eq!(queue.take(), Some(1));
        assert_eq!(queue.take_second(|_| true), None, "the other thread is free");
        assert_eq!(queue.take(), Some(2));
        assert_eq!(queue.take_second(|job| *job == 4), None, "it is not the next");
        assert_eq!(queue.take_second(|job| *job == 3), Some(3));
        assert_eq!(queue.take_second(|_| true), Some(4));
        assert_eq!(queue.take_second(|_| true), None, "nothing waits");
        queue.done();
        queue.done();
        assert!(
            (0..6).all(|job| queue.push(job)) && !queue.push(6),
            "each thread is one place"
        );
    }

    #[test]
    fn a_closed_queue_is_emptied_and_takes_nothing() {
        let queue = Queue::new(4, 1);
        assert!(queue.push(1) && queue.push(2));
        queue.close();
        assert!(!queue.push(3));
        assert_eq!((queue.take(), queue.take(), queue.take()), (Some(1), Some(2), None));
    }
}
