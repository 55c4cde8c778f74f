//! Signing keys: ES256 pairs made at first start and rotated, or one HS256 secret that the operator gives.
//!
//! The surprise: a new key verifies at once and signs only a little later, when every process must have learned
//! of it. Its predecessors go on verifying until every token they signed is dead by age, unless they are removed.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey};
use zeroize::Zeroizing;

use crate::revocations::FRESH_FOR;
use crate::secret::Secret;
use crate::{Error, Result, SetupError, Timestamp, random};

/// The shortest HS256 secret, in bytes (RFC 7518 section 3.2: no shorter than the hash).
pub const MIN_SECRET: usize = 32;

/// The fewest different bytes of an HS256 secret: random ones have nearly always more than ten, whichever alphabet they
/// are written in, and one key held down has one.
const MIN_DISTINCT: usize = 8;

/// What stands in examples in place of a secret, in lower case. Whoever looks for servers with a secret that was never
/// chosen tries these first, and can sign a token for anybody.
const PLACEHOLDERS: [&str; 10] = [
    "changeme",
    "change-me",
    "change_me",
    "replace-me",
    "replace_me",
    "secretsecret",
    "your-secret",
    "your_secret",
    "yoursecret",
    "placeholder",
];

/// How to come by a secret that is none of those.
pub const MAKE_SECRET: &str = "`openssl rand -base64 32` makes one";

/// Why an HS256 secret can be guessed, if it can.
pub fn flaw_of_secret(secret: &str) -> Option<String> {
    let distinct: BTreeSet<u8> = secret.bytes().collect();
    let folded = Zeroizing::new(secret.to_ascii_lowercase());
    if secret.len() < MIN_SECRET {
        Some(format!("it has fewer than {MIN_SECRET} bytes"))
    } else if distinct.len() < MIN_DISTINCT {
        Some(format!("it has fewer than {MIN_DISTINCT} different bytes"))
    } else {
        let placeholder = PLACEHOLDERS.iter().find(|placeholder| folded.contains(**placeholder))?;
        Some(format!("`{placeholder}` is in it, which stands in examples"))
    }
}

/// How long a key is known before it signs: twice the time within which every process learns of it
/// ([`crate::revocations::FRESH_FOR`]). A token that another process could not verify would log somebody out.
pub const LEAD: Duration = FRESH_FOR.saturating_mul(2);

/// The name of a key (`kid`, RFC 7517 section 4.5).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyId(pub String);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A signing key as it is stored: an ES256 pair in PKCS#8 (RFC 5208), DER.
#[derive(Clone)]
pub struct StoredKey {
    /// Its name.
    pub id: KeyId,
    /// The pair.
    pub pkcs8: Zeroizing<Vec<u8>>,
    /// When it was made; it signs from [`LEAD`] after that, or at once if it is the only one.
    pub created_at: Timestamp,
}

impl fmt::Debug for StoredKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoredKey({}, since {})", self.id, self.created_at)
    }
}

impl StoredKey {
    /// A new pair.
    ///
    /// # Errors
    /// When there are no random bytes.
    pub fn generate(at: Timestamp) -> Result<Self> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)
            .map_err(|_| Error::internal("no key could be made"))?;
        let pkcs8 = pair
            .to_pkcs8v1()
            .map_err(|_| Error::internal("a new key could not be written down"))?;
        Ok(Self {
            id: KeyId(URL_SAFE_NO_PAD.encode(random::bytes::<12>()?)),
            pkcs8: Zeroizing::new(pkcs8.as_ref().to_vec()),
            created_at: at,
        })
    }
}

/// What became of a key that was to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRemoval {
    /// No token of it is good any more.
    Removed,
    /// It is the newest and stays: it signs, or is to.
    Signs,
    /// It stays: no newer one is known everywhere yet. One will be, after so long.
    SignsFor(Duration),
    /// There is none of this name.
    Unknown,
}

/// A public key as JWKS shows it (RFC 7518 section 6.2): the coordinates of a P-256 point in base64url.
#[derive(Clone, Debug)]
pub struct PublicKey {
    /// Its name.
    pub id: KeyId,
    /// The x coordinate.
    pub x: String,
    /// The y coordinate.
    pub y: String,
}

/// What signs, parsed once: the library of tokens parses a pair at each signature, which takes more than half as long as
/// to sign with it.
enum Signer {
    Es256(EcdsaKeyPair),
    Hs256(Box<hmac::Key>),
}

/// A key that is ready to sign and verify. The algorithm belongs to the key and not to the token.
pub struct SigningKey {
    pub(crate) id: KeyId,
    pub(crate) algorithm: Algorithm,
    signer: Signer,
    pub(crate) verify: DecodingKey,
    public: Option<PublicKey>,
    signs_from: Timestamp,
}

impl SigningKey {
    /// Its name.
    pub fn id(&self) -> &KeyId {
        &self.id
    }

