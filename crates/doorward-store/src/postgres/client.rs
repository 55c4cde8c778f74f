//! Clients: the services that may ask.

use doorward_core::client::{Client, ClientId};
use doorward_core::{Result, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::fault::Fault;
use super::link::Link;
use super::readers::Readers;
use super::row;

const ADD: &str = "INSERT INTO clients (id, name, secret_hash, created_at) VALUES ($1, $2, $3, $4)";
const FIND: &str = "SELECT id, name, secret_hash, created_at FROM clients WHERE id = $1";
const LIST: &str = "SELECT id, name, secret_hash, created_at FROM clients WHERE id > $1 ORDER BY id LIMIT $2";
const REMOVE: &str = "DELETE FROM clients WHERE id = $1";

pub(super) async fn add(link: &Link, client: &Client) -> Result<(), Fault> {
    let secret_hash = client.secret_hash.as_slice();
    link.execute(ADD, &[&client.id.0, &client.name, &secret_hash, &client.created_at.0])
        .await
        .map(drop)
}

pub(super) async fn find(readers: &Readers, id: ClientId) -> Result<Option<Client>> {
    let rows = readers.rows(FIND, &[&id.0]).await?;
    Ok(row::maybe(rows.first(), client)?)
}

pub(super) async fn list(readers: &Readers, after: Option<ClientId>, limit: usize) -> Result<Vec<Client>> {
    // No client has the nil UUID, so all come after it.
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let rows = readers.rows(LIST, &[&after, &row::limit(limit)]).await?;
    Ok(row::all(&rows, client)?)
}

pub(super) async fn remove(link: &Link, id: ClientId) -> Result<bool, Fault> {
    Ok(link.execute(REMOVE, &[&id.0]).await? > 0)
}

fn client(row: &Row) -> Result<Client, Fault> {
    Ok(Client {
        id: ClientId(row.try_get(0)?),
        name: row.try_get(1)?,
        secret_hash: row::bytes(row, 2)?,
        created_at: Timestamp(row.try_get(3)?),
    })
}
