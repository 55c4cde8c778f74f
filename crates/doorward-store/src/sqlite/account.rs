//! Accounts and the identifiers they are found by.
//!
//! The surprise: an identifier is taken by inserting its row and looking whether that changed anything. The
//! primary key of `identifiers` decides; no statement here asks first whether it is free.

use doorward_core::Timestamp;
use doorward_core::account::{Account, AccountId, ObjectId, Profile, ProfileChange};
use doorward_core::identifier::{Canonical, IdentifierKind};
use doorward_core::realm::RealmId;
use doorward_core::secret::PasswordHash;
use doorward_core::session::{EndedSession, NewSession, SessionId};
use doorward_core::store::{Confirmation, NewAccount, Opened, PasswordChange, Written};
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::rowids::Rowids;
use super::writer::Undo;
use super::{realm, session, sql_limit};
use crate::identifiers::{canonicals, identifiers};

const INSERT: &str = "INSERT INTO accounts (id, realm, number, object_id, email, username, first_name, last_name, \
     attributes, created_at, updated_at, password_hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
const BY_ID: &str = "SELECT id, realm, number, object_id, email, username, first_name, last_name, attributes, \
     created_at, updated_at, disabled_at, rowid FROM accounts WHERE id = $1";
const BY_ROWID: &str = "SELECT id, realm, number, object_id, email, username, first_name, last_name, attributes, \
     created_at, updated_at, disabled_at FROM accounts WHERE rowid = $1 AND id = $2";
const WITH_PASSWORD: &str = "SELECT id, realm, number, object_id, email, username, first_name, last_name, attributes, \
     created_at, updated_at, disabled_at, password_hash FROM accounts WHERE id = $1";
// The account of the next identifier, or of the first, if there is no such: to be thrown away. Reading none takes less
// time, and would tell so.
pub(super) const BY_IDENTIFIER: &str = "SELECT a.id, a.realm, a.number, a.object_id, a.email, a.username, a.first_name, \
     a.last_name, a.attributes, a.created_at, a.updated_at, a.disabled_at, a.password_hash, i.canonical \
     FROM identifiers i JOIN accounts a ON a.id = i.account WHERE i.realm = $1 AND i.canonical = COALESCE( \
     (SELECT canonical FROM identifiers WHERE realm = $1 AND canonical >= $2 ORDER BY canonical LIMIT 1), \
     (SELECT canonical FROM identifiers WHERE realm = $1 ORDER BY canonical LIMIT 1))";
const LIST: &str = "SELECT id, realm, number, object_id, email, username, first_name, last_name, attributes, \
     created_at, updated_at, disabled_at FROM accounts WHERE realm = $1 AND number > $2 ORDER BY number LIMIT $3";
const UPDATE: &str = "UPDATE accounts SET email = $1, username = $2, first_name = $3, last_name = $4, \
     attributes = $5, updated_at = $6 WHERE id = $7";
// A hash that is not given is expected to be what it is.
const REPLACE_PASSWORD: &str = "UPDATE accounts SET password_hash = $1 \
     WHERE id = $2 AND password_hash = COALESCE($3, password_hash)";
const DISABLE: &str = "UPDATE accounts SET disabled_at = COALESCE(disabled_at, $1) WHERE id = $2";
const ENABLE: &str = "UPDATE accounts SET disabled_at = NULL WHERE id = $1";
const DELETE: &str = "DELETE FROM accounts WHERE id = $1";
const TAKE_IDENTIFIER: &str =
    "INSERT INTO identifiers (realm, canonical, account) VALUES ($1, $2, $3) ON CONFLICT (realm, canonical) DO NOTHING";
const FREE_IDENTIFIER: &str = "DELETE FROM identifiers WHERE realm = $1 AND canonical = $2";
const FREE_IDENTIFIERS: &str = "DELETE FROM identifiers WHERE account = $1";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    INSERT,
    BY_ID,
    BY_ROWID,
    WITH_PASSWORD,
    BY_IDENTIFIER,
    LIST,
    UPDATE,
    REPLACE_PASSWORD,
    DISABLE,
    ENABLE,
    DELETE,
    TAKE_IDENTIFIER,
    FREE_IDENTIFIER,
    FREE_IDENTIFIERS,
];

