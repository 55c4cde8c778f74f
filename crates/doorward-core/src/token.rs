//! Access tokens: the one module that signs and verifies them (RFC 7519, RFC 8725, RFC 9068).
//!
//! It is strict where the library is lenient: the header has exactly `alg`, `kid` and `typ`, the algorithm
//! is the key's, and every claim relied on is present and of its type. The surprise: a token that verified, or was
//! signed here, is remembered under its SHA-256, so that the next check costs a look-up instead of a signature.

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, Header, Validation};
use quick_cache::OptionsBuilder;
use quick_cache::sync::Cache;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::account::AccountId;
use crate::key::KeyRing;
use crate::realm::Realm;
use crate::secret::Secret;
use crate::session::SessionId;
use crate::{Error, Result, Timestamp, random, status_list};

/// The most bytes of a token; a longer one is refused unread.
pub const MAX_TOKEN: usize = 8 * 1024;
/// The most tokens of one request that are tried (a header and a few cookies).
pub const MAX_PRESENTED: usize = 8;
/// How many tokens are remembered, verified or signed here, at about 300 bytes each.
const REMEMBERED: usize = 100_000;
/// What a token has besides its header and claims, so that it is written where it ends up: 64 bytes in base64, two dots,
/// and what base64 rounds up.
const ROOM_FOR_SIGNATURE: usize = 86 + 2 + 4;
/// The `typ` of an access token (RFC 9068 section 2.1).
const TYP: &str = "at+jwt";
/// The `typ` of a status list (draft-ietf-oauth-status-list-21 section 5.1).
const STATUS_LIST_TYP: &str = "statuslist+jwt";
/// The claim that names a place in a status list (section 6.1). Ours only where tokens have it.
pub const STATUS_CLAIM: &str = "status";
/// The claims that are ours; a contract's own claims may not take their names.
pub const REGISTERED_CLAIMS: [&str; 8] = ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "nbf"];

/// The tokens that came with a request, in the order in which the contract looks for them.
#[derive(Debug, Default)]
pub struct Presented(pub Vec<Secret>);

/// A token that verified: the signature and claims are good, it has not expired. Whether its session lives is
/// another question.
#[derive(Clone, Debug)]
pub struct Verified {
    /// Whose it is (`sub`).
    pub account: AccountId,
    /// Which login it comes from (`sid`).
    pub session: SessionId,
    /// When it dies (`exp`).
    pub expires_at: Timestamp,
    /// The realm (`aud`).
    audience: Box<str>,
}

impl Verified {
    /// The name of the realm. A token of one realm means nothing in another.
    pub fn realm(&self) -> &str {
        &self.audience
    }

    /// The `jti` and `iat` of the token that this is the verification of: few ask, so they are not remembered.
    pub(crate) fn birth(&self, token: &Secret) -> Option<(String, Timestamp)> {
        let payload = token.expose().split('.').nth(1)?;
        let claims: StrictClaims = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()?;
        Some((claims.jti, Timestamp(claims.iat.saturating_mul(1000))))
    }
}

/// A token to sign.
pub struct NewToken<'a> {
    /// The realm (`aud`).
    pub realm: &'a Realm,
    /// The account (`sub`).
    pub account: AccountId,
    /// The session (`sid`).
    pub session: SessionId,
    /// From when (`iat`).
    pub at: Timestamp,
    /// For how long (`exp`), in whole seconds.
    pub lifetime: Duration,
    /// The contract's own claims.
    pub claims: Map<String, Value>,
}

/// The SHA-256 of a token, under which it is remembered.
type Fingerprint = [u8; 32];

