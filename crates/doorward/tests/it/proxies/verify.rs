//! `GET /v1/verify` itself, as a proxy of any kind asks it.

use serde_json::json;

use super::SIGN_IN;
use crate::http::{Answer, Request};
use crate::server::{Server, Setup, wait_until};

/// Every header of an answer.
const HEADERS: [&str; 6] = [
    "x-auth-account",
    "x-auth-number",
    "x-auth-session",
    "x-auth-realm",
    "x-auth-email",
    "x-auth-username",
];

fn start() -> (Server, String) {
    let server = Setup::new()
        .setting("trusted_proxies", "127.0.0.1")
        .setting("sign_in", SIGN_IN)
        .setting("origins", "https://app.example.com")
        .start();
    let token = register(&server, "ann");
    (server, token)
}

fn register(server: &Server, username: &str) -> String {
    let body = json!({"username": username, "password": "ann-pass-1"});
    Request::post("/username/user/register", &body)
        .send(server.address)
        .member("token")
}

fn all(answer: &Answer) -> Vec<&str> {
    HEADERS
        .iter()
        .map(|name| {
            assert_eq!(answer.all(name).count(), 1, "{name} is there once: {answer}");
            answer.header(name).unwrap()
        })
        .collect()
}

#[test]
fn every_answer_has_every_header() {
    let (server, token) = start();
    let passes = Request::get("/v1/verify").bearer(&token).send(server.address);
    assert_eq!(passes.status, 200, "{passes}");
    assert_eq!(all(&passes)[1..2], ["1"]);
    assert_eq!(all(&passes)[3..], ["main", "", "ann"]);
    assert_eq!(passes.header("cache-control"), Some("no-store"));
    assert!(passes.header("x-request-id").is_some());
    let sign_in = format!("/v1/verify?sign_in={SIGN_IN}");
    for (request, status) in [
        (Request::get("/v1/verify"), 401),
        (Request::get("/v1/verify").bearer("x"), 401),
        (Request::get(&sign_in), 302),
        (Request::get("/v1/verify?realm=other").bearer(&token), 400),
        (Request::get("/v1/verify?relam=main").bearer(&token), 400),
        (Request::get("/v1/verify?realm=main&realm=main").bearer(&token), 400),
        (
            Request::get("/v1/verify?sign_in=https://evil.example/").bearer(&token),
            400,
        ),
    ] {
        let answer = request.send(server.address);
        assert_eq!(answer.status, status, "{answer}");
        assert_eq!(all(&answer), [""; 6]);
    }
    let head = Request::new("HEAD", "/v1/verify").bearer(&token).send(server.address);
    assert_eq!((head.status, all(&head)), (200, all(&passes)));
    let post = Request::post("/v1/verify", &json!({})).bearer(&token);
    let refused = post.send(server.address);
    assert_eq!((refused.status, all(&refused)), (405, vec![""; 6]));
    let log = server.log();
    assert!(log.contains("action=\"verify\" outcome=\"ok\""), "{log}");
    assert!(!log.contains(&token), "{log}");
}

#[test]
fn nobody_is_told_as_somebody_else() {
    let (server, _) = start();
    for (username, told) in [("ann ", ""), (" ann", ""), ("ann\u{a0}", ""), ("Zoë Ann", "Zoë Ann")] {
        let token = register(&server, username);
        let passes = Request::get("/v1/verify").bearer(&token).send(server.address);
        assert_eq!(passes.status, 200, "{passes}");
        assert_eq!(all(&passes)[5], told, "{username:?}");
        assert_eq!(all(&passes)[0].len(), 36, "the id tells them apart: {passes}");
    }
}

