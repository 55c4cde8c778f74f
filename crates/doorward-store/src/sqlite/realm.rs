//! Realms. The surprise: a realm also counts its accounts, so that a number is given out by the transaction
//! that uses it and by no other.

use doorward_core::realm::{Realm, RealmId};
use rusqlite::Connection;

use super::sql_limit;

const INSERT: &str = "INSERT INTO realms (name, next_number) VALUES ($1, 1) ON CONFLICT (name) DO NOTHING";
const LIST: &str = "SELECT id, name FROM realms WHERE id > 0 ORDER BY id LIMIT $1";
const BY_NAME: &str = "SELECT id FROM realms WHERE name = $1";
const TAKE_NUMBER: &str = "UPDATE realms SET next_number = next_number + 1 WHERE id = $1 RETURNING next_number - 1";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[INSERT, LIST, BY_NAME, TAKE_NUMBER];

pub(super) fn ensure(connection: &Connection, name: &str) -> rusqlite::Result<Realm> {
    connection.prepare_cached(INSERT)?.execute([name])?;
    let id = connection
        .prepare_cached(BY_NAME)?
        .query_row([name], |row| row.get(0))?;
    Ok(Realm {
        id: RealmId(id),
        name: name.to_owned(),
    })
}

pub(super) fn list(connection: &Connection, limit: usize) -> rusqlite::Result<Vec<Realm>> {
    let mut statement = connection.prepare_cached(LIST)?;
    let rows = statement.query_map([sql_limit(limit)], |row| {
        Ok(Realm {
            id: RealmId(row.get(0)?),
            name: row.get(1)?,
        })
    })?;
    rows.collect()
}

/// The number of the next account; it stays free if the transaction is undone.
pub(super) fn take_number(connection: &Connection, realm: RealmId) -> rusqlite::Result<i64> {
    connection
        .prepare_cached(TAKE_NUMBER)?
        .query_row([realm.0], |row| row.get(0))
}
