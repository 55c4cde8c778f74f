//! Asks the server whether a token is active (RFC 7662), when the feed cannot tell.

use serde::Deserialize;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use uuid::Uuid;

use crate::claims::Claims;
use crate::client::{CHECK, Client, Trouble};

const PATH: &str = "/v1/introspect";
/// The most bytes of an answer; one has 400.
const MAX_ANSWER: usize = 16 * 1024;

#[derive(Deserialize)]
struct Answer {
    active: bool,
    sid: Option<Uuid>,
    jti: Option<String>,
}

/// Introspections, so many at once.
pub(crate) struct Introspection(Semaphore);

impl Introspection {
    pub(crate) fn new(at_once: usize) -> Self {
        Self(Semaphore::new(at_once.min(Semaphore::MAX_PERMITS)))
    }

    /// Whether the server says that the token is active. The time is for its turn and the answer together.
    ///
    /// # Errors
    /// When it says nothing, or speaks of another token.
    pub(crate) async fn ask(&self, client: &Client, token: &str, claims: &Claims) -> Result<bool, Trouble> {
        let asked = timeout(CHECK, async {
            let _turn = self
                .0
                .acquire()
                .await
                .map_err(|error| Trouble::new(error.to_string()))?;
            let form = form_urlencoded::Serializer::new(String::new())
                .append_pair("token", token)
                .append_pair("token_type_hint", "access_token")
                .finish();
            client.submit(PATH, form, MAX_ANSWER).await
        });
        let answer = asked
            .await
            .unwrap_or_else(|_| Err(Trouble::new("no introspection in time")))?;
        read(&answer, claims)
    }
}

fn read(answer: &[u8], claims: &Claims) -> Result<bool, Trouble> {
    let answer: Answer =
        serde_json::from_slice(answer).map_err(|_| Trouble::new(format!("POST {PATH}: no introspection")))?;
    if !answer.active {
        return Ok(false);
    }
    if answer.sid != Some(claims.sid) || answer.jti.as_ref() != Some(&claims.jti) {
        return Err(Trouble::new(format!("POST {PATH}: the answer is about another token")));
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_an_answer_about_this_token_counts() {
        let sid = Uuid::from_bytes([2; 16]);
        let claims: Claims = serde_json::from_value(json!({
            "iss": "doorward", "aud": "main", "sub": sid, "sid": sid, "jti": "j", "iat": 1, "exp": 2,
        }))
        .unwrap();
        let says = |answer: serde_json::Value| read(answer.to_string().as_bytes(), &claims).ok();
        assert_eq!(says(json!({"active": true, "sid": sid, "jti": "j"})), Some(true));
        assert_eq!(says(json!({"active": false})), Some(false));
        assert_eq!(says(json!({"active": true, "sid": sid, "jti": "other"})), None);
        assert_eq!(says(json!({"active": true, "jti": "j"})), None);
        assert_eq!(says(json!({"active": "true", "sid": sid, "jti": "j"})), None);
        assert_eq!(says(json!([])), None);
        assert!(read(b"<html>", &claims).is_err());
    }
}
