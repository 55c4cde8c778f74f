//! Where the keys come from, and what happens to tokens when keys come and go.
//!
//! The surprise: a token is refused for an unknown key only if the server was asked. While it cannot be, the token may
//! be good.

use std::time::{Duration, Instant};

use doorward_verify::{Fault, Refusal};
use serde_json::json;

use crate::log::Log;
use crate::stranger::{FRESH, HELLO, PATIENCE, Signer, Stays, Stranger, document, stream};

fn fresh() -> Stranger {
    Stranger::with_feed(stream(&[HELLO, FRESH]), Stays::Open)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_gone_takes_its_tokens_along() {
    let server = fresh();
    let verifier = server.verifier();
    verifier.until_fresh().await;
    let old = server.signer.token(1);
    assert!(verifier.verify(&old).await.is_ok());
    let second = Signer::new("second");
    server.serve_keys(second.jwks());
    // It is not asked for at once if the keys were just now.
    let new = second.token(1);
    let accepted = async {
        while verifier.verify(&new).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    assert!(
        tokio::time::timeout(PATIENCE, accepted).await.is_ok(),
        "the new key is never known"
    );
    assert_eq!(verifier.verify(&old).await, Err(Refusal::Invalid(Fault::UnknownKey)));
    assert_eq!(
        verifier.verify(&Signer::new("second").token(1)).await,
        Err(Refusal::Invalid(Fault::Signature))
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_of_made_up_keys_make_nobody_busy() {
    let server = fresh();
    let verifier = server.verifier();
    verifier.until_fresh().await;
    assert!(verifier.verify(&server.signer.token(1)).await.is_ok());
    let begun = Instant::now();
    let stranger = Signer::new("stranger").token(1);
    for _ in 0..200 {
        let verified = verifier.verify(&stranger).await;
        assert_eq!(verified, Err(Refusal::Invalid(Fault::UnknownKey)));
    }
    let (asked, most) = (server.keys_asked(), 2 + begun.elapsed().as_secs());
    assert!(
        u64::try_from(asked.len()).unwrap() <= most,
        "asked {} times",
        asked.len()
    );
    let head = &asked[0];
    assert!(head.contains("cache-control: no-cache\r\n"), "{head}");
}

/// Whoever hangs up while the server is asked neither lets the next one ask again nor takes the answer along.
#[tokio::test(flavor = "multi_thread")]
async fn who_hangs_up_makes_nobody_busy() {
    let server = fresh();
    let begun = Instant::now();
    let verifier = server.verifier();
    verifier.until_fresh().await;
    assert!(verifier.verify(&server.signer.token(1)).await.is_ok());
    let held = server.hold_keys();
    let stranger = Signer::new("stranger").token(1);
    while server.keys_asked().len() < 2 {
        let asked = async {
            while server.keys_asked().len() < 2 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = verifier.verify(&stranger) => (),
            () = asked => (),
        }
    }
    let (verified, ()) = tokio::join!(verifier.verify(&stranger), async { drop(held) });
    assert_eq!(verified, Err(Refusal::Invalid(Fault::UnknownKey)));
    let (asked, most) = (server.keys_asked().len(), 1 + begun.elapsed().as_secs());
    assert!(u64::try_from(asked).unwrap() <= most, "asked {asked} times");
}

/// A key may be made while an answer without it is on its way. The answer is as old as the question.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_that_took_long_says_nothing_of_a_new_key() {
    let server = fresh();
    let held = server.hold_keys();
    let verifier = server.verifier();
    verifier.until_fresh().await;
    let begun = Instant::now();
    while server.keys_asked().is_empty() || begun.elapsed() <= Duration::from_secs(1) {
        tokio::task::yield_now().await;
    }
    let second = Signer::new("second");
    server.serve_keys(second.jwks());
    let token = second.token(1);
    let (verified, ()) = tokio::join!(verifier.verify(&token), async { drop(held) });
    assert_eq!(verified.map(|claims| claims.jti.clone()), Ok("j".to_owned()));
    assert_eq!(server.keys_asked().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_keys_no_tokens() {
    let spaces = format!("{{\"keys\": [{}]}}", " ".repeat(300_000));
    for (what, answer, refusal) in [
        ("no document", document("200 OK", "text/html", "<html>"), Refusal::Stale),
        (
            "a huge one",
            document("200 OK", "application/json", &spaces),
            Refusal::Stale,
        ),
        (
            "a failure",
            document("500 Internal Server Error", "text/plain", ""),
            Refusal::Stale,
        ),
        ("nothing", Vec::new(), Refusal::Stale),
        (
            "no key",
            document("200 OK", "application/json", "{\"keys\":[]}"),
            Refusal::Invalid(Fault::UnknownKey),
        ),
        (
            "a shared secret as a key",
            document(
                "200 OK",
                "application/json",
                &json!({"keys": [{"kty": "oct", "alg": "HS256", "kid": "first", "k": "AAAA"}]}).to_string(),
            ),
            Refusal::Invalid(Fault::UnknownKey),
        ),
    ] {
        let server = fresh();
        server.serve_keys(answer);
        let verifier = server.verifier();
        verifier.until_fresh().await;
        assert_eq!(verifier.verify(&server.signer.token(1)).await, Err(refusal), "{what}");
    }
}

#[tokio::test]
async fn each_trouble_with_the_keys_is_told_once() {
    let log = Log::listen();
    let server = fresh();
    server.serve_keys(document("500 Internal Server Error", "text/plain", ""));
    let _verifier = server.verifier();
    let told = async {
        log.until("the keys cannot be had").await;
        // The same again is no news.
        while server.keys_asked().len() < 3 {
            tokio::task::yield_now().await;
        }
        server.serve_keys(document("200 OK", "application/json", "{\"keys\":[]}"));
        log.until("the server publishes no ES256 key").await;
    };
    assert!(tokio::time::timeout(PATIENCE, told).await.is_ok(), "it is not told");
    assert_eq!(log.count("the keys cannot be had"), 1);
}
