//! How much hashing a request costs. Hashing is all that takes time, so what costs the same takes the same time, and
//! what costs nothing cannot be used to keep the server busy.

use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::server::{Server, Setup};

/// Where each contract logs in and registers.
const ROUTES: [(&str, &str); 6] = [
    ("/auth-cookie/auth/login", "/auth-cookie/auth/register"),
    ("/auth/auth/login", "/auth/auth/register"),
    ("/username/login", "/username/user/register"),
    ("/users/users/login", "/users/users/register"),
    ("/users-strict/users/login", "/users-strict/users/register"),
    ("/v1/sessions", "/v1/accounts"),
];

/// A body for every contract.
fn body(name: &str, password: &str) -> Value {
    json!({
        "email": format!("{name}@example.com"), "username": format!("{name}@example.com"), "password": password,
        "fullname": {"firstname": "Ann", "lastname": "Lee"},
    })
}

/// The passwords hashed or verified since the start.
fn hashes(server: &Server) -> u64 {
    let metrics = Request::get("/metrics").send(server.address).text();
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("doorward_hashes_total "));
    line.and_then(|count| count.parse().ok())
        .unwrap_or_else(|| panic!("no count in {metrics}"))
}

/// What a request costs, and its answer.
fn cost(server: &Server, path: &str, body: &Value) -> (u64, Answer) {
    let before = hashes(server);
    let answer = Request::post(path, body).send(server.address);
    (hashes(server) - before, answer)
}

#[test]
fn who_is_unknown_costs_as_much_as_who_is_known() {
    let server = Setup::new().setting("throttle", "false").start();
    let (made, answer) = cost(&server, ROUTES[0].1, &body("ann", "ann-pass-phrase-1"));
    assert_eq!((made, answer.status), (1, 201), "{answer}");
    for (login, register) in ROUTES {
        for (what, path, name, password) in [
            ("the right password", login, "ann", "ann-pass-phrase-1"),
            ("a wrong password", login, "ann", "not-ann-pass-phrase"),
            ("an unknown account", login, "nobody", "ann-pass-phrase-1"),
            ("an identifier that is taken", register, "ann", "other-pass-phrase-1"),
        ] {
            let (hashes, answer) = cost(&server, path, &body(name, password));
            assert_eq!(hashes, 1, "{path}: {what}: {answer}");
        }
    }
}

#[test]
fn what_is_refused_for_its_form_costs_nothing() {
    let server = Setup::new().setting("throttle", "false").start();
    for (login, register) in ROUTES {
        for path in [login, register] {
            for (what, body) in [
                ("a password of a megabyte", body("ann", &"x".repeat(1_000_000))),
                ("a password of two megabytes", body("ann", &"x".repeat(2_000_000))),
                ("a password with NUL", body("ann", "ann-pass\u{0}phrase-1")),
                ("no password", json!({"email": "ann@example.com", "username": "ann"})),
                ("a list", json!(["ann@example.com", "ann-pass-phrase-1"])),
            ] {
                let (hashes, answer) = cost(&server, path, &body);
                assert_eq!(hashes, 0, "{path}: {what}: {answer}");
                assert!([400, 413, 422].contains(&answer.status), "{path}: {what}: {answer}");
            }
        }
    }
}

#[test]
fn who_is_told_to_wait_costs_nothing_and_an_unknown_account_is_told_so_too() {
    let server = Setup::new().setting("throttle_attempts", "1").start();
    Request::post(ROUTES[0].1, &body("ann", "ann-pass-phrase-1")).send(server.address);
    for name in ["ann", "nobody"] {
        // By whichever contract: the attempts count for the account. Each one that is let in makes the next wait
        // twice as long, so that one comes too early however slow this machine is.
        let mut attempts = ROUTES.iter().cycle().take(20).map(|(login, _)| {
            let (hashes, answer) = cost(&server, login, &body(name, "not-ann-pass-phrase"));
            assert_eq!(hashes, u64::from(answer.status != 429), "{name}: {answer}");
            answer
        });
        let throttled = attempts.find(|answer| answer.status == 429);
        let throttled = throttled.unwrap_or_else(|| panic!("{name} may try as often as he likes"));
        let seconds: u64 = throttled
            .header("retry-after")
            .and_then(|text| text.parse().ok())
            .unwrap_or_default();
        assert!((1..=60).contains(&seconds), "{name}: {throttled}");
    }
}

#[test]
fn who_registered_or_logged_in_somewhere_is_not_delayed_there_by_guesses_from_elsewhere() {
    let server = Setup::new()
        .setting("throttle_attempts", "1")
        .setting("trusted_proxies", "127.0.0.1")
        .start();
    let ask = |from: &str, path: &str, password: &str| {
        let request = Request::post(path, &body("ann", password)).header("X-Forwarded-For", from);
        request.send(server.address).status
    };
    let (home, attacker, password) = ("192.0.2.1", "198.51.100.7", "ann-pass-phrase-1");
    assert!([200, 201].contains(&ask(home, ROUTES[0].1, password)));
    for (login, _) in ROUTES {
        // Each guess that is let in doubles the delay, so that one comes too early however slow this machine is.
        let guess = || ask(attacker, login, "not-ann-pass-phrase");
        assert!((0..20).any(|_| guess() == 429), "{login}: guesses have no bound");
        let status = ask(home, login, password);
        assert!([200, 201].contains(&status), "{login}: {status}");
    }
}
