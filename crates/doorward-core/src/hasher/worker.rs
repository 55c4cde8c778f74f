//! One hash thread: takes a job, does it in memory of its own, answers.
//!
//! The surprise: a job whose caller has gone is skipped. Otherwise clients that give up and try again would
//! have the pool work for nobody while they wait.

use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::{Algorithm, Version};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use super::memory::{Argon2Cost, Memory};
use super::phc::Argon2Hash;
use super::queue::Queue;
use super::stored::{Ceiling, Stored};
use super::{Scheme, bcrypt_hash};
use crate::secret::{PasswordHash, Secret};
use crate::{Result, random};

/// Bytes of a new salt (RFC 9106 section 3.1 recommends 16).
const SALT: usize = 16;

/// Bytes of a new tag (RFC 9106 section 4 recommends 32).
const TAG: usize = 32;

/// Something to do, with a copy of the password of its own, wiped when dropped.
pub(super) enum Job {
    Hash {
        password: Secret,
        answer: oneshot::Sender<Result<PasswordHash>>,
    },
    Verify {
        password: Secret,
        /// None for the decoy.
        against: Option<PasswordHash>,
        answer: oneshot::Sender<Result<Checked>>,
    },
}

/// What came of verifying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked {
    pub(super) matches: bool,
    pub(super) outdated: bool,
}

impl Checked {
    const WRONG: Self = Self {
        matches: false,
        outdated: false,
    };
}

/// The thread's own.
pub(super) struct Worker {
    scheme: Scheme,
    ceiling: Ceiling,
    memory: Memory,
    done: Arc<AtomicU64>,
}

impl Worker {
    /// A worker that counts the jobs it does in `done`.
    pub(super) fn new(scheme: Scheme, done: Arc<AtomicU64>) -> Self {
        let keep = match scheme {
            Scheme::Argon2id { m_kib, .. } => m_kib,
            Scheme::Bcrypt { .. } => 0,
        };
        Self {
            scheme,
            ceiling: Ceiling::of(scheme),
            memory: Memory::new(keep),
            done,
        }
    }

    /// Does jobs until the queue is closed and empty.
    pub(super) fn work(mut self, queue: &Queue<Job>) {
        while let Some(job) = queue.take() {
            // A panic would be a bug in a hash function. It must cost its caller an answer and not the pool a
            // thread; the memory, which it may have left half filled, holds nothing that matters to the next.
            let _ = panic::catch_unwind(AssertUnwindSafe(|| self.run(job)));
            queue.done();
        }
    }

    /// Does one job, unless its caller has gone before.
    pub(super) fn run(&mut self, job: Job) {
        match job {
            Job::Hash { password, answer } if !answer.is_closed() => {
                let hashed = self.hash(&password);
                self.done.fetch_add(1, Ordering::Relaxed);
                // Whoever went during the work does not want the answer.
                let _ = answer.send(hashed);
            }
            Job::Verify {
                password,
                against,
                answer,
            } if !answer.is_closed() => {
                let checked = self.verify(&password, against.as_ref());
                self.done.fetch_add(1, Ordering::Relaxed);
                let _ = answer.send(checked);
            }
            Job::Hash { .. } | Job::Verify { .. } => {}
        }
    }

    fn hash(&mut self, password: &Secret) -> Result<PasswordHash> {
        let (m_kib, t, p) = match self.scheme {
            Scheme::Bcrypt { cost } => return bcrypt_hash::hash(password, cost).map(PasswordHash::new),
            Scheme::Argon2id { m_kib, t, p } => (m_kib, t, p),
        };
        let mut hash = Argon2Hash {
            cost: latest(m_kib, t, p),
            salt: random::bytes::<SALT>()?.to_vec(),
            tag: vec![0; TAG],
        };
        self.memory
            .argon2(hash.cost, password.expose().as_bytes(), &hash.salt, &mut hash.tag)?;
        Ok(PasswordHash::new(hash.to_string()))
    }

    fn verify(&mut self, password: &Secret, against: Option<&PasswordHash>) -> Result<Checked> {
        let Some(stored) = against.and_then(|hash| Stored::parse(hash.expose(), &self.ceiling)) else {
            self.decoy(password)?;
            return Ok(Checked::WRONG);
        };
        let matches = match &stored {
            Stored::Bcrypt(hash) => hash.matches(password)?,
            Stored::Argon2(hash) => {
                let mut tag = vec![0; hash.tag.len()];
                self.memory
                    .argon2(hash.cost, password.expose().as_bytes(), &hash.salt, &mut tag)?;
                tag.ct_eq(&hash.tag).into()
            }
        };
        Ok(Checked {
            matches,
            outdated: matches && stored.is_behind(self.scheme),
        })
    }

    /// The work of verifying a hash of the configured scheme, for nothing.
    fn decoy(&mut self, password: &Secret) -> Result<()> {
        match self.scheme {
            Scheme::Bcrypt { cost } => bcrypt_hash::decoy(cost),
            Scheme::Argon2id { m_kib, t, p } => {
                let mut tag = [0; TAG];
                self.memory
                    .argon2(latest(m_kib, t, p), password.expose().as_bytes(), &[0; SALT], &mut tag)?;
                black_box(tag);
                Ok(())
            }
        }
    }
}

/// What new hashes are made with.
fn latest(m_kib: u32, t: u32, p: u32) -> Argon2Cost {
    Argon2Cost {
        algorithm: Algorithm::Argon2id,
        version: Version::V0x13,
        m_kib,
        t,
        p,
    }
}
