//! Accounts and the identifiers they are found by.
//!
//! The surprise: what shuts somebody out locks the row of the account first and looks for sessions in a second
//! statement, never in one. A statement sees what was committed before it began, and a login may be committed
//! while it waits for the lock.

use std::collections::HashMap;

use doorward_core::account::{Account, AccountId, ObjectId, Profile, ProfileChange};
use doorward_core::identifier::Canonical;
use doorward_core::realm::RealmId;
use doorward_core::secret::PasswordHash;
use doorward_core::session::{EndedSession, NewSession, SessionId};
use doorward_core::store::{Confirmation, NewAccount, Opened, Written};
use doorward_core::{Error, Result, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::fault::{Fault, Undo};
use super::link::Link;
use super::readers::Readers;
use super::{row, session};
use crate::identifiers::{canonicals, first_taken};

// One statement, so that the row of the realm is held for as short as can be. An identifier that belongs to
// somebody else is not inserted, and missing from the answer. They are inserted in their order: two that want
// the same two do not wait for each other.
const CREATE: &str = "WITH counted AS ( \
         UPDATE realms SET next_number = next_number + 1 WHERE id = $2 RETURNING next_number - 1 AS number \
     ), made AS ( \
         INSERT INTO accounts (id, realm, number, object_id, email, username, first_name, last_name, attributes, \
         created_at, updated_at, password_hash) \
         SELECT $1, $2, number, $3, $4, $5, $6, $7, $8, $9, $9, $10 FROM counted RETURNING number \
     ), held AS ( \
         INSERT INTO identifiers (realm, canonical, account) \
         SELECT $2, wanted.canonical, $1 FROM counted CROSS JOIN unnest($11::text[]) AS wanted (canonical) \
         ON CONFLICT (realm, canonical) DO NOTHING RETURNING canonical \
     ) \
     SELECT number, ARRAY(SELECT canonical FROM held) FROM made";
const BY_ID: &str = "SELECT id, realm, number, object_id, email, username, first_name, last_name, attributes, \
     created_at, updated_at, disabled_at, password_hash FROM accounts WHERE id = $1";
// PostgreSQL plans this one anew while the list is short, so one account alone is asked for with the one above.
const BY_IDS: &str = "SELECT id, realm, number, object_id, email, username, first_name, last_name, attributes, \
     created_at, updated_at, disabled_at, password_hash FROM accounts WHERE id = ANY ($1::uuid[])";
const BY_ID_LOCKED: &str = "SELECT id, realm, number, object_id, email, username, first_name, last_name, attributes, \
     created_at, updated_at, disabled_at, password_hash FROM accounts WHERE id = $1 FOR UPDATE";
// The account of the next identifier, or of the first, if there is no such: to be thrown away. Reading none takes less
// time, and would tell so.
const BY_IDENTIFIER: &str = "SELECT a.id, a.realm, a.number, a.object_id, a.email, a.username, a.first_name, \
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
const TAKE_IDENTIFIERS: &str = "INSERT INTO identifiers (realm, canonical, account) \
     SELECT $1, wanted.canonical, $2 FROM unnest($3::text[]) AS wanted (canonical) \
     ON CONFLICT (realm, canonical) DO NOTHING RETURNING canonical";
const FREE_SOME: &str = "DELETE FROM identifiers WHERE realm = $1 AND canonical = ANY ($2::text[])";
const FREE_ALL: &str = "DELETE FROM identifiers WHERE account = $1";

pub(super) async fn create(
    link: &Link,
    new: &NewAccount,
    session: Option<&NewSession>,
) -> Result<Written, Undo<Written>> {
    let object_id = ObjectId::new(new.id, new.created_at);
    let wanted = canonicals(&new.profile);
    let wanted: Vec<&str> = wanted.iter().map(Canonical::as_str).collect();
    let made = link
        .maybe(
            CREATE,
            &[
                &new.id.0,
                &new.realm.0,
                &object_id.0.as_slice(),
                &new.profile.email,
                &new.profile.username,
                &new.profile.first_name,
                &new.profile.last_name,
                &attributes(&new.profile)?,
                &new.created_at.0,
                &new.password_hash.expose(),
                &wanted,
            ],
        )
        .await?;
    let Some(made) = made else {
        return Err(Fault::Nonsense(format!("there is no realm {}", new.realm.0)).into());
    };
    let number = made.try_get(0).map_err(Fault::from)?;
    let held: Vec<String> = made.try_get(1).map_err(Fault::from)?;
    if let Some(kind) = first_taken(&new.profile, |canonical| {
        held.iter().any(|held| held == canonical.as_str())
    }) {
        return Err(Undo::Answer(Written::Taken(kind)));
    }
    if let Some(session) = session {
        // Nothing but a session of another account can be refused here.
        if session::open(link, session, &new.password_hash, 1).await? == Opened::Refused {
            return Err(Fault::Nonsense("the first session is not the account's own".to_owned()).into());
        }
    }
    Ok(Written::Done(Account {
        id: new.id,
        realm: new.realm,
        number,
        object_id,
        profile: new.profile.clone(),
        created_at: new.created_at,
        updated_at: new.created_at,
        disabled_at: None,
    }))
}

pub(super) async fn update(
    link: &Link,
    id: AccountId,
    change: ProfileChange,
    confirmed: Option<&Confirmation>,
    at: Timestamp,
) -> Result<(Written, Vec<EndedSession>), Undo<(Written, Vec<EndedSession>)>> {
    let nothing = |written| Undo::Answer((written, Vec::new()));
    let expected = confirmed.map(|confirmed| &confirmed.hash);
    let Some(mut account) = lock_confirmed(link, id, expected).await? else {
        return Err(nothing(Written::Gone));
    };
    let password = confirmed.and_then(|confirmed| confirmed.replacement.as_ref());
    if let Some(password) = password {
        replace_hash(link, id, None, &password.new).await?;
    }
    let before = canonicals(&account.profile);
    change.apply(&mut account.profile);
    account.updated_at = at;
    let after = canonicals(&account.profile);
    write_profile(link, &account).await?;
    let free: Vec<&str> = before.difference(&after).map(Canonical::as_str).collect();
    if !free.is_empty() {
        link.execute(FREE_SOME, &[&account.realm.0, &free]).await?;
    }
    let wanted: Vec<&str> = after.difference(&before).map(Canonical::as_str).collect();
    let mut held = Vec::new();
    if !wanted.is_empty() {
        let rows = link.rows(TAKE_IDENTIFIERS, &[&account.realm.0, &id.0, &wanted]).await?;
        held = row::all(&rows, |row| Ok(row.try_get::<_, String>(0)?))?;
    }
    let holds =
        |canonical: &Canonical| before.contains(canonical) || held.iter().any(|held| held == canonical.as_str());
    if let Some(kind) = first_taken(&account.profile, holds) {
        return Err(nothing(Written::Taken(kind)));
    }
    let ended = match password {
        Some(password) => session::end_all(link, id, Some(password.keep)).await?,
        None => Vec::new(),
    };
    Ok((Written::Done(account), ended))
}

/// The account, if its password is `expected` (if given), as it stays until the transaction ends.
async fn lock_confirmed(link: &Link, id: AccountId, expected: Option<&PasswordHash>) -> Result<Option<Account>, Fault> {
    let found = link.maybe(BY_ID_LOCKED, &[&id.0]).await?;
    let found = row::maybe(found.as_ref(), with_password)?;
    let confirmed = found.filter(|(_, hash)| expected.is_none_or(|expected| expected.expose() == hash.expose()));
    Ok(confirmed.map(|(account, _)| account))
}

async fn write_profile(link: &Link, account: &Account) -> Result<u64, Fault> {
    let profile = &account.profile;
    link.execute(
        UPDATE,
        &[
            &profile.email,
            &profile.username,
            &profile.first_name,
            &profile.last_name,
            &attributes(profile)?,
            &account.updated_at.0,
            &account.id.0,
        ],
    )
    .await
}

/// Those of these accounts that there are, each read by itself: one that is damaged is an error for whoever wants it.
pub(super) async fn find_many(
    readers: &Readers,
    ids: &[Uuid],
) -> Result<HashMap<AccountId, Result<(Account, PasswordHash)>>> {
    let rows = match ids {
        [id] => readers.rows(BY_ID, &[id]).await?,
        _ => readers.rows(BY_IDS, &[&ids]).await?,
    };
    let found = |row: &Row| Ok((AccountId(row.try_get(0)?), with_password(row).map_err(Error::from)));
    let found: Result<_, Fault> = rows.iter().map(found).collect();
    Ok(found?)
}

pub(super) async fn find_by_identifier(
    readers: &Readers,
    realm: RealmId,
    identifier: &Canonical,
) -> Result<Option<(Account, PasswordHash)>> {
    // PostgreSQL keeps no NUL in a text, and refuses to look for one.
    if identifier.as_str().contains('\0') {
        return Ok(None);
    }
    let rows = readers.rows(BY_IDENTIFIER, &[&realm.0, &identifier.as_str()]).await?;
    let nearest = row::maybe(rows.first(), |row| {
        let found = with_password(row);
        // Of another account it does not matter what it says, nor whether it can be read.
        if row.try_get::<_, &str>(13)? == identifier.as_str() {
            found.map(Some)
        } else {
            Ok(None)
        }
    })?;
    Ok(nearest.flatten())
}

pub(super) async fn list(readers: &Readers, realm: RealmId, after: i64, limit: usize) -> Result<Vec<Account>> {
    let rows = readers.rows(LIST, &[&realm.0, &after, &row::limit(limit)]).await?;
    Ok(row::all(&rows, account)?)
}

pub(super) async fn replace_password(
    link: &Link,
    id: AccountId,
    expected: Option<&PasswordHash>,
    new: &PasswordHash,
    keep: Option<SessionId>,
) -> Result<Option<Vec<EndedSession>>, Fault> {
    match replace_hash(link, id, expected, new).await? {
        0 => Ok(None),
        _ => session::end_all(link, id, keep).await.map(Some),
    }
}

/// How many hashes were replaced: one or none.
pub(super) async fn replace_hash(
    link: &Link,
    id: AccountId,
    expected: Option<&PasswordHash>,
    new: &PasswordHash,
) -> Result<u64, Fault> {
    let expected = expected.map(PasswordHash::expose);
    link.execute(REPLACE_PASSWORD, &[&new.expose(), &id.0, &expected]).await
}

pub(super) async fn disable(link: &Link, id: AccountId, at: Timestamp) -> Result<Option<Vec<EndedSession>>, Fault> {
    match link.execute(DISABLE, &[&at.0, &id.0]).await? {
        0 => Ok(None),
        _ => session::end_all(link, id, None).await.map(Some),
    }
}

pub(super) async fn enable(link: &Link, id: AccountId) -> Result<bool, Fault> {
    Ok(link.execute(ENABLE, &[&id.0]).await? > 0)
}

pub(super) async fn delete(
    link: &Link,
    id: AccountId,
    expected: Option<&PasswordHash>,
) -> Result<Option<Vec<EndedSession>>, Fault> {
    if lock_confirmed(link, id, expected).await?.is_none() {
        return Ok(None);
    }
    link.execute(FREE_ALL, &[&id.0]).await?;
    let ended = session::end_all(link, id, None).await?;
    link.execute(DELETE, &[&id.0]).await?;
    Ok(Some(ended))
}

fn with_password(row: &Row) -> Result<(Account, PasswordHash), Fault> {
    Ok((account(row)?, PasswordHash::new(row.try_get(12)?)))
}

fn account(row: &Row) -> Result<Account, Fault> {
    let attributes = serde_json::from_str(row.try_get(8)?)
        .map_err(|error| Fault::Nonsense(format!("the attributes of an account are no JSON object: {error}")))?;
    Ok(Account {
        id: AccountId(row.try_get(0)?),
        realm: RealmId(row.try_get(1)?),
        number: row.try_get(2)?,
        object_id: ObjectId(row::bytes(row, 3)?),
        profile: Profile {
            email: row.try_get(4)?,
            username: row.try_get(5)?,
            first_name: row.try_get(6)?,
            last_name: row.try_get(7)?,
            attributes,
        },
        created_at: Timestamp(row.try_get(9)?),
        updated_at: Timestamp(row.try_get(10)?),
        disabled_at: row.try_get::<_, Option<i64>>(11)?.map(Timestamp),
    })
}

fn attributes(profile: &Profile) -> Result<String, Fault> {
    serde_json::to_string(&profile.attributes)
        .map_err(|error| Fault::Nonsense(format!("attributes that cannot be written as JSON: {error}")))
}
