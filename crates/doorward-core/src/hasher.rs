//! The pool that hashes passwords: threads of its own with a low priority, a fair line before them that is bounded by
//! the time to wait, reused memory. No thread that answers requests ever hashes.
//!
//! The surprise: an account that does not exist costs a hash too (the decoy), through the same queue, and so
//! does a stored hash that nobody can read; otherwise the time of the answer would tell who has an account.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::{fmt, io};

use doorward_argon2::{Kernel, self_test};
use tokio::sync::oneshot;

use self::answers::{Answers, Reply};
use self::job::{Job, Queued};
use self::line::Whose;
use self::memory::{Argon2Cost, Memory};
use self::metrics::Tally;
use self::pace::Work;
use self::queue::{Queue, TurnedAway};
use self::rescuer::{Place, Turn};
use self::stored::{Ceiling, Stored};
use self::worker::Worker;
use crate::password::{PasswordPolicy, Weakness};
use crate::presence::Presence;
use crate::secret::{PasswordHash, Secret};
use crate::throttle::{Permit, network};
use crate::{Clock, Error, Result, SetupError};

mod answers;
mod bcrypt_hash;
mod config;
mod job;
mod line;
mod memory;
mod metrics;
mod pace;
mod pairing;
mod phc;
mod priority;
mod queue;
mod rescuer;
mod stored;
mod turns;
mod worker;

pub use config::{HasherConfig, Scheme};
pub use metrics::{HasherMetrics, Histogram};

#[cfg(test)]
mod stored_tests;
#[cfg(test)]
mod tests;

/// The most bytes of a password that bcrypt reads.
pub const BCRYPT_MAX_BYTES: usize = 72;

/// The memory of a hash that is made to measure: a fraction of a millisecond.
const SAMPLE_KIB: u32 = 1024;

/// Why the scheme for new hashes cannot take a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PasswordLimit {
    /// It has no character at all, which bcrypt cannot tell from a single NUL.
    Empty,
    /// It contains NUL, where other implementations of bcrypt stop reading.
    Nul,
    /// It is longer than this many bytes of UTF-8; the rest would be ignored.
    TooLong {
        /// The most bytes.
        bytes: usize,
    },
}

impl PasswordLimit {
    /// What keeps bcrypt from taking this password as a whole.
    fn of_bcrypt(password: &Secret) -> Option<Self> {
        let password = password.expose();
        if password.is_empty() {
            Some(Self::Empty)
        } else if password.contains('\0') {
            Some(Self::Nul)
        } else if password.len() > BCRYPT_MAX_BYTES {
            let bytes = BCRYPT_MAX_BYTES;
            Some(Self::TooLong { bytes })
        } else {
            None
        }
    }
}

/// What came of verifying a password.
#[derive(Debug)]
pub struct Verdict {
    /// Whether it is the password.
    pub matches: bool,
    /// Whether it matches and its hash is weaker than a new one would be, in algorithm or cost: make a new one.
    pub outdated: bool,
    /// To be settled by the caller, who alone knows whether the attempt succeeded.
    pub permit: Permit,
}

/// Who wants something of the pool.
#[derive(Clone, Debug)]
pub struct Caller {
    whose: Whose,
    presence: Presence,
}

impl Caller {
    /// The network of their address, if it is known.
    pub(crate) fn network(&self) -> Option<IpAddr> {
        self.whose.network
    }
}

/// The pool. Dropping it does the jobs that wait, then ends its threads: it blocks for as long as they take.
pub struct Hasher {
    scheme: Scheme,
    kernel: Kernel,
    ceiling: Ceiling,
    queue: Arc<Queue<Queued>>,
    tally: Arc<Tally>,
    /// Nobody outside knows which names share a fingerprint.
    names: RandomState,
    /// Threads that hash at a time.
    places: usize,
    threads: Vec<JoinHandle<()>>,
}

