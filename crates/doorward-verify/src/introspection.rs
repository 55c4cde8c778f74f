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
    use std::time::Duration;

    use serde_json::json;
    use tokio::net::TcpListener;

    use super::*;
    use crate::clock::Clock;
    use crate::settings::Settings;

    /// How long a test waits before it calls something dead. Never reached when all is well.
    const DEAD: Duration = Duration::from_secs(60);

    fn claims(sid: Uuid) -> Claims {
        serde_json::from_value(json!({
            "iss": "doorward", "aud": "main", "sub": sid, "sid": sid, "jti": "j", "iat": 1, "exp": 2,
        }))
        .unwrap()
    }

    #[tokio::test]
    async fn who_waits_for_a_turn_asks_nothing_and_who_waits_too_long_gives_up() {
        // It answers nobody.
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", server.local_addr().unwrap());
        let client = Client::new(&Settings::new(url, "id", "secret"), Clock::start()).unwrap();
        let (introspection, claims) = (Introspection::new(1), claims(Uuid::nil()));
        let gives_up = async || {
            let asked = timeout(DEAD, introspection.ask(&client, "x", &claims)).await;
            assert_eq!(asked.unwrap().unwrap_err().to_string(), "no introspection in time");
        };
        let turn = introspection.0.acquire().await.unwrap();
        gives_up().await;
        assert!(timeout(Duration::ZERO, server.accept()).await.is_err(), "it asks");
        drop(turn);
        gives_up().await;
        assert!(timeout(DEAD, server.accept()).await.is_ok(), "it does not ask");
    }

    #[test]
    fn only_an_answer_about_this_token_counts() {
        let sid = Uuid::from_bytes([2; 16]);
        let claims = claims(sid);
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
