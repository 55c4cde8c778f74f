//! `doorward user` and `doorward key` on the database of a running server.
//!
//! The surprise: nobody tells the server. It finds out within the second that the manual promises; these tests ask
//! it until it has.

use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::server::{Server, Setup, wait_until};

fn profile(server: &Server, token: &str) -> Answer {
    Request::get("/users/users/profile").bearer(token).send(server.address)
}

/// Asks until the token is refused.
pub(crate) fn wait_until_dead(server: &Server, token: &str) {
    wait_until("the token is refused", || profile(server, token).status != 200);
}

fn login(server: &Server, email: &str, password: &str) -> Answer {
    Request::post("/users/users/login", &json!({"email": email, "password": password})).send(server.address)
}

fn started() -> (Server, String) {
    let server = Setup::new().start();
    let body = json!({"fullname": {"firstname": "Ann"}, "email": "ann@example.com", "password": "ann-pass-1"});
    let token = Request::post("/users/users/register", &body)
        .send(server.address)
        .member("token");
    assert_eq!(profile(&server, &token).status, 200);
    (server, token)
}

#[test]
fn disabling_ends_every_token_and_enabling_lets_in_again() {
    let (server, token) = started();
    let other = login(&server, "ann@example.com", "ann-pass-1").member("token");
    let said = server.setup().succeed(&["user", "disable", "ANN@example.com"]);
    assert!(said.contains("ann@example.com"), "{said}");
    wait_until_dead(&server, &token);
    wait_until_dead(&server, &other);
    assert_eq!(login(&server, "ann@example.com", "ann-pass-1").status, 401);
    server.setup().succeed(&["user", "enable", "1"]);
    assert_eq!(login(&server, "ann@example.com", "ann-pass-1").status, 200);
    assert_eq!(profile(&server, &token).status, 401, "what has ended stays ended");
}

#[test]
fn ending_sessions_leaves_the_account() {
    let (server, token) = started();
    let said = server.setup().succeed(&["user", "end-sessions", "ann@example.com"]);
    assert!(said.contains("1 session"), "{said}");
    wait_until_dead(&server, &token);
    let again = login(&server, "ann@example.com", "ann-pass-1").member("token");
    assert_eq!(profile(&server, &again).status, 200);
}

#[test]
fn deleting_ends_every_token_and_frees_the_address() {
    let (server, token) = started();
    server.setup().succeed(&["user", "delete", "ann@example.com"]);
    wait_until_dead(&server, &token);
    assert_eq!(profile(&server, &token).json(), json!({"message": "User not found"}));
    let body = json!({"email": "ann@example.com", "password": "ann-pass-2"});
    let again = Request::post("/auth-cookie/auth/register", &body).send(server.address);
    assert_eq!(
        again.json(),
        json!({"id": 2, "email": "ann@example.com"}),
        "numbers are not used again"
    );
    assert_eq!(profile(&server, &token).status, 404);
}

#[test]
fn a_reset_password_is_the_one_from_the_file_or_one_that_is_printed() {
    let (server, token) = started();
    let arguments = ["user", "reset-password", "ann@example.com", "--password-file", "-"];
    let output = server.setup().run_with(&arguments, "a new password from the desk\n");
    assert!(output.status.success(), "{output:?}");
    wait_until_dead(&server, &token);
    assert_eq!(login(&server, "ann@example.com", "ann-pass-1").status, 401);
    assert_eq!(
        login(&server, "ann@example.com", "a new password from the desk").status,
        200
    );
    let said = server.setup().succeed(&["user", "reset-password", "ann@example.com"]);
    let mut words = said.split_whitespace();
    let opens = words.find(|word| word.len() > 15 && login(&server, "ann@example.com", word).status == 200);
    assert!(opens.is_some(), "the password stands in: {said}");
}

