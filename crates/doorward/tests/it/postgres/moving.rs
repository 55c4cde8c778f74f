//! `doorward move`, from SQLite up to PostgreSQL and back: whoever was signed in notices nothing.
//!
//! The surprise: the settings stay as they are but for the database, and nothing else has to be carried along.

use std::process::Output;

use serde_json::json;

use super::{Database, logout, profile, register};
use crate::http::{Answer, Request};
use crate::server::{Server, Setup};

mod killed;

/// What somebody who was there before the move holds.
struct Held {
    /// An access token of a session that lives.
    lives: String,
    /// One whose session was ended.
    ended: String,
    /// The answer to the last refresh.
    refreshed: Answer,
}

fn refresh(server: &Server, last: &Answer) -> Answer {
    let body = json!({"refresh_token": last.member("refresh_token")});
    Request::post("/v1/sessions/current/refresh", &body).send(server.address)
}

fn fill(server: &Server) -> Held {
    let (lives, ended) = (register(server, "ann@example.com"), register(server, "bob@example.com"));
    assert_eq!(logout(server, &ended), "User has been logged out.");
    let cid = json!({"username": "cid", "password": "correct horse battery staple 1"});
    let made = Request::post("/username/user/register", &cid).send(server.address);
    assert!(made.status < 300, "{made}");
    let dora = json!({"email": "dora@example.com", "password": "correct horse battery staple 1"});
    let made = Request::post("/v1/accounts", &dora).send(server.address);
    assert_eq!(made.status, 202, "{made}");
    let opened = Request::post("/v1/sessions", &dora).send(server.address);
    let refreshed = refresh(server, &opened);
    assert_eq!(refreshed.status, 200, "{refreshed}");
    server.setup().succeed(&["key", "rotate"]);
    Held {
        lives,
        ended,
        refreshed,
    }
}

/// Everything that was true before the move, and the number that the next account gets.
fn goes_on(server: &Server, held: &mut Held, next: u32) {
    assert_eq!(profile(server, &held.lives), 200);
    assert_eq!(profile(server, &held.ended), 401);
    held.refreshed = refresh(server, &held.refreshed);
    assert_eq!(held.refreshed.status, 200, "{}", held.refreshed);
    let access = held.refreshed.member("access_token");
    let account = Request::get("/v1/account").bearer(&access).send(server.address);
    assert_eq!(account.status, 200, "{account}");
    let cid = json!({"username": "CID", "password": "correct horse battery staple 1"});
    let login = Request::post("/username/login", &cid).send(server.address);
    assert_eq!(login.json()["user"], json!({"id": 3, "username": "cid"}));
    let email = format!("number{next}@example.com");
    let body = json!({"email": email, "password": "ann-pass-2"});
    let made = Request::post("/auth-cookie/auth/register", &body).send(server.address);
    assert_eq!(made.json(), json!({"id": next, "email": email}));
    let keys = Request::get("/.well-known/jwks.json").send(server.address).json();
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(2), "{keys}");
}

fn sqlite(setup: &Setup) -> String {
    format!("sqlite:{}", setup.database().display())
}

