//! What the pool is asked to do.

use std::sync::Arc;

use super::Scheme;
use super::answers::Reply;
use super::memory::Argon2Cost;
use super::pace::Work;
use super::stored::Stored;
use super::worker::Checked;
use crate::password::{PasswordPolicy, Weakness};
use crate::secret::{PasswordHash, Secret};
use crate::{Error, Result};

/// Something to do, with a copy of the password of its own, wiped when dropped.
pub(super) enum Job {
    Hash {
        password: Secret,
        answer: Reply<Result<PasswordHash>>,
    },
    Verify {
        password: Secret,
        /// None for the decoy: the work of verifying a hash of the configured scheme, for nothing.
        against: Option<Stored>,
        answer: Reply<Result<Checked>>,
    },
    /// No hash, but work that a thread which answers requests has no time for.
    Estimate {
        policy: Arc<PasswordPolicy>,
        password: Secret,
        /// Words that the password must not be made of.
        context: Vec<String>,
        answer: Reply<Result<Option<Weakness>>>,
    },
}

/// A job in the queue. What there is to do was found out before: whoever compares jobs there holds others up.
pub(super) struct Queued {
    pub(super) work: Work,
    pub(super) to_do: Job,
}

impl Job {
    /// What there is to do.
    pub(super) fn work(&self, scheme: Scheme) -> Work {
        let stored = match self {
            Self::Estimate { .. } => return Work::Strength,
            Self::Verify { against, .. } => against.as_ref(),
            Self::Hash { .. } => None,
        };
        match (stored, scheme) {
            (Some(Stored::Argon2(hash)), _) => Work::Argon2(hash.cost),
            (Some(Stored::Bcrypt(hash)), _) => Work::Bcrypt(hash.cost),
            (None, Scheme::Argon2id { m_kib, t, p }) => Work::Argon2(Argon2Cost::latest(m_kib, t, p)),
            (None, Scheme::Bcrypt { cost }) => Work::Bcrypt(cost),
        }
    }

    /// Whether nobody waits for it any more.
    pub(super) fn is_in_vain(&self) -> bool {
        match self {
            Self::Hash { answer, .. } => answer.is_closed(),
            Self::Verify { answer, .. } => answer.is_closed(),
            Self::Estimate { answer, .. } => answer.is_closed(),
        }
    }

    /// Answers that it is not done, and why.
    pub(super) fn turn_away(self, why: Error) {
        match self {
            Self::Hash { answer, .. } => answer.send(Err(why)),
            Self::Verify { answer, .. } => answer.send(Err(why)),
            Self::Estimate { answer, .. } => answer.send(Err(why)),
        }
    }
}
