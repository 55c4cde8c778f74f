//! One hash thread: takes a job or two, does them in memory of its own, answers.
//!
//! The surprise: a job whose caller has gone is skipped, and told so, since an action outlives its caller. Otherwise
//! clients that give up and try again would have the pool work for nobody while they wait.

use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use doorward_argon2::Kernel;
use subtle::ConstantTimeEq;

use super::answers::{Answers, Reply};
use super::job::{Job, Queued};
use super::line::{Refused, Taken};
use super::memory::{Argon2Cost, Memory};
use super::metrics::Tally;
use super::pace::{Effort, Work};
use super::phc::Argon2Hash;
use super::queue::Queue;
use super::stored::Stored;
use super::{Scheme, bcrypt_hash, priority};
use crate::secret::{PasswordHash, Secret};
use crate::{Clock, Error, Result, random};

/// Bytes of a new salt (RFC 9106 section 3.1 recommends 16).
const SALT: usize = 16;

/// Bytes of a new tag (RFC 9106 section 4 recommends 32).
const TAG: usize = 32;

/// So long without a job, a thread wipes what the last ones have left in its memory, from which passwords could be guessed
/// for next to nothing. Soon enough for whoever gets hold of the memory of a server at rest, and seldom enough to cost
/// nothing: it takes as long as a hash.
const WIPE_AFTER: Duration = Duration::from_secs(1);

/// What came of verifying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) matches: bool,
    pub(super) outdated: bool,
}

impl Checked {
    pub(super) const WRONG: Self = Self {
        matches: false,
        outdated: false,
    };

    fn new(matches: bool, is_behind: bool) -> Self {
        Self {
            matches,
            outdated: matches && is_behind,
        }
    }
}

/// One Argon2 hash to be made, and for whom.
struct Task {
    password: Secret,
    /// With an empty tag of the right length.
    hash: Argon2Hash,
    purpose: Purpose,
}

enum Purpose {
    Hash(Reply<Result<PasswordHash>>),
    Verify {
        /// The tag that is stored; none for the decoy.
        expected: Option<Vec<u8>>,
        is_behind: bool,
        answer: Reply<Result<Checked>>,
    },
}

impl Task {
    fn argon2(&mut self) -> doorward_argon2::Job<'_> {
        doorward_argon2::Job::new(self.password.expose().as_bytes(), &self.hash.salt, &mut self.hash.tag)
    }
}

/// The thread's own.
pub(super) struct Worker {
    scheme: Scheme,
    memory: Memory,
    tally: Arc<Tally>,
    answers: Arc<Answers>,
    clock: Clock,
    /// Jobs done of those that were taken last.
    did: u32,
}

impl Worker {
    /// A worker that counts what it does in `tally`, measures it by this clock, and leaves the `answers` there.
    pub(super) fn new(scheme: Scheme, kernel: Kernel, tally: Arc<Tally>, answers: Arc<Answers>, clock: Clock) -> Self {
        let new = match scheme {
            Scheme::Argon2id { m_kib, t, p } => Some(Argon2Cost::latest(m_kib, t, p)),
            Scheme::Bcrypt { .. } => None,
        };
        Self {
            scheme,
            memory: Memory::new(new, kernel),
            tally,
            answers,
            clock,
            did: 0,
        }
    }

    /// Does the next job, or two at once; none when the queue is closed and empty.
    pub(super) fn work(&mut self, queue: &Queue<Queued>) -> Option<Effort> {
        let asked = self.clock.running();
        let first = self.next(queue)?;
        // A job that came while this thread asked for one waited until it was woken up.
        let woken = self.clock.running().saturating_sub(asked).min(first.waited);
        self.tally.waits.observe(first.waited);
        let work = first.job.work;
        if first.is_late {
            self.tally.refuse(Refused::Late);
            let retry_after = queue.retry_after();
            first.job.to_do.turn_away(Error::Busy { retry_after });
            queue.done(first.takes, work, Effort::default());
            // Where nothing but the waking up took so long this thread has to be rescued as well.
            return Some(Effort {
                took: woken,
                used: Some(Duration::ZERO),
                did: 0,
            });
        }
        let second = self.second(work, queue);
        let effort = self.work_on(queue, work, first, second);
        Some(Effort {
            took: effort.took + woken,
            ..effort
        })
    }