#[test]
fn what_ended_is_refused() {
    let (server, token) = start();
    let ask = || Request::get("/v1/verify").bearer(&token).send(server.address);
    assert_eq!(ask().status, 200);
    Request::new("POST", "/username/logout")
        .bearer(&token)
        .send(server.address);
    let refused = ask();
    assert_eq!(refused.status, 401, "{refused}");
    assert_eq!(
        refused.header("www-authenticate"),
        Some(r#"Bearer error="invalid_token""#)
    );
    let token = register(&server, "bob");
    server.setup().succeed(&["user", "disable", "bob"]);
    let ask = Request::get("/v1/verify").bearer(&token);
    wait_until("the server has learnt of it", || ask.send(server.address).status != 200);
    assert_eq!(ask.send(server.address).status, 401);
}

#[test]
fn the_cookies_of_every_contract_count_as_they_count_there() {
    let (server, token) = start();
    for (name, status) in [("access_token", 200), ("token", 200), ("jwt", 200), ("session", 401)] {
        let cookie = format!("{name}={token}");
        let ask = Request::get("/v1/verify").header("Cookie", &cookie);
        assert_eq!(ask.send(server.address).status, status, "{name}");
        let from = |site: &str, method: &str| {
            let ask = ask.clone().header("Sec-Fetch-Site", "same-site").header("Origin", site);
            ask.header("X-Forwarded-Method", method).send(server.address).status
        };
        if status == 200 {
            assert_eq!(from("https://evil.example", "GET"), 200);
            assert_eq!(from("https://evil.example", "POST"), 401);
            assert_eq!(from("https://evil.example", "GET, POST"), 401, "nobody knows which");
            assert_eq!(from("https://app.example.com", "POST"), 200, "a listed origin");
            let socket = ask
                .clone()
                .header("X-Forwarded-Method", "GET")
                .header("Sec-WebSocket-Key", "x");
            let socket = socket.header("Origin", "https://evil.example").send(server.address);
            assert_eq!(socket.status, 401, "a WebSocket takes orders");
        }
    }
}

#[test]
fn a_page_without_tls_is_of_another_site_where_there_is_tls() {
    let (server, token) = start();
    let from = |origin: &str, (name, value): (&str, &str)| {
        let ask = Request::get("/v1/verify").header("Cookie", &format!("token={token}"));
        let ask = ask.header("X-Forwarded-Method", "POST").header("Origin", origin);
        ask.header(name, value).send(server.address).status
    };
    let without = ("X-Forwarded-Proto", "http");
    assert_eq!(from("http://127.0.0.1", without), 200, "nobody speaks TLS");
    for over_tls in [
        ("X-Forwarded-Proto", "https"),
        ("Forwarded", "for=192.0.2.1;proto=https"),
        ("Forwarded", "for=192.0.2.1;proto=\"https\""),
    ] {
        assert_eq!(from("http://127.0.0.1", over_tls), 401, "{over_tls:?}");
        assert_eq!(from("https://127.0.0.1", over_tls), 200, "{over_tls:?}");
    }
}

#[test]
fn what_a_proxy_says_is_believed_from_proxies_only() {
    let server = Setup::new().setting("sign_in", SIGN_IN).start();
    let token = register(&server, "ann");
    let ask = Request::get("/v1/verify")
        .header("Cookie", &format!("token={token}"))
        .header("X-Forwarded-Method", "GET")
        .header("Origin", "https://evil.example");
    assert_eq!(ask.send(server.address).status, 401);
    let page = Request::get(&format!("/v1/verify?sign_in={SIGN_IN}"))
        .header("X-Forwarded-Method", "GET")
        .header("X-Forwarded-Proto", "http")
        .header("X-Forwarded-Host", "localhost")
        .header("X-Forwarded-Uri", "/");
    assert_eq!(page.send(server.address).header("location"), Some(SIGN_IN));
}

#[test]
fn a_page_that_is_none_is_refused_at_start() {
    let setup = Setup::new().setting("sign_in", "/sign-in");
    let output = setup.run(&["serve", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        said.contains("`sign_in` cannot be `/sign-in`") && said.contains("hint: "),
        "{said}"
    );
}
