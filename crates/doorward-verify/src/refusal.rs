//! Why a token is not accepted.
//!
//! The surprise: two of the reasons are not about the token. One who is `Stale` may ask again; whoever presented the
//! token did nothing wrong.

use std::fmt;

/// Why a token is not accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Refusal {
    /// There is none. Answer 401.
    Missing,
    /// It is no good token of this issuer and realm, or it is too old. Answer 401; why is for the log only.
    Invalid(Fault),
    /// Its session has ended. Answer 401.
    Ended,
    /// Whether its session lives cannot be said now: the feed has been silent for longer than the bound, or the keys
    /// cannot be had. Answer 503 with `Retry-After`.
    Stale,
}

/// What is wrong with a token. For the log: who presents one learns nothing from it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// More than 8 KiB.
    TooLong,
    /// Not three parts of base64url, or a signature that has not 64 bytes.
    Form,
    /// A header other than exactly `alg` ES256, `typ` at+jwt, and `kid`.
    Header,
    /// The server has no key of this `kid`.
    UnknownKey,
    /// The signature is not that key's.
    Signature,
    /// A claim is missing, comes twice or is of the wrong type.
    Claims,
    /// Another `iss`.
    Issuer,
    /// Another `aud`.
    Realm,
    /// `exp` is over.
    Expired,
    /// `nbf` is to come, or it dies before it was signed.
    NotYet,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => f.write_str("there is no token"),
            Self::Invalid(fault) => write!(f, "the token is not valid: {fault}"),
            Self::Ended => f.write_str("the session has ended"),
            Self::Stale => f.write_str("whether the session lives cannot be said now"),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLong => "it has more than 8 KiB",
            Self::Form => "it has not the form of a signed token",
            Self::Header => "its header is not that of an access token",
            Self::UnknownKey => "its key is not known",
            Self::Signature => "its signature is wrong",
            Self::Claims => "a claim is missing or of the wrong type",
            Self::Issuer => "it is of another issuer",
            Self::Realm => "it is of another realm",
            Self::Expired => "it has expired",
            Self::NotYet => "it is not valid yet",
        })
    }
}

impl std::error::Error for Refusal {}
