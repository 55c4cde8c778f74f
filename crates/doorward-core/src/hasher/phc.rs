//! Argon2 hashes as PHC strings: `$argon2id$v=19$m=19456,t=2,p=1$salt$tag`, salt and tag in base64 without padding.
//!
//! The surprise: a string is hostile until proven otherwise. It may come from an import, and it says itself how
//! much memory and time it wants.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use doorward_argon2::{Algorithm, Version};

use super::memory::Argon2Cost;
use super::stored::Ceiling;

/// The longest string that can be good: names and costs take 40 characters, salt and tag 86 each.
const MAX_LENGTH: usize = 256;

/// An Argon2 hash.
pub(super) struct Argon2Hash {
    pub(super) cost: Argon2Cost,
    pub(super) salt: Vec<u8>,
    pub(super) tag: Vec<u8>,
}

impl Argon2Hash {
    /// Reads a string, if it is one and asks for no more than `ceiling`.
    pub(super) fn parse(text: &str, ceiling: &Ceiling) -> Option<Self> {
        if text.len() > MAX_LENGTH {
            return None;
        }
        let mut parts = text.strip_prefix('$')?.split('$');
        let algorithm = Algorithm::new(parts.next()?).ok()?;
        let mut costs = parts.next()?;
        // The reference implementation wrote no version before it knew a second one.
        let mut version = Version::V0x10;
        if let Some(number) = costs.strip_prefix("v=") {
            version = match number {
                "16" => Version::V0x10,
                "19" => Version::V0x13,
                _ => return None,
            };
            costs = parts.next()?;
        }
        let (salt, tag) = (parts.next()?, parts.next()?);
        if parts.next().is_some() {
            return None;
        }
        let mut costs = costs.split(',');
        let m_kib = number(costs.next()?.strip_prefix("m=")?)?;
        let t = number(costs.next()?.strip_prefix("t=")?)?;
        let p = number(costs.next()?.strip_prefix("p=")?)?;
        let within = costs.next().is_none()
            && (1..=ceiling.p).contains(&p)
            && (1..=ceiling.t).contains(&t)
            && (8 * p..=ceiling.m_kib).contains(&m_kib);
        if !within {
            return None;
        }
        Some(Self {
            cost: Argon2Cost {
                algorithm,
                version,
                m_kib,
                t,
                p,
            },
            salt: bytes(salt, 8)?,
            tag: bytes(tag, 16)?,
        })
    }
}

impl fmt::Display for Argon2Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Argon2Cost {
            algorithm,
            version,
            m_kib,
            t,
            p,
        } = self.cost;
        write!(
            f,
            "${algorithm}$v={}$m={m_kib},t={t},p={p}${}${}",
            u32::from(version),
            STANDARD_NO_PAD.encode(&self.salt),
            STANDARD_NO_PAD.encode(&self.tag)
        )
    }
}

/// A decimal number as the format writes it: digits, no sign, no leading zero.
fn number(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit()) && !text.starts_with('0');
    plain.then(|| text.parse().ok()).flatten()
}

/// `least` to 64 bytes.
fn bytes(text: &str, least: usize) -> Option<Vec<u8>> {
    let bytes = STANDARD_NO_PAD.decode(text).ok()?;
    (least..=64).contains(&bytes.len()).then_some(bytes)
}
