//! What an operator does when a key or a backup was stolen, while servers run: all sessions end, and a key goes.
//!
//! The surprise: nobody tells the servers. They find out within the second that the manual promises; these tests ask
//! them until they have.

use std::collections::HashSet;
use std::time::Instant;

use serde_json::json;

use crate::cluster::BOUND;
use crate::feed::{CROWD, log_out, open_crowd, register};
use crate::http::Request;
use crate::introspection::introspect;
use crate::postgres::Database;
use crate::server::{Server, Setup};
use crate::service::{Service, claims, sid};
use crate::transcript::part;

pub(crate) fn check(server: &Server, token: &str) -> u16 {
    Request::get("/v1/account").bearer(token).send(server.address).status
}

/// Asks until the token is refused: no check that began later than the bound after the command accepts it.
pub(crate) fn until_refused(server: &Server, token: &str, done: Instant) {
    loop {
        let late = done.elapsed();
        match check(server, token) {
            401 => return,
            200 => assert!(late <= BOUND, "accepted {late:?} after the command"),
            status => panic!("{status}"),
        }
    }
}

/// What a command says that is used wrongly.
fn misused(setup: &Setup, arguments: &[&str]) -> String {
    let output = setup.run(arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{error}");
    assert!(error.starts_with("error: ") && error.contains("\nhint: "), "{error}");
    error
}

#[test]
fn all_sessions_end_in_portions_and_everybody_is_told() {
    let server = Setup::new().start();
    let shop = Service::add(server.setup());
    let (ann, bob) = (
        register(&server, "ann@example.com"),
        register(&server, "bob@example.com"),
    );
    open_crowd(&server, &ann);
    let mut events = shop.follow(server.address, None);
    let output = server.setup().run(&["user", "end-sessions", "--all"]);
    let done = Instant::now();
    let (said, log) = (
        String::from_utf8(output.stdout).unwrap(),
        String::from_utf8(output.stderr).unwrap(),
    );
    assert!(output.status.success(), "{log}");
    let count = CROWD + 2;
    assert_eq!(said, format!("{count} sessions ended\n"));
    assert!(
        log.contains("all_sessions_ended") && log.contains(&format!("ended={count}")),
        "{log}"
    );
    for token in [&ann, &bob] {
        until_refused(&server, token, done);
    }
    let told: HashSet<String> = events.ended(count).into_iter().map(|(sid, _)| sid).collect();
    assert!(told.len() == count && [ann, bob].iter().all(|token| told.contains(&sid(&claims(token)))));

    // Whoever logs in again goes on, and what is run again ends what is left.
    let body = json!({"email": "ann@example.com", "password": "ann-pass-phrase-1"});
    let again = Request::post("/v1/sessions", &body).send(server.address);
    assert_eq!(check(&server, &again.member("access_token")), 200);
    let end_all = || server.setup().succeed(&["user", "end-sessions", "--all"]);
    assert_eq!(end_all(), "1 session ended\n");
    assert_eq!(end_all(), "0 sessions ended\n");
}

#[test]
fn every_node_knows_that_all_sessions_have_ended() {
    let database = Database::new();
    let nodes = [database.setup().start(), database.setup().start()];
    let tokens = [
        register(&nodes[0], "ann@example.com"),
        register(&nodes[1], "bob@example.com"),
    ];
    let over = register(&nodes[0], "cat@example.com");
    log_out(&nodes[0], &over);
    let said = nodes[0].setup().succeed(&["user", "end-sessions", "--all"]);
    let done = Instant::now();
    assert_eq!(said, "2 sessions ended\n");
    for (node, token) in nodes
        .iter()
        .flat_map(|node| tokens.iter().map(move |token| (node, token)))
    {
        until_refused(node, token, done);
    }
}

#[test]
fn all_sessions_of_a_realm_end_and_of_no_other() {
    let server = Setup::new().start();
    let token = register(&server, "ann@example.com");
    let add = ["user", "add", "--username", "bob", "--realm", "shop", "--new-realm"];
    server.setup().succeed(&add);
    let end_all = |realm| server.setup().run(&["user", "end-sessions", "--all", "--realm", realm]);
    let of_shop = end_all("shop");
    assert_eq!(
        String::from_utf8_lossy(&of_shop.stdout),
        "0 sessions of the realm `shop` ended\n"
    );
    assert_eq!(check(&server, &token), 200);
    let mistyped = String::from_utf8(end_all("shpo").stderr).unwrap();
    assert!(mistyped.contains("hint: did you mean `shop`?"), "{mistyped}");
    let of_main = end_all("main");
    assert_eq!(
        String::from_utf8_lossy(&of_main.stdout),
        "1 session of the realm `main` ended\n"
    );
    until_refused(&server, &token, Instant::now());
}

#[test]
fn the_sessions_of_one_account_or_of_all_end_and_never_both() {
    let setup = Setup::new();
    let neither = misused(&setup, &["user", "end-sessions"]);
    assert!(neither.contains("whose sessions"), "{neither}");
    let both = misused(&setup, &["user", "end-sessions", "ann@example.com", "--all"]);
    assert!(both.contains("both"), "{both}");
    assert!(!setup.database().exists());
}

/// What a command says that cannot be done.
fn refused(setup: &Setup, arguments: &[&str]) -> String {
    let output = setup.run(arguments);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{error}");
    error
}

fn kid(token: &str) -> String {
    part(token, 0).unwrap()["kid"].as_str().unwrap().to_owned()
}

#[test]
fn a_removed_key_verifies_nowhere_a_second_later_and_its_sessions_go_on() {
    let database = Database::new();
    let nodes = [database.setup().start(), database.setup().start()];
    let setup = nodes[0].setup();
    let shop = Service::add(setup);
    register(&nodes[0], "ann@example.com");
    let body = json!({"email": "ann@example.com", "password": "ann-pass-phrase-1"});
    let opened = Request::post("/v1/sessions", &body).send(nodes[1].address);
    let (token, refresh) = (opened.member("access_token"), opened.member("refresh_token"));
    let old = kid(&token);

    let signs = refused(setup, &["key", "remove", &old]);
    let hint = format!("hint: make another one with `doorward key rotate`, then `doorward key remove {old}`");
    assert!(
        signs.contains("is the key that signs") && signs.contains(&hint),
        "{signs}"
    );
    for unknown in ["none", "-none"] {
        let said = refused(setup, &["key", "remove", unknown]);
        assert!(said.contains(&format!("there is no key `{unknown}`")), "{said}");
        assert!(
            said.contains("hint: name its id, as `doorward key list` shows it"),
            "{said}"
        );
    }
    assert_eq!(check(&nodes[0], &token), 200);

    setup.succeed(&["key", "rotate"]);
    // It waits until the new one signs.
    let output = setup.run(&["key", "remove", &old]);
    let done = Instant::now();
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{log}");
    assert!(
        log.contains("key_removed") && log.contains(&format!("key={old}")),
        "{log}"
    );
    for node in &nodes {
        until_refused(node, &token, done);
        let jwks = Request::get("/.well-known/jwks.json").send(node.address).text();
        assert!(!jwks.contains(&old), "{jwks}");
        assert_eq!(introspect(node, &shop, &token), json!({"active": false}));
    }
    let list = setup.succeed(&["key", "list"]);
    assert!(list.lines().count() == 2 && !list.contains(&old), "{list}");

    let renewed =
        Request::post("/v1/sessions/current/refresh", &json!({"refresh_token": refresh})).send(nodes[0].address);
    let renewed = renewed.member("access_token");
    assert_ne!(kid(&renewed), old);
    for node in &nodes {
        assert_eq!(check(node, &renewed), 200);
    }
}
