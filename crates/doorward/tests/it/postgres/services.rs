//! Services that follow the feed, or ask, on several nodes and without a database.

use serde_json::json;

use super::{Database, server};
use crate::feed::{log_out, register};
use crate::http::Request;
use crate::introspection::{introspect, revoke};
use crate::server::{Setup, wait_until};
use crate::service::{Service, claims, sid};

#[test]
fn what_ends_on_one_node_is_told_on_another() {
    let database = Database::new();
    let (one, other) = (database.setup().start(), database.setup().start());
    let shop = Service::add(one.setup());
    let mut events = shop.follow(other.address, None);
    events.wait_for("fresh");
    let (ann, bob) = (register(&one, "ann@example.com"), register(&one, "bob@example.com"));
    let first = log_out(&one, &ann);
    let told = events.ended(1);
    assert_eq!(told[0].0, first);
    assert_eq!(revoke(&one, &shop, &bob).status, 200);
    // A reader can go on where another node may not have come to yet.
    let last = events.last.clone();
    let mut elsewhere = shop.follow(one.address, last.as_deref());
    assert_eq!(elsewhere.next().map(|event| event.name).as_deref(), Some("hello"));
    let second = elsewhere.ended(1);
    assert_eq!(second[0].0, sid(&claims(&bob)));
    assert_eq!(events.ended(1), second);
    let mut events = shop.follow(other.address, elsewhere.last.as_deref());
    assert_eq!(events.next().map(|event| event.name).as_deref(), Some("hello"));
    assert_eq!(
        events.next().map(|event| event.name).as_deref(),
        Some("fresh"),
        "and not `reset`"
    );
    assert_eq!(introspect(&other, &shop, &ann), json!({"active": false}));
    assert_eq!(introspect(&other, &shop, &bob), json!({"active": false}));
}

/// While the database is away nobody is told that he knows everything, and no revocation is said to have happened.
#[test]
fn without_the_database_nothing_is_claimed() {
    let postgres = server::Server::start();
    postgres.sql("postgres", "CREATE DATABASE main");
    let node = Setup::new()
        .setting("database", &postgres.url("main").to_string())
        .start();
    let shop = Service::add(node.setup());
    let ann = register(&node, "ann@example.com");
    let mut events = shop.follow(node.address, None);
    let known = events.wait_for("fresh").data["asked"].as_u64().unwrap();

    postgres.control("stop");
    let refused = revoke(&node, &shop, &ann);
    assert_eq!(
        (refused.status, refused.json()),
        (503, json!({"error": "temporarily_unavailable"}))
    );
    assert!(refused.header("retry-after").is_some(), "{refused}");
    // For a second the node still knows the client, and that the session lived.
    let mut page = shop.page(node.address, "");
    wait_until("no page is answered any more", || {
        page = shop.page(node.address, "");
        page.status != 200
    });
    assert_eq!((page.status, page.header("retry-after")), (503, Some("1")), "{page}");
    let ask = || Request::get("/.well-known/jwks.json").send(node.address);
    let mut keys = ask();
    wait_until(
        "no keys are told any more: there may be one that it does not know",
        || {
            keys = ask();
            keys.status != 200
        },
    );
    assert_eq!((keys.status, keys.header("retry-after")), (503, Some("1")), "{keys}");
    let id = keys.header("x-request-id").unwrap_or_else(|| panic!("{keys}"));
    let refused = format!("id=\"{id}\" method=GET path=\"/.well-known/jwks.json\" status=503");
    assert!(node.log().contains(&refused), "{refused}");
    postgres.control("start");

    // What was told meanwhile was asked before: the next word comes from after the return.
    let mut asked = known;
    let gap = std::iter::from_fn(|| {
        let next = events.wait_for("fresh").data["asked"].as_u64().unwrap();
        let gap = next - asked;
        asked = next;
        Some(gap)
    });
    assert!(
        gap.take(20).max() >= Some(1_000),
        "the stream was silent for as long as the database was away"
    );
    // The stream goes on where it was.
    wait_until("a token can be revoked again", || {
        revoke(&node, &shop, &ann).status == 200
    });
    assert_eq!(events.ended(1)[0].0, sid(&claims(&ann)));
    assert_eq!(introspect(&node, &shop, &ann), json!({"active": false}));
}
