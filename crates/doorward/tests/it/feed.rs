//! The feed of ended sessions: every ending once and in order, as pages and as a stream, to those who may ask.
//!
//! The surprise: two thousand sessions are not opened one by one. They are written into the database of the running
//! server, and ended by one request.

use std::time::Instant;

use rusqlite::Connection;
use serde_json::json;

use crate::http::Request;
use crate::server::{Server, Setup};
use crate::service::{Service, claims, position, sid};

mod places;

/// Endings of one request: several times what a stream tells at once.
pub(crate) const CROWD: usize = 2_000;

/// More endings than a server keeps in memory for those who follow them.
const HISTORY: usize = 70_000;

/// An access token of a new account.
pub(crate) fn register(server: &Server, email: &str) -> String {
    let body = json!({"email": email, "password": "ann-pass-phrase-1"});
    let made = Request::post("/v1/accounts", &body).send(server.address);
    assert_eq!(made.status, 202, "{made}");
    Request::post("/v1/sessions", &body)
        .send(server.address)
        .member("access_token")
}

fn end(server: &Server, path: &str, token: &str) {
    let answer = Request::new("DELETE", path).bearer(token).send(server.address);
    assert!(answer.status < 300, "{answer}");
}

/// Ends the session of a token, and answers its `sid`.
pub(crate) fn log_out(server: &Server, token: &str) -> String {
    end(server, "/v1/sessions/current", token);
    sid(&claims(token))
}

fn sql(server: &Server, sql: &str) {
    let database = Connection::open(server.setup().database()).unwrap();
    database
        .busy_timeout(std::time::Duration::from_secs(60))
        .and_then(|()| database.execute_batch(sql))
        .unwrap();
}

/// Opens [`CROWD`] sessions of the account of a token.
pub(crate) fn open_crowd(server: &Server, token: &str) {
    let account = claims(token)["sub"].as_str().unwrap().replace('-', "");
    sql(
        server,
        &format!(
            "WITH RECURSIVE crowd (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM crowd WHERE n < {CROWD}) \
             INSERT INTO sessions (id, account, created_at, used_at, expires_at, user_agent) \
             SELECT randomblob(16), x'{account}', 0, 0, 9000000000000, '' FROM crowd"
        ),
    );
}

/// Opens many sessions of the account of a token, and ends them all in one request.
fn end_crowd(server: &Server, token: &str) {
    open_crowd(server, token);
    end(server, "/v1/sessions", token);
}

/// Every ending, as the server's own database has it.
fn stored(server: &Server) -> Vec<(String, i64)> {
    let database = Connection::open(server.setup().database()).unwrap();
    let mut rows = database
        .prepare("SELECT session, sequence FROM ended_sessions ORDER BY sequence")
        .unwrap();
    let row = |row: &rusqlite::Row<'_>| Ok((uuid::Uuid::from_bytes(row.get(0)?).to_string(), row.get(1)?));
    rows.query_map([], row).and_then(Iterator::collect).unwrap()
}

#[test]
fn pages_tell_every_ending_once_and_say_when_they_are_all() {
    let server = Setup::new().start();
    let shop = Service::add(server.setup());
    let empty = shop.page(server.address, "").json();
    assert_eq!(empty["ended"], json!([]), "{empty}");
    assert_eq!(
        (&empty["cursor"], &empty["more"]),
        (&json!("0"), &json!(false)),
        "{empty}"
    );
    assert!(empty["asked"].as_u64() <= empty["now"].as_u64(), "{empty}");

    let ann = register(&server, "ann@example.com");
    end_crowd(&server, &ann);
    let last = log_out(&server, &ann);
    let (mut told, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let page = shop.page(server.address, &format!("?after={cursor}&limit=700")).json();
        cursor = page["cursor"].as_str().unwrap().to_owned();
        told.extend(page["ended"].as_array().unwrap().iter().map(sid));
        // Its own endings a server learns in their order, which takes a moment.
        if page["more"] == json!(false) && told.len() > CROWD {
            break;
        }
    }
    assert_eq!(told.last(), Some(&last));
    assert_eq!(
        told,
        stored(&server).into_iter().map(|(sid, _)| sid).collect::<Vec<_>>()
    );
    let crowd = shop.page(server.address, &format!("?limit={CROWD}")).json();
    let after = crowd["cursor"].as_str().unwrap();
    let ended = &shop.page(server.address, &format!("?after={after}")).json()["ended"];
    assert_eq!(ended[0]["sid"], json!(last));
    assert!(ended[0]["exp"].as_i64() >= claims(&ann)["exp"].as_i64(), "{ended}");
}

