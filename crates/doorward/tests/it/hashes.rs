//! What is stored of a password: by the scheme of the settings, and renewed at the next login when it is behind.

use rusqlite::Connection;
use serde_json::json;

use crate::http::{Answer, Request};
use crate::server::{Server, Setup, wait_until};

const EMAIL: &str = "ann@example.com";

fn stored(server: &Server) -> String {
    let database = Connection::open(server.setup().database()).unwrap();
    database
        .query_row("SELECT password_hash FROM accounts WHERE email = $1", [EMAIL], |row| {
            row.get(0)
        })
        .unwrap()
}

fn call(server: &Server, path: &str, password: &str) -> Answer {
    Request::post(path, &json!({"email": EMAIL, "password": password})).send(server.address)
}

#[test]
fn a_hash_that_is_behind_is_renewed_at_the_next_login() {
    let mut server = Setup::new()
        .setting("hash_scheme", "bcrypt")
        .setting("bcrypt_cost", "4")
        .start();
    assert_eq!(call(&server, "/auth-cookie/auth/register", "ann-pass-1").status, 201);
    assert!(stored(&server).starts_with("$2b$04$"), "{}", stored(&server));
    assert_eq!(call(&server, "/auth-cookie/auth/login", "ann-pass-1").status, 200);
    assert!(stored(&server).starts_with("$2b$04$"), "it is not behind");

    // A higher cost, then another algorithm.
    for (scheme, cost, begins) in [
        ("bcrypt", "5", "$2b$05$"),
        ("argon2id", "5", "$argon2id$v=19$m=8,t=1,p=1$"),
    ] {
        let setup = server.killed();
        server = setup
            .setting("hash_scheme", scheme)
            .setting("bcrypt_cost", cost)
            .start();
        assert_eq!(call(&server, "/auth-cookie/auth/login", "ann-pass-2").status, 409);
        assert!(!stored(&server).starts_with(begins), "a wrong password renews nothing");
        assert_eq!(call(&server, "/auth-cookie/auth/login", "ann-pass-1").status, 200);
        assert!(stored(&server).starts_with(begins), "{}", stored(&server));
        assert_eq!(call(&server, "/auth-cookie/auth/login", "ann-pass-1").status, 200);
    }
}

/// A renewal is a hash more, which nobody has asked for: in a storm it would be one of two.
#[test]
fn a_hash_that_is_behind_is_not_renewed_while_others_wait() {
    let server = Setup::new()
        .setting("hash_scheme", "bcrypt")
        .setting("bcrypt_cost", "4")
        .start();
    let register = |server: &Server, name: &str| {
        let body = json!({"email": format!("{name}@example.com"), "password": "ann-pass-1"});
        Request::post("/auth-cookie/auth/register", &body).send(server.address)
    };
    assert_eq!(register(&server, "ann").status, 201);
    let before = stored(&server);
    // A hash takes long enough for others to come meanwhile.
    let server = server
        .killed()
        .setting("hash_scheme", "argon2id")
        .setting("hash_threads", "1")
        .setting("hash_wait", "10m")
        .setting("hash_memory_kib", "262144")
        .setting("hash_passes", "4")
        .start();
    let come = |name: &'static str| {
        let server = &server;
        move || {
            let answer = register(server, name);
            assert_eq!(answer.status, 201, "{answer}");
        }
    };
    let waited = || server.counted("doorward_hash_wait_seconds_count");
    std::thread::scope(|scope| {
        let first = scope.spawn(come("bob"));
        wait_until("the first is being hashed", || waited() > 0);
        let login = scope.spawn(|| call(&server, "/auth-cookie/auth/login", "ann-pass-1"));
        let wait_for = |count: u64| {
            wait_until(&format!("{count} wait for the first"), || {
                assert!(!first.is_finished(), "the first hash took no time");
                server.counted("doorward_hash_queue") >= count
            });
        };
        wait_for(1);
        // Two of them are taken at once.
        for (name, count) in [("cat", 2), ("dan", 3), ("eve", 4), ("fay", 5)] {
            scope.spawn(come(name));
            wait_for(count);
        }
        assert_eq!(login.join().unwrap().status, 200);
    });
    assert_eq!(stored(&server), before);
    assert_eq!(call(&server, "/auth-cookie/auth/login", "ann-pass-1").status, 200);
    assert_ne!(stored(&server), before, "when nobody waits it is");
}

/// A login from elsewhere may renew the hash while a new password is being hashed. The current one is still right.
#[test]
fn a_hash_that_is_renewed_meanwhile_does_not_make_the_password_wrong() {
    let password = "a long pass phrase of ann";
    let server = Setup::new()
        .setting("hash_scheme", "bcrypt")
        .setting("bcrypt_cost", "4")
        .start();
    for email in [EMAIL, "bob@example.com"] {
        let body = json!({"email": email, "password": password});
        assert_eq!(Request::post("/v1/accounts", &body).send(server.address).status, 202);
    }
    let token = call(&server, "/v1/sessions", password).member("access_token");
    // A hash takes long enough to change the account meanwhile.
    let server = server
        .killed()
        .setting("hash_scheme", "argon2id")
        .setting("hash_threads", "1")
        .setting("hash_memory_kib", "262144")
        .setting("hash_passes", "4")
        .start();
    let change = |current: &str, new: &str| {
        let body = json!({"current_password": current, "new_password": new});
        let request = Request::new("PUT", "/v1/account/password").bearer(&token);
        request.json(&body).send(server.address)
    };
    let changed = std::thread::scope(|scope| {
        // Verified, estimated, and being hashed.
        let change = scope.spawn(|| change(password, "another pass phrase of ann"));
        wait_until("all three hashes have begun", || {
            server.counted("doorward_hash_wait_seconds_count") >= 3
        });
        let of_bob = "UPDATE accounts SET password_hash = \
             (SELECT password_hash FROM accounts WHERE email = 'bob@example.com') WHERE email = $1";
        let database = Connection::open(server.setup().database()).unwrap();
        assert_eq!(database.execute(of_bob, [EMAIL]).unwrap(), 1);
        assert!(!change.is_finished(), "the hash took no time");
        change.join().unwrap()
    });
    assert_eq!(changed.status, 204, "{changed}");
    assert!(stored(&server).starts_with("$argon2id$"), "{}", stored(&server));
    let wrong = change(password, "a third pass phrase of ann");
    assert_eq!(wrong.status, 403, "{wrong}");
}

#[test]
fn a_password_that_bcrypt_would_cut_is_refused_in_the_contracts_words() {
    let server = Setup::new()
        .setting("hash_scheme", "bcrypt")
        .setting("bcrypt_cost", "4")
        .start();
    let refused = call(&server, "/auth-cookie/auth/register", &"é".repeat(37));
    assert_eq!(refused.status, 400, "{refused}");
    assert_eq!(
        refused.json()["message"],
        "body/password must NOT have more than 72 characters"
    );
    assert_eq!(call(&server, "/auth-cookie/auth/register", &"é".repeat(36)).status, 201);
    assert_eq!(call(&server, "/auth-cookie/auth/login", &"é".repeat(36)).status, 200);
    assert_eq!(call(&server, "/auth-cookie/auth/login", &"é".repeat(37)).status, 409);
}
