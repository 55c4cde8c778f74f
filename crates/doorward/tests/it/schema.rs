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
