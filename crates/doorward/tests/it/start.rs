//! What `doorward serve` says and serves at its start, and what keeps it from starting.

use std::fs;
use std::net::TcpListener;
use std::process::{Command, Output};

use doorward_http::contract::builtin;
use serde_json::{Value, json};

use crate::http::Request;
use crate::server::Setup;

/// The `users` contract with something else in place of a part of it.
fn users_with(part: &str, other: &str) -> String {
    let text = builtin::find("users").unwrap();
    assert!(text.contains(part), "{part}");
    text.replacen(part, other, 1)
}

/// What a command says when it refuses to start.
pub(crate) fn refusal(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.contains("error: ") && error.contains("\nhint: "), "{error}");
    error
}

#[test]
fn the_lines_it_prints_can_be_pasted() {
    let mut server = Setup::new().start();
    let lines = server.greeting(|line| line.contains("/users/logout")).to_vec();
    let pasted: Vec<&str> = lines
        .iter()
        .map(String::as_str)
        .filter(|line| line.starts_with("curl ") || line.starts_with("TOKEN="))
        .collect();
    assert_eq!(pasted.len(), 4, "{lines:#?}");
    let output = Command::new("sh")
        .arg("-c")
        .arg(pasted.join("\n"))
        .output()
        .expect("a shell");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let answers: Vec<&str> = text.lines().collect();
    let [registered, token, profile, logged_out] = answers.as_slice() else {
        panic!("{text}{}", String::from_utf8_lossy(&output.stderr));
    };
    let registered: Value = serde_json::from_str(registered).unwrap();
    assert_eq!(registered["user"]["email"], "ann@example.com");
    let profile: Value = serde_json::from_str(profile).unwrap();
    assert_eq!(profile, registered["user"], "the profile is flat");
    assert_eq!(*logged_out, r#"{"message":"Logged out successfully"}"#);
    let after = Request::get("/users/users/profile").bearer(token).send(server.address);
    assert_eq!(after.json(), json!({"message": "Unauthorized"}));
}

#[test]
fn it_says_what_is_served_where() {
    let mut server = Setup::new().start();
    let text = server.greeting(|line| line.contains("/healthz")).join("\n");
    for (name, _) in builtin::ALL {
        let mut words = text.lines().map(|line| line.split([' ', ',']).collect::<Vec<_>>());
        let is_told = words.any(|words| words.contains(&name) && words.contains(&format!("/{name}").as_str()));
        assert!(is_told, "{name}: {text}");
    }
}

#[test]
fn contracts_are_served_where_the_flags_say_and_nowhere_else() {
    let arguments = [
        "--contract",
        "users@/api",
        "--contract",
        "auth",
        "--contract",
        "username@/",
    ];
    let server = Setup::new().arguments(arguments).start();
    let status = |method, path| Request::new(method, path).send(server.address).status;
    assert_eq!(status("GET", "/api/users/profile"), 401);
    assert_eq!(status("POST", "/auth/auth/login"), 400);
    assert_eq!(status("POST", "/logout"), 401);
    for path in [
        "/users/users/profile",
        "/users/profile",
        "/v1/account",
        "/username/logout",
    ] {
        assert_eq!(status("GET", path), 404, "{path}");
    }
}

#[test]
fn real_routes_that_collide_are_refused_and_both_named() {
    let output = Setup::new().run(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--contract",
        "users@/",
        "--contract",
        "users-strict@/",
    ]);
    let error = refusal(&output);
    assert!(error.contains("`users`") && error.contains("`users-strict`"), "{error}");
    assert!(error.contains("POST /users/register"), "{error}");
}