/// Signs and verifies access tokens.
pub struct Tokens {
    issuer: String,
    ring: ArcSwap<KeyRing>,
    remembered: Cache<Fingerprint, Arc<Verified>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StrictHeader {
    alg: Algorithm,
    kid: String,
    typ: String,
}

/// The claims relied on. All required, all of their type; serde refuses one that comes twice.
#[derive(Deserialize)]
struct StrictClaims {
    iss: String,
    aud: String,
    sub: Uuid,
    sid: Uuid,
    jti: String,
    iat: i64,
    exp: i64,
    nbf: Option<i64>,
}

impl Tokens {
    /// Signs as `issuer` with a key of the ring.
    pub fn new(issuer: String, ring: KeyRing) -> Self {
        Self {
            issuer,
            ring: ArcSwap::from_pointee(ring),
            remembered: memory(REMEMBERED),
        }
    }

    /// The keys in use.
    pub fn ring(&self) -> Arc<KeyRing> {
        self.ring.load_full()
    }

    /// Takes another ring. What the old one verified has to be verified again.
    pub fn replace_ring(&self, ring: KeyRing) {
        self.ring.store(Arc::new(ring));
        self.remembered.clear();
    }

    /// How many tokens are remembered: those that verified, and those that were signed here.
    pub fn remembered(&self) -> usize {
        self.remembered.len()
    }

    /// Signs a token, and remembers it as if it had been verified: the claims that are relied on are the ones written
    /// here, whatever the contract's own are called.
    ///
    /// # Errors
    /// When there are no random bytes, the key cannot sign, or the claims of the contract make it longer than
    /// [`MAX_TOKEN`]: nobody could ever use it.
    pub fn sign(&self, new: NewToken<'_>) -> Result<Secret> {
        let lifetime = i64::try_from(new.lifetime.as_secs()).unwrap_or(i64::MAX);
        let expires_at = new.at.seconds().saturating_add(lifetime);
        let mut claims = new.claims;
        // The one that we read and do not write.
        claims.shift_remove("nbf");
        claims.insert("iss".into(), self.issuer.clone().into());
        claims.insert("aud".into(), new.realm.name.clone().into());
        claims.insert("sub".into(), new.account.to_string().into());
        claims.insert("sid".into(), new.session.to_string().into());
        claims.insert("jti".into(), URL_SAFE_NO_PAD.encode(random::bytes::<16>()?).into());
        claims.insert("iat".into(), new.at.seconds().into());
        claims.insert("exp".into(), expires_at.into());
        let ring = self.ring();
        let token = signed(&ring, TYP, &claims, new.at)?;
        let length = token.expose().len();
        if length > MAX_TOKEN {
            return Err(Error::internal(format!(
                "an access token of {length} bytes is longer than the {MAX_TOKEN} that are read of one; hint: give the \
                 contract fewer or shorter claims"
            )));
        }
        let verified = Verified {
            account: new.account,
            session: new.session,
            expires_at: Timestamp(expires_at.saturating_mul(1000)),
            audience: new.realm.name.as_str().into(),
        };
        self.remember(fingerprint(token.expose()), &Arc::new(verified), &ring);
        Ok(token)
    }

    /// Signs a status list, of which this is the address and these are the bits (draft-ietf-oauth-status-list-21
    /// section 5.1). Its `typ` keeps it from being taken for an access token, and the other way round.
    ///
    /// # Errors
    /// When the key cannot sign.
    pub(crate) fn sign_status_list(&self, uri: &str, bits: &str, at: Timestamp) -> Result<Secret> {
        let mut claims = Map::new();
        claims.insert("iss".into(), self.issuer.clone().into());
        claims.insert("sub".into(), uri.into());
        claims.insert("iat".into(), at.seconds().into());
        claims.insert("exp".into(), at.plus(status_list::LIFETIME).seconds().into());
        claims.insert("ttl".into(), status_list::TTL.as_secs().into());
        claims.insert("status_list".into(), json!({"bits": 1, "lst": bits}));
        signed(&self.ring(), STATUS_LIST_TYP, &claims, at)
    }

    /// Remembers a token that is good by a key of this ring, unless another ring has taken its place meanwhile: what
    /// is forgotten with a ring must not come back after it.
    fn remember(&self, token: Fingerprint, verified: &Arc<Verified>, ring: &Arc<KeyRing>) {
        self.remembered.insert(token, Arc::clone(verified));
        // Asked afterwards: a ring that comes after this forgets everything by itself.
        if !Arc::ptr_eq(ring, &self.ring.load()) {
            self.remembered.remove(&token);
        }
    }

