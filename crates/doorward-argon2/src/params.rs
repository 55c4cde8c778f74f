//! Costs and kind of a hash, checked once.
//!
//! The surprise: the memory that is used is `m` rounded down to a multiple of 4 × `p` blocks, while `m` itself goes
//! into the hash; two costs that use the same memory still give two hashes (RFC 9106 section 3.2).

pub use argon2::{Algorithm, Version};

use crate::Error;

/// Slices of a pass (RFC 9106 section 3.4: SL).
pub(crate) const SLICES: usize = 4;

/// The most bytes of associated data that the `argon2` crate takes.
const MAX_AD: usize = argon2::AssociatedData::MAX_LEN;

/// What a hash costs and of which kind it is: in range, once it exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Params {
    algorithm: Algorithm,
    version: Version,
    m_kib: u32,
    t: u32,
    p: u32,
}

impl Params {
    /// Argon2id version 0x13, as RFC 9106 has it: `m_kib` KiB of memory, `t` passes over it, `p` lanes.
    ///
    /// # Errors
    /// When a cost is out of range.
    pub fn argon2id(m_kib: u32, t: u32, p: u32) -> Result<Self, Error> {
        Self::new(Algorithm::Argon2id, Version::V0x13, m_kib, t, p)
    }

    /// Any kind of Argon2. Only [`Params::argon2id`] with one lane takes the fast way.
    ///
    /// # Errors
    /// When a cost is out of range.
    pub fn new(algorithm: Algorithm, version: Version, m_kib: u32, t: u32, p: u32) -> Result<Self, Error> {
        if !(argon2::Params::MIN_P_COST..=argon2::Params::MAX_P_COST).contains(&p) {
            return Err(Error::Lanes);
        }
        if m_kib < 8 * p {
            return Err(Error::MemoryCost);
        }
        if t == 0 {
            return Err(Error::Passes);
        }
        Ok(Self {
            algorithm,
            version,
            m_kib,
            t,
            p,
        })
    }

    /// The kind.
    pub fn algorithm(self) -> Algorithm {
        self.algorithm
    }

    /// The version of the kind.
    pub fn version(self) -> Version {
        self.version
    }

    /// Memory in KiB.
    pub fn m_kib(self) -> u32 {
        self.m_kib
    }

    /// Passes over the memory.
    pub fn t(self) -> u32 {
        self.t
    }

    /// Lanes.
    pub fn p(self) -> u32 {
        self.p
    }

    /// Blocks of 1 KiB that are used.
    pub fn blocks(self) -> usize {
        let p = self.p as usize;
        self.m_kib as usize / (SLICES * p) * SLICES * p
    }

    /// Whether the kernels of this crate can do it.
    pub(crate) fn is_single_argon2id(self) -> bool {
        self.algorithm == Algorithm::Argon2id && self.version == Version::V0x13 && self.p == 1
    }
}

/// One password to hash, and where the hash goes. Its `Debug` tells lengths only.
pub struct Job<'a> {
    /// The password (P), not longer than 2³² − 1 bytes.
    pub password: &'a [u8],
    /// The salt (S), 8 to 2³² − 1 bytes; 16 are recommended.
    pub salt: &'a [u8],
    /// The secret or pepper (K); empty for none.
    pub secret: &'a [u8],
    /// Associated data (X), not longer than 32 bytes; empty for none.
    pub ad: &'a [u8],
    /// Where the hash (T) goes, 4 to 2³² − 1 bytes; its length goes into the hash.
    pub out: &'a mut [u8],
}

impl<'a> Job<'a> {
    /// A job without secret and associated data.
    pub fn new(password: &'a [u8], salt: &'a [u8], out: &'a mut [u8]) -> Self {
        Self {
            password,
            salt,
            secret: &[],
            ad: &[],
            out,
        }
    }

    /// Whether all lengths are in range.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let fits = |bytes: &[u8]| u32::try_from(bytes.len()).is_ok();
        for (is_good, error) in [
            (fits(self.password), Error::Password),
            (fits(self.salt) && self.salt.len() >= argon2::MIN_SALT_LEN, Error::Salt),
            (fits(self.secret), Error::Secret),
            (self.ad.len() <= MAX_AD, Error::AssociatedData),
            (
                fits(self.out) && self.out.len() >= argon2::Params::MIN_OUTPUT_LEN,
                Error::Output,
            ),
        ] {
            if !is_good {
                return Err(error);
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for Job<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Job")
            .field("password", &"(..)")
            .field("salt", &self.salt.len())
            .field("secret", &"(..)")
            .field("ad", &self.ad.len())
            .field("out", &self.out.len())
            .finish()
    }
}
