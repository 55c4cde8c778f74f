//! The only place that takes random bytes: the operating system's generator, never a seeded one.

use uuid::{Builder, Uuid};

use crate::{Error, Result, Timestamp};

/// `N` unpredictable bytes.
///
/// # Errors
/// When the operating system has none to give; nothing may go on with predictable ones.
#[expect(clippy::disallowed_methods, reason = "the one place that takes random bytes")]
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| Error::internal("no random bytes"))?;
    Ok(bytes)
}

/// A UUIDv7 (RFC 9562 section 5.7) of the given moment.
///
/// # Errors
/// As [`bytes`].
pub fn uuid(at: Timestamp) -> Result<Uuid> {
    let ms = u64::try_from(at.0).unwrap_or(0);
    Ok(Builder::from_unix_timestamp_millis(ms, &bytes()?).into_uuid())
}
