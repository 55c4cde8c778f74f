//! Answers on their way from the hash threads to whoever waits for them.
//!
//! The surprise: while many wait, an answer is held back for some milliseconds, and log-ins are faster for it. A hash
//! fills the caches of the processor with its memory, so that whoever handles an answer finds them cold. Several
//! answers at once find them cold once, and share what they write to the disk.

use std::mem;
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::presence::Presence;

/// How many answers are handed over together. With more a log-in costs less, and the first of them waits for longer.
const AT_ONCE: usize = 16;

/// The longest that an answer is held back, as far as the time that hashes take is known. Answers are held back only
/// behind a line in which one waits for longer.
const LONGEST: Duration = Duration::from_millis(40);

/// Where an answer goes.
pub(super) struct Reply<T> {
    to: oneshot::Sender<T>,
    presence: Presence,
    /// The runtime whose task waits for it; none when the one who waits is on none.
    runtime: Option<Handle>,
}

impl<T> Reply<T> {
    /// For a caller, who is to wait where this is called.
    pub(super) fn channel(presence: &Presence) -> (Self, oneshot::Receiver<T>) {
        let (to, answer) = oneshot::channel();
        let reply = Self {
            to,
            presence: presence.clone(),
            runtime: Handle::try_current().ok(),
        };
        (reply, answer)
    }

    /// Whether nobody waits any more.
    pub(super) fn is_closed(&self) -> bool {
        self.to.is_closed() || self.presence.is_gone()
    }

    /// Answers at once. Whoever has gone does not want it.
    pub(super) fn send(self, answer: T) {
        let _ = self.to.send(answer);
    }
}

/// The answers that are held back, of all threads together. What is there when it is dropped is handed over.
#[derive(Default)]
pub(super) struct Answers {
    held: Mutex<Held>,
}

/// Answers that are waited for on the same runtime.
#[derive(Default)]
struct Held {
    answers: Ready,
    /// When the first of them was ready.
    since: Duration,
    on: Option<Handle>,
}

impl Held {
    /// Sends them. On the runtime of those who wait it is one task that sends them all, and wakes that runtime once; each
    /// answer that another thread sends may wake it anew.
    fn send(self) {
        let Self { answers, on, .. } = self;
        if let Some(runtime) = on {
            runtime.spawn(async move { drop(answers) });
        }
    }
}

/// Answers that are sent when this is dropped: by a task, or by whoever drops it when its runtime has ended.
#[derive(Default)]
struct Ready(Vec<Box<dyn FnOnce() + Send>>);

impl Drop for Ready {
    fn drop(&mut self) {
        self.0.drain(..).for_each(|answer| answer());
    }
}