    /// The signature of a message in the form of its algorithm (RFC 7518 sections 3.2 and 3.4).
    ///
    /// # Errors
    /// When there are no random bytes.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>> {
        match &self.signer {
            Signer::Es256(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|signature| signature.as_ref().to_vec())
                .map_err(|_| Error::internal(format!("the signing key {} cannot sign", self.id))),
            Signer::Hs256(secret) => Ok(hmac::sign(secret, message).as_ref().to_vec()),
        }
    }

    fn es256(stored: &StoredKey) -> Result<Self> {
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &stored.pkcs8)
            .map_err(|e| Error::internal(format!("the signing key {} is damaged: {e}", stored.id)))?;
        // SEC 1 section 2.3.3: 0x04, then 32 bytes of x and 32 of y.
        let point = pair.public_key().as_ref();
        let (Some(x), Some(y)) = (point.get(1..33), point.get(33..65)) else {
            return Err(Error::internal(format!(
                "the signing key {} is no P-256 key",
                stored.id
            )));
        };
        Ok(Self {
            id: stored.id.clone(),
            algorithm: Algorithm::ES256,
            verify: DecodingKey::from_ec_der(point),
            public: Some(PublicKey {
                id: stored.id.clone(),
                x: URL_SAFE_NO_PAD.encode(x),
                y: URL_SAFE_NO_PAD.encode(y),
            }),
            signer: Signer::Es256(pair),
            signs_from: stored.created_at.plus(LEAD),
        })
    }

    fn hs256(secret: &Secret) -> Self {
        let bytes = secret.expose().as_bytes();
        Self {
            id: KeyId("secret".into()),
            algorithm: Algorithm::HS256,
            signer: Signer::Hs256(Box::new(hmac::Key::new(hmac::HMAC_SHA256, bytes))),
            verify: DecodingKey::from_secret(bytes),
            public: None,
            signs_from: Timestamp(i64::MIN),
        }
    }
}

/// The keys in use, the newest first. All verify, one signs.
pub struct KeyRing(Vec<Arc<SigningKey>>);

impl KeyRing {
    /// The ring of stored pairs, the newest first.
    ///
    /// # Errors
    /// When there is none, or one is damaged.
    pub fn es256(stored: &[StoredKey]) -> Result<Self> {
        let keys: Vec<_> = stored
            .iter()
            .map(|key| SigningKey::es256(key).map(Arc::new))
            .collect::<Result<_>>()?;
        if keys.is_empty() {
            return Err(Error::internal("there is no signing key"));
        }
        Ok(Self(keys))
    }

    /// A ring of one shared secret.
    ///
    /// # Errors
    /// When it can be guessed ([`flaw_of_secret`]).
    pub fn hs256(secret: &Secret) -> Result<Self, SetupError> {
        if let Some(flaw) = flaw_of_secret(secret.expose()) {
            return Err(SetupError::new(
                format!("the HS256 secret can be guessed: {flaw}"),
                MAKE_SECRET,
            ));
        }
        Ok(Self(vec![Arc::new(SigningKey::hs256(secret))]))
    }

    /// The key that signs now: the newest that every process knows, or else the oldest.
    pub fn signer(&self, now: Timestamp) -> Option<&Arc<SigningKey>> {
        self.0.iter().find(|key| key.signs_from <= now).or(self.0.last())
    }

    /// The key of this name.
    pub fn find(&self, id: &str) -> Option<&Arc<SigningKey>> {
        self.0.iter().find(|key| key.id.0 == id)
    }

    /// What may be published; empty when the secret is shared.
    pub fn public(&self) -> Vec<PublicKey> {
        self.0.iter().filter_map(|key| key.public.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_can_be_guessed_is_refused_with_a_hint() {
        let good = "0123456789abcdef0123456789abcdef";
        for (secret, flaw) in [
            ("0123456789abcdef0123456789abcde", "fewer than 32 bytes"),
            (
                "0123456012345601234560123456012345601234560",
                "fewer than 8 different bytes",
            ),
            ("changemechangemechangemechangeme", "fewer than 8 different bytes"),
            ("ChangeMe-0123456789-0123456789-01", "`changeme` is in it"),
            ("this is your_secret, keep it very well", "`your_secret` is in it"),
        ] {
            let error = KeyRing::hs256(&Secret::new(secret.to_owned()))
                .err()
                .unwrap()
                .to_string();
            assert!(error.contains(flaw), "{error}");
            assert!(error.contains("\nhint: `openssl rand -base64 32`"), "{error}");
            assert!(!error.contains(secret), "{error}");
        }
        assert!(KeyRing::hs256(&Secret::new(good.to_owned())).is_ok());
        assert!(KeyRing::hs256(&Secret::new("01234567".repeat(4))).is_ok());
    }

    #[test]
    fn a_ring_needs_a_key_and_publishes_only_points() {
        assert!(KeyRing::es256(&[]).is_err());
        let keys = [
            StoredKey::generate(Timestamp(2)).unwrap(),
            StoredKey::generate(Timestamp(1)).unwrap(),
        ];
        let ring = KeyRing::es256(&keys).unwrap();
        assert!(keys.iter().all(|key| ring.find(&key.id.0).is_some()));
        assert!(ring.find("other").is_none());
        let public = ring.public();
        assert_eq!(public.len(), 2);
        assert!(public.iter().all(|key| key.x.len() == 43 && key.y.len() == 43));
    }

    #[test]
    fn a_new_key_signs_when_everybody_knows_it() {
        let (old, new) = (
            StoredKey::generate(Timestamp(0)).unwrap(),
            StoredKey::generate(Timestamp(86_400_000)).unwrap(),
        );
        let signer = |ring: &KeyRing, at| ring.signer(at).unwrap().id.clone();
        let first = KeyRing::es256(std::slice::from_ref(&old)).unwrap();
        assert_eq!(signer(&first, Timestamp(0)), old.id, "the only one signs at once");
        let ring = KeyRing::es256(&[new.clone(), old.clone()]).unwrap();
        assert_eq!(signer(&ring, new.created_at), old.id);
        assert_eq!(signer(&ring, new.created_at.plus(LEAD)), new.id);
    }

    #[test]
    fn a_damaged_key_is_an_error() {
        let mut key = StoredKey::generate(Timestamp(1)).unwrap();
        key.pkcs8.truncate(20);
        assert!(KeyRing::es256(&[key]).is_err());
    }
}
