//! What is stored of a password: by the scheme of the settings, and renewed at the next login when it is behind.

use rusqlite::Connection;
use serde_json::json;

use crate::http::{Answer, Request};
use crate::server::{Server, Setup};

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
