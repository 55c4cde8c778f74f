//! What holds across `kill -9` and a start on the same database, and across a full disk: accounts, sessions, endings, keys.

use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::json;

use crate::http::{self, Request};
use crate::server::{Server, Setup, wait_until};

/// How many clients write while the server is killed.
const CLIENTS: usize = 4;
/// How many acknowledged writes there are before it is killed.
const ENOUGH: usize = 60;

fn register(server: &Server, email: &str) -> String {
    let body = json!({"fullname": {"firstname": "Ann"}, "email": email, "password": "ann-pass-1"});
    Request::post("/users/users/register", &body)
        .send(server.address)
        .member("token")
}

fn login(server: &Server, email: &str) -> u16 {
    let body = json!({"email": email, "password": "ann-pass-1"});
    Request::post("/auth-cookie/auth/login", &body)
        .send(server.address)
        .status
}

fn profile(server: &Server, token: &str) -> u16 {
    Request::get("/users/users/profile")
        .bearer(token)
        .send(server.address)
        .status
}

#[test]
fn accounts_sessions_and_endings_hold() {
    let server = Setup::new().start();
    let lives = register(&server, "ann@example.com");
    let ended = register(&server, "bob@example.com");
    let answer = Request::new("DELETE", "/auth-cookie/auth/logout")
        .bearer(&ended)
        .send(server.address);
    assert_eq!(answer.text(), "User has been logged out.");
    let server = server.kill_and_restart();
    assert_eq!(profile(&server, &lives), 200);
    assert_eq!(profile(&server, &ended), 401);
    assert_eq!(login(&server, "ann@example.com"), 200);
    assert_eq!(login(&server, "bob@example.com"), 200);
    let body = json!({"email": "ann@example.com", "password": "other-pass-1"});
    let taken = Request::post("/auth-cookie/auth/register", &body).send(server.address);
    assert_eq!(taken.status, 409, "{taken}");
    let body = json!({"email": "cid@example.com", "password": "cid-pass-1"});
    let next = Request::post("/auth-cookie/auth/register", &body).send(server.address);
    assert_eq!(next.json(), json!({"id": 3, "email": "cid@example.com"}));
    let server = server.kill_and_restart();
    assert_eq!(profile(&server, &ended), 401, "also the second time");
}

#[test]
fn refresh_tokens_and_password_changes_hold() {
    let server = Setup::new().start();
    register(&server, "ann@example.com");
    let open = |server: &Server, password: &str| {
        let body = json!({"email": "ann@example.com", "password": password});
        Request::post("/v1/sessions", &body).send(server.address)
    };
    let refresh = |server: &Server, token: &str| {
        Request::post("/v1/sessions/current/refresh", &json!({"refresh_token": token})).send(server.address)
    };
    let first = open(&server, "ann-pass-1");
    let second = refresh(&server, &first.member("refresh_token"));
    let shut_out = open(&server, "ann-pass-1");
    let body = json!({"current_password": "ann-pass-1", "new_password": "a long new passphrase"});
    let changed = Request::new("PUT", "/v1/account/password")
        .json(&body)
        .bearer(&second.member("access_token"));
    assert_eq!(changed.send(server.address).status, 204);
    let server = server.kill_and_restart();
    assert_eq!(open(&server, "ann-pass-1").status, 401);
    assert_eq!(open(&server, "a long new passphrase").status, 201);
    assert_eq!(refresh(&server, &shut_out.member("refresh_token")).status, 401);
    assert_eq!(profile(&server, &shut_out.member("access_token")), 401);
    assert_eq!(refresh(&server, &second.member("refresh_token")).status, 200);
}

/// What a client was told before the server died.
#[derive(Default)]
struct Journal {
    registered: Vec<String>,
    logged_out: Vec<(String, String)>,
    /// The address whose registration was not answered.
    unanswered: Option<String>,
}

