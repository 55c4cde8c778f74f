//! Checks of what was captured:
//!
//! ```text
//! ? claims {{token}} {"id": 1}     the claims of the contract, beside those that every token has
//! ? lives {{token}} 86400          from `iat` to `exp`, in seconds
//! ? differ {{a}} {{b}}             two values that have to be different
//! ? same {{a}} {{b}}               two values that have to be equal
//! ```
//!
//! The surprise: `claims` also checks the header of the token and the claims that every token has.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::{Captured, fill, matching};

/// The claims that every token has, whatever its contract (RFC 9068 section 2.2).
fn every_token() -> Value {
    json!({
        "iss": "doorward", "aud": "<text>", "sub": "<uuid>", "sid": "<uuid>", "jti": "<text>",
        "iat": "<int>", "exp": "<int>",
    })
}

/// Runs a check.
pub(super) fn check(text: &str, captured: &Captured) -> Result<(), String> {
    let text = fill::text(text, captured)?;
    let mut words = text.splitn(3, ' ');
    let (Some(what), Some(first), Some(second)) = (words.next(), words.next(), words.next()) else {
        return Err(format!("a check takes two things: {text}"));
    };
    match what {
        "claims" => claims(first, second),
        "lives" => lives(first, second),
        "differ" if first != second => Ok(()),
        "differ" => Err(format!("they do not differ: {first}")),
        "same" if first == second => Ok(()),
        "same" => Err(format!("{first} is not {second}")),
        _ => Err(format!("no check: {what}")),
    }
}

fn claims(token: &str, own: &str) -> Result<(), String> {
    let mut scratch = Captured::new();
    let header = part(token, 0)?;
    let expected = json!({"alg": "ES256", "kid": "<text>", "typ": "at+jwt"});
    matching::json(&expected, &header, "the token's header", &mut scratch)?;
    let mut expected = every_token();
    let own: Value = serde_json::from_str(own).map_err(|error| format!("no JSON: {error}: {own}"))?;
    let (Some(all), Some(own)) = (expected.as_object_mut(), own.as_object()) else {
        return Err("claims are an object".to_owned());
    };
    all.extend(own.clone());
    matching::json(&expected, &part(token, 1)?, "claims", &mut scratch)
}

fn lives(token: &str, seconds: &str) -> Result<(), String> {
    let claims = part(token, 1)?;
    let at = |name: &str| claims.get(name).and_then(Value::as_i64);
    let life = at("exp").zip(at("iat")).map(|(exp, iat)| exp - iat);
    match life {
        Some(life) if life.to_string() == seconds => Ok(()),
        life => Err(format!("expected a life of {seconds} s, got {life:?}")),
    }
}

/// One of the parts of a token, without a look at its signature.
pub(crate) fn part(token: &str, index: usize) -> Result<Value, String> {
    let part = token
        .split('.')
        .nth(index)
        .ok_or_else(|| format!("no token: {token}"))?;
    let bytes = URL_SAFE_NO_PAD
        .decode(part)
        .map_err(|error| format!("no base64url: {error}"))?;
    serde_json::from_slice(&bytes).map_err(|error| format!("no JSON in the token: {error}"))
}
