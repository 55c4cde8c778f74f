//! The verifier while something is broken: the server stands still, is gone, or cannot be reached.
//!
//! The surprise: a network that delays everything is worse than one that is cut. Everything looks well, but is old.

use super::*;

/// Where the feed is.
const FEED: &str = "/v1/ended-sessions";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still_proves_nothing() {
    let server = setup().start();
    let verifier = connect(settings(server.address, &Service::add(server.setup()))).await;
    let token = register(&server, "ann@example.com");
    assert!(is_accepted(&verifier, &token).await);
    server.signal("STOP");
    let stopped = Instant::now();
    let history = check_until(&verifier, &token, Refusal::Stale).await.unwrap();
    history.assert_bound(stopped, "a stopped server");
    assert!(!verifier.state().is_fresh());
    server.signal("CONT");
    assert!(is_accepted(&verifier, &token).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_ended_while_the_feed_was_cut_is_known_when_it_is_back() {
    let server = setup().start();
    let relay = Relay::new(server.address);
    let verifier = connect(settings(relay.address, &Service::add(server.setup()))).await;
    let (ann, bob) = (
        register(&server, "ann@example.com"),
        register(&server, "bob@example.com"),
    );
    assert!(is_accepted(&verifier, &ann).await);
    relay.set(Rule::Cut);
    let checks = check_until(&verifier, &ann, Refusal::Ended);
    log_out(&server, &ann);
    let acknowledged = Instant::now();
    check_until(&verifier, &bob, Refusal::Stale)
        .await
        .unwrap()
        .assert_bound(acknowledged, "a cut feed");
    relay.set(Rule::Pass);
    checks
        .await
        .unwrap()
        .assert_bound(acknowledged, "a log-out during a cut");
    assert!(is_accepted(&verifier, &bob).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_late_is_old() {
    let server = setup().start();
    let relay = Relay::new(server.address);
    let service = Service::add(server.setup());
    let [ann, bob, cat] = ["ann", "bob", "cat"].map(|name| register(&server, &format!("{name}@example.com")));
    relay.set(Rule::Delay(BOUND + BOUND / 2));
    let verifier = Verifier::connect(settings(relay.address, &service)).unwrap();
    log_out(&server, &ann);
    let checks = check_until(&verifier, &bob, Refusal::Ended);
    // The stream flows, and with the ending came proofs that nothing else has ended.
    wait_until("the ending came", || verifier.ended() == 1).await;
    log_out(&server, &bob);
    assert_eq!(checks.await.unwrap().accepted, None);
    assert_eq!(verifier.verify(&ann).await, Err(Refusal::Ended));
    assert!(!verifier.state().is_fresh());
    relay.set(Rule::Pass);
    assert!(is_accepted(&verifier, &cat).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_starts_again_is_another_clock_and_the_same_endings() {
    let server = setup().start();
    let relay = Relay::new(server.address);
    let verifier = connect(settings(relay.address, &Service::add(server.setup()))).await;
    let tokens = ["ann", "bob", "cat"].map(|name| register(&server, &format!("{name}@example.com")));
    let [ann, bob, cat] = &tokens;
    for token in &tokens {
        assert!(is_accepted(&verifier, token).await);
    }
    log_out(&server, ann);
    let server = server.kill_and_restart();
    let checks = check_until(&verifier, bob, Refusal::Ended);
    // Nobody can have heard of it: the new server is not to be reached yet.
    log_out(&server, bob);
    let acknowledged = Instant::now();
    check_until(&verifier, cat, Refusal::Stale)
        .await
        .unwrap()
        .assert_bound(acknowledged, "a server that is gone");
    relay.lead_to(server.address);
    checks
        .await
        .unwrap()
        .assert_bound(acknowledged, "a log-out at the new server");
    assert_eq!(verifier.verify(ann).await, Err(Refusal::Ended));
    assert!(is_accepted(&verifier, cat).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_operator_chooses_what_to_do_without_the_feed() {
    let server = setup().start();
    let relay = Relay::new(server.address);
    let service = Service::add(server.setup());
    let with = |on_stale| connect(settings(relay.address, &service).on_stale(on_stale));
    let refuses = with(OnStale::Refuse).await;
    let asks = with(OnStale::Introspect).await;
    let accepts = with(OnStale::Accept).await;
    let token = register(&server, "ann@example.com");
    // Each has the keys.
    for verifier in [&refuses, &asks, &accepts] {
        assert!(is_accepted(verifier, &token).await);
    }
    relay.set(Rule::Without(FEED));
    check_until(&refuses, &token, Refusal::Stale).await.unwrap();
    wait_until("all are stale", || {
        !asks.state().is_fresh() && !accepts.state().is_fresh()
    })
    .await;
    assert!(asks.verify(&token).await.is_ok());
    assert!(accepts.verify(&token).await.is_ok());
    log_out(&server, &token);
    assert_eq!(
        asks.verify(&token).await,
        Err(Refusal::Ended),
        "the server knows at once"
    );
    assert_eq!(refuses.verify(&token).await, Err(Refusal::Stale));
    assert!(accepts.verify(&token).await.is_ok(), "this is the risk");
    relay.set(Rule::Cut);
    assert_eq!(asks.verify(&token).await, Err(Refusal::Stale), "nobody can be asked");
    relay.set(Rule::Pass);
    check_until(&accepts, &token, Refusal::Ended).await.unwrap();
}
