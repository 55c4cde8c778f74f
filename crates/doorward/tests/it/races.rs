//! Many requests at once for one thing. Whatever their order: one wins, the others are told so, and none fails.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::http::{Answer, Request, at_once};
use crate::server::{Server, Setup};

/// How many at once.
const MANY: usize = 50;

/// A server on which nobody is slowed down for trying often.
fn server() -> Server {
    Setup::new().setting("throttle", "false").start()
}

fn count(answers: &[Answer], status: u16) -> usize {
    answers.iter().filter(|answer| answer.status == status).count()
}

fn shown(answers: &[Answer]) -> String {
    answers.iter().map(Answer::to_string).collect::<Vec<_>>().join("\n")
}

/// Registers through `users` and answers the token.
fn registered(server: &Server, email: &str) -> String {
    let body = json!({"fullname": {"firstname": "Ann"}, "email": email, "password": "ann-pass-1"});
    Request::post("/users/users/register", &body)
        .send(server.address)
        .member("token")
}

/// Opens a session through `v1` and answers its tokens.
fn opened(server: &Server, email: &str) -> Value {
    let answer = Request::post("/v1/sessions", &json!({"email": email, "password": "ann-pass-1"})).send(server.address);
    assert_eq!(answer.status, 201, "{answer}");
    answer.json()
}

fn profile(server: &Server, token: &str) -> u16 {
    Request::get("/users/users/profile")
        .bearer(token)
        .send(server.address)
        .status
}

#[test]
fn one_address_registered_by_many_at_once_is_one_account() {
    let server = server();
    let answers = at_once(MANY, |number| {
        // In every letter case, which is one address all the same.
        let email = if number % 2 == 0 {
            "race@example.com"
        } else {
            "RACE@Example.Com"
        };
        let body = json!({"email": email, "password": "race-pass-1"});
        Request::post("/auth-cookie/auth/register", &body).send(server.address)
    });
    assert_eq!(count(&answers, 201), 1, "{}", shown(&answers));
    assert_eq!(count(&answers, 409), MANY - 1, "{}", shown(&answers));
    let refused = answers.iter().filter(|answer| answer.status == 409);
    assert!(refused.clone().all(|answer| answer.text() == "User already exists."));
    // The losers left nothing behind: the next account has the next number.
    let body = json!({"email": "next@example.com", "password": "next-pass-1"});
    let next = Request::post("/auth-cookie/auth/register", &body).send(server.address);
    assert_eq!(next.json(), json!({"id": 2, "email": "next@example.com"}));
}

#[test]
fn one_identifier_through_several_contracts_at_once_is_one_account() {
    let server = server();
    let answers = at_once(MANY, |number| {
        let (path, body) = match number % 4 {
            0 => (
                "/auth/auth/register",
                json!({"email": "race@example.com", "password": "race-pass-1"}),
            ),
            1 => (
                "/username/user/register",
                json!({"username": "race@example.com", "password": "race-pass-1"}),
            ),
            2 => (
                "/users/users/register",
                json!({"fullname": {"firstname": "Ann"}, "email": "race@example.com", "password": "race-pass-1"}),
            ),
            _ => (
                "/users-strict/users/register",
                json!({"fullname": {"firstname": "Ann", "lastname": "Lee"}, "email": "race@example.com",
                    "password": "race-pass-1"}),
            ),
        };
        Request::post(path, &body).send(server.address)
    });
    assert_eq!(count(&answers, 201), 1, "{}", shown(&answers));
    assert_eq!(count(&answers, 409), MANY - 1, "{}", shown(&answers));
}

#[test]
fn different_accounts_at_once_are_all_made_and_numbered_without_a_gap() {
    let server = server();
    let answers = at_once(MANY, |number| {
        let body = json!({"email": format!("race{number}@example.com"), "password": "race-pass-1"});
        Request::post("/auth-cookie/auth/register", &body).send(server.address)
    });
    assert_eq!(count(&answers, 201), MANY, "{}", shown(&answers));
    let numbers: BTreeSet<i64> = answers
        .iter()
        .filter_map(|answer| answer.json()["id"].as_i64())
        .collect();
    assert_eq!(numbers, (1..=50).collect());
}

#[test]
fn logins_at_once_are_as_many_sessions() {
    let server = server();
    registered(&server, "ann@example.com");
    let answers = at_once(MANY, |_| {
        let body = json!({"email": "ann@example.com", "password": "ann-pass-1"});
        Request::post("/users/users/login", &body).send(server.address)
    });
    assert_eq!(count(&answers, 200), MANY, "{}", shown(&answers));
    let tokens: BTreeSet<String> = answers.iter().map(|answer| answer.member("token")).collect();
    assert_eq!(tokens.len(), MANY);
    // Ending one leaves the others.
    let mut tokens = tokens.into_iter();
    let first = tokens.next().unwrap();
    assert_eq!(
        Request::get("/users/users/logout")
            .bearer(&first)
            .send(server.address)
            .status,
        200
    );
    assert_eq!(profile(&server, &first), 401);
    assert!(tokens.all(|token| profile(&server, &token) == 200));
}

