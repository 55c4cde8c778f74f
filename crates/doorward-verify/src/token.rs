//! Access tokens: what makes one good (RFC 7515, RFC 7519, RFC 8725, RFC 9068), apart from whether its session lives.
//!
//! The surprise: nothing here is configurable. One algorithm, one type, exactly three members of the header, each
//! claim that is relied on present once and of its type; and nothing of a token is believed before its signature.

use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use serde::Deserialize;

use crate::claims::Claims;
use crate::keys::Key;
use crate::refusal::Fault;

/// The most bytes of a token; a longer one is refused unread. The server makes none that are longer.
pub(crate) const MAX_TOKEN: usize = 8 * 1024;
/// The `typ` of an access token (RFC 9068 section 2.1).
const TYP: &str = "at+jwt";
/// The one algorithm (RFC 7518 section 3.4).
const ALG: &str = "ES256";
/// An ES256 signature: two numbers of 32 bytes.
const SIGNATURE: usize = 64;
/// How many bytes a remembered token takes beside its claims, about.
const OVERHEAD: u64 = 256;
/// What an unparsed claim becomes in memory, at most about so many times its length in the token.
const GROWTH: u64 = 4;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: String,
    typ: String,
    kid: String,
}

/// A token taken apart. Nothing of it is true yet.
pub(crate) struct Parts<'a> {
    /// The key that is said to have signed it.
    pub(crate) key: String,
    message: &'a str,
    payload: &'a str,
    signature: Vec<u8>,
}

impl<'a> Parts<'a> {
    pub(crate) fn of(token: &'a str) -> Result<Self, Fault> {
        let (message, signature) = token.rsplit_once('.').ok_or(Fault::Form)?;
        let (header, payload) = message.split_once('.').ok_or(Fault::Form)?;
        let header = URL_SAFE_NO_PAD.decode(header).map_err(|_| Fault::Form)?;
        let header: Header = serde_json::from_slice(&header).map_err(|_| Fault::Header)?;
        if header.alg != ALG || header.typ != TYP {
            return Err(Fault::Header);
        }
        let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| Fault::Form)?;
        if signature.len() != SIGNATURE {
            return Err(Fault::Form);
        }
        Ok(Self {
            key: header.kid,
            message,
            payload,
            signature,
        })
    }

    /// The claims, if the key signed them for this issuer and realm. Whether it is their time is another question.
    pub(crate) fn verify(&self, key: &Key, issuer: &str, realm: &str) -> Result<Claims, Fault> {
        if !key.verifies(self.message.as_bytes(), &self.signature) {
            return Err(Fault::Signature);
        }
        let payload = URL_SAFE_NO_PAD.decode(self.payload).map_err(|_| Fault::Form)?;
        let claims: Claims = serde_json::from_slice(&payload).map_err(|_| Fault::Claims)?;
        if claims.iss != issuer {
            Err(Fault::Issuer)
        } else if claims.realm != realm {
            Err(Fault::Realm)
        } else {
            Ok(claims)
        }
    }
}

/// Whether it is the time of a token, `now` in seconds since the epoch.
pub(crate) fn in_time(claims: &Claims, now: i64) -> Result<(), Fault> {
    if claims.exp <= now {
        Err(Fault::Expired)
    } else if claims.nbf.is_some_and(|nbf| nbf > now) || claims.iat > claims.exp {
        Err(Fault::NotYet)
    } else {
        Ok(())
    }
}

/// A token that verified.
#[derive(Clone)]
pub(crate) struct Verified {
    pub(crate) claims: Arc<Claims>,
    /// The key that signed it, by its name and itself: with the key goes what it verified.
    pub(crate) key: Arc<Key>,
    pub(crate) key_name: Arc<str>,
    /// The length of the token, in bytes.
    length: u64,
}

#[derive(Clone)]
struct Weight;

impl Weighter<[u8; 32], Verified> for Weight {
    fn weight(&self, _: &[u8; 32], verified: &Verified) -> u64 {
        OVERHEAD + GROWTH * verified.length
    }
}

/// The tokens that verified lately, under their SHA-256, so that the next check of one costs no signature.
pub(crate) struct Remembered(Cache<[u8; 32], Verified, Weight>);

/// The SHA-256 of a token.
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    pub(crate) fn of(token: &str) -> Self {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
        Self(hash)
    }
}

impl Remembered {
    /// Takes about so many bytes at most.
    pub(crate) fn new(bytes: u64) -> Self {
        // A token of 500 bytes is the rule.
        let expected = usize::try_from(bytes / (OVERHEAD + GROWTH * 500)).unwrap_or(0);
        Self(Cache::with_weighter(expected.max(1), bytes, Weight))
    }

    pub(crate) fn get(&self, fingerprint: &Fingerprint) -> Option<Verified> {
        self.0.get(&fingerprint.0)
    }

    pub(crate) fn keep(
        &self,
        fingerprint: &Fingerprint,
        token: &str,
        claims: &Arc<Claims>,
        name: &str,
        key: &Arc<Key>,
    ) {
        let verified = Verified {
            claims: Arc::clone(claims),
            key: Arc::clone(key),
            key_name: name.into(),
            length: token.len() as u64,
        };
        self.0.insert(fingerprint.0, verified);
    }

    pub(crate) fn forget(&self, fingerprint: &Fingerprint) {
        self.0.remove(&fingerprint.0);
    }
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
