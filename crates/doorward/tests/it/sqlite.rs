//! The transcripts on SQLite.
//!
//! The surprise: they are listed once, in `transcripts.rs`, which is a module here and another one of `postgres.rs`.

use crate::server::Setup;
use crate::transcript;

#[path = "transcripts.rs"]
mod transcripts;

fn run(name: &str) {
    let setup = Setup::new();
    let path = setup.database();
    let damage = move |statement: &str| {
        let database = rusqlite::Connection::open(&path).map_err(|error| error.to_string())?;
        let damaged = database.execute_batch(statement);
        damaged.map_err(|error| format!("{statement}: {error}"))
    };
    transcript::run(name, setup, Box::new(damage));
}