#[test]
fn a_stream_tells_what_ends_and_goes_on_where_it_was_cut_off() {
    let server = Setup::new().start();
    let shop = Service::add(server.setup());
    let before = log_out(&server, &register(&server, "ann@example.com"));
    let streams = || server.counted("doorward_event_streams");
    assert_eq!(streams(), 0);
    let mut events = shop.follow(server.address, None);
    assert_eq!(streams(), 1);
    for line in [
        "content-type: text/event-stream",
        "cache-control: no-store, no-transform",
        "x-accel-buffering: no",
    ] {
        assert!(events.head.contains(line), "{}", events.head);
    }
    let hello = events.next().unwrap();
    assert_eq!(hello.name, "hello");
    assert!(hello.data["now"].is_u64() && hello.id.is_none(), "{hello:?}");
    assert_eq!(events.ended(1), [(before, 1)], "what ended before is told first");

    let bob = register(&server, "bob@example.com");
    let fresh = events.wait_for("fresh");
    assert_eq!(fresh.id, events.last, "the cursor stays");
    assert_eq!(position(&fresh.id.unwrap()), 1);
    let again = events.wait_for("fresh");
    assert!(again.data["asked"].as_u64() > fresh.data["asked"].as_u64(), "{again:?}");
    let asked = Instant::now();
    let second = log_out(&server, &bob);
    assert_eq!(events.ended(1), [(second, 2)]);
    let place = events.last.clone().unwrap();
    eprintln!("from a log-out to the service that follows: {:?}", asked.elapsed());
    let third = log_out(&server, &register(&server, "cam@example.com"));
    drop(events);
    let fourth = log_out(&server, &register(&server, "dan@example.com"));

    let mut events = shop.follow(server.address, Some(&place));
    assert_eq!(events.next().unwrap().name, "hello");
    assert_eq!(events.ended(2), [(third, 3), (fourth, 4)]);
    assert_eq!(position(&events.wait_for("fresh").id.unwrap()), 4);
}

#[test]
fn a_stream_tells_each_of_many_endings_once_and_in_order() {
    let server = Setup::new().start();
    let shop = Service::add(server.setup());
    let mut events = shop.follow(server.address, None);
    assert_eq!(events.wait_for("fresh").id.as_deref(), Some("0"));
    let ann = register(&server, "ann@example.com");
    end_crowd(&server, &ann);
    log_out(&server, &ann);
    assert_eq!(events.ended(CROWD + 1), stored(&server));
    assert_eq!(
        usize::try_from(position(&events.wait_for("fresh").id.unwrap())),
        Ok(CROWD + 1)
    );
}

/// What is older than memory comes from the database, and the change from one to the other loses nothing.
#[test]
fn a_reader_that_is_far_behind_is_told_everything() {
    let server = Setup::new().start();
    sql(
        &server,
        &format!(
            "WITH RECURSIVE past (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM past WHERE n < {HISTORY}) \
             INSERT INTO ended_sessions (session, expires_at) SELECT randomblob(16), 9000000000000 FROM past"
        ),
    );
    let server = server.kill_and_restart();
    let shop = Service::add(server.setup());
    let page = shop.page(server.address, "?limit=10000").json();
    assert_eq!((&page["cursor"], &page["more"]), (&json!("10000"), &json!(true)));
    let mut events = shop.follow(server.address, None);
    let first = events.ended(HISTORY - 1);
    let ann = log_out(&server, &register(&server, "ann@example.com"));
    let told = [first, events.ended(2)].concat();
    let stored = stored(&server);
    assert!(told == stored, "{} told of {}", told.len(), stored.len());
    assert_eq!(told.last().unwrap().0, ann);
}

