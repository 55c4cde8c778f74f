//! How the pool is set up: what new hashes cost, how many threads make them, and how long anybody waits for one.
//!
//! The surprise: whatever can be configured can also be verified. Hashes made elsewhere, or under a configuration of
//! earlier, are verified up to m=262144, t=10, p=16 and bcrypt cost 16: who wants to lower costs from above that has to
//! go there in one step with the password resets it takes.

use std::thread;
use std::time::Duration;

use doorward_argon2::Kernel;

use super::memory::Argon2Cost;
use crate::SetupError;

/// The most threads a pool can have.
const MAX_THREADS: usize = 1024;

/// How long a password may wait for a thread by default. With the hash, the network and a retry it stays below the ten
/// seconds after which people and HTTP clients give up, and it is long enough for a crowd: 2,000 log-ins at once on two
/// cores with AVX-512, 600 without.
const DEFAULT_WAIT: Duration = Duration::from_secs(5);

/// The longest it can be made. Nobody waits for longer, and what waits takes memory.
const MAX_WAIT: Duration = Duration::from_secs(600);

/// How new passwords are hashed.
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
    /// bcrypt, for databases that other software reads too. It takes no password over
    /// [`BCRYPT_MAX_BYTES`](super::BCRYPT_MAX_BYTES).
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
    pub(super) fn memory(self, kernel: Kernel) -> u64 {
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
    /// Threads, 1 to 1024. Peak memory is this times
    /// [`HasherMetrics::memory_per_thread`](super::HasherMetrics::memory_per_thread).
    pub threads: usize,
    /// How long a job may wait for a thread, at most ten minutes; who would wait longer is refused at once. Zero refuses
    /// whoever finds no thread free.
    pub wait: Duration,
}

impl Default for HasherConfig {
    fn default() -> Self {
        Self {
            scheme: Scheme::default(),
            threads: thread::available_parallelism().map_or(1, |cores| cores.get().min(MAX_THREADS)),
            wait: DEFAULT_WAIT,
        }
    }
}

impl HasherConfig {
    /// Judges it without starting anything.
    ///
    /// # Errors
    /// When something is out of range.
    pub fn check(&self) -> Result<(), SetupError> {
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
            "wait for a hash thread, in seconds",
            self.wait.as_secs(),
            0,
            MAX_WAIT.as_secs(),
            "5 is the default",
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