impl Answers {
    /// Takes an answer that is ready now.
    pub(super) fn add<T: Send + 'static>(&self, now: Duration, reply: Reply<T>, answer: T) {
        let Reply { to, runtime, .. } = reply;
        let id = |runtime: &Option<Handle>| runtime.as_ref().map(Handle::id);
        let mut held = self.held.lock();
        // A runtime that stands still keeps nobody waiting but its own.
        let others = (id(&held.on) != id(&runtime)).then(|| mem::take(&mut *held));
        if held.answers.0.is_empty() {
            held.since = now;
        }
        held.on = runtime;
        held.answers.0.push(Box::new(move || drop(to.send(answer))));
        drop(held);
        if let Some(others) = others {
            others.send();
        }
    }

    /// Hands over what there is, unless it may be held back for as long as a thread `takes` for its next job.
    pub(super) fn hand_over_before(&self, takes: Duration, now: Duration) {
        let held = self.held.lock();
        let age = now.saturating_sub(held.since).saturating_add(takes);
        if held.answers.0.len() >= AT_ONCE || age > LONGEST {
            Self::send(held);
        }
    }

    /// Hands over what there is.
    pub(super) fn hand_over(&self) {
        Self::send(self.held.lock());
    }

    /// Sends them without the lock: whoever wakes up by one may take the processor from this thread.
    fn send(mut held: MutexGuard<'_, Held>) {
        let all = mem::take(&mut *held);
        drop(held);
        all.send();
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;
    use std::pin::pin;
    use std::sync::Arc;
    use std::task::{Context, Wake, Waker};
    use std::thread::{self, ThreadId};

    use tokio::runtime::Builder;
    use tokio::sync::mpsc;
    use tokio::sync::oneshot::Receiver;
    use tokio::task;

    use super::*;
    use crate::Clock;
    use crate::hasher::{Hasher, HasherConfig, Scheme};
    use crate::secret::Secret;

    const MS: Duration = Duration::from_millis(1);

    /// Answers of which the first is ready after ten milliseconds, and those who wait for them, on no runtime.
    fn ready(count: usize) -> (Answers, Vec<Receiver<()>>) {
        let answers = Answers::default();
        let add = |number| {
            let (reply, answer) = Reply::channel(&Presence::ALWAYS);
            answers.add(if number == 0 { 10 * MS } else { 20 * MS }, reply, ());
            answer
        };
        let waiting = (0..count).map(add).collect();
        (answers, waiting)
    }

    fn sent(waiting: &mut [Receiver<()>]) -> usize {
        waiting.iter_mut().filter_map(|answer| answer.try_recv().ok()).count()
    }

    #[test]
    fn they_are_held_back_until_there_are_enough() {
        for (count, handed_over) in [(1, 0), (AT_ONCE - 1, 0), (AT_ONCE, AT_ONCE)] {
            let (answers, mut waiting) = ready(count);
            answers.hand_over_before(MS, 20 * MS);
            assert_eq!(sent(&mut waiting), handed_over, "of {count}");
            answers.hand_over();
            assert_eq!(sent(&mut waiting), count - handed_over, "and each once");
        }
    }

    #[test]
    fn none_is_held_back_for_long() {
        let (answers, mut waiting) = ready(2);
        answers.hand_over_before(30 * MS, 20 * MS);
        assert_eq!(sent(&mut waiting), 0, "the first would be 40 ms old");
        answers.hand_over_before(31 * MS, 20 * MS);
        assert_eq!(sent(&mut waiting), 2);
    }

    /// An answer that says which task sent it: it is lost on the way, and looks around when it is dropped.
    struct Witness(mpsc::Sender<Option<task::Id>>);

    impl Drop for Witness {
        fn drop(&mut self) {
            self.0.try_send(task::try_id()).unwrap();
        }
    }

    #[test]
    fn one_task_of_the_runtime_that_waits_hands_over_all() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let answers = Answers::default();
        let (said, mut heard) = mpsc::channel(3);
        for _ in 0..3 {
            let (reply, gone) = runtime.block_on(async { Reply::channel(&Presence::ALWAYS) });
            drop(gone);
            answers.add(MS, reply, Witness(said.clone()));
        }
        answers.hand_over();
        assert!(heard.try_recv().is_err(), "the runtime has not run yet");
        runtime.block_on(task::yield_now());
        let [first, second, third] = [(); 3].map(|()| heard.try_recv().unwrap());
        assert!(first.is_some() && first == second && second == third);
    }

    /// Notes the thread that wakes somebody up.
    struct Noted {
        by: Arc<Mutex<Option<ThreadId>>>,
        waker: Waker,
    }

    impl Wake for Noted {
        fn wake(self: Arc<Self>) {
            *self.by.lock() = Some(thread::current().id());
            self.waker.wake_by_ref();
        }
    }

    #[tokio::test]
    async fn no_hash_thread_wakes_up_whoever_waits_on_a_runtime() {
        let config = HasherConfig {
            scheme: Scheme::Argon2id { m_kib: 8, t: 1, p: 1 },
            ..HasherConfig::default()
        };
        let hasher = Hasher::start(config, Clock::system()).unwrap();
        let password = Secret::new("horse battery".to_owned());
        let caller = hasher.caller(None, "ann", &Presence::ALWAYS);
        let mut hashed = pin!(hasher.hash(&caller, &password));
        let by = Arc::default();
        let poll = |context: &mut Context<'_>| {
            let (by, waker) = (Arc::clone(&by), context.waker().clone());
            let noted = Arc::new(Noted { by, waker }).into();
            hashed.as_mut().poll(&mut Context::from_waker(&noted))
        };
        poll_fn(poll).await.unwrap();
        // This runtime has one thread.
        assert_eq!(*by.lock(), Some(thread::current().id()));
    }

    #[test]
    fn a_runtime_that_has_ended_takes_no_answer_with_it() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let answers = Answers::default();
        let (reply, answer) = runtime.block_on(async { Reply::channel(&Presence::ALWAYS) });
        answers.add(MS, reply, ());
        drop(runtime);
        answers.hand_over();
        assert_eq!(sent(&mut [answer]), 1);
    }

    #[test]
    fn a_runtime_that_stands_still_keeps_nobody_waiting_but_its_own() {
        let (still, running) = (
            Builder::new_current_thread().build().unwrap(),
            Builder::new_current_thread().build().unwrap(),
        );
        let answers = Answers::default();
        let mut waiting = [&running, &still, &running].map(|runtime| {
            let (reply, answer) = runtime.block_on(async { Reply::channel(&Presence::ALWAYS) });
            answers.add(MS, reply, ());
            answer
        });
        answers.hand_over();
        running.block_on(task::yield_now());
        assert_eq!(
            waiting.each_mut().map(|answer| answer.try_recv().is_ok()),
            [true, false, true]
        );
        still.block_on(task::yield_now());
        assert_eq!(sent(&mut waiting), 1);
    }

    #[test]
    fn none_is_lost_with_the_pool() {
        let (answers, mut waiting) = ready(2);
        drop(answers);
        assert_eq!(sent(&mut waiting), 2);
    }
}
