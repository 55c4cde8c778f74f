//! The public keys of the server (RFC 7517), asked for again when a token names one that is not known.
//!
//! The surprise: a key that stays keeps its identity from one answer of the server to the next, so that what it
//! verified stays verified; with a key that goes, everything goes that it verified.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, ParsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::timeout;

use crate::client::{CHECK, Client, Trouble};
use crate::clock::{Clock, micros};

/// Where the keys are.
const PATH: &str = "/.well-known/jwks.json";
/// The most bytes of the document; a key has 200.
const MAX_DOCUMENT: usize = 256 * 1024;
/// The most keys of it.
const MAX_KEYS: usize = 256;
/// The longest name of a key, in bytes.
const MAX_NAME: usize = 256;
/// Tokens of unknown keys make it ask once in this time and not more often, whoever makes them up.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// Unasked, it asks this often: a key that the operator has taken away is to go.
const KEEP: Duration = Duration::from_secs(60);

/// A key that verifies ES256 (RFC 7518 section 3.4) and nothing else.
pub(crate) struct Key {
    /// SEC 1 section 2.3.3: 0x04, then 32 bytes of x and 32 of y.
    point: [u8; 65],
    parsed: ParsedPublicKey,
}

impl Key {
    fn new(x: &[u8], y: &[u8]) -> Option<Self> {
        let mut point = [4; 65];
        let (_, coordinates) = point.split_first_mut()?;
        let (left, right) = coordinates.split_at_mut(32);
        if x.len() != left.len() || y.len() != right.len() {
            return None;
        }
        left.copy_from_slice(x);
        right.copy_from_slice(y);
        let parsed = ParsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).ok()?;
        Some(Self { point, parsed })
    }

    /// Whether the signature is this key's.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        self.parsed.verify_sig(message, signature).is_ok()
    }
}

/// The keys by their names.
pub(crate) type Ring = HashMap<String, Arc<Key>>;

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: String,
    kid: String,
    x: String,
    y: String,
    alg: Option<String>,
    #[serde(rename = "use")]
    purpose: Option<String>,
}

/// The ES256 keys of a document. Those of other kinds are passed over: they sign nothing that is accepted here.
pub(crate) fn read(document: &[u8], before: &Ring) -> Option<Ring> {
    let document: Document = serde_json::from_slice(document).ok()?;
    let mut ring = Ring::new();
    for value in document.keys.into_iter().take(MAX_KEYS) {
        let Ok(jwk) = serde_json::from_value::<Jwk>(value) else {
            continue;
        };
        let signs = jwk.alg.is_none_or(|alg| alg == "ES256") && jwk.purpose.is_none_or(|purpose| purpose == "sig");
        if jwk.kty != "EC" || jwk.crv != "P-256" || !signs || jwk.kid.len() > MAX_NAME {
            continue;
        }
        let (Ok(x), Ok(y)) = (URL_SAFE_NO_PAD.decode(jwk.x), URL_SAFE_NO_PAD.decode(jwk.y)) else {
            continue;
        };
        let Some(key) = Key::new(&x, &y) else { continue };
        let known = before.get(&jwk.kid).filter(|known| known.point == key.point);
        let key = known.map_or_else(|| Arc::new(key), Arc::clone);
        // Two of one name: which one is meant cannot be said, so the first stays.
        ring.entry(jwk.kid).or_insert(key);
    }
    Some(ring)
}

/// The last question that is over.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    /// Before the question went out, by the monotonic clock: the answer may leave out what was made a little later.
    at: i64,
    answered: bool,
}

/// What is wrong with the keys, as far as it was said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Nothing,
    NoAnswer,
    NoKey,
}

/// The server's keys. [`Keys::keep`] alone asks for them: so a hundred requests with a new key ask once, and one that is
/// given up takes no question along that others wait for.
pub(crate) struct Keys {
    ring: ArcSwap<Ring>,
    asked: watch::Receiver<Option<Asked>>,
    /// After which moment of the monotonic clock a question has to be asked.
    wanted: watch::Sender<i64>,
}

impl Keys {
    /// None yet, and what [`Keys::keep`] takes.
    pub(crate) fn new() -> (Self, watch::Sender<Option<Asked>>) {
        let (told, asked) = watch::channel(None);
        let keys = Self {
            ring: ArcSwap::from_pointee(Ring::new()),
            asked,
            wanted: watch::Sender::new(i64::MIN),
        };
        (keys, told)
    }

    /// Whether the key is still one of the server's.
    pub(crate) fn has(&self, name: &str, key: &Arc<Key>) -> bool {
        self.ring.load().get(name).is_some_and(|known| Arc::ptr_eq(known, key))
    }

    /// The key of this name; none when the server has none.
    ///
    /// # Errors
    /// When it is not known here and the server cannot be asked, or not in the time that a check has.
    pub(crate) async fn find(&self, name: &str, clock: &Clock) -> Result<Option<Arc<Key>>, Trouble> {
        let known = || self.ring.load().get(name).map(Arc::clone);
        if let Some(key) = known() {
            return Ok(Some(key));
        }
        let since = clock.now().running.saturating_sub(micros(ASK_AGAIN));
        let is_late = |asked: &Option<Asked>| asked.is_some_and(|asked| asked.at > since);
        let mut asked = self.asked.clone();
        if !is_late(&asked.borrow()) {
            self.wanted
                .send_if_modified(|wanted| since > std::mem::replace(wanted, since.max(*wanted)));
        }
        // Whoever gives up leaves the question to the others.
        let told = timeout(CHECK, asked.wait_for(is_late)).await;
        let told = told.ok().and_then(|told| told.map_or(None, |asked| *asked));
        match (known(), told) {
            (Some(key), _) => Ok(Some(key)),
            (None, Some(Asked { answered: true, .. })) => Ok(None),
            (None, _) => Err(Trouble::new("the keys cannot be had")),
        }
    }