    /// Counts jobs that a rescuer did.
    pub(super) fn count_rescued(&self, jobs: u32) {
        self.tally.rescued.fetch_add(jobs.into(), Ordering::Relaxed);
    }

    /// The next job. Answers are held back only if jobs suffice for all threads: then this one finds a job, or another
    /// thread has taken it and comes here next.
    fn next(&mut self, queue: &Queue<Queued>) -> Option<Taken<Queued>> {
        if !queue.suffices() {
            self.answers.hand_over();
        }
        queue.take(WIPE_AFTER, || self.memory.wipe())
    }

    /// A job to be done at once with one that is this much work.
    fn second(&self, work: Work, queue: &Queue<Queued>) -> Option<Taken<Queued>> {
        let Work::Argon2(cost) = work else { return None };
        if !self.memory.pairs(cost) {
            return None;
        }
        queue.take_second(|other| other.work == work)
    }

    fn work_on(
        &mut self,
        queue: &Queue<Queued>,
        work: Work,
        first: Taken<Queued>,
        second: Option<Taken<Queued>>,
    ) -> Effort {
        let takes = first.takes + second.as_ref().map_or(Duration::ZERO, |second| second.takes);
        self.answers.hand_over_before(takes, self.clock.running());
        let (started, used) = (self.clock.instant(), priority::time_used());
        self.did = 0;
        // A panic would be a bug in a hash function. It must cost its callers an answer and not the pool a
        // thread; the memory, which it may have left half filled, holds nothing that matters to the next.
        let _ = panic::catch_unwind(AssertUnwindSafe(|| match second {
            Some(second) => {
                self.tally.waits.observe(second.waited);
                self.run_two(first.job.to_do, second.job.to_do);
            }
            None => self.run(first.job.to_do),
        }));
        let took = self.clock.instant().duration_since(started);
        if work != Work::Strength {
            (0..self.did).for_each(|_| self.tally.hashes.observe(took));
        }
        let used = used.and_then(|before| priority::time_used()?.checked_sub(before));
        let effort = Effort {
            did: self.did,
            took,
            used,
        };
        queue.done(takes, work, effort);
        effort
    }

    /// Does one job, unless its caller has gone before.
    pub(super) fn run(&mut self, job: Job) {
        if let Some(task) = self.begin(job) {
            self.run_task(task);
        }
    }

    /// Does two jobs, at once if they are two Argon2 hashes of the same cost.
    pub(super) fn run_two(&mut self, first: Job, second: Job) {
        match (self.begin(first), self.begin(second)) {
            (Some(mut first), Some(mut second))
                if first.hash.cost == second.hash.cost && self.memory.pairs(first.hash.cost) =>
            {
                let cost = first.hash.cost;
                let hashed = self.memory.argon2_pair(cost, [first.argon2(), second.argon2()]);
                if hashed.is_err() {
                    // There may be memory for one.
                    return [first, second].into_iter().for_each(|task| self.run_task(task));
                }
                self.tally.paired.fetch_add(2, Ordering::Relaxed);
                self.finish(first, Ok(()));
                self.finish(second, Ok(()));
            }
            tasks => <[_; 2]>::from(tasks)
                .into_iter()
                .flatten()
                .for_each(|task| self.run_task(task)),
        }
    }

