//! Who asks: the credentials of a client, by HTTP Basic or as members of the form (RFC 6749 section 2.3.1).
//!
//! The surprise: what stands in the Basic header is encoded as a form before it is encoded in base64. Our ids and
//! secrets look the same either way, but a careful client encodes their hyphens.

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use doorward_core::Auth;
use doorward_core::client::ClientId;
use doorward_core::secret::Secret;
use serde_json::Value;

use crate::refusal::Refusal;

/// What a client shows.
struct Credentials {
    id: String,
    secret: Secret,
}

/// The client that sent a request, with the form that came with it, if there is one.
///
/// # Errors
/// When it shows no credentials or wrong ones, shows them in two ways, or the store cannot answer.
pub(crate) async fn authenticate(auth: &Auth, headers: &HeaderMap, form: Option<&Value>) -> Result<ClientId, Refusal> {
    let member = |name| form.and_then(|form| form.get(name)).and_then(Value::as_str);
    let mut values = headers.get_all(AUTHORIZATION).into_iter();
    let shown = match (values.next(), values.next(), member("client_secret")) {
        (Some(value), None, None) => value.to_str().ok().and_then(basic),
        (None, None, Some(secret)) => member("client_id").map(|id| Credentials {
            id: id.to_owned(),
            secret: Secret::new(secret.to_owned()),
        }),
        (None, None, None) => None,
        _ => return Err(Refusal::InvalidRequest("credentials come in one way at a time")),
    };
    let shown = shown.ok_or(Refusal::InvalidClient)?;
    let client = auth.authenticate_client(&shown.id, shown.secret.expose()).await?;
    client.ok_or(Refusal::InvalidClient)
}

/// Reads `Basic BASE64(id:secret)` (RFC 7617 section 2).
fn basic(value: &str) -> Option<Credentials> {
    let (scheme, encoded) = value.trim().split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = Secret::new(String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?);
    let (id, secret) = decoded.expose().split_once(':')?;
    Some(Credentials {
        id: plain(id)?,
        secret: Secret::new(plain(secret)?),
    })
}

/// A text that was encoded as one word of a form.
fn plain(encoded: &str) -> Option<String> {
    let mut words = form_urlencoded::parse(encoded.as_bytes());
    let (word, rest) = words.next()?;
    (rest.is_empty() && words.next().is_none()).then(|| word.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str) -> Option<(String, String)> {
        let shown = basic(value)?;
        Some((shown.id, shown.secret.expose().to_owned()))
    }

    #[test]
    fn basic_credentials_are_read_as_they_are_written() {
        let expected = Some(("a-b".to_owned(), "c_d".to_owned()));
        for good in ["a-b:c_d", "a%2Db:c%5Fd"] {
            assert_eq!(read(&format!("Basic {}", STANDARD.encode(good))), expected, "{good}");
            assert_eq!(read(&format!("bASIC  {} ", STANDARD.encode(good))), expected, "{good}");
        }
        for bad in ["a-b", "a&b:c", "a:b&c", "a=b:c", ""] {
            assert_eq!(read(&format!("Basic {}", STANDARD.encode(bad))), None, "{bad}");
        }
        for bad in [
            "Basic",
            "Basic a:b",
            "Bearer YTpi",
            "YTpi",
            "Basic YTpi=",
            "Basic /////w==",
        ] {
            assert_eq!(read(bad), None, "{bad}");
        }
    }
}