#[test]
fn a_contract_cannot_have_the_paths_of_the_server() {
    let setup = Setup::new();
    // The port is taken, so that a contract that is not refused is not served either.
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let served = |path: &str| {
        let text = users_with("POST /users/login", &format!("POST {path}"));
        fs::write(setup.folder().join("mine.toml"), text).unwrap();
        // The second has a document of its own.
        let contracts = ["--contract", "./mine.toml@/", "--contract", "auth"];
        setup.run(&[&["serve", "--listen", &listen][..], &contracts].concat())
    };
    for path in [
        "/healthz",
        "/readyz",
        "/metrics",
        "/docs",
        "/.well-known/jwks.json",
        "/v1/verify",
        "/v1/introspect",
        "/v1/revoke",
        "/v1/ended-sessions",
        "/v1/status-lists/{id}",
        "/v1/status-lists/7",
        "/openapi.json",
        "/auth/openapi.json",
    ] {
        let error = refusal(&served(path));
        assert!(
            error.contains(&format!("`{path}` of the contract `users` is the server's own")),
            "{error}"
        );
    }
}

#[test]
fn a_preflight_is_judged_by_the_route_that_it_asks_for() {
    let setup = Setup::new().setting("origins", "loopback");
    // Two contracts with other methods at the same paths, and with other origins.
    let first = users_with("name           = \"users\"", "name = \"first\"");
    let second = users_with("name           = \"users\"", "name = \"second\"");
    let second = second.replace("\"POST ", "\"PUT ").replace("\"GET ", "\"PATCH ");
    for (name, text) in [("first", first), ("second", second)] {
        let text = format!("{text}\n[cors]\norigins = \"https://{name}.example\"\n");
        fs::write(setup.folder().join(&format!("{name}.toml")), text).unwrap();
    }
    let server = setup
        .arguments(["--contract", "./first.toml@/", "--contract", "./second.toml@/"])
        .start();
    let allowed = |origin: &str, method: &str| {
        let asks = Request::new("OPTIONS", "/users/login").header("Access-Control-Request-Method", method);
        let answer = asks.send(server.address);
        assert_eq!(answer.status, 404, "what is no preflight runs nothing: {answer}");
        let answer = asks.header("Origin", origin).send(server.address);
        assert_eq!(answer.status, 204, "{answer}");
        answer.header("access-control-allow-methods").map(str::to_owned)
    };
    let (first, second) = ("https://first.example", "https://second.example");
    assert_eq!(allowed(first, "POST").as_deref(), Some("POST"));
    assert_eq!(allowed(second, "PUT").as_deref(), Some("PUT"));
    assert_eq!(allowed(first, "PUT"), None);
    assert_eq!(allowed(second, "POST"), None);
}

#[test]
fn a_token_of_one_realm_means_nothing_in_another() {
    let setup = Setup::new();
    let elsewhere = users_with(
        "name           = \"users\"",
        "name = \"elsewhere\"\nrealm = \"elsewhere\"",
    );
    fs::write(setup.folder().join("elsewhere.toml"), elsewhere).unwrap();
    let server = setup
        .arguments(["--contract", "users", "--contract", "./elsewhere.toml"])
        .start();
    let body = json!({"fullname": {"firstname": "Ann"}, "email": "ann@example.com", "password": "ann-pass-1"});
    let register = |prefix: &str| Request::post(&format!("{prefix}/users/register"), &body).send(server.address);
    let profile = |prefix: &str, token: &str| {
        Request::get(&format!("{prefix}/users/profile"))
            .bearer(token)
            .send(server.address)
            .status
    };
    let (here, there) = (register("/users"), register("/elsewhere"));
    assert_eq!(
        (here.status, there.status),
        (201, 201),
        "one address in two realms is two accounts"
    );
    let (here, there) = (here.member("token"), there.member("token"));
    assert_eq!((profile("/users", &here), profile("/elsewhere", &there)), (200, 200));
    assert_eq!((profile("/users", &there), profile("/elsewhere", &here)), (401, 401));
    // Also once it is remembered as verified, and for ending it.
    let logout = Request::get("/elsewhere/users/logout")
        .bearer(&here)
        .send(server.address);
    assert_eq!(logout.status, 401);
    assert_eq!(profile("/users", &here), 200);
}

