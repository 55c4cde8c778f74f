//! What the feed says and what it does not say.
//!
//! The surprise: whether nonsense was understood is found out by waiting for the next request. Whoever asks again has
//! given up on what it got before.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};

use doorward_verify::{OnStale, Refusal, State};
use tokio::runtime::Handle;

use crate::log::Log;
use crate::stranger::{FRESH, HELLO, PATIENCE, Stays, Stranger, document, ended, stream};

/// Fails if something takes too long.
async fn within(what: &str, done: impl Future<Output = ()>) {
    assert!(
        tokio::time::timeout(PATIENCE, done).await.is_ok(),
        "not in time: {what}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_ended_is_refused_and_the_rest_accepted() {
    let server = Stranger::with_feed(stream(&[HELLO, &ended(1, 1), FRESH]), Stays::Open);
    let verifier = server.verifier();
    verifier.until_fresh().await;
    assert_eq!(verifier.verify(&server.signer.token(1)).await, Err(Refusal::Ended));
    let claims = verifier.verify(&server.signer.token(2)).await.unwrap();
    assert_eq!(claims.sid.as_bytes(), &[2; 16]);
    assert_eq!(verifier.verify("").await, Err(Refusal::Missing));
    assert_eq!(verifier.ended(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_talks_nonsense_makes_it_accept_nothing() {
    let long = format!("data: {}\n\n", "x".repeat(5000));
    let redirect = "HTTP/1.1 302 Found\r\nlocation: /v1/ended-sessions\r\ncontent-length: 0\r\n\r\n";
    let page = document("200 OK", "text/html", &[HELLO, FRESH].concat());
    let head = "HTTP/1.1 200 OK\r\n".to_owned() + &"x: y\r\n".repeat(100_000) + "\r\n";
    for (what, feed) in [
        ("something else than a stream", page),
        ("no hello", stream(&[FRESH])),
        ("an ending before the hello", stream(&[&ended(1, 1), HELLO, FRESH])),
        ("two hellos", stream(&[HELLO, HELLO, FRESH])),
        (
            "a hello without a clock",
            stream(&["event: hello\ndata: {}\n\n", FRESH]),
        ),
        (
            "an ending of nobody",
            stream(&[HELLO, "event: ended\ndata: {\"sid\":\"x\",\"exp\":1}\n\n", FRESH]),
        ),
        (
            "an ending without data",
            stream(&[HELLO, "event: ended\ndata: x\n\n", FRESH]),
        ),
        ("a line that is too long", stream(&[HELLO, &long, FRESH])),
        (
            "no text",
            [&stream(&[HELLO, "data: "]), &b"\xff\n\n"[..], FRESH.as_bytes()].concat(),
        ),
        ("half a proof", stream(&[HELLO, FRESH.trim_end()])),
        ("a redirection", redirect.as_bytes().to_vec()),
        ("a refusal", document("401 Unauthorized", "application/json", "{}")),
        (
            "a failure",
            document(
                "500 Internal Server Error",
                "text/event-stream",
                &[HELLO, FRESH].concat(),
            ),
        ),
        ("another protocol", b"SSH-2.0-x\r\n".to_vec()),
        ("a head without an end", head.into_bytes()),
        ("nothing", Vec::new()),
    ] {
        let server = Stranger::with_feed(feed, Stays::Closed);
        let verifier = server.verifier();
        let first = server.feed_asked();
        assert!(!first.contains("last-event-id"), "{what}: {first}");
        let second = server.feed_asked();
        assert!(!second.contains("last-event-id"), "{what}: {second}");
        let verified = verifier.verify(&server.signer.token(2)).await;
        assert_eq!(verified, Err(Refusal::Stale), "{what}");
        let State::Stale { reason, .. } = verifier.state() else {
            panic!("{what}: it is fresh");
        };
        assert!(!reason.is_empty(), "{what}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_break_it_goes_on_where_it_was() {
    let server = Stranger::new(|_, head| {
        let rest = if head.contains("last-event-id: 7") {
            stream(&[HELLO, &ended(8, 2), FRESH])
        } else {
            stream(&[HELLO, &ended(1, 1), FRESH])
        };
        let stays = if head.contains("last-event-id") {
            Stays::Open
        } else {
            Stays::Closed
        };
        (rest, stays)
    });
    let verifier = server.verifier();
    server.feed_asked();
    let again = server.feed_asked();
    assert!(again.contains("last-event-id: 7\r\n"), "{again}");
    assert!(again.contains("authorization: Basic aWQ6YStzZWNyZXQ=\r\n"), "{again}");
    within("the second ending", async {
        while verifier.ended() < 2 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    for sid in [1, 2] {
        assert_eq!(verifier.verify(&server.signer.token(sid)).await, Err(Refusal::Ended));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_database_makes_it_forget_and_begin_anew() {
    let reset = "id: 0\nevent: reset\ndata: {}\n\n";
    let server = Stranger::new(move |_, head| {
        if head.contains("last-event-id: 1") {
            // Without a proof: whatever was fresh belonged to the other one.
            (stream(&[HELLO, reset, &ended(3, 3)]), Stays::Open)
        } else if head.contains("last-event-id") {
            (document("503 Service Unavailable", "text/plain", ""), Stays::Closed)
        } else {
            (stream(&[HELLO, FRESH, &ended(1, 1)]), Stays::Closed)
        }
    });
    let settings = server.settings().on_stale(OnStale::Accept);
    let verifier = doorward_verify::Verifier::connect(settings).unwrap();
    server.feed_asked();
    server.feed_asked();
    let [old, unknown, new] = [1, 2, 3].map(|sid| server.signer.token(sid));
    within("the other database's ending", async {
        while verifier.verify(&new).await != Err(Refusal::Ended) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(!verifier.state().is_fresh(), "the freshness goes");
    assert!(verifier.verify(&unknown).await.is_ok());
    assert_eq!(
        verifier.verify(&old).await,
        Err(Refusal::Ended),
        "the other database has not told everything"
    );
    assert_eq!(verifier.ended(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_database_does_not_know_has_not_happened() {
    let server = Stranger::with_feed(
        stream(&[
            HELLO,
            &ended(1, 1),
            FRESH,
            "event: reset\ndata: {}\n\n",
            &ended(3, 3),
            FRESH,
        ]),
        Stays::Open,
    );
    let verifier = server.verifier();
    let [old, new] = [1, 3].map(|sid| server.signer.token(sid));
    within("the other database's ending", async {
        while verifier.verify(&new).await != Err(Refusal::Ended) || !verifier.state().is_fresh() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert!(verifier.verify(&old).await.is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_endings_than_there_is_room_for_are_never_passed_over() {
    let server = Stranger::with_feed(
        stream(&[HELLO, &ended(1, 1), &ended(2, 2), &ended(3, 3), FRESH]),
        Stays::Open,
    );
    let verifier = doorward_verify::Verifier::connect(server.settings().max_ended(2)).unwrap();
    server.feed_asked();
    let again = server.feed_asked();
    assert!(again.contains("last-event-id: 2\r\n"), "{again}");
    assert_eq!(verifier.verify(&server.signer.token(1)).await, Err(Refusal::Ended));
    assert_eq!(verifier.verify(&server.signer.token(3)).await, Err(Refusal::Stale));
    assert!(
        format!("{:?}", verifier.state()).contains("max_ended"),
        "{:?}",
        verifier.state()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_the_risk_still_refuses_what_it_knows() {
    let server = Stranger::new(|_, head| {
        if head.contains("last-event-id") {
            (
                document("503 Service Unavailable", "application/json", "{}"),
                Stays::Closed,
            )
        } else {
            (stream(&[HELLO, &ended(1, 1)]), Stays::Closed)
        }
    });
    let settings = server.settings().on_stale(OnStale::Accept);
    let verifier = doorward_verify::Verifier::connect(settings).unwrap();
    server.feed_asked();
    server.feed_asked();
    assert_eq!(verifier.verify(&server.signer.token(1)).await, Err(Refusal::Ended));
    assert!(verifier.verify(&server.signer.token(2)).await.is_ok());
    assert!(!verifier.state().is_fresh());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stream_is_kept_while_another_is_opened() {
    // It says hello and then nothing, and whoever asks again is not answered.
    let first = AtomicBool::new(true);
    let server = Stranger::new(move |path, _| match path {
        "/v1/ended-sessions" if first.swap(false, Ordering::SeqCst) => (stream(&[HELLO]), Stays::Open),
        _ => (Vec::new(), Stays::Open),
    });
    let verifier = server.verifier();
    server.feed_asked();
    let mut silent = server.open();
    // Long before a stream is replaced for its age.
    server.feed_asked();
    let State::Stale { reason, .. } = verifier.state() else {
        panic!("nothing was proven");
    };
    assert_eq!(reason, "the feed is silent");
    silent.write_all(FRESH.as_bytes()).unwrap();
    within("what the first one says after all", verifier.until_fresh()).await;
}

#[tokio::test]
async fn proofs_that_come_too_late_are_a_reason_and_not_a_recovery() {
    let log = Log::listen();
    // It asked its database long before the stream began, and never again.
    let hello = "event: hello\ndata: {\"now\":9000000}\n\n";
    let old = "id: 7\nevent: fresh\ndata: {\"asked\":1}\n\n";
    let first = AtomicBool::new(true);
    let server = Stranger::new(move |path, _| match path {
        "/v1/ended-sessions" if !first.swap(false, Ordering::SeqCst) => (stream(&[hello, old, old]), Stays::Open),
        _ => (document("503 Service Unavailable", "text/plain", ""), Stays::Closed),
    });
    let verifier = server.verifier();
    let reason = || match verifier.state() {
        State::Stale { reason, .. } => reason,
        state => panic!("{state:?}"),
    };
    within("the reason", async {
        log.until("the feed of ended sessions is lost").await;
        while reason() != "what comes is older than the bound" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(log.count("is back"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_gone_asks_no_more() {
    let server = Stranger::with_feed(stream(&[HELLO, FRESH]), Stays::Open);
    let verifier = server.verifier();
    let clone = verifier.clone();
    clone.until_fresh().await;
    drop(verifier);
    assert!(clone.verify(&server.signer.token(1)).await.is_ok());
    drop(clone);
    within("the end of everything in the background", async {
        while Handle::current().metrics().num_alive_tasks() > 0 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.closed();
}
