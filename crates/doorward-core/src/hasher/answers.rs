//! Answers on their way from the hash threads to whoever waits for them.
//!
//! The surprise: while many wait, an answer is held back for some milliseconds, and log-ins are faster for it. A hash
//! fills the caches of the processor with its memory, so that whoever handles an answer finds them cold. Several
//! answers at once find them cold once, and share what they write to the disk.

use std::mem;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;

/// How many answers are handed over together. With more a log-in costs less, and the first of them waits for longer.
const AT_ONCE: usize = 16;

/// The longest that an answer is held back, as far as the time that hashes take is known. Answers are held back only
/// behind a line in which one waits for longer.
const LONGEST: Duration = Duration::from_millis(40);

/// One answer, which sends itself.
type Answer = Box<dyn FnOnce() + Send>;

/// The answers that are held back, of all threads together. What is there when it is dropped is handed over.
#[derive(Default)]
pub(super) struct Answers {
    held: Mutex<Held>,
    /// Where they are handed over; none for the thread that has them.
    on: Option<Handle>,
}

#[derive(Default)]
struct Held {
    answers: Vec<Answer>,
    /// When the first of them was ready.
    since: Duration,
}

impl Answers {
    /// Hands them over on this runtime, if there is one.
    pub(super) fn on(runtime: Option<Handle>) -> Self {
        Self {
            held: Mutex::default(),
            on: runtime,
        }
    }

    /// Takes an answer that is ready now.
    pub(super) fn add(&self, now: Duration, answer: impl FnOnce() + Send + 'static) {
        let mut held = self.held.lock();
        if held.answers.is_empty() {
            held.since = now;
        }
        held.answers.push(Box::new(answer));
    }

    /// Hands over what there is, unless it may be held back for as long as a thread `takes` for its next job.
    pub(super) fn hand_over_before(&self, takes: Duration, now: Duration) {
        let held = self.held.lock();
        let age = now.saturating_sub(held.since).saturating_add(takes);
        if held.answers.len() >= AT_ONCE || age > LONGEST {
            self.send(held);
        }
    }

    /// Hands over what there is.
    pub(super) fn hand_over(&self) {
        self.send(self.held.lock());
    }

    /// Sends them without the lock: whoever wakes up by one may take the processor from this thread. On the runtime of
    /// those who wait it is one task that sends them all, and wakes that runtime once; each answer that another thread
    /// sends may wake it anew.
    fn send(&self, mut held: MutexGuard<'_, Held>) {
        let answers = mem::take(&mut held.answers);
        drop(held);
        let send_all = move |answers: Vec<Answer>| answers.into_iter().for_each(|answer| answer());
        match &self.on {
            Some(runtime) if !answers.is_empty() => drop(runtime.spawn(async move { send_all(answers) })),
            _ => send_all(answers),
        }
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::runtime::Builder;
    use tokio::sync::mpsc;
    use tokio::sync::mpsc::error::TryRecvError;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Answers of which the first is ready after ten milliseconds, and how many were handed over.
    fn ready(count: usize) -> (Answers, Arc<AtomicUsize>) {
        let (answers, sent) = (Answers::default(), Arc::new(AtomicUsize::new(0)));
        for number in 0..count {
            let sent = Arc::clone(&sent);
            let now = if number == 0 { 10 * MS } else { 20 * MS };
            answers.add(now, move || {
                sent.fetch_add(1, Ordering::Relaxed);
            });
        }
        (answers, sent)
    }

    #[test]
    fn they_are_held_back_until_there_are_enough() {
        for (count, handed_over) in [(1, 0), (AT_ONCE - 1, 0), (AT_ONCE, AT_ONCE)] {
            let (answers, sent) = ready(count);
            answers.hand_over_before(MS, 20 * MS);
            assert_eq!(sent.load(Ordering::Relaxed), handed_over, "of {count}");
            answers.hand_over();
            assert_eq!(sent.load(Ordering::Relaxed), count, "and each once");
        }
    }

    #[test]
    fn none_is_held_back_for_long() {
        let (answers, sent) = ready(2);
        answers.hand_over_before(30 * MS, 20 * MS);
        assert_eq!(sent.load(Ordering::Relaxed), 0, "the first would be 40 ms old");
        answers.hand_over_before(31 * MS, 20 * MS);
        assert_eq!(sent.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn one_task_of_the_runtime_hands_over_all() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let answers = Answers::on(Some(runtime.handle().clone()));
        let (said, mut heard) = mpsc::channel(3);
        for number in 0..3 {
            let said = said.clone();
            answers.add(MS, move || said.try_send((number, tokio::task::id())).unwrap());
        }
        answers.hand_over();
        assert!(heard.try_recv().is_err(), "the runtime has not run yet");
        runtime.block_on(tokio::task::yield_now());
        let [first, second, third] = [(); 3].map(|()| heard.try_recv().unwrap());
        assert_eq!((first.0, second.0, third.0), (0, 1, 2));
        assert!(first.1 == second.1 && second.1 == third.1);
    }

    #[test]
    fn who_waits_on_a_runtime_that_has_ended_does_not_wait_for_ever() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let answers = Answers::on(Some(runtime.handle().clone()));
        drop(runtime);
        let (said, mut heard) = mpsc::channel(1);
        answers.add(MS, move || said.try_send(()).unwrap());
        answers.hand_over();
        assert_eq!(heard.try_recv(), Err(TryRecvError::Disconnected));
    }

    #[test]
    fn none_is_lost_with_the_pool() {
        let (answers, sent) = ready(2);
        drop(answers);
        assert_eq!(sent.load(Ordering::Relaxed), 2);
    }
}