#[test]
fn accounts_can_be_made_and_listed() {
    let setup = Setup::new();
    let arguments = [
        "user",
        "add",
        "--email",
        "ann@example.com",
        "--username",
        "ann",
        "--password-file",
        "-",
    ];
    let output = setup.run_with(&arguments, "ann-pass-1\n");
    assert!(output.status.success(), "{output:?}");
    let twice = setup.run_with(&arguments, "ann-pass-2\n");
    assert_eq!(twice.status.code(), Some(1), "{twice:?}");
    let error = String::from_utf8_lossy(&twice.stderr);
    assert!(error.contains("error: ") && error.contains("hint: "), "{error}");
    setup.succeed(&["user", "add", "--username", "bob", "--first-name", "Bob"]);
    setup.succeed(&["user", "disable", "bob"]);
    let list = setup.succeed(&["user", "list"]);
    let line = |name: &str| {
        list.lines()
            .find(|line| line.contains(name))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(line("ann@example.com").trim_start().starts_with("1 "), "{list}");
    assert!(line("bob").trim_start().starts_with("2 "), "{list}");
    let server = setup.start();
    let body = json!({"username": "ANN", "password": "ann-pass-1"});
    let answer = Request::post("/username/login", &body).send(server.address);
    assert_eq!(answer.json()["user"], json!({"id": 1, "username": "ann"}));
}

#[test]
fn an_account_that_is_not_there_is_an_error_with_a_hint() {
    let setup = Setup::new();
    setup.succeed(&["user", "add", "--username", "bob"]);
    for arguments in [
        ["user", "disable", "nobody"],
        ["user", "delete", "77"],
        ["user", "end-sessions", "x@y.example"],
    ] {
        let output = setup.run(&arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        assert!(error.starts_with("error: ") && error.contains("\nhint: "), "{error}");
    }
    let output = setup.run(&["user", "dance"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_name_that_can_be_two_accounts_is_refused_and_an_exact_one_is_not() {
    let setup = Setup::new();
    setup.succeed(&["user", "add", "--email", "ann@example.com", "--username", "ann"]);
    let list = setup.succeed(&["user", "list"]);
    let id = list
        .lines()
        .last()
        .and_then(|line| line.split_whitespace().nth(1))
        .unwrap();
    // Whoever may choose a username may choose these.
    for username in ["1", id, "number:1", "Email:ann@example.com"] {
        setup.succeed(&["user", "add", "--username", username]);
    }
    for (ambiguous, others) in [("1", "1 (ann@example.com, ann)"), (id, "`number:1`")] {
        let output = setup.run(&["user", "delete", ambiguous]);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(
            error.contains("can be more than one account") && error.contains(others),
            "{error}"
        );
        assert!(error.contains("\nhint: say which one you mean: `number:"), "{error}");
    }
    let ends = |named: &str| setup.succeed(&["user", "end-sessions", named]);
    let by_id = format!("id:{id}");
    for exact in [
        "number:1",
        "NUMBER:1",
        "email:ANN@example.com",
        "username:ann",
        "ann",
        &by_id,
    ] {
        assert!(ends(exact).starts_with("account 1 (ann@example.com, ann) "), "{exact}");
    }
    let username = format!("username:{id}");
    for (exact, number) in [("username:1", 2), (&*username, 3), ("username:number:1", 4)] {
        assert!(ends(exact).starts_with(&format!("account {number} (")), "{exact}");
    }
    for nobody in [
        "email:ann",
        "username:ann@example.com",
        "id:1",
        "number:ann",
        "number:0",
        "number:77",
    ] {
        assert_eq!(
            setup.run(&["user", "disable", nobody]).status.code(),
            Some(1),
            "{nobody}"
        );
    }
}

fn kids(server: &Server) -> Vec<String> {
    let answer = Request::get("/.well-known/jwks.json").send(server.address);
    assert_eq!(answer.header("cache-control"), Some("private, max-age=300"));
    let jwks = answer.json();
    let keys = jwks["keys"].as_array().unwrap().iter();
    keys.map(|key| {
        let members = ["kty", "crv", "use", "alg"].map(|name| key[name].as_str().unwrap_or_default());
        assert_eq!(members, ["EC", "P-256", "sig", "ES256"]);
        assert!(key.get("d").is_none(), "no private part");
        key["kid"].as_str().unwrap().to_owned()
    })
    .collect()
}

fn kid(token: &str) -> String {
    let header = crate::transcript::part(token, 0).unwrap();
    header.get("kid").and_then(Value::as_str).unwrap().to_owned()
}

#[test]
fn a_rotated_key_signs_and_the_one_before_goes_on_verifying() {
    let (server, token) = started();
    let before = kids(&server);
    assert_eq!(before, [kid(&token)]);
    let said = server.setup().succeed(&["key", "rotate"]);
    wait_until("the server has learnt of the key", || kids(&server).len() >= 2);
    // It is published before it signs, so that no other process meets a key that it does not know.
    let next = || login(&server, "ann@example.com", "ann-pass-1").member("token");
    let mut new = next();
    wait_until("the new key signs", || {
        new = next();
        kid(&new) != before[0]
    });
    assert!(said.contains(&kid(&new)), "{said}");
    assert_eq!(profile(&server, &token).status, 200);
    assert_eq!(profile(&server, &new).status, 200);
    let list = server.setup().succeed(&["key", "list"]);
    assert!(list.contains(&kid(&new)) && list.contains(&before[0]), "{list}");
    let server = server.kill_and_restart();
    assert_eq!(profile(&server, &token).status, 200);
    assert_eq!(profile(&server, &new).status, 200);
}

#[test]
fn with_a_shared_secret_tokens_are_hs256_and_nothing_is_published() {
    let secret = "a secret of other services, long enough";
    let server = Setup::new().setting("jwt_secret", secret).start();
    let body = json!({"username": "ann", "password": "ann-pass-1"});
    let token = Request::post("/username/user/register", &body)
        .send(server.address)
        .member("token");
    let header = crate::transcript::part(&token, 0).unwrap();
    assert_eq!(header["alg"], "HS256");
    assert!(kids(&server).is_empty());
    assert_eq!(
        Request::get("/v1/account").bearer(&token).send(server.address).status,
        200
    );
    let shown = server.setup().succeed(&["config"]);
    assert!(!shown.contains(secret) && shown.contains("(set)"), "{shown}");
    assert!(!server.log().contains(secret));
    // Whoever signs with the secret itself, or with nothing, gets no further.
    let unsigned = format!("{}.", token.rsplit_once('.').unwrap().0);
    assert_eq!(
        Request::get("/v1/account")
            .bearer(&unsigned)
            .send(server.address)
            .status,
        401
    );
}

#[test]
fn a_mistyped_realm_is_refused_and_not_made() {
    let (server, _) = started();
    for _ in 0..2 {
        let output = server.setup().run(&["user", "list", "--realm", "mian"]);
        let complaint = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success());
        assert!(complaint.contains("there is no realm `mian`"), "{complaint}");
        assert!(complaint.contains("hint: did you mean `main`?"), "{complaint}");
    }
}
