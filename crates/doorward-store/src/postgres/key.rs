//! Signing keys and the server's other secrets.
//!
//! The surprise: the order of keys is a position and not their time. A clock that was set back between two
//! rotations must not bring the older key back to signing.

use doorward_core::key::{KeyId, StoredKey};
use doorward_core::{Result, Timestamp};
use tokio_postgres::Row;

use super::fault::Fault;
use super::link::Link;
use super::readers::Readers;
use super::row;

const LIST: &str = "SELECT id, pkcs8, created_at FROM signing_keys ORDER BY position DESC";
// The primary key decides between two that succeed one key at once.
const ADD: &str = "INSERT INTO signing_keys (position, id, pkcs8, created_at) \
     SELECT COALESCE((SELECT MAX(position) FROM signing_keys), 0) + 1, $1, $2, $3 \
     WHERE (SELECT id FROM signing_keys ORDER BY position DESC LIMIT 1) IS NOT DISTINCT FROM $4 \
     ON CONFLICT (position) DO NOTHING";
const REMOVE: &str = "DELETE FROM signing_keys AS old WHERE id = $1 AND EXISTS \
     (SELECT 1 FROM signing_keys newer WHERE newer.position > old.position AND newer.created_at <= $2)";
const PURGE: &str = "DELETE FROM signing_keys WHERE position IN \
     (SELECT old.position FROM signing_keys old JOIN signing_keys successor ON successor.position = \
     (SELECT MIN(later.position) FROM signing_keys later WHERE later.position > old.position) \
     WHERE successor.created_at < $1)";
const OFFER_SECRET: &str = "INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING";
const SECRET: &str = "SELECT value FROM secrets WHERE name = $1";

/// All keys, the one that signs first.
pub(super) async fn list(readers: &Readers) -> Result<Vec<StoredKey>> {
    let rows = readers.rows(LIST, &[]).await?;
    Ok(row::all(&rows, stored)?)
}

pub(super) async fn add(link: &Link, key: &StoredKey, newest: Option<&KeyId>) -> Result<bool, Fault> {
    let newest = newest.map(|id| &id.0);
    let added = link
        .execute(ADD, &[&key.id.0, &key.pkcs8.as_slice(), &key.created_at.0, &newest])
        .await?;
    Ok(added > 0)
}

pub(super) async fn remove(link: &Link, id: &KeyId, added_by: Timestamp) -> Result<bool, Fault> {
    Ok(link.execute(REMOVE, &[&id.0, &added_by.0]).await? > 0)
}

pub(super) async fn purge(link: &Link, superseded_before: Timestamp) -> Result<usize, Fault> {
    Ok(row::count(link.execute(PURGE, &[&superseded_before.0]).await?))
}

pub(super) async fn secret(link: &Link, name: &str, candidate: [u8; 32]) -> Result<[u8; 32], Fault> {
    link.execute(OFFER_SECRET, &[&name, &candidate.as_slice()]).await?;
    row::bytes(&link.one(SECRET, &[&name]).await?, 0)
}

fn stored(row: &Row) -> Result<StoredKey, Fault> {
    Ok(StoredKey {
        id: KeyId(row.try_get(0)?),
        pkcs8: row.try_get::<_, Vec<u8>>(1)?.into(),
        created_at: Timestamp(row.try_get(2)?),
    })
}