#[test]
fn a_place_in_another_database_begins_anew() {
    let server = Setup::new().start();
    let shop = Service::add(server.setup());
    let ann = log_out(&server, &register(&server, "ann@example.com"));
    // One further than it has come, and one that has the number of its ending and not its mark.
    for place in ["77", "77-1f", "1", "1-1f"] {
        let mut events = shop.follow(server.address, Some(place));
        assert_eq!(events.next().unwrap().name, "hello");
        let reset = events.next().unwrap();
        assert_eq!((reset.name.as_str(), reset.id.as_deref()), ("reset", Some("0")));
        assert_eq!(events.ended(1), [(ann.clone(), 1)]);
        let page = shop.page(server.address, &format!("?after={place}")).json();
        assert_eq!((&page["reset"], sid(&page["ended"][0])), (&json!(true), ann.clone()));
    }
}

#[test]
fn only_clients_may_ask() {
    let server = Setup::new().start();
    let shop = Service::add(server.setup());
    let (ann, other) = (register(&server, "ann@example.com"), Service::add(server.setup()));
    let request = || Request::get("/v1/ended-sessions");
    for refused in [
        request(),
        request().bearer(&ann),
        request().basic(&shop.id, &other.secret),
        request().basic(&shop.id, ""),
        request().basic("", &shop.secret),
        request().basic("018f0000-0000-7000-8000-000000000000", &shop.secret),
        request().header("Authorization", "Basic x"),
    ] {
        for accept in ["application/json", "text/event-stream"] {
            let answer = refused.clone().header("Accept", accept).send(server.address);
            assert_eq!(
                (answer.status, answer.json()),
                (401, json!({"error": "invalid_client"}))
            );
            assert_eq!(answer.header("www-authenticate"), Some("Basic realm=\"doorward\""));
        }
    }
    for query in [
        "?after=x",
        "?after=-1",
        "?limit=0",
        "?limit=10001",
        "?after=99999999999999999999",
    ] {
        let answer = shop.page(server.address, query);
        assert_eq!(
            (answer.status, answer.member("error")),
            (400, "invalid_request".into()),
            "{query}"
        );
    }
    let twice = shop.asks(request()).basic(&shop.id, &shop.secret).send(server.address);
    assert_eq!(twice.status, 400, "{twice}");
    assert!(!server.log().contains(&shop.secret));
}

#[test]
fn a_client_that_is_removed_loses_its_stream_and_is_refused() {
    let server = Setup::new().start();
    let (shop, other) = (Service::add(server.setup()), Service::add(server.setup()));
    let listed = server.setup().succeed(&["client", "list"]);
    assert!(listed.contains(&shop.id) && listed.contains("shop"), "{listed}");
    assert!(!listed.contains(&shop.secret), "{listed}");
    let mut events = shop.follow(server.address, None);
    events.wait_for("fresh");
    server.setup().succeed(&["client", "remove", &shop.id]);
    let removed = Instant::now();
    while events.next().is_some() {}
    eprintln!(
        "from the removal of a client to the end of its stream: {:?}",
        removed.elapsed()
    );
    assert_eq!(shop.page(server.address, "").status, 401);
    assert_eq!(other.page(server.address, "").status, 200);
    let again = server.setup().run(&["client", "remove", &shop.id]);
    let said = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(said.contains("there is no client") && said.contains("hint: "), "{said}");
    for name in ["", " ", "a\nb"] {
        assert_eq!(
            server.setup().run(&["client", "add", name]).status.code(),
            Some(2),
            "{name:?}"
        );
    }
}

/// The limit on a stop is an hour: whoever waits for a stream that has no end would wait that long.
#[test]
fn a_stop_ends_a_stream_at_once() {
    let server = Setup::new().setting("stop_timeout", "1h").start();
    let shop = Service::add(server.setup());
    let mut events = shop.follow(server.address, None);
    events.wait_for("fresh");
    server.ask_to_stop();
    while events.next().is_some() {}
    let (success, _) = server.wait();
    assert!(success);
}
