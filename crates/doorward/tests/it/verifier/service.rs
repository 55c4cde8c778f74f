//! The example of a service, served as it is, beside the real server.
//!
//! The surprise: it is the file of the example itself, so that what people copy is what was tried.

use super::*;

#[path = "../../../../doorward-verify/examples/service.rs"]
mod example;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_lets_in_who_has_signed_in_and_nobody_else() {
    let server = setup().start();
    let settings = settings(server.address, &Service::add(server.setup()));
    let verifier = connect(settings).await;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = example::app(verifier.clone());
    let served = tokio::spawn(async move { axum::serve(listener, app).await });
    let ask = |path: &str, token: &str| Request::get(path).bearer(token).send(address);
    let token = register(&server, "ann@example.com");

    assert_eq!(Request::get("/").send(address).status, 200);
    let missing = Request::get("/me").send(address);
    assert_eq!(
        (missing.status, missing.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    let bad = ask("/me", "x.y.z");
    let challenge = Some("Bearer error=\"invalid_token\"");
    assert_eq!((bad.status, bad.header("www-authenticate")), (401, challenge));
    // Whenever the machine is too slow for the bound, it says so.
    let good = wait_for(200, || ask("/me", &token));
    let sub = claims(&token)["sub"].as_str().unwrap().to_owned();
    assert!(good.text().contains(&sub), "{good}");
    wait_for(200, || ask("/readyz", ""));

    let other = log_in(&server, "ann@example.com");
    log_out(&server, &token);
    let ended = wait_for(401, || ask("/me", &token));
    assert_eq!(ended.header("www-authenticate"), challenge);
    wait_for(200, || ask("/me", &other));

    server.signal("STOP");
    let stale = wait_for(503, || ask("/me", &other));
    assert_eq!(stale.header("retry-after"), Some("1"), "{stale}");
    wait_for(503, || ask("/readyz", ""));
    assert_eq!(Request::get("/").send(address).status, 200);
    server.signal("CONT");
    wait_for(200, || ask("/me", &other));
    served.abort();
}

/// Asks until the answer has this status.
fn wait_for(status: u16, ask: impl Fn() -> crate::http::Answer) -> crate::http::Answer {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if answer.status == status {
            return answer;
        }
        assert!(Instant::now() < deadline, "no {status}: {answer}");
    }
}
