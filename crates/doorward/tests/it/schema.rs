//! Who brings the schema of a database up to date, and when: a server that will serve, and nobody else.
//!
//! The surprise: the older database is a real one. The last migration is undone.

use std::net::TcpListener;

use rusqlite::Connection;

use crate::server::Setup;

/// What the last migration has done, backwards.
const UNDONE: &str = "CREATE INDEX ended_sessions_expires_at ON ended_sessions (expires_at)";

fn version(setup: &Setup) -> i64 {
    let database = Connection::open(setup.database()).unwrap();
    database.query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap()
}

/// A database as an older doorward has left it, with one account, and its version.
fn older() -> (Setup, i64) {
    let setup = Setup::new();
    setup.succeed(&["user", "add", "--username", "ann"]);
    let before = version(&setup) - 1;
    let database = Connection::open(setup.database()).unwrap();
    database.execute_batch(UNDONE).unwrap();
    database.pragma_update(None, "user_version", before).unwrap();
    (setup, before)
}

#[test]
fn a_server_that_cannot_serve_leaves_the_database_as_it_is() {
    let (setup, before) = older();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    let free = ["serve", "--listen", "127.0.0.1:0"];
    for (arguments, switches, code) in [
        (vec!["serve", "--listen", &taken], "", 1),
        (free.to_vec(), "users.nothing", 2),
        (
            [&free[..], &["--contract", "users@/", "--contract", "users-strict@/"]].concat(),
            "",
            2,
        ),
    ] {
        let output = setup
            .command()
            .args(&arguments)
            .env("DOORWARD_SWITCHES", switches)
            .output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        assert_eq!(version(&setup), before, "{arguments:?}");
    }
    let setup = setup.start().killed();
    assert_eq!(version(&setup), before + 1);
}

#[test]
fn a_command_beside_a_server_does_not_touch_an_older_schema() {
    let (setup, before) = older();
    for arguments in [
        &["user", "list"][..],
        &["user", "disable", "ann"],
        &["user", "add", "--username", "bob"],
        &["client", "list"],
        &["client", "add", "shop"],
        &["key", "list"],
        &["key", "rotate"],
    ] {
        let output = setup.run(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {error}");
        let what = format!("has schema version {before}; this doorward needs {}", before + 1);
        assert!(
            error.contains(&what) && error.contains("start `doorward serve` once"),
            "{error}"
        );
        assert_eq!(version(&setup), before, "{arguments:?}");
    }
    let server = setup.start();
    assert!(server.setup().succeed(&["user", "list"]).contains("ann"));
}

#[test]
fn who_only_looks_makes_nothing() {
    let setup = Setup::new();
    let refused = |what: &str| {
        // Credentials of a database that no server has would be refused by each.
        let add = ["client", "add", "shop"];
        for arguments in [&["user", "list"][..], &["client", "list"], &["key", "rotate"], &add] {
            let output = setup.run(arguments);
            let error = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{error}");
            assert!(
                error.contains(what) && error.contains("hint: `doorward serve` makes"),
                "{error}"
            );
        }
    };
    refused("there is no database");
    assert!(!setup.database().exists());
    std::fs::write(setup.database(), "").unwrap();
    refused("is empty");
    assert_eq!(std::fs::read(setup.database()).unwrap(), b"");
    let setup = setup.start().killed();
    setup.succeed(&["client", "add", "shop"]);
    assert!(setup.succeed(&["client", "list"]).contains("shop"));
}

/// Whoever is in another folder than the server makes a second database.
#[test]
fn a_database_that_a_command_makes_is_told_of() {
    let setup = Setup::new();
    let told = |name| {
        let output = setup.run(&["user", "add", "--username", name]);
        assert_eq!(output.status.code(), Some(0), "{output:?}");
        String::from_utf8_lossy(&output.stderr).contains("was made, since there was none; hint: ")
    };
    assert_eq!([told("ann"), told("bob")], [true, false]);
}