pub(super) fn create(
    connection: &Connection,
    new: NewAccount,
    session: Option<&NewSession>,
) -> Result<Written, Undo<Written>> {
    let account = Account {
        id: new.id,
        realm: new.realm,
        number: realm::take_number(connection, new.realm)?,
        object_id: ObjectId::new(new.id, new.created_at),
        profile: new.profile,
        created_at: new.created_at,
        updated_at: new.created_at,
        disabled_at: None,
    };
    let Profile {
        email,
        username,
        first_name,
        last_name,
        ..
    } = &account.profile;
    connection.prepare_cached(INSERT)?.execute(params![
        account.id.0.as_bytes(),
        account.realm.0,
        account.number,
        account.object_id.0,
        email,
        username,
        first_name,
        last_name,
        attributes(&account.profile)?,
        account.created_at.0,
        account.updated_at.0,
        new.password_hash.expose(),
    ])?;
    for (canonical, kind) in identifiers(&account.profile) {
        let taken = take_identifier(connection, &account, &canonical, kind)?;
        taken.map_err(|written| Undo::Answer(Box::new(written)))?;
    }
    if let Some(session) = session {
        // Nothing but a session of another account can be refused here.
        if session::open(connection, session, &new.password_hash, 1)? == Opened::Refused {
            return Err(rusqlite::Error::StatementChangedRows(0).into());
        }
    }
    Ok(Written::Done(account))
}

pub(super) fn update(
    connection: &Connection,
    id: AccountId,
    change: ProfileChange,
    confirmed: Option<Confirmation>,
    at: Timestamp,
) -> Result<(Written, Vec<EndedSession>), Undo<(Written, Vec<EndedSession>)>> {
    let expected = confirmed.as_ref().map(|confirmed| &confirmed.hash);
    let Some(mut account) = find_confirmed(connection, id, expected)? else {
        return Ok((Written::Gone, Vec::new()));
    };
    let mut ended = Vec::new();
    if let Some(PasswordChange { new, keep }) = confirmed.and_then(|confirmed| confirmed.replacement) {
        replace_hash(connection, id, None, &new)?;
        ended = session::end_all(connection, id, Some(keep))?;
    }
    let before = canonicals(&account.profile);
    change.apply(&mut account.profile);
    account.updated_at = at;
    let after = canonicals(&account.profile);

    let Profile {
        email,
        username,
        first_name,
        last_name,
        ..
    } = &account.profile;
    connection.prepare_cached(UPDATE)?.execute(params![
        email,
        username,
        first_name,
        last_name,
        attributes(&account.profile)?,
        at.0,
        id.0.as_bytes(),
    ])?;
    for canonical in before.difference(&after) {
        connection
            .prepare_cached(FREE_IDENTIFIER)?
            .execute(params![account.realm.0, canonical.as_str()])?;
    }
    for (canonical, kind) in identifiers(&account.profile) {
        if !before.contains(&canonical) {
            let taken = take_identifier(connection, &account, &canonical, kind)?;
            taken.map_err(|written| Undo::Answer(Box::new((written, Vec::new()))))?;
        }
    }
    Ok((Written::Done(account), ended))
}

/// Takes an identifier for the account, or says that it is taken.
fn take_identifier(
    connection: &Connection,
    account: &Account,
    canonical: &Canonical,
    kind: IdentifierKind,
) -> rusqlite::Result<Result<(), Written>> {
    let row = params![account.realm.0, canonical.as_str(), account.id.0.as_bytes()];
    match connection.prepare_cached(TAKE_IDENTIFIER)?.execute(row)? {
        0 => Ok(Err(Written::Taken(kind))),
        _ => Ok(Ok(())),
    }
}

pub(super) fn find(connection: &Connection, rowids: &Rowids, id: AccountId) -> rusqlite::Result<Option<Account>> {
    if let Some(rowid) = rowids.of(id) {
        let row = params![rowid, id.0.as_bytes()];
        let found = connection.prepare_cached(BY_ROWID)?.query_row(row, account);
        if let Some(found) = found.optional()? {
            return Ok(Some(found));
        }
    }
    let found = connection
        .prepare_cached(BY_ID)?
        .query_row([id.0.as_bytes()], |row| Ok((account(row)?, row.get(12)?)));
    Ok(found.optional()?.map(|(account, rowid)| {
        rowids.remember(id, rowid);
        account
    }))
}

pub(super) fn find_with_password(
    connection: &Connection,
    id: AccountId,
) -> rusqlite::Result<Option<(Account, PasswordHash)>> {
    connection
        .prepare_cached(WITH_PASSWORD)?
        .query_row([id.0.as_bytes()], with_password)
        .optional()
}