#[test]
fn one_refresh_token_used_by_one_client_at_once_has_one_successor() {
    let server = server();
    registered(&server, "ann@example.com");
    let first = opened(&server, "ann@example.com");
    let body = json!({"refresh_token": first["refresh_token"]});
    let answers = at_once(MANY, |_| {
        Request::post("/v1/sessions/current/refresh", &body).send(server.address)
    });
    assert_eq!(count(&answers, 200), MANY, "{}", shown(&answers));
    let successors: BTreeSet<String> = answers.iter().map(|answer| answer.member("refresh_token")).collect();
    assert_eq!(successors.len(), 1, "{successors:?}");
    let body = json!({"refresh_token": successors.first()});
    let next = Request::post("/v1/sessions/current/refresh", &body).send(server.address);
    assert_eq!(next.status, 200, "{next}");
}

#[test]
fn one_refresh_token_used_by_two_clients_at_once_ends_the_session() {
    let server = server();
    registered(&server, "ann@example.com");
    let first = opened(&server, "ann@example.com");
    let body = json!({"refresh_token": first["refresh_token"]});
    let answers = at_once(MANY, |number| {
        let agent = if number % 2 == 0 { "owner/1.0" } else { "thief/1.0" };
        Request::post("/v1/sessions/current/refresh", &body)
            .header("User-Agent", agent)
            .send(server.address)
    });
    assert_eq!(count(&answers, 200) + count(&answers, 401), MANY, "{}", shown(&answers));
    assert!(
        count(&answers, 401) > 0,
        "the second client is noticed: {}",
        shown(&answers)
    );
    for answer in answers.iter().filter(|answer| answer.status == 200) {
        let body = json!({"refresh_token": answer.member("refresh_token")});
        let next = Request::post("/v1/sessions/current/refresh", &body).header("User-Agent", "owner/1.0");
        assert_eq!(next.send(server.address).status, 401, "no successor lives on");
        assert_eq!(profile(&server, &answer.member("access_token")), 401);
    }
    assert!(server.log().contains("refresh_token_reused"), "and the log says so");
}

#[test]
fn one_session_logged_out_many_times_at_once_ends_once() {
    let server = server();
    let token = registered(&server, "ann@example.com");
    let answers = at_once(MANY, |_| {
        Request::new("POST", "/users-strict/users/logout")
            .bearer(&token)
            .send(server.address)
    });
    assert_eq!(count(&answers, 200), 1, "{}", shown(&answers));
    assert_eq!(count(&answers, 401), MANY - 1, "{}", shown(&answers));
    assert_eq!(profile(&server, &token), 401);
}

#[test]
fn a_password_changed_by_many_at_once_is_changed_once() {
    let server = server();
    registered(&server, "ann@example.com");
    let token = opened(&server, "ann@example.com")["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    let password = |number: usize| format!("the passphrase of thread {number}");
    let answers = at_once(10, |number| {
        let body = json!({"current_password": "ann-pass-1", "new_password": password(number)});
        Request::new("PUT", "/v1/account/password")
            .json(&body)
            .bearer(&token)
            .send(server.address)
    });
    assert_eq!(count(&answers, 204), 1, "{}", shown(&answers));
    assert_eq!(count(&answers, 403), 9, "{}", shown(&answers));
    let winner = answers.iter().position(|answer| answer.status == 204).unwrap();
    for number in 0..10 {
        let body = json!({"email": "ann@example.com", "password": password(number)});
        let login = Request::post("/v1/sessions", &body).send(server.address);
        assert_eq!(
            login.status,
            if number == winner { 201 } else { 401 },
            "{number}: {login}"
        );
    }
}

#[test]
fn logins_while_the_account_is_disabled_leave_no_session() {
    let server = server();
    registered(&server, "ann@example.com");
    let body = json!({"email": "ann@example.com", "password": "ann-pass-1"});
    let answers = at_once(20, |number| {
        if number == 0 {
            server.setup().succeed(&["user", "disable", "ann@example.com"]);
            return None;
        }
        Some(Request::post("/users/users/login", &body).send(server.address))
    });
    let tokens: Vec<String> = answers
        .iter()
        .flatten()
        .filter(|answer| answer.status == 200)
        .map(|answer| answer.member("token"))
        .collect();
    let list = server.setup().succeed(&["user", "end-sessions", "ann@example.com"]);
    assert!(list.contains(" 0 sessions"), "nothing was opened after it: {list}");
    for token in tokens {
        crate::operator::wait_until_dead(&server, &token);
    }
}
