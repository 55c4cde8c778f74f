//! Tokens that are good, and every way to make one that is not.
//!
//! The surprise: the tokens are signed here, by hand, because the server signs none that are bad.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::keys::{self, Ring};

const NOW: i64 = 1_800_000_000;

struct Signer(EcdsaKeyPair);

impl Signer {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap())
    }

    fn key(&self) -> Arc<Key> {
        let point = self.0.public_key().as_ref();
        let (x, y) = (
            URL_SAFE_NO_PAD.encode(&point[1..33]),
            URL_SAFE_NO_PAD.encode(&point[33..]),
        );
        let set = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "k", "x": x, "y": y}]});
        Arc::clone(&keys::read(set.to_string().as_bytes(), &Ring::new()).unwrap()["k"])
    }

    fn sign(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
        let signature = self.0.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}

const HEADER: &str = r#"{"alg":"ES256","typ":"at+jwt","kid":"k"}"#;

fn payload() -> Value {
    json!({
        "iss": "doorward", "aud": "main", "sub": "01010101-0101-0101-0101-010101010101",
        "sid": "02020202-0202-0202-0202-020202020202", "jti": "j", "iat": NOW - 10, "exp": NOW + 10,
        "email": "ann@example.com",
    })
}

fn check(token: &str, key: &Key) -> Result<Claims, Fault> {
    let claims = Parts::of(token)?.verify(key, "doorward", "main")?;
    in_time(&claims, NOW)?;
    Ok(claims)
}

#[test]
fn a_good_token_gives_its_claims() {
    let signer = Signer::new();
    let claims = check(&signer.sign(HEADER, &payload().to_string()), &signer.key()).unwrap();
    assert_eq!(claims.sid.as_bytes(), &[2; 16]);
    assert_eq!((claims.realm.as_str(), claims.exp), ("main", NOW + 10));
    assert_eq!(claims.own.get("email"), Some(&json!("ann@example.com")));
    assert_eq!(claims.own.len(), 1, "{:?}", claims.own);
}

#[test]
fn only_the_one_header_counts() {
    let signer = Signer::new();
    for header in [
        r#"{"alg":"none","typ":"at+jwt","kid":"k"}"#,
        r#"{"alg":"HS256","typ":"at+jwt","kid":"k"}"#,
        r#"{"alg":"es256","typ":"at+jwt","kid":"k"}"#,
        r#"{"alg":"ES256","typ":"JWT","kid":"k"}"#,
        r#"{"alg":"ES256","typ":"statuslist+jwt","kid":"k"}"#,
        r#"{"alg":"ES256","kid":"k"}"#,
        r#"{"alg":"ES256","typ":"at+jwt"}"#,
        r#"{"alg":"ES256","typ":"at+jwt","kid":"k","crit":["exp"]}"#,
        r#"{"alg":"ES256","typ":"at+jwt","kid":"k","jwk":{}}"#,
        r#"{"alg":"ES256","alg":"ES256","typ":"at+jwt","kid":"k"}"#,
        "{}",
        "[]",
        "",
    ] {
        let token = signer.sign(header, &payload().to_string());
        assert_eq!(check(&token, &signer.key()), Err(Fault::Header), "{header}");
    }
}

#[test]
fn claims_are_there_once_and_of_their_type() {
    let signer = Signer::new();
    let key = signer.key();
    let with = |name: &str, value: Option<Value>| {
        let mut payload = payload();
        match value {
            Some(value) => payload[name] = value,
            None => drop(payload.as_object_mut().unwrap().remove(name)),
        }
        check(&signer.sign(HEADER, &payload.to_string()), &key).map(drop)
    };
    for name in ["iss", "aud", "sub", "sid", "jti", "iat", "exp"] {
        assert_eq!(with(name, None), Err(Fault::Claims), "no {name}");
        assert_eq!(with(name, Some(json!(null))), Err(Fault::Claims), "{name} null");
        assert_eq!(with(name, Some(json!([]))), Err(Fault::Claims), "{name} list");
        // The same member twice: whoever takes the first and whoever takes the last would disagree.
        let twice = payload()
            .to_string()
            .replace('}', &format!(",\"{name}\":{}}}", payload()[name]));
        let twice = check(&signer.sign(HEADER, &twice), &key);
        assert_eq!(twice, Err(Fault::Claims), "{name} twice");
    }
    assert_eq!(with("iss", Some(json!("other"))), Err(Fault::Issuer));
    assert_eq!(with("aud", Some(json!("other"))), Err(Fault::Realm));
    assert_eq!(with("exp", Some(json!(NOW))), Err(Fault::Expired));
    assert_eq!(with("exp", Some(json!(NOW + 1))), Ok(()));
    assert_eq!(with("exp", Some(json!("1900000000"))), Err(Fault::Claims));
    assert_eq!(with("exp", Some(json!(1.9e9))), Err(Fault::Claims));
    assert_eq!(with("nbf", Some(json!(NOW + 1))), Err(Fault::NotYet));
    assert_eq!(with("nbf", Some(json!(NOW))), Ok(()));
    assert_eq!(with("iat", Some(json!(NOW + 11))), Err(Fault::NotYet));
    assert_eq!(with("sid", Some(json!("not-a-uuid"))), Err(Fault::Claims));
}

#[test]
fn no_byte_can_be_changed() {
    let signer = Signer::new();
    let key = signer.key();
    let token = signer.sign(HEADER, &payload().to_string());
    for at in 0..token.len() {
        for with in ['A', 'B', '.', '='] {
            let mut changed = token.clone().into_bytes();
            if changed[at] == u8::try_from(with).unwrap() {
                continue;
            }
            changed[at] = u8::try_from(with).unwrap();
            let changed = String::from_utf8(changed).unwrap();
            assert!(check(&changed, &key).is_err(), "{with} at {at}");
        }
    }
    assert_eq!(check(&token, &Signer::new().key()), Err(Fault::Signature));
    for extra in [
        format!("{token}."),
        format!(".{token}"),
        format!("{token}="),
        format!("{token} "),
    ] {
        assert!(check(&extra, &key).is_err(), "{extra}");
    }
}

#[test]
fn memory_for_tokens_is_bounded() {
    let signer = Signer::new();
    let key = signer.key();
    let token = signer.sign(HEADER, &payload().to_string());
    let claims = Arc::new(check(&token, &key).unwrap());
    let remembered = Remembered::new(100_000);
    for n in 0..1000 {
        remembered.keep(&Fingerprint::of(&n.to_string()), &token, &claims, "k", &key);
    }
    let kept = (0..1000)
        .filter(|n| remembered.get(&Fingerprint::of(&n.to_string())).is_some())
        .count() as u64;
    assert!(
        kept > 0 && kept * (OVERHEAD + GROWTH * token.len() as u64) <= 100_000,
        "{kept}"
    );
}

proptest! {
    #[test]
    fn nothing_made_up_is_accepted(token in "[A-Za-z0-9_.=-]{0,200}") {
        prop_assert!(check(&token, &Signer::new().key()).is_err());
    }
}