    /// What is to be computed for a job. None when it is done already: what is no Argon2 is done here, and what
    /// nobody waits for is not done at all.
    fn begin(&mut self, job: Job) -> Option<Task> {
        if job.is_in_vain() {
            job.turn_away(Error::unavailable("the caller has hung up"));
            return None;
        }
        match job {
            Job::Hash { password, answer } => self.begin_hash(password, answer),
            Job::Verify {
                password,
                against,
                answer,
            } => self.begin_verify(password, against, answer),
            Job::Estimate {
                policy,
                password,
                context,
                answer,
            } => {
                let context: Vec<&str> = context.iter().map(String::as_str).collect();
                self.did += 1;
                answer.send(Ok(policy.weakness(password.expose(), &context)));
                None
            }
        }
    }

    fn begin_hash(&mut self, password: Secret, answer: Reply<Result<PasswordHash>>) -> Option<Task> {
        let (m_kib, t, p) = match self.scheme {
            Scheme::Bcrypt { cost } => {
                let hashed = bcrypt_hash::hash(&password, cost).map(PasswordHash::new);
                self.answer(answer, hashed);
                return None;
            }
            Scheme::Argon2id { m_kib, t, p } => (m_kib, t, p),
        };
        match random::bytes::<SALT>() {
            Ok(salt) => Some(Task {
                password,
                hash: Argon2Hash {
                    cost: Argon2Cost::latest(m_kib, t, p),
                    salt: salt.to_vec(),
                    tag: vec![0; TAG],
                },
                purpose: Purpose::Hash(answer),
            }),
            Err(error) => {
                self.answer(answer, Err(error));
                None
            }
        }
    }

    fn begin_verify(
        &mut self,
        password: Secret,
        against: Option<Stored>,
        answer: Reply<Result<Checked>>,
    ) -> Option<Task> {
        let is_behind = against.as_ref().is_some_and(|stored| stored.is_behind(self.scheme));
        let (hash, expected) = match (against, self.scheme) {
            (Some(Stored::Argon2(hash)), _) => {
                let tag = vec![0; hash.tag.len()];
                (Argon2Hash { tag, ..hash }, Some(hash.tag))
            }
            (Some(Stored::Bcrypt(hash)), _) => {
                let matches = hash.matches(&password);
                self.answer(answer, matches.map(|matches| Checked::new(matches, is_behind)));
                return None;
            }
            // The decoy.
            (None, Scheme::Bcrypt { cost }) => {
                self.answer(answer, bcrypt_hash::decoy(cost).map(|()| Checked::WRONG));
                return None;
            }
            (None, Scheme::Argon2id { m_kib, t, p }) => (
                Argon2Hash {
                    cost: Argon2Cost::latest(m_kib, t, p),
                    salt: vec![0; SALT],
                    tag: vec![0; TAG],
                },
                None,
            ),
        };
        Some(Task {
            password,
            hash,
            purpose: Purpose::Verify {
                expected,
                is_behind,
                answer,
            },
        })
    }

    fn run_task(&mut self, mut task: Task) {
        let Argon2Hash { cost, salt, tag } = &mut task.hash;
        let hashed = self.memory.argon2(*cost, task.password.expose().as_bytes(), salt, tag);
        self.finish(task, hashed);
    }

    /// Answers, once the tag is computed.
    fn finish(&mut self, task: Task, hashed: Result<()>) {
        match task.purpose {
            Purpose::Hash(answer) => {
                let text = hashed.map(|()| PasswordHash::new(task.hash.to_string()));
                self.answer(answer, text);
            }
            Purpose::Verify {
                expected,
                is_behind,
                answer,
            } => {
                let tag = black_box(task.hash.tag);
                let matches = expected.is_some_and(|expected| tag.ct_eq(&expected).into());
                self.answer(answer, hashed.map(|()| Checked::new(matches, is_behind)));
            }
        }
    }

    fn answer<T: Send + 'static>(&mut self, answer: Reply<T>, result: T) {
        self.did += 1;
        self.tally.done.fetch_add(1, Ordering::Relaxed);
        self.answers.add(self.clock.running(), answer, result);
    }
}
