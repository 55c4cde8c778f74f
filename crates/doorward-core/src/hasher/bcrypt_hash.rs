//! bcrypt hashes in modular crypt format: `$2b$12$` and 53 characters of salt and hash.
//!
//! The surprise: what bcrypt would get wrong (it ignores what comes after 72 bytes and takes an empty password
//! for a NUL) is refused only after the work is done, so that the time tells nothing about the stored hash.

use std::hint::black_box;

use bcrypt::HashParts;

use super::PasswordLimit;
use super::stored::Ceiling;
use crate::secret::Secret;
use crate::{Error, Result, random};

/// Hashed in place of a password that bcrypt cannot take.
const PLACEHOLDER: &str = "placeholder";

/// A bcrypt hash as it is stored.
pub(super) struct BcryptHash {
    text: String,
    pub(super) cost: u32,
}

impl BcryptHash {
    /// Reads a hash of version `2a`, `2b` or `2y`, which differ in bugs of the past that this implementation never
    /// had. `2x` is one that does have such a bug, and `2` has another; both are refused.
    pub(super) fn parse(text: &str, ceiling: &Ceiling) -> Option<Self> {
        let known = ["$2a$", "$2b$", "$2y$"].iter().any(|version| text.starts_with(version));
        // The parser of numbers would also take "+9".
        let plain = text
            .as_bytes()
            .get(4..6)
            .is_some_and(|cost| cost.iter().all(u8::is_ascii_digit));
        if !known || !plain {
            return None;
        }
        let cost = text.parse::<HashParts>().ok()?.get_cost();
        (4..=ceiling.bcrypt_cost).contains(&cost).then(|| Self {
            text: text.to_owned(),
            cost,
        })
    }

    /// Whether this is the hash of `password`, compared in constant time.
    pub(super) fn matches(&self, password: &Secret) -> Result<bool> {
        let limit = PasswordLimit::of_bcrypt(password);
        let password = if limit.is_none() {
            password.expose()
        } else {
            PLACEHOLDER
        };
        let matches = bcrypt::verify(password, &self.text).map_err(Error::internal)?;
        Ok(matches && limit.is_none())
    }
}

/// A new hash, of version `2b`.
///
/// # Errors
/// When bcrypt cannot take the password, or there are no random bytes.
pub(super) fn hash(password: &Secret, cost: u32) -> Result<String> {
    if PasswordLimit::of_bcrypt(password).is_some() {
        return Err(Error::internal(
            "a password that bcrypt cannot take got as far as its hash",
        ));
    }
    // Not the crate's `non_truncating_…`, which refuse 72 bytes as well; nothing longer gets here.
    let parts = bcrypt::hash_with_salt(password.expose(), cost, random::bytes()?).map_err(Error::internal)?;
    Ok(parts.to_string())
}

/// The work of verifying a hash of this cost, for nothing.
pub(super) fn decoy(cost: u32) -> Result<()> {
    black_box(bcrypt::hash_with_salt(PLACEHOLDER, cost, [0; 16]).map_err(Error::internal)?);
    Ok(())
}
