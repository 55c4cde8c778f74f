//! Realms. The surprise: a realm also counts its accounts, but the number is taken by the statement that makes
//! the account (in `account.rs`): the shorter the row of the realm is held, the less registrations wait for
//! each other.

use doorward_core::Result;
use doorward_core::realm::{Realm, RealmId};
use tokio_postgres::Row;

use super::fault::Fault;
use super::link::Link;
use super::readers::Readers;
use super::row;

const INSERT: &str = "INSERT INTO realms (name, next_number) VALUES ($1, 1) ON CONFLICT (name) DO NOTHING";
const LIST: &str = "SELECT id, name FROM realms WHERE id > 0 ORDER BY id LIMIT $1";
const BY_NAME: &str = "SELECT id, name FROM realms WHERE name = $1";

pub(super) async fn ensure(link: &Link, name: &str) -> Result<Realm, Fault> {
    link.execute(INSERT, &[&name]).await?;
    realm(&link.one(BY_NAME, &[&name]).await?)
}

pub(super) async fn list(readers: &Readers, limit: usize) -> Result<Vec<Realm>> {
    let rows = readers.rows(LIST, &[&row::limit(limit)]).await?;
    Ok(row::all(&rows, realm)?)
}

fn realm(row: &Row) -> Result<Realm, Fault> {
    Ok(Realm {
        id: RealmId(row.try_get(0)?),
        name: row.try_get(1)?,
    })
}
