//! Stored hashes of every kind that can be verified, and what they may cost.
//!
//! The surprise: "behind" is no total order. Any single cost below the configured one counts, and a hash of
//! Argon2id is never replaced by one of bcrypt, which would be a step back.

use doorward_argon2::{Algorithm, Version};

use super::Scheme;
use super::bcrypt_hash::BcryptHash;
use super::phc::Argon2Hash;

/// The most that a stored hash may ask for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ceiling {
    pub(super) m_kib: u32,
    pub(super) t: u32,
    pub(super) p: u32,
    pub(super) bcrypt_cost: u32,
}

impl Ceiling {
    /// What hashes made elsewhere may ask for (256 MiB in ten passes and bcrypt at cost 16 are seconds of one
    /// thread), and in any case what new ones do.
    pub(super) fn of(scheme: Scheme) -> Self {
        let mut ceiling = Self {
            m_kib: 262_144,
            t: 10,
            p: 16,
            bcrypt_cost: 16,
        };
        match scheme {
            Scheme::Argon2id { m_kib, t, p } => {
                ceiling.m_kib = ceiling.m_kib.max(m_kib);
                ceiling.t = ceiling.t.max(t);
                ceiling.p = ceiling.p.max(p);
            }
            Scheme::Bcrypt { cost } => ceiling.bcrypt_cost = ceiling.bcrypt_cost.max(cost),
        }
        ceiling
    }
}

/// A stored hash that can be verified.
pub(super) enum Stored {
    Argon2(Argon2Hash),
    Bcrypt(BcryptHash),
}

impl Stored {
    /// Reads a hash; none when it is of no known kind, broken, or asks for more than `ceiling`.
    pub(super) fn parse(text: &str, ceiling: &Ceiling) -> Option<Self> {
        if text.starts_with("$argon2") {
            Argon2Hash::parse(text, ceiling).map(Self::Argon2)
        } else {
            BcryptHash::parse(text, ceiling).map(Self::Bcrypt)
        }
    }

    /// Whether a new hash of `scheme` would be stronger, or as strong with other lanes: these alone would have the hash
    /// take another time than all others, for ever.
    pub(super) fn is_behind(&self, scheme: Scheme) -> bool {
        match (self, scheme) {
            (Self::Argon2(hash), Scheme::Argon2id { m_kib, t, p }) => {
                let cost = hash.cost;
                let latest = cost.algorithm == Algorithm::Argon2id && cost.version == Version::V0x13;
                let other_lanes = (cost.m_kib, cost.t) == (m_kib, t) && cost.p != p;
                !latest || cost.m_kib < m_kib || cost.t < t || other_lanes
            }
            (Self::Bcrypt(hash), Scheme::Bcrypt { cost }) => hash.cost < cost,
            (Self::Bcrypt(_), Scheme::Argon2id { .. }) => true,
            (Self::Argon2(_), Scheme::Bcrypt { .. }) => false,
        }
    }
}