impl Hasher {
    /// Starts the threads, which wait by this clock.
    ///
    /// # Errors
    /// When the configuration is out of range or the system gives no threads.
    pub fn start(config: HasherConfig, clock: Clock) -> Result<Self, SetupError> {
        config.check()?;
        let kernel = trusted(self_test());
        let mut hasher = Self {
            scheme: config.scheme,
            kernel,
            ceiling: Ceiling::of(config.scheme),
            queue: Arc::new(Queue::new(config.threads, config.wait, clock.clone())),
            tally: Arc::default(),
            names: RandomState::new(),
            places: config.threads,
            threads: Vec::with_capacity(2 * config.threads),
        };
        hasher.measure(&clock);
        let answers = Arc::new(Answers::default());
        for number in 0..config.threads {
            let worker = Worker::new(
                config.scheme,
                kernel,
                Arc::clone(&hasher.tally),
                Arc::clone(&answers),
                clock.clone(),
            );
            hasher.start_place(number, Place::new(worker)).map_err(|error| {
                SetupError::new(
                    format!("hash threads: the system gave {number} of {}: {error}", config.threads),
                    "configure fewer threads or raise the limit of processes",
                )
            })?;
        }
        Ok(hasher)
    }

    /// Measures a small hash, so that the first crowd after a start is not judged by what a slow machine would take. It is
    /// counted twice: it has the caches for itself, and those of a crowd do not.
    fn measure(&self, clock: &Clock) {
        let Scheme::Argon2id { m_kib, t, p } = self.scheme else {
            return;
        };
        let sample = Argon2Cost::latest(m_kib.min(SAMPLE_KIB), t.min(2), p);
        let mut memory = Memory::new(Some(sample), self.kernel);
        let mut hash = || memory.argon2(sample, b"password", b"somesalt", &mut [0; 32]);
        // The first one waits for the memory.
        let warm = hash();
        let began = clock.instant();
        if warm.and_then(|()| hash()).is_ok() {
            self.queue
                .expect(Work::Argon2(sample), 2 * clock.instant().duration_since(began));
        }
    }

    /// Starts the two threads of a place.
    fn start_place(&mut self, number: usize, place: Place) -> io::Result<()> {
        let place = Arc::new(place);
        let threads: [(&str, Turn, fn() -> io::Result<()>); 2] = [
            ("hash", Turn::Yielding, priority::yield_to_all),
            ("rescuer", Turn::Rescuing, priority::yield_a_little),
        ];
        for (name, own, lower) in threads {
            let (place, queue) = (Arc::clone(&place), Arc::clone(&self.queue));
            let body = move || {
                if let Err(error) = lower()
                    && number == 0
                {
                    let error = error.to_string();
                    tracing::warn!(
                        error,
                        "the hash threads keep their priority; many log-ins at once will slow other requests"
                    );
                }
                place.work(own, &queue);
            };
            let thread = thread::Builder::new().name(format!("{name}-{number}")).spawn(body)?;
            self.threads.push(thread);
        }
        Ok(())
    }

    /// Whose turn a job is: that of an address, and within it of whatever the caller goes by. `name` is what was typed
    /// and not what was found, so that an account that does not exist waits as one that does. A job whose turn comes when
    /// the caller has gone is not done.
    pub fn caller(&self, address: Option<IpAddr>, name: &str, presence: &Presence) -> Caller {
        Caller {
            whose: Whose {
                network: address.map(network),
                name: self.names.hash_one(name),
            },
            presence: presence.clone(),
        }
    }

    /// Hashes a new password, as [`crate::password::typed`] made it.
    ///
    /// # Errors
    /// [`Error::Busy`] when the wait would be too long, or has become so. [`Error::Unavailable`] when the caller has gone.
    /// [`Error::Internal`] when the password is one that [`Hasher::refuses`], or memory or random bytes are not to be had.
    pub async fn hash(&self, caller: &Caller, password: &Secret) -> Result<PasswordHash> {
        let (answer, hashed) = Reply::channel(&caller.presence);
        let job = Job::Hash {
            password: password.clone(),
            answer,
        };
        self.enqueue(caller, job);
        hashed.await.map_err(lost)?
    }

