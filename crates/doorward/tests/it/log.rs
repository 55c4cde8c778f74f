//! What the log may hold: one line for each request, and of what a stranger sends only the path, made harmless.
//!
//! The surprise: that no password and no token is in it is checked after every transcript; here are the other
//! ways in.

use serde_json::json;

use crate::http::{self, Answer, Request};
use crate::server::Setup;

#[test]
fn secrets_in_unusual_places_stay_out_of_it() {
    let server = Setup::new().setting("log_level", "trace").start();
    let body = json!({"username": "ann", "password": "canary-password-1"});
    let token = Request::post("/username/user/register", &body)
        .send(server.address)
        .member("token");
    let wrong = json!({"username": "ann", "password": "canary-password-2", "passwort": "canary-password-3"});
    let requests = [
        Request::post("/username/login", &wrong),
        Request::post(
            "/username/login?password=canary-password-4",
            &json!({"password": ["canary-password-5"]}),
        ),
        Request::new("POST", "/username/login").body("text/plain", b"canary-password-6".to_vec()),
        Request::new("POST", "/username/login").body("application/json", b"{\"canary-password-7\"".to_vec()),
        Request::new("POST", "/username/logout").header("Authorization", "Basic canary-password-8"),
        Request::new("POST", "/username/logout").header("Cookie", &format!("token={token}x; a=canary-password-9")),
        Request::get("/v1/account")
            .bearer(&token)
            .header("User-Agent", "canary-password-10"),
        Request::new("POST", "/username/logout").bearer(&token),
    ];
    for request in requests {
        let answer = request.send(server.address);
        assert!(!answer.text().contains("canary"), "{answer}");
    }
    let log = server.log();
    assert!(log.contains("/username/login"), "there is a log: {log}");
    assert!(!log.contains("canary"), "{log}");
    assert!(!log.contains(&token), "{log}");
    let signature = token.rsplit_once('.').unwrap().1;
    assert!(!log.contains(signature), "{log}");
}

#[test]
fn every_answer_names_its_line() {
    let server = Setup::new().setting("log_format", "json").start();
    let answers = [
        Request::get("/users/users/profile"),
        Request::get("/users/nowhere"),
        Request::new("OPTIONS", "/users/users/login"),
        Request::new("POST", "/users/users/login").body("text/plain", b"x".to_vec()),
        Request::get("/docs"),
        Request::get("/users/openapi.json"),
    ]
    .map(|request| request.send(server.address));
    let log = server.log();
    for answer in answers {
        names_its_line(&answer, &log);
    }
}

fn names_its_line(answer: &Answer, log: &str) {
    let id = answer.header("x-request-id").unwrap();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(id)).collect();
    assert_eq!(lines.len(), 1, "{id}: {log}");
    let status = format!("\"status\":{}", answer.status);
    assert!(lines[0].contains(&status), "{}", lines[0]);
}

#[test]
fn what_machines_ask_all_the_time_has_lines_for_whoever_wants_them() {
    for (level, are_there) in [("info", false), ("info,request=debug", true)] {
        let server = Setup::new()
            .setting("log_format", "json")
            .setting("log_level", level)
            .start();
        for (number, path) in ["/healthz", "/readyz", "/metrics"].into_iter().enumerate() {
            let answer = Request::get(path).send(server.address);
            let log = server.log();
            assert_eq!(
                log.matches("\"micros\"").count(),
                if are_there { number + 1 } else { 0 },
                "{log}"
            );
            if are_there {
                names_its_line(&answer, &log);
            }
        }
    }
}

/// All people behind it would count as one, and nothing else would say so.
#[test]
fn a_proxy_that_is_not_believed_is_told_of_once() {
    for (proxies, told) in [("192.0.2.1", 1), ("192.0.2.1,127.0.0.1", 0)] {
        let server = Setup::new().setting("trusted_proxies", proxies).start();
        for client in ["198.51.100.7", "203.0.113.50"] {
            let answer = Request::get("/users/users/profile").header("X-Forwarded-For", client);
            assert_eq!(answer.send(server.address).status, 401);
        }
        let log = server.log();
        assert_eq!(log.matches("is not in trusted_proxies").count(), told, "{log}");
        assert!(!log.contains("203.0.113.50"), "nobody is believed: {log}");
    }
}

#[test]
fn a_path_cannot_forge_a_line() {
    for format in ["text", "json"] {
        let server = Setup::new().setting("log_format", format).start();
        let before = server.log().lines().count();
        for path in [
            "/%0a2026%20INFO%20forged",
            "/\u{1b}[31mred",
            "/\u{85}next",
            "/\u{2028}next\u{202e}",
        ] {
            let bytes = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            // What is no HTTP is refused before anybody logs it.
            drop(http::exchange(server.address, bytes.as_bytes()));
        }
        let log = server.log();
        assert!(log.lines().count() <= before + 4, "{log}");
        assert!(log.chars().all(|c| c == '\n' || !c.is_control()), "{log:?}");
    }
}

#[test]
fn guesses_of_a_password_are_in_the_audit() {
    let server = Setup::new()
        .setting("log_format", "json")
        .setting("throttle_attempts", "3")
        .start();
    let address = server.address;
    let ann = json!({"email": "ann@example.com", "password": "ann-pass-phrase-1"});
    assert_eq!(Request::post("/v1/accounts", &ann).send(address).status, 202);
    let token = Request::post("/v1/sessions", &ann).send(address).member("access_token");
    let bearer = |method, path| Request::new(method, path).bearer(&token);
    let guess = |guess: &str| {
        [
            bearer("PUT", "/v1/account/password").json(&json!({"current_password": guess, "new_password": guess})),
            bearer("PATCH", "/v1/account").json(&json!({"current_password": guess, "username": "ann"})),
            bearer("DELETE", "/v1/account").json(&json!({"current_password": guess})),
        ]
    };
    let events = |name: &str| {
        let log = server.log();
        let lines = log.lines().filter(|line| line.contains("\"audit\""));
        let named = lines.filter(|line| line.contains(&format!("\"{name}\"")));
        named.map(str::to_owned).collect::<Vec<_>>()
    };
    for (number, request) in guess("ann-pass-phrase-2").iter().enumerate() {
        assert_eq!(request.send(address).status, 403);
        let refused = events("password_refused");
        assert_eq!(refused.len(), number + 1, "{}", server.log());
        for member in ["\"account\":", "\"session\":", "\"address\":\"127.0.0.1\""] {
            assert!(refused[number].contains(member), "{member}: {}", refused[number]);
        }
    }
    // Each further attempt waits for longer, so one of them comes too early however slow this machine is.
    let login = Request::post("/v1/sessions", &json!({"email": "ann@example.com", "password": "x"}));
    for request in [&login, &guess("ann-pass-phrase-3")[2]] {
        let before = events("attempt_throttled").len();
        while request.send(address).status != 429 {}
        let throttled = events("attempt_throttled");
        assert_eq!(throttled.len(), before + 1, "{}", server.log());
        assert!(throttled[before].contains("\"account\":"), "{}", throttled[before]);
    }
    assert!(!server.log().contains("ann-pass-phrase"));
}
