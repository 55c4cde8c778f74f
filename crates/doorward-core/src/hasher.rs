//! The pool that hashes passwords: threads of its own, a bounded queue, reused memory. No thread that answers
//! requests ever hashes.
//!
//! The surprise: an account that does not exist costs a hash too (the decoy), through the same queue, and so
//! does a stored hash that nobody can read; otherwise the time of the answer would tell who has an account.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use doorward_argon2::{Kernel, self_test};
use tokio::sync::oneshot;

use self::memory::Argon2Cost;
use self::queue::Queue;
use self::worker::{Job, Worker};
use crate::password::{PasswordPolicy, Weakness};
use crate::secret::{PasswordHash, Secret};
use crate::throttle::Permit;
use crate::{Error, Result, SetupError};

mod bcrypt_hash;
mod memory;
mod phc;
mod queue;
mod stored;
mod worker;

#[cfg(test)]
mod stored_tests;
#[cfg(test)]
mod tests;

/// The most bytes of a password that bcrypt reads.
pub const BCRYPT_MAX_BYTES: usize = 72;

/// The most threads a pool can have.
const MAX_THREADS: usize = 1024;

/// Waiting jobs by default. At 58 hashes a second and core (argon2id, m=19456 t=2, no AVX) the last of them waits for
/// 256 / 116 = 2.2 s on two cores, which a person at a login form still bears; their memory is 256 times a
/// password of 4 KiB at most.
const DEFAULT_QUEUE: usize = 256;

/// The most jobs that can be made to wait.
const MAX_QUEUE: usize = 65_536;

/// When to come back after a refusal. A place is free after a single hash, some hundredths of a second, but
/// everybody who was refused comes back for it, and `Retry-After` counts in whole seconds.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How new passwords are hashed.
///
/// Whatever can be configured can also be verified. Hashes made elsewhere, or under a configuration of earlier,
/// are verified up to m=262144, t=10, p=16 and bcrypt cost 16: who wants to lower costs from above that has to
/// go there in one step with the password resets it takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Argon2id version 19 (RFC 9106).
    Argon2id {
        /// Memory in KiB, 8 × `p` to 1048576 (1 GiB).
        m_kib: u32,
        /// Passes over the memory, 1 to 64.
        t: u32,
        /// Lanes, 1 to 16; they are computed one after the other.
        p: u32,
    },
    /// bcrypt, for databases that other software reads too. It takes no password over [`BCRYPT_MAX_BYTES`].
    Bcrypt {
        /// Two to the power of this many rounds, 4 to 20.
        cost: u32,
    },
}

impl Default for Scheme {
    fn default() -> Self {
        Self::Argon2id {
            m_kib: 19_456,
            t: 2,
            p: 1,
        }
    }
}

impl Scheme {
    /// What one thread keeps allocated for it, in bytes.
    fn memory(self, kernel: Kernel) -> u64 {
        match self {
            Self::Argon2id { m_kib, t, p } => {
                let at_once = if Argon2Cost::latest(m_kib, t, p).pairs_on(kernel) {
                    2
                } else {
                    1
                };
                u64::from(m_kib) * 1024 * at_once
            }
            Self::Bcrypt { .. } => 0,
        }
    }
}

/// The size of the pool and what it does.
#[derive(Clone, Debug)]
pub struct HasherConfig {
    /// How new passwords are hashed.
    pub scheme: Scheme,
    /// Threads, 1 to 1024. Peak memory is this times [`HasherMetrics::memory_per_thread`].
    pub threads: usize,
    /// Jobs that may wait, 1 to 65536; one more is refused.
    pub queue: usize,
}

impl Default for HasherConfig {
    fn default() -> Self {
        Self {
            scheme: Scheme::default(),
            threads: thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_THREADS)),
            queue: DEFAULT_QUEUE,
        }
    }
}

impl HasherConfig {
    fn check(&self) -> Result<(), SetupError> {
        match self.scheme {
            Scheme::Argon2id { m_kib, t, p } => {
                within("argon2id lanes (p)", p.into(), 1, 16, "1 is the default")?;
                within("argon2id passes (t)", t.into(), 1, 64, "2 is the default")?;
                within(
                    "argon2id memory (m, in KiB)",
                    m_kib.into(),
                    8 * u64::from(p),
                    1_048_576,
                    "19456 is the default",
                )?;
            }
            Scheme::Bcrypt { cost } => within("bcrypt cost", cost.into(), 4, 20, "12 is usual")?,
        }
        within(
            "hash threads",
            self.threads as u64,
            1,
            MAX_THREADS as u64,
            "one for each core is the default",
        )?;
        within(
            "hash queue",
            self.queue as u64,
            1,
            MAX_QUEUE as u64,
            "256 is the default",
        )
    }
}

fn within(what: &str, value: u64, least: u64, most: u64, usual: &str) -> Result<(), SetupError> {
    if (least..=most).contains(&value) {
        return Ok(());
    }
    Err(SetupError::new(
        format!("{what}: {value} is out of range"),
        format!("choose a number from {least} to {most}; {usual}"),
    ))
}

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

