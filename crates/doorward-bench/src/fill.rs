//! Fills a database of SQLite with accounts and endings, by SQL: through the server ten million would take a day.
//!
//! The surprise: one account is registered through the server first, and all others take over its hash. So whoever
//! logs in verifies a real hash of the cost that the server is set to.

use std::fs::File;
use std::path::Path;

use doorward_core::Timestamp;
use doorward_core::account::{AccountId, ObjectId};
use rusqlite::{Connection, Transaction, params};
use uuid::{Builder, Uuid};

use crate::clock;
use crate::dice::Dice;
use crate::error::Result;
use crate::folder::Folder;
use crate::people::{self, email};
use crate::server::Server;

pub(crate) mod postgres;

/// Rows of a transaction.
const BATCH: u64 = 100_000;
/// One account in so many has a living session.
const WITH_SESSION: u64 = 10;
/// For how long the endings that are filled in have to be remembered, at least and at most.
pub(crate) const REMEMBERED_MS: (i64, i64) = (3_600_000, 90 * 86_400_000);

/// What is in a database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) accounts: u64,
    pub(crate) ended: u64,
}

/// Makes the database of a folder: `settings` decide the cost of the one hash.
pub(crate) fn fill(folder: &Folder, settings: &[(&str, &str)], size: Size) -> Result<()> {
    people::settle(Server::doorward(folder, settings)?.address, 0..1)?;
    let mut connection = open(&folder.join("doorward.db"))?;
    let (realm, hash): (i64, String) =
        connection.query_row("SELECT realm, password_hash FROM accounts", [], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    let now = clock::epoch_ms();
    let mut dice = Dice::new(3);
    for from in (1..size.accounts).step_by(usize::try_from(BATCH)?) {
        let transaction = connection.transaction()?;
        accounts(
            &transaction,
            (realm, &hash, now),
            from..size.accounts.min(from + BATCH),
            &mut dice,
        )?;
        transaction.commit()?;
    }
    connection.execute(
        "UPDATE realms SET next_number = ?1 WHERE id = ?2",
        params![i64::try_from(size.accounts)? + 1, realm],
    )?;
    for from in (0..size.ended).step_by(usize::try_from(BATCH)?) {
        let transaction = connection.transaction()?;
        let mut insert = transaction.prepare("INSERT INTO ended_sessions (session, expires_at) VALUES (?1, ?2)")?;
        for _ in from..size.ended.min(from + BATCH) {
            insert.execute(params![dice.id(), expiry(&mut dice, now)])?;
        }
        drop(insert);
        transaction.commit()?;
    }
    connection.execute_batch("PRAGMA optimize")?;
    drop(connection);
    // Else the disk would write it while something is measured.
    Ok(File::open(folder.join("doorward.db"))?.sync_all()?)
}

/// When an ending may be forgotten.
fn expiry(dice: &mut Dice, now: i64) -> i64 {
    let (least, most) = REMEMBERED_MS;
    let spread = u64::try_from(most - least).unwrap_or(1);
    now + least + i64::try_from(dice.below(spread)).unwrap_or(0)
}

fn accounts(
    transaction: &Transaction<'_>,
    (realm, hash, now): (i64, &str, i64),
    numbers: std::ops::Range<u64>,
    dice: &mut Dice,
) -> Result<()> {
    let mut account = transaction.prepare(
        "INSERT INTO accounts (id, realm, number, object_id, email, first_name, last_name, attributes, password_hash, \
         created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, 'Ann', 'Example', '{}', ?6, ?7, ?7)",
    )?;
    let mut identifier =
        transaction.prepare("INSERT INTO identifiers (realm, canonical, account) VALUES (?1, ?2, ?3)")?;
    let mut session = transaction.prepare(
        "INSERT INTO sessions (id, account, created_at, used_at, expires_at, address, user_agent) \
         VALUES (?1, ?2, ?3, ?3, ?4, '127.0.0.1', 'a browser of some kind')",
    )?;
    for number in numbers {
        // One a second, so that ids rise as they do in a server that has been running for long.
        let created = now - 1_000 * i64::try_from(20_000_000 - number.min(20_000_000))?;
        let id = uuid(dice, created);
        let object = ObjectId::new(AccountId(id), Timestamp(created));
        let (number_of_row, email) = (i64::try_from(number)? + 1, email(number));
        account.execute(params![
            id.as_bytes(),
            realm,
            number_of_row,
            object.0,
            email,
            hash,
            created
        ])?;
        identifier.execute(params![realm, email, id.as_bytes()])?;
        if number % WITH_SESSION == 0 {
            session.execute(params![
                uuid(dice, created).as_bytes(),
                id.as_bytes(),
                created,
                expiry(dice, now)
            ])?;
        }
    }
    Ok(())
}

/// A `UUIDv7` of the moment.
fn uuid(dice: &mut Dice, at: i64) -> Uuid {
    let bytes = dice.id();
    let mut random = [0; 10];
    for (to, from) in random.iter_mut().zip(bytes) {
        *to = from;
    }
    Builder::from_unix_timestamp_millis(u64::try_from(at).unwrap_or(0), &random).into_uuid()
}

/// Opens the file for filling: nothing is durable until it is closed, and nobody else has it open.
fn open(path: &Path) -> Result<Connection> {
    let connection = Connection::open(path)?;
    connection.execute_batch(
        "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; \
         PRAGMA cache_size = -262144; PRAGMA foreign_keys = OFF;",
    )?;
    Ok(connection)
}
