//! Signing keys and the server's other secrets.
//!
//! The surprise: the order of keys is a position and not their time. A clock that was set back between two
//! rotations must not bring the older key back to signing.

use doorward_core::Timestamp;
use doorward_core::key::{KeyId, StoredKey};
use rusqlite::{Connection, params};

const LIST: &str = "SELECT id, pkcs8, created_at FROM signing_keys ORDER BY position DESC";
// The primary key decides between two that succeed one key at once.
const ADD: &str = "INSERT INTO signing_keys (position, id, pkcs8, created_at) \
     SELECT COALESCE((SELECT MAX(position) FROM signing_keys), 0) + 1, $1, $2, $3 \
     WHERE (SELECT id FROM signing_keys ORDER BY position DESC LIMIT 1) IS NOT DISTINCT FROM $4";
const REMOVE: &str = "DELETE FROM signing_keys AS old WHERE id = $1 AND EXISTS \
     (SELECT 1 FROM signing_keys newer WHERE newer.position > old.position AND newer.created_at <= $2)";
const PURGE: &str = "DELETE FROM signing_keys WHERE position IN \
     (SELECT old.position FROM signing_keys old JOIN signing_keys successor ON successor.position = \
     (SELECT MIN(later.position) FROM signing_keys later WHERE later.position > old.position) \
     WHERE successor.created_at < $1)";
const OFFER_SECRET: &str = "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
const SECRET: &str = "SELECT value FROM secrets WHERE name = $1";

/// None of these is run for a request; they may walk through the few keys there are.
#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[LIST, ADD, REMOVE, PURGE, OFFER_SECRET, SECRET];

/// All keys, the one that signs first.
pub(super) fn list(connection: &Connection) -> rusqlite::Result<Vec<StoredKey>> {
    let mut statement = connection.prepare_cached(LIST)?;
    let rows = statement.query_map([], |row| {
        Ok(StoredKey {
            id: KeyId(row.get(0)?),
            pkcs8: row.get::<_, Vec<u8>>(1)?.into(),
            created_at: Timestamp(row.get(2)?),
        })
    })?;
    rows.collect()
}

pub(super) fn add(connection: &Connection, key: &StoredKey, newest: Option<&KeyId>) -> rusqlite::Result<bool> {
    let newest = newest.map(|id| &id.0);
    let row = params![key.id.0, key.pkcs8.as_slice(), key.created_at.0, newest];
    Ok(connection.prepare_cached(ADD)?.execute(row)? > 0)
}

pub(super) fn remove(connection: &Connection, id: &KeyId, added_by: Timestamp) -> rusqlite::Result<bool> {
    let removed = connection.prepare_cached(REMOVE)?.execute(params![id.0, added_by.0])?;
    Ok(removed > 0)
}

pub(super) fn purge(connection: &Connection, superseded_before: Timestamp) -> rusqlite::Result<usize> {
    connection.prepare_cached(PURGE)?.execute([superseded_before.0])
}

pub(super) fn secret(connection: &Connection, name: &str, candidate: [u8; 32]) -> rusqlite::Result<[u8; 32]> {
    connection
        .prepare_cached(OFFER_SECRET)?
        .execute(params![name, candidate])?;
    connection.prepare_cached(SECRET)?.query_row([name], |row| row.get(0))
}