/// The account, if its password is `expected` (if given).
fn find_confirmed(
    connection: &Connection,
    id: AccountId,
    expected: Option<&PasswordHash>,
) -> rusqlite::Result<Option<Account>> {
    let found = find_with_password(connection, id)?;
    let confirmed = found.filter(|(_, hash)| expected.is_none_or(|expected| expected.expose() == hash.expose()));
    Ok(confirmed.map(|(account, _)| account))
}

pub(super) fn find_by_identifier(
    connection: &Connection,
    realm: RealmId,
    identifier: &Canonical,
) -> rusqlite::Result<Option<(Account, PasswordHash)>> {
    let mut statement = connection.prepare_cached(BY_IDENTIFIER)?;
    let nearest = statement.query_row(params![realm.0, identifier.as_str()], |row| {
        let found = with_password(row);
        // Of another account it does not matter what it says, nor whether it can be read.
        if row.get_ref(13)?.as_str()? == identifier.as_str() {
            found.map(Some)
        } else {
            Ok(None)
        }
    });
    nearest.optional().map(Option::flatten)
}

pub(super) fn list(
    connection: &Connection,
    realm: RealmId,
    after: i64,
    limit: usize,
) -> rusqlite::Result<Vec<Account>> {
    let mut statement = connection.prepare_cached(LIST)?;
    let rows = statement.query_map([realm.0, after, sql_limit(limit)], account)?;
    rows.collect()
}

pub(super) fn replace_password(
    connection: &Connection,
    id: AccountId,
    expected: Option<&PasswordHash>,
    new: &PasswordHash,
    keep: Option<SessionId>,
) -> rusqlite::Result<Option<Vec<EndedSession>>> {
    match replace_hash(connection, id, expected, new)? {
        0 => Ok(None),
        _ => session::end_all(connection, id, keep).map(Some),
    }
}

/// How many hashes were replaced: one or none.
pub(super) fn replace_hash(
    connection: &Connection,
    id: AccountId,
    expected: Option<&PasswordHash>,
    new: &PasswordHash,
) -> rusqlite::Result<usize> {
    let expected = expected.map(PasswordHash::expose);
    connection
        .prepare_cached(REPLACE_PASSWORD)?
        .execute(params![new.expose(), id.0.as_bytes(), expected])
}

pub(super) fn disable(
    connection: &Connection,
    id: AccountId,
    at: Timestamp,
) -> rusqlite::Result<Option<Vec<EndedSession>>> {
    match connection
        .prepare_cached(DISABLE)?
        .execute(params![at.0, id.0.as_bytes()])?
    {
        0 => Ok(None),
        _ => session::end_all(connection, id, None).map(Some),
    }
}

pub(super) fn enable(connection: &Connection, id: AccountId) -> rusqlite::Result<bool> {
    Ok(connection.prepare_cached(ENABLE)?.execute([id.0.as_bytes()])? > 0)
}

pub(super) fn delete(
    connection: &Connection,
    id: AccountId,
    expected: Option<&PasswordHash>,
) -> rusqlite::Result<Option<Vec<EndedSession>>> {
    if find_confirmed(connection, id, expected)?.is_none() {
        return Ok(None);
    }
    let ended = session::end_all(connection, id, None)?;
    connection
        .prepare_cached(FREE_IDENTIFIERS)?
        .execute([id.0.as_bytes()])?;
    connection.prepare_cached(DELETE)?.execute([id.0.as_bytes()])?;
    Ok(Some(ended))
}

fn with_password(row: &Row<'_>) -> rusqlite::Result<(Account, PasswordHash)> {
    Ok((account(row)?, PasswordHash::new(row.get(12)?)))
}

fn account(row: &Row<'_>) -> rusqlite::Result<Account> {
    let attributes = serde_json::from_str(row.get_ref(8)?.as_str()?)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(8, Type::Text, Box::new(error)))?;
    Ok(Account {
        id: AccountId(Uuid::from_bytes(row.get(0)?)),
        realm: RealmId(row.get(1)?),
        number: row.get(2)?,
        object_id: ObjectId(row.get(3)?),
        profile: Profile {
            email: row.get(4)?,
            username: row.get(5)?,
            first_name: row.get(6)?,
            last_name: row.get(7)?,
            attributes,
        },
        created_at: Timestamp(row.get(9)?),
        updated_at: Timestamp(row.get(10)?),
        disabled_at: row.get::<_, Option<i64>>(11)?.map(Timestamp),
    })
}

fn attributes(profile: &Profile) -> rusqlite::Result<String> {
    serde_json::to_string(&profile.attributes).map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}
