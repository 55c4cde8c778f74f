//! Asking the server about each token while the feed cannot tell.
//!
//! The surprise: what the server says counts only if it is about the very token that was asked about.

use doorward_verify::{OnStale, Refusal, Verifier};
use parking_lot::Mutex;
use serde_json::json;
use uuid::Uuid;

use crate::stranger::{Stays, Stranger, document};

#[tokio::test(flavor = "multi_thread")]
async fn the_server_decides_and_nobody_else() {
    let sid = Uuid::from_bytes([2; 16]);
    let json = |body: serde_json::Value| document("200 OK", "application/json", &body.to_string());
    for (what, answer, expected) in [
        ("active", json(json!({"active": true, "sid": sid, "jti": "j"})), Ok(())),
        ("not active", json(json!({"active": false})), Err(Refusal::Ended)),
        (
            "another",
            json(json!({"active": true, "sid": Uuid::nil(), "jti": "j"})),
            Err(Refusal::Stale),
        ),
        ("nobody", json(json!({"active": true})), Err(Refusal::Stale)),
        ("a page", document("200 OK", "text/html", "<html>"), Err(Refusal::Stale)),
        (
            "busy",
            document("503 Service Unavailable", "text/plain", ""),
            Err(Refusal::Stale),
        ),
        (
            "a refusal",
            document("401 Unauthorized", "text/plain", ""),
            Err(Refusal::Stale),
        ),
        ("nothing", Vec::new(), Err(Refusal::Stale)),
    ] {
        let asked = std::sync::Arc::new(Mutex::new(String::new()));
        let seen = std::sync::Arc::clone(&asked);
        let server = Stranger::new(move |path, head| match path {
            "/v1/introspect" => {
                head.clone_into(&mut seen.lock());
                (answer.clone(), Stays::Closed)
            }
            _ => (document("503 Service Unavailable", "text/plain", ""), Stays::Closed),
        });
        let settings = server.settings().on_stale(OnStale::Introspect);
        let verifier = Verifier::connect(settings).unwrap();
        let token = server.signer.token(2);
        assert_eq!(verifier.verify(&token).await.map(drop), expected, "{what}");
        let asked = asked.lock();
        assert!(asked.starts_with("POST /v1/introspect HTTP/1.1\r\n"), "{what}: {asked}");
        assert!(
            asked.ends_with(&format!("token={token}&token_type_hint=access_token")),
            "{what}: {asked}"
        );
        assert!(asked.contains("authorization: Basic "), "{what}: {asked}");
    }
}