#[test]
fn no_acknowledged_write_is_lost_when_the_server_is_killed() {
    // All register from one address, as many as there is time for.
    let server = Setup::new().setting("throttle_registrations", "1000000").start();
    let acknowledged = AtomicUsize::new(0);
    let address = server.address;
    let write = |client: usize| {
        let mut journal = Journal::default();
        // Bounded, in case the kill never comes.
        for number in 0..ENOUGH * 10 {
            let email = format!("client{client}-{number}@example.com");
            let body = json!({"fullname": {"firstname": "Ann"}, "email": email, "password": "ann-pass-1"});
            let Ok(answer) = http::exchange(address, &Request::post("/users/users/register", &body).bytes()) else {
                journal.unanswered = Some(email);
                break;
            };
            journal.registered.push(email.clone());
            acknowledged.fetch_add(1, Ordering::SeqCst);
            let token = answer.member("token");
            let logout = Request::get("/users/users/logout").bearer(&token);
            match http::exchange(address, &logout.bytes()) {
                Ok(_) => journal.logged_out.push((email, token)),
                Err(_) => break,
            }
        }
        journal
    };
    let (journals, server) = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS).map(|client| scope.spawn(move || write(client))).collect();
        wait_until("enough are acknowledged", || {
            assert!(
                !clients.iter().all(std::thread::ScopedJoinHandle::is_finished),
                "nobody writes any more"
            );
            acknowledged.load(Ordering::SeqCst) >= ENOUGH
        });
        let server = server.kill_and_restart();
        let journals: Vec<Journal> = clients.into_iter().map(|client| client.join().unwrap()).collect();
        (journals, server)
    });
    assert!(
        journals
            .iter()
            .any(|journal| journal.unanswered.is_some() || journal.registered.len() < ENOUGH * 10)
    );
    for journal in journals {
        for email in &journal.registered {
            assert_eq!(login(&server, email), 200, "{email} was acknowledged");
        }
        for (email, token) in &journal.logged_out {
            assert_eq!(profile(&server, token), 401, "the log-out of {email} was acknowledged");
        }
        if let Some(email) = journal.unanswered {
            // Whole or not at all: it can log in, or it can be registered.
            let body = json!({"email": email, "password": "ann-pass-1"});
            let again = Request::post("/auth-cookie/auth/register", &body)
                .send(server.address)
                .status;
            assert!(again == 201 || again == 409, "{again}");
            assert_eq!(login(&server, &email), 200, "{email} is not half there");
        }
    }
    assert_eq!(integrity(&server), "ok");
}

/// What SQLite says of all pages of the database.
fn integrity(server: &Server) -> String {
    let database = rusqlite::Connection::open(server.setup().database()).unwrap();
    database
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap()
}

/// A full disk that nobody has to be root for: no file of the server may grow beyond a size.
#[test]
fn a_database_that_cannot_grow_refuses_writes_and_loses_none() {
    let server = Setup::new()
        .after("trap '' XFSZ && ulimit -S -f 1024")
        .setting("throttle_registrations", "1000000")
        .start();
    let email = |number| format!("client{number}@example.com");
    let register = |number| {
        let body = json!({"email": email(number), "password": "ann-pass-1"});
        let register = Request::post("/auth-cookie/auth/register", &body);
        register.send(server.address).status
    };
    let first = (0..ENOUGH * 10).find(|number| register(*number) != 201);
    let first = first.expect("the file does not grow");
    assert_eq!([register(first), register(first + 1)], [503, 503]);
    let ask = |path| Request::get(path).send(server.address).status;
    assert_eq!(ask("/healthz"), 200);
    // What is asked writes little, for which there may still be room.
    wait_until("it is not ready", || ask("/readyz") == 503);
    let limit = ["--pid", &server.process_id().to_string(), "--fsize=unlimited:"];
    assert!(Command::new("prlimit").args(limit).status().unwrap().success());
    assert_eq!([ask("/readyz"), register(first), register(first + 1)], [200, 201, 201]);
    let lost = (0..first + 2).find(|number| login(&server, &email(*number)) != 200);
    assert_eq!(lost, None, "it was acknowledged");
    assert_eq!(integrity(&server), "ok");
    let log = server.log();
    assert!(
        log.contains("none of its writes happened") && log.contains("hint: "),
        "{log}"
    );
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let server = Setup::new().start();
    let setup = server.killed();
    let database = rusqlite::Connection::open(setup.database()).unwrap();
    let version: i64 = database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
    database.pragma_update(None, "user_version", version + 1).unwrap();
    drop(database);
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["user", "list"]] {
        let output = setup.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success(), "{error}");
        assert!(
            error.contains("error: ") && error.contains("version") && error.contains("hint: "),
            "{error}"
        );
    }
}

#[test]
fn what_is_no_database_of_ours_is_refused() {
    let setup = Setup::new();
    std::fs::write(
        setup.database(),
        "this is a letter, and no database at all; it is longer than a header of SQLite\n",
    )
    .unwrap();
    let output = setup.run(&["serve", "--listen", "127.0.0.1:0"]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{error}");
    assert!(error.contains("error: ") && error.contains("hint: "), "{error}");
    let kept = std::fs::read_to_string(setup.database()).unwrap();
    assert!(kept.starts_with("this is a letter"), "it is left alone");
}