    /// Verifies a password, as [`crate::password::typed`] made it, against the stored hash; without one, against
    /// the decoy, which costs what a new hash costs and never matches.
    ///
    /// A stored hash of another scheme or cost than the configured one takes another time than the decoy, so it can be
    /// told from an unknown account until its owner logs in while nobody waits, and it is replaced; for as long as it
    /// is there, if it costs more than a new one and so is not replaced.
    ///
    /// # Errors
    /// [`Error::Busy`] when the wait would be too long, or has become so. [`Error::Unavailable`] when the caller has
    /// gone. [`Error::Internal`] when memory is not to be had, or a hash thread failed. The password was not tested
    /// then, and the permit is given back.
    pub async fn verify(
        &self,
        caller: &Caller,
        permit: Permit,
        password: &Secret,
        against: Option<&PasswordHash>,
    ) -> Result<Verdict> {
        let (answer, checked) = Reply::channel(&caller.presence);
        let job = Job::Verify {
            password: password.clone(),
            // What nobody can read costs what the decoy does.
            against: against.and_then(|hash| Stored::parse(hash.expose(), &self.ceiling)),
            answer,
        };
        self.enqueue(caller, job);
        // A caller who hangs up before their turn gets the attempt back, like everybody whose password was not tested.
        // Where this future is dropped the attempt counts, since nobody hears what came of it.
        match checked.await.unwrap_or_else(|dropped| Err(lost(dropped))) {
            Ok(checked) => Ok(Verdict {
                matches: checked.matches,
                outdated: checked.outdated,
                permit,
            }),
            Err(error) => {
                permit.unused();
                Err(error)
            }
        }
    }

    /// What is weak about a new password, if anything ([`PasswordPolicy::weakness`]). The estimate takes up to some
    /// milliseconds, so it is made where hashes are.
    ///
    /// # Errors
    /// [`Error::Busy`] when the wait would be too long, or has become so. [`Error::Unavailable`] when the caller has gone.
    pub async fn weakness(
        &self,
        caller: &Caller,
        policy: &Arc<PasswordPolicy>,
        password: &str,
        context: Vec<String>,
    ) -> Result<Option<Weakness>> {
        let (answer, weakness) = Reply::channel(&caller.presence);
        let job = Job::Estimate {
            policy: Arc::clone(policy),
            password: Secret::new(password.to_owned()),
            context,
            answer,
        };
        self.enqueue(caller, job);
        weakness.await.map_err(lost)?
    }

    /// What keeps the scheme for new hashes from taking this password, if anything. To be asked before
    /// [`Hasher::hash`].
    pub fn refuses(&self, password: &Secret) -> Option<PasswordLimit> {
        match self.scheme {
            Scheme::Argon2id { .. } => None,
            Scheme::Bcrypt { .. } => PasswordLimit::of_bcrypt(password),
        }
    }

    /// Whether somebody waits for a hash thread.
    pub fn has_a_line(&self) -> bool {
        self.queue.waiting() > 0
    }

    /// How the pool is doing.
    pub fn metrics(&self) -> HasherMetrics {
        HasherMetrics {
            queued: self.queue.waiting() as u64,
            done: self.tally.done.load(Ordering::Relaxed),
            rescued: self.tally.rescued.load(Ordering::Relaxed),
            paired: self.tally.paired.load(Ordering::Relaxed),
            refused: self.tally.refused(),
            threads: self.places as u64,
            memory_per_thread: self.scheme.memory(self.kernel),
            waits: self.tally.waits.histogram(),
            hashes: self.tally.hashes.histogram(),
        }
    }

    /// Puts a job in the line. Whoever is turned away, this job or others, is answered at once.
    fn enqueue(&self, caller: &Caller, job: Job) {
        let work = job.work(self.scheme);
        let TurnedAway { jobs, retry_after } = self.queue.push(caller.whose, work, Queued { work, to_do: job });
        for (reason, queued) in jobs {
            self.tally.refuse(reason);
            queued.to_do.turn_away(Error::Busy { retry_after });
        }
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        self.queue.close();
        for thread in self.threads.drain(..) {
            // A thread survives a job that panics, and whatever else it died of has been printed by then.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Hasher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hasher")
            .field("scheme", &self.scheme)
            .finish_non_exhaustive()
    }
}

/// The kernel to hash with, after the test of all that this machine has.
fn trusted(tested: std::result::Result<(), Kernel>) -> Kernel {
    match tested {
        Ok(()) => doorward_argon2::kernel(),
        Err(kernel) => {
            tracing::warn!(
                ?kernel,
                "an argon2id kernel computes something else than the portable one, which is used instead; hint: \
                 report the processor and the compiler, logins are slower until then"
            );
            Kernel::Portable
        }
    }
}

fn lost(_: oneshot::error::RecvError) -> Error {
    Error::internal("a hash thread dropped its job")
}
