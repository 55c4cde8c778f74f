//! What can keep a hash from being made.
//!
//! The surprise: every limit is checked before any work is done, so an error costs nothing and leaves `out` as it was.

use std::fmt;

/// Why there is no hash. The limits are those of RFC 9106 section 3.1 where nothing else is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Error {
    /// Memory of less than 8 KiB for each lane.
    MemoryCost,
    /// No pass over the memory.
    Passes,
    /// No lane, or more than 2²⁴ − 1.
    Lanes,
    /// A password of 2³² bytes or more.
    Password,
    /// A salt of less than 8 bytes, or of 2³² or more.
    Salt,
    /// A secret of 2³² bytes or more.
    Secret,
    /// Associated data of more than 32 bytes: the limit of the `argon2` crate, held to on every path so that a hash
    /// made on one machine can be made on another.
    AssociatedData,
    /// An output of less than 4 bytes, or of 2³² or more.
    Output,
    /// The system gives no memory of that size.
    OutOfMemory,
    /// This machine does not have what the kernel needs.
    Unavailable,
    /// A bug of this crate or of one below.
    Internal,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::MemoryCost => "argon2 memory (m) is less than 8 KiB for each lane; hint: raise m or lower p",
            Self::Passes => "argon2 passes (t) are 0; hint: make it 1 at least",
            Self::Lanes => "argon2 lanes (p) are out of range; hint: choose a number from 1 to 16777215",
            Self::Password => "argon2 password is 4 GiB or longer; hint: limit it before",
            Self::Salt => "argon2 salt is out of range; hint: it takes 8 bytes, 16 are usual",
            Self::Secret => "argon2 secret is 4 GiB or longer; hint: 32 bytes are plenty",
            Self::AssociatedData => "argon2 associated data is longer than 32 bytes; hint: give a hash of it",
            Self::Output => "argon2 output is out of range; hint: it takes 4 bytes, 32 are usual",
            Self::OutOfMemory => "argon2: the system gives no memory of that size; hint: lower m or hash less at once",
            Self::Unavailable => "argon2: this machine cannot run that kernel; hint: take the one that `kernel` names",
            Self::Internal => "argon2: a bug; hint: please report it with the costs and lengths, without the password",
        })
    }
}

impl std::error::Error for Error {}