    /// Verifies a token, of whatever realm. Why one is refused is nobody's business.
    pub fn verify(&self, token: &Secret, now: Timestamp) -> Option<Arc<Verified>> {
        let token = token.expose();
        if token.len() > MAX_TOKEN {
            return None;
        }
        let fingerprint = fingerprint(token);
        let verified = match self.remembered.get(&fingerprint) {
            Some(verified) => verified,
            None => {
                let ring = self.ring();
                let verified = Arc::new(self.verify_signature(&ring, token, now)?);
                self.remember(fingerprint, &verified, &ring);
                verified
            }
        };
        (verified.expires_at > now).then_some(verified)
    }

    /// Whether it is a token that names a key which is not in the ring.
    pub fn lacks_key_of(&self, token: &Secret) -> bool {
        let token = token.expose();
        token.len() <= MAX_TOKEN && header(token).is_some_and(|header| self.ring.load().find(&header.kid).is_none())
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that verifies")]
    fn verify_signature(&self, ring: &KeyRing, token: &str, now: Timestamp) -> Option<Verified> {
        let header = header(token)?;
        let key = ring.find(&header.kid)?;
        if header.alg != key.algorithm || header.typ != TYP {
            return None;
        }
        // The time and the names are checked below against our own clock and types.
        let mut validation = Validation::new(key.algorithm);
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        let claims = jsonwebtoken::decode::<StrictClaims>(token, &key.verify, &validation)
            .ok()?
            .claims;
        let seconds = now.seconds();
        let lives = claims.exp > seconds && claims.nbf.is_none_or(|nbf| nbf <= seconds) && claims.iat <= claims.exp;
        (lives && claims.iss == self.issuer).then(|| Verified {
            account: AccountId(claims.sub),
            session: SessionId(claims.sid),
            expires_at: Timestamp(claims.exp.saturating_mul(1000)),
            audience: claims.aud.into(),
        })
    }
}

/// Remembers so many tokens. Half of the places are for the latest, however often others were used: a token may be used for
/// the first time when thousands of others have been signed since, and those that were used most are dead some day.
fn memory(tokens: usize) -> Cache<Fingerprint, Arc<Verified>> {
    let (weighter, hasher, lifecycle) = Default::default();
    let options = OptionsBuilder::new()
        .estimated_items_capacity(tokens)
        .weight_capacity(tokens as u64)
        .hot_allocation(0.5)
        .build();
    match options {
        Ok(options) => Cache::with_options(options, weighter, hasher, lifecycle),
        // Everything that is needed is said above.
        Err(_) => Cache::new(tokens),
    }
}

fn fingerprint(token: &str) -> Fingerprint {
    let mut hash = [0; 32];
    hash.copy_from_slice(digest::digest(&digest::SHA256, token.as_bytes()).as_ref());
    hash
}

/// The compact form of RFC 7515 section 7.1.
fn signed(ring: &KeyRing, typ: &str, claims: &Map<String, Value>, at: Timestamp) -> Result<Secret> {
    let key = ring
        .signer(at)
        .ok_or_else(|| Error::internal("there is no signing key"))?;
    let mut header = Header::new(key.algorithm);
    header.typ = Some(typ.into());
    header.kid = Some(key.id.0.clone());
    let header = serde_json::to_vec(&header).map_err(Error::internal)?;
    let claims = serde_json::to_vec(claims).map_err(Error::internal)?;
    let mut token = String::with_capacity((header.len() + claims.len()) * 4 / 3 + ROOM_FOR_SIGNATURE);
    URL_SAFE_NO_PAD.encode_string(header, &mut token);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(signature, &mut token);
    Ok(Secret::new(token))
}

/// What the header says, if it is one that we make.
fn header(token: &str) -> Option<StrictHeader> {
    let (header, _) = token.split_once('.')?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()
}

#[cfg(test)]
#[path = "token_tests.rs"]
mod tests;
