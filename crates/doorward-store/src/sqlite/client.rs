//! Clients: the services that may ask.

use doorward_core::Timestamp;
use doorward_core::client::{Client, ClientId};
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::sql_limit;

const ADD: &str = "INSERT INTO clients (id, name, secret_hash, created_at) VALUES ($1, $2, $3, $4)";
const FIND: &str = "SELECT id, name, secret_hash, created_at FROM clients WHERE id = $1";
const LIST: &str = "SELECT id, name, secret_hash, created_at FROM clients WHERE id > $1 ORDER BY id LIMIT $2";
const REMOVE: &str = "DELETE FROM clients WHERE id = $1";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[ADD, FIND, LIST, REMOVE];

pub(super) fn add(connection: &Connection, client: &Client) -> rusqlite::Result<()> {
    let row = params![
        client.id.0.as_bytes(),
        client.name,
        client.secret_hash,
        client.created_at.0
    ];
    connection.prepare_cached(ADD)?.execute(row).map(drop)
}

pub(super) fn find(connection: &Connection, id: ClientId) -> rusqlite::Result<Option<Client>> {
    connection
        .prepare_cached(FIND)?
        .query_row([id.0.as_bytes()], client)
        .optional()
}

pub(super) fn list(connection: &Connection, after: Option<ClientId>, limit: usize) -> rusqlite::Result<Vec<Client>> {
    // No client has the nil UUID, so all come after it.
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let mut statement = connection.prepare_cached(LIST)?;
    let rows = statement.query_map(params![after.as_bytes(), sql_limit(limit)], client)?;
    rows.collect()
}

pub(super) fn remove(connection: &Connection, id: ClientId) -> rusqlite::Result<bool> {
    Ok(connection.prepare_cached(REMOVE)?.execute([id.0.as_bytes()])? > 0)
}

fn client(row: &Row<'_>) -> rusqlite::Result<Client> {
    Ok(Client {
        id: ClientId(Uuid::from_bytes(row.get(0)?)),
        name: row.get(1)?,
        secret_hash: row.get(2)?,
        created_at: Timestamp(row.get(3)?),
    })
}