/// How the pool is doing.
#[derive(Clone, Copy, Debug)]
pub struct HasherMetrics {
    /// Jobs that wait now.
    pub queued: u64,
    /// Jobs done since the start.
    pub done: u64,
    /// Jobs refused since the start, because the queue was full.
    pub refused: u64,
    /// Threads.
    pub threads: u64,
    /// What each thread keeps allocated, in bytes. A stored hash of a higher cost takes more while it is verified.
    pub memory_per_thread: u64,
}

/// The pool. Dropping it does the jobs that wait, then ends its threads: it blocks for as long as they take.
pub struct Hasher {
    scheme: Scheme,
    kernel: Kernel,
    queue: Arc<Queue<Job>>,
    done: Arc<AtomicU64>,
    refused: AtomicU64,
    threads: Vec<JoinHandle<()>>,
}

impl Hasher {
    /// Starts the threads.
    ///
    /// # Errors
    /// When the configuration is out of range or the system gives no threads.
    pub fn start(config: HasherConfig) -> Result<Self, SetupError> {
        config.check()?;
        let kernel = trusted(self_test());
        let mut hasher = Self {
            scheme: config.scheme,
            kernel,
            queue: Arc::new(Queue::new(config.queue, config.threads)),
            done: Arc::default(),
            refused: AtomicU64::new(0),
            threads: Vec::with_capacity(config.threads),
        };
        for number in 0..config.threads {
            let queue = Arc::clone(&hasher.queue);
            let worker = Worker::new(config.scheme, kernel, Arc::clone(&hasher.done));
            let thread = thread::Builder::new()
                .name(format!("hash-{number}"))
                .spawn(move || worker.work(&queue))
                .map_err(|error| {
                    SetupError::new(
                        format!("hash threads: the system gave {number} of {}: {error}", config.threads),
                        "configure fewer threads or raise the limit of processes",
                    )
                })?;
            hasher.threads.push(thread);
        }
        Ok(hasher)
    }

    /// Hashes a new password, as [`crate::password::typed`] made it.
    ///
    /// # Errors
    /// [`Error::Busy`] when the queue is full. [`Error::Internal`] when the password is one that
    /// [`Hasher::refuses`], or memory or random bytes are not to be had.
    pub async fn hash(&self, password: &Secret) -> Result<PasswordHash> {
        let (answer, hashed) = oneshot::channel();
        self.enqueue(Job::Hash {
            password: password.clone(),
            answer,
        })?;
        hashed.await.map_err(lost)?
    }

    /// Verifies a password, as [`crate::password::typed`] made it, against the stored hash; without one, against
    /// the decoy, which costs what a new hash costs and never matches.
    ///
    /// A stored hash of another scheme or cost than the configured one takes another time than the decoy, so it
    /// can be told from an unknown account until its owner logs in and it is replaced.
    ///
    /// # Errors
    /// [`Error::Busy`] when the queue is full; the permit is given back then. [`Error::Internal`] when memory is
    /// not to be had.
    pub async fn verify(&self, permit: Permit, password: &Secret, against: Option<&PasswordHash>) -> Result<Verdict> {
        let (answer, checked) = oneshot::channel();
        let job = Job::Verify {
            password: password.clone(),
            against: against.cloned(),
            answer,
        };
        if let Err(busy) = self.enqueue(job) {
            permit.unused();
            return Err(busy);
        }
        // From here on a caller who goes away has used the attempt: the permit is dropped with this future.
        let checked = checked.await.map_err(lost)??;
        Ok(Verdict {
            matches: checked.matches,
            outdated: checked.outdated,
            permit,
        })
    }

    /// What is weak about a new password, if anything ([`PasswordPolicy::weakness`]). The estimate takes up to some
    /// milliseconds, so it is made where hashes are.
    ///
    /// # Errors
    /// [`Error::Busy`] when the queue is full.
    pub async fn weakness(
        &self,
        policy: &Arc<PasswordPolicy>,
        password: &str,
        context: Vec<String>,
    ) -> Result<Option<Weakness>> {
        let (answer, weakness) = oneshot::channel();
        self.enqueue(Job::Estimate {
            policy: Arc::clone(policy),
            password: Secret::new(password.to_owned()),
            context,
            answer,
        })?;
        weakness.await.map_err(lost)
    }

    /// What keeps the scheme for new hashes from taking this password, if anything. To be asked before
    /// [`Hasher::hash`].
    pub fn refuses(&self, password: &Secret) -> Option<PasswordLimit> {
        match self.scheme {
            Scheme::Argon2id { .. } => None,
            Scheme::Bcrypt { .. } => PasswordLimit::of_bcrypt(password),
        }
    }

    /// How the pool is doing.
    pub fn metrics(&self) -> HasherMetrics {
        HasherMetrics {
            queued: self.queue.waiting() as u64,
            done: self.done.load(Ordering::Relaxed),
            refused: self.refused.load(Ordering::Relaxed),
            threads: self.threads.len() as u64,
            memory_per_thread: self.scheme.memory(self.kernel),
        }
    }

    fn enqueue(&self, job: Job) -> Result<()> {
        if self.queue.push(job) {
            return Ok(());
        }
        self.refused.fetch_add(1, Ordering::Relaxed);
        Err(Error::Busy {
            retry_after: RETRY_AFTER,
        })
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