#[test]
fn built_in_contracts_are_listed_shown_and_good() {
    let setup = Setup::new();
    let list = setup.succeed(&["contract", "list"]);
    for (name, text) in builtin::ALL {
        assert!(list.contains(name), "{list}");
        assert_eq!(setup.succeed(&["contract", "show", name]), text);
        let file = setup.folder().join("shown.toml");
        fs::write(&file, text).unwrap();
        setup.succeed(&["contract", "check", "./shown.toml"]);
    }
    let error = refusal(&setup.run(&["contract", "show", "user"]));
    assert!(error.contains("users"), "{error}");
}

#[test]
fn a_faulty_contract_is_refused_with_its_place_and_what_would_be_right() {
    let setup = Setup::new();
    for (what, text, underlined) in [
        (
            "an outcome without an answer",
            users_with("taken   = { status", "# taken = { status"),
            "register",
        ),
        (
            "a hole that names nothing",
            users_with("{account.object_id}", "{account.objectid}"),
            "account.objectid",
        ),
        (
            "a field that the action cannot take",
            users_with(
                "[\"email\", \"password\"]",
                "[\"email\", \"password\", \"fullname.firstname\"]",
            ),
            "fullname.firstname",
        ),
        (
            "a field that is not there",
            users_with("[\"email\", \"password\"]", "[\"email\", \"pasword\"]"),
            "pasword",
        ),
        ("a key that means nothing", users_with("root  ", "roots "), "roots"),
        (
            "an action that is not there",
            users_with("\"login\"", "\"signin\""),
            "signin",
        ),
        ("JSON that is none", users_with("'\"{user}\"'", "'\"{user}'"), "{user}"),
        ("a syntax error", users_with("[contract]", "[contract"), "contract"),
        (
            "two routes in one place",
            users_with("GET /users/logout", "GET /users/profile"),
            "GET /users/profile",
        ),
        (
            "a status that is none",
            users_with("status = 409", "status = 4090"),
            "4090",
        ),
    ] {
        fs::write(setup.folder().join("faulty.toml"), text).unwrap();
        let checked = refusal(&setup.run(&["contract", "check", "./faulty.toml"]));
        let place = checked
            .lines()
            .find(|line| line.contains("faulty.toml:"))
            .unwrap_or_else(|| panic!("{what}: {checked}"));
        let numbers: Vec<&str> = place.rsplit(':').take(2).collect();
        assert!(
            numbers.iter().all(|number| number.parse::<usize>().is_ok()),
            "{what}: {checked}"
        );
        assert!(checked.lines().any(|line| line.contains('^')), "{what}: {checked}");
        assert!(checked.contains(underlined), "{what}: {checked}");
        let served = refusal(&setup.run(&["serve", "--listen", "127.0.0.1:0", "--contract", "./faulty.toml"]));
        assert_eq!(served, checked, "{what}");
    }
}

#[test]
fn a_contract_that_cannot_be_served_in_its_own_place_is_refused() {
    let setup = Setup::new();
    for (prefix, path, hint) in [
        ("/", "/healthz", "mount the contract under a prefix"),
        ("/users", "/openapi.json", "choose another path"),
    ] {
        let text = users_with("GET /users/profile", &format!("GET {path}"));
        let text = text.replacen("[contract]", &format!("[contract]\nprefix = \"{prefix}\""), 1);
        fs::write(setup.folder().join("faulty.toml"), text).unwrap();
        let checked = refusal(&setup.run(&["contract", "check", "./faulty.toml"]));
        assert!(
            checked.contains(&format!("{path}` of the contract `users` is the server's own")),
            "{checked}"
        );
        assert!(checked.contains(&format!("hint: {hint}")), "{checked}");
        let served = refusal(&setup.run(&["serve", "--listen", "127.0.0.1:0", "--contract", "./faulty.toml"]));
        assert_eq!(served, checked);
    }
}

#[test]
fn a_port_in_use_is_an_error_with_a_hint() {
    let first = Setup::new().start();
    let output = Setup::new().run(&["serve", "--listen", &first.address.to_string()]);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("error: ") && error.contains("hint: "), "{error}");
}