/// A file with this in it.
fn url_file(setup: &Setup, text: &str) -> String {
    let path = setup.folder().join("database.url");
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// The lines of a move's answer that tell of a table, without the column of what is new.
fn tables(text: &str) -> Vec<(&str, &str, &str)> {
    text.lines()
        .skip(1)
        .map_while(|line| {
            let mut words = line.split_whitespace();
            Some((words.next()?, words.next()?, words.nth(1)?))
        })
        .collect()
}

#[test]
fn tokens_sessions_endings_and_numbers_survive_the_way_up_and_back() {
    let (database, down) = (Database::new(), Setup::new());
    let server = Setup::new().start();
    let mut held = fill(&server);
    let old = server.killed();
    let up = old.succeed(&["move", "--from", &sqlite(&old), "--to", &database.url()]);
    assert_eq!(tables(&up).len(), 9, "{up}");
    assert!(up.contains("every table was read from both and is the same"), "{up}");

    let server = database.setup().start();
    goes_on(&server, &mut held, 5);
    let erin = register(&server, "erin@example.com");
    assert_eq!(logout(&server, &erin), "User has been logged out.");
    drop(server);

    // Arguments are no secret, and a file is.
    let file = url_file(&down, &format!("{}\n", database.url()));
    let back = down.succeed(&["move", "--from-file", &file, "--to", &sqlite(&down)]);
    assert!(
        tables(&back)
            .iter()
            .any(|(name, rows, _)| (*name, *rows) == ("accounts", "6")),
        "{back}"
    );
    let server = down.start();
    goes_on(&server, &mut held, 7);
    assert_eq!(profile(&server, &erin), 401);
}

#[test]
fn an_interrupted_move_is_continued_and_a_foreign_target_refused() {
    let (database, foreign) = (Database::new(), Database::new());
    let server = Setup::new().start();
    let mut held = fill(&server);
    // A server that runs has the database open.
    let line = |server: &Setup, to: &str| server.run(&["move", "--from", &sqlite(server), "--to", to]);
    let refused = line(server.setup(), &database.url());
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("hint: stop every server"), "{}", said(&refused));
    let old = server.killed();
    let whole = String::from_utf8(line(&old, &database.url()).stdout).unwrap();
    super::SERVER.sql(
        &database.0,
        "DELETE FROM secrets; DELETE FROM signing_keys WHERE position = 2; DELETE FROM sessions WHERE id NOT IN \
         (SELECT id FROM sessions ORDER BY id LIMIT 1)",
    );
    let again = line(&old, &database.url());
    assert!(again.status.success(), "{}", said(&again));
    assert!(said(&again).contains("copying sessions: "), "{}", said(&again));
    assert_eq!(tables(&String::from_utf8(again.stdout).unwrap()), tables(&whole));

    // A server that runs on the target uses it, too.
    let other = foreign.setup().start();
    let refused = line(&old, &foreign.url());
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("hint: stop every server"), "{}", said(&refused));
    drop(other);
    let refused = line(&old, &foreign.url());
    assert_eq!(refused.status.code(), Some(1));
    let why = said(&refused);
    assert!(
        why.contains("already holds rows of `realms`") && why.contains("hint: nothing was written"),
        "{why}"
    );
    goes_on(&database.setup().start(), &mut held, 5);
}

/// A schema is the database of a doorward, as a server says who is refused for what else is in the database.
#[test]
fn a_schema_of_the_same_database_is_another_database() {
    let database = Database::new();
    super::SERVER.sql(&database.0, "CREATE SCHEMA inner_door");
    let inner = format!("{}&options=-csearch_path%3Dinner_door", database.url());
    let setup = database.setup();
    setup.succeed(&["user", "add", "--username", "bob"]);
    let moved = setup.succeed(&["move", "--from", &database.url(), "--to", &inner]);
    assert!(
        moved.contains("every table was read from both and is the same"),
        "{moved}"
    );
}

#[test]
fn what_cannot_be_moved_is_said_without_a_password() {
    let setup = Setup::new();
    setup.succeed(&["user", "add", "--username", "bob"]);
    let secret = super::SERVER.tcp_text("hunter2-wrong", "postgres");
    let own = sqlite(&setup);
    for (from, to, code, says) in [
        (own.as_str(), secret.as_str(), 1, "does not accept the password"),
        (&own, "mysql://ann:hunter2@h/d", 2, "`--to` names no database"),
        (&own, &own, 2, "both databases are the same"),
        (&secret, &secret, 2, "both databases are the same"),
        ("sqlite:nothing.db", &own, 1, "there is no database"),
    ] {
        let refused = setup.run(&["move", "--from", from, "--to", to]);
        let why = said(&refused);
        assert_eq!(refused.status.code(), Some(code), "{why}");
        assert!(why.contains(says) && why.contains("\nhint: "), "{why}");
        assert!(!why.contains("hunter2") && refused.stdout.is_empty(), "{why}");
    }
    let wrong = url_file(&setup, "mysql://ann:hunter2@h/d");
    for (to, says) in [
        (wrong.as_str(), "`--to-file` names no database"),
        ("nothing", "cannot be read"),
    ] {
        let refused = setup.run(&["move", "--from", &own, "--to-file", to]);
        let why = said(&refused);
        assert_eq!(refused.status.code(), Some(2), "{why}");
        assert!(
            why.contains(says) && why.contains("\nhint: ") && !why.contains("hunter2"),
            "{why}"
        );
    }
}