    /// Keeps the keys as the server has them, for ever.
    pub(crate) async fn keep(&self, told: watch::Sender<Option<Asked>>, client: &Client, clock: &Clock) {
        let mut wanted = self.wanted.subscribe();
        let mut said = Wrong::Nothing;
        loop {
            let at = clock.now().running;
            let done = self.ask(client).await;
            told.send_replace(Some(Asked {
                at,
                answered: done.is_ok(),
            }));
            // Each is said once: the keys that are known go on verifying.
            let wrong = match done {
                Ok(()) if self.ring.load().is_empty() => {
                    if said != Wrong::NoKey {
                        tracing::error!(
                            "the server publishes no ES256 key, so no token can be verified; hint: doorward does not \
                             publish keys while `jwt_secret_file` is set"
                        );
                    }
                    Wrong::NoKey
                }
                Ok(()) => Wrong::Nothing,
                Err(trouble) => {
                    if said != Wrong::NoAnswer {
                        tracing::warn!(%trouble, "the keys cannot be had");
                    }
                    Wrong::NoAnswer
                }
            };
            said = wrong;
            // Whoever wants them has not been told of a question within `ASK_AGAIN`, so it is not asked more often.
            let pause = if wrong == Wrong::Nothing { KEEP } else { ASK_AGAIN };
            drop(timeout(pause, wanted.wait_for(|since| *since >= at)).await);
        }
    }

    async fn ask(&self, client: &Client) -> Result<(), Trouble> {
        let document = client.document(PATH, MAX_DOCUMENT).await?;
        let ring = read(&document, &self.ring.load());
        let ring = ring.ok_or_else(|| Trouble::new(format!("{PATH} is no set of keys")))?;
        self.ring.store(Arc::new(ring));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::signature::{EcdsaKeyPair, KeyPair};
    use serde_json::json;

    use super::*;

    fn jwk(name: &str) -> Value {
        let pair = EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let point = pair.public_key().as_ref();
        let (x, y) = (
            URL_SAFE_NO_PAD.encode(&point[1..33]),
            URL_SAFE_NO_PAD.encode(&point[33..]),
        );
        json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": name, "x": x, "y": y})
    }

    fn with(mut jwk: Value, member: &str, value: Value) -> Value {
        jwk[member] = value;
        jwk
    }

    fn set(keys: &[Value]) -> Vec<u8> {
        json!({ "keys": keys }).to_string().into_bytes()
    }

    #[test]
    fn a_key_that_stays_keeps_its_identity() {
        let (first, second) = (jwk("first"), jwk("second"));
        let before = read(&set(std::slice::from_ref(&first)), &Ring::new()).unwrap();
        let after = read(&set(&[second, first.clone()]), &before).unwrap();
        assert!(Arc::ptr_eq(&before["first"], &after["first"]));
        assert_eq!(after.len(), 2);
        let other = read(&set(&[jwk("first")]), &before).unwrap();
        assert!(!Arc::ptr_eq(&before["first"], &other["first"]));
        let twice = read(&set(&[first, jwk("first")]), &before).unwrap();
        assert!(Arc::ptr_eq(&before["first"], &twice["first"]));
    }

    #[tokio::test]
    async fn who_waits_for_a_key_gives_up() {
        // Nobody asks.
        let (keys, _told) = Keys::new();
        let clock = Clock::start();
        let found = timeout(KEEP, keys.find("made up", &clock)).await;
        assert!(found.is_ok_and(|found| found.is_err()));
    }

    #[test]
    fn only_points_for_es256_count() {
        for (member, value) in [
            ("kty", json!("RSA")),
            ("kty", json!("oct")),
            ("crv", json!("P-384")),
            ("alg", json!("HS256")),
            ("use", json!("enc")),
            ("kid", json!("x".repeat(MAX_NAME + 1))),
            ("kid", json!(7)),
            ("x", json!("AAAA")),
            ("x", json!("A".repeat(43))),
            ("y", json!("!")),
        ] {
            let document = set(&[with(jwk("key"), member, value.clone()), jwk("good")]);
            let ring = read(&document, &Ring::new()).unwrap();
            assert_eq!(ring.keys().collect::<Vec<_>>(), ["good"], "{member} {value}");
        }
        for document in ["", "{}", "[]", "<html>", r#"{"keys":7}"#] {
            assert!(read(document.as_bytes(), &Ring::new()).is_none(), "{document}");
        }
        let many: Vec<Value> = (0..MAX_KEYS + 9)
            .map(|n| with(jwk("key"), "kid", json!(n.to_string())))
            .collect();
        assert_eq!(read(&set(&many), &Ring::new()).unwrap().len(), MAX_KEYS);
    }
}
