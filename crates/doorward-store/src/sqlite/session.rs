//! Sessions and their endings.
//!
//! The surprise: a session that has ended is no row of `sessions` with a flag but a row of `ended_sessions`,
//! moved there by one transaction. So nothing that looks for a living session can forget to ask for the flag.

use std::time::Duration;

use doorward_core::Timestamp;
use doorward_core::account::AccountId;
use doorward_core::realm::RealmId;
use doorward_core::secret::PasswordHash;
use doorward_core::session::{Client, EndedSession, NewSession, Session, SessionId, lifetime_ms};
use doorward_core::status_list::StatusIndex;
use doorward_core::store::{MAX_EXCESS, Opened};
use rusqlite::{Connection, OptionalExtension, Row, ToSql, params};
use uuid::Uuid;

use super::connection::forget_pages;
use super::sql_limit;

/// So many endings at once are read by a start, and not again.
const MANY_ENDED: usize = 1_000;

/// So many sessions or endings are looked at by one statement for whether they can be forgotten: a fraction of a
/// millisecond, since it runs on a thread that answers requests.
const LOOKED_AT: usize = 1_000;

/// By this time no session has expired.
const WHENEVER: Timestamp = Timestamp(i64::MIN);

// The condition is in the insert: a login must not outrun the change that was to shut it out.
const OPEN: &str = "INSERT INTO sessions (id, account, created_at, used_at, expires_at, address, user_agent, \
     refresh_hash, status_index, access_until) SELECT $1, id, $2, $3, $4, $5, $6, $7, $8, $9 FROM accounts \
     WHERE id = $10 AND disabled_at IS NULL AND password_hash = $11";
const LIST: &str = "SELECT id, account, address, user_agent, created_at, used_at, expires_at, status_index, \
     COALESCE(access_until, expires_at) FROM sessions \
     WHERE account = $1 AND expires_at > $2 ORDER BY used_at DESC, id DESC LIMIT $3";
const LIVES: &str = "SELECT 1 FROM sessions WHERE id = $1 AND expires_at > $2";
// The end moves as in `refresh.rs`: to what is asked for or to the end of the longest life ($3), and never back.
const EXTEND: &str = "UPDATE sessions SET used_at = $1, \
     expires_at = CASE WHEN expires_at >= $2 THEN expires_at WHEN created_at + $3 >= $2 THEN $2 \
     WHEN created_at + $3 >= expires_at THEN created_at + $3 ELSE expires_at END, \
     access_until = max(COALESCE(access_until, expires_at), $4) \
     WHERE id = $5 AND expires_at > $1 AND created_at + $3 > $1 \
     RETURNING id, account, address, user_agent, created_at, used_at, expires_at, status_index, access_until";
// The ending is remembered until the last access token is dead by age. Two statements where one with `RETURNING` would
// do, and the mark drawn where it is read: for `RETURNING` SQLite makes a table of its own, each time.
const TO_END: &str = "SELECT id, min(expires_at, COALESCE(access_until, expires_at)), status_index, \
     random() & 9007199254740991 FROM sessions WHERE id = $1 AND account = $2 AND expires_at > $3";
const REMOVE: &str = "DELETE FROM sessions WHERE id = $1";
const END_ALL: &str = "DELETE FROM sessions WHERE account = $1 AND id IS DISTINCT FROM $2 \
     RETURNING id, min(expires_at, COALESCE(access_until, expires_at)), status_index, \
     random() & 9007199254740991";
// Answered from the index, from where the session that was just opened stands in it.
const HAS_MORE: &str = "SELECT 1 FROM sessions WHERE account = $1 LIMIT 1 OFFSET $2";
const EXCESS: &str = "SELECT id FROM sessions WHERE account = $1 AND id <> $2 ORDER BY expires_at > $3, used_at, id \
     LIMIT max(0, min((SELECT count(*) FROM sessions WHERE account = $1) - $4, $5))";
// The realm is asked for and not a condition: one that few sessions are of would have all others looked at at once.
const NEXT: &str = "SELECT id, account, (SELECT realm FROM accounts WHERE accounts.id = sessions.account) \
     FROM sessions WHERE id > $1 ORDER BY id LIMIT $2";
const REMEMBER: &str = "INSERT INTO ended_sessions (session, expires_at, status_index, mark) VALUES ($1, $2, $3, $4)";
const ENDED: &str = "SELECT sequence, session, expires_at, mark FROM ended_sessions WHERE sequence > $1 \
     ORDER BY sequence LIMIT $2";
const AFTER: &str = "SELECT id, expires_at FROM sessions WHERE id > $1 ORDER BY id LIMIT $2";
const ENDED_AFTER: &str =
    "SELECT sequence, expires_at FROM ended_sessions WHERE sequence > $1 ORDER BY sequence LIMIT $2";
const PURGE: &str = "DELETE FROM sessions WHERE id = $1 AND expires_at <= $2";
// The last ending is kept: whoever has read it finds by it that the order goes on.
const PURGE_ENDED: &str =
    "DELETE FROM ended_sessions WHERE sequence = $1 AND sequence < (SELECT max(sequence) FROM ended_sessions)";

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[
    OPEN,
    LIVES,
    LIST,
    EXTEND,
    TO_END,
    REMOVE,
    END_ALL,
    HAS_MORE,
    EXCESS,
    NEXT,
    REMEMBER,
    ENDED,
    AFTER,
    ENDED_AFTER,
    PURGE,
    PURGE_ENDED,
];

pub(super) fn open(
    connection: &Connection,
    new: &NewSession,
    password_hash: &PasswordHash,
    limit: usize,
) -> rusqlite::Result<Opened> {
    let session = &new.session;
    let opened = connection.prepare_cached(OPEN)?.execute(params![
        session.id.0.as_bytes(),
        session.created_at.0,
        session.used_at.0,
        session.expires_at.0,
        session.client.address.map(|address| address.to_string()),
        session.client.user_agent,
        new.refresh_hash,
        session.status_index.map(|index| index.0),
        session.access_until.0,
        session.account.0.as_bytes(),
        password_hash.expose(),
    ])?;
    if opened == 0 {
        return Ok(Opened::Refused);
    }
    let over_limit = connection
        .prepare_cached(HAS_MORE)?
        .exists(params![session.account.0.as_bytes(), sql_limit(limit)])?;
    Ok(if over_limit { Opened::OverLimit } else { Opened::Done })
}

pub(super) fn lives(connection: &Connection, id: SessionId, now: Timestamp) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(LIVES)?
        .exists(params![id.0.as_bytes(), now.0])
}

pub(super) fn list(
    connection: &Connection,
    account: AccountId,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<Vec<Session>> {
    let mut statement = connection.prepare_cached(LIST)?;
    let rows = statement.query_map(params![account.0.as_bytes(), now.0, sql_limit(limit)], session)?;
    rows.collect()
}

pub(super) fn extend(
    connection: &Connection,
    id: SessionId,
    (expires_at, access_until): (Timestamp, Timestamp),
    lifetime: Duration,
    now: Timestamp,
) -> rusqlite::Result<Option<Session>> {
    let row = params![
        now.0,
        expires_at.0,
        lifetime_ms(lifetime),
        access_until.0,
        id.0.as_bytes()
    ];
    connection.prepare_cached(EXTEND)?.query_row(row, session).optional()
}

/// Nothing but a failing disk stops it once it has changed something, so that it needs no savepoint.
pub(super) fn end(
    connection: &Connection,
    id: SessionId,
    account: AccountId,
    at: Timestamp,
) -> rusqlite::Result<Option<EndedSession>> {
    let row = params![id.0.as_bytes(), account.0.as_bytes(), at.0];
    let found = connection.prepare_cached(TO_END)?.query_row(row, removed).optional()?;
    let Some(found) = found else { return Ok(None) };
    connection.prepare_cached(REMOVE)?.execute([id.0.as_bytes()])?;
    remember(connection, &found).map(Some)
}

/// Ends every session of the account but `keep`. Those that have expired as well: this clock may be ahead, and by
/// another one their tokens are good.
pub(super) fn end_all(
    connection: &Connection,
    account: AccountId,
    keep: Option<SessionId>,
) -> rusqlite::Result<Vec<EndedSession>> {
    let keep = keep.map(|id| id.0.into_bytes());
    let mut statement = connection.prepare_cached(END_ALL)?;
    let rows = statement.query_map(params![account.0.as_bytes(), keep], removed)?;
    let rows: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    rows.iter().map(|removed| remember(connection, removed)).collect()
}

/// Ends what the account has more than `limit` sessions: first those that have expired, then those that were used last
/// the longest ago, `newest` in no case.
pub(super) fn end_excess(
    connection: &Connection,
    account: AccountId,
    newest: SessionId,
    limit: usize,
    at: Timestamp,
) -> rusqlite::Result<Vec<EndedSession>> {
    let row = params![
        account.0.as_bytes(),
        newest.0.as_bytes(),
        at.0,
        sql_limit(limit),
        sql_limit(MAX_EXCESS),
    ];
    let mut statement = connection.prepare_cached(EXCESS)?;
    let excess = statement.query_map(row, id)?.collect::<rusqlite::Result<Vec<_>>>()?;
    end_these(connection, excess.into_iter().map(|id| (id, account)))
}

/// Ends the sessions of a realm, or of all, among the next `limit` after `after`. Answers them, and where to go on.
pub(super) fn end_next(
    connection: &Connection,
    after: Option<SessionId>,
    realm: Option<RealmId>,
    limit: usize,
) -> rusqlite::Result<(Vec<EndedSession>, Option<SessionId>)> {
    let after = after.map_or(Vec::new(), |id| id.0.as_bytes().to_vec());
    let mut statement = connection.prepare_cached(NEXT)?;
    let rows = statement.query_map(params![after, sql_limit(limit)], |row| {
        let account = AccountId(Uuid::from_bytes(row.get(1)?));
        Ok((id(row)?, account, RealmId(row.get(2)?)))
    })?;
    let next: Vec<_> = rows.collect::<rusqlite::Result<_>>()?;
    let last = next.last().filter(|_| next.len() >= limit).map(|(id, ..)| *id);
    let wanted = next.iter().filter(|(.., of)| realm.is_none_or(|realm| realm == *of));
    let ended = end_these(connection, wanted.map(|(id, account, _)| (*id, *account)))?;
    Ok((ended, last))
}

/// Ends these sessions, each of its account, and those that have expired as well.
fn end_these(
    connection: &Connection,
    sessions: impl Iterator<Item = (SessionId, AccountId)>,
) -> rusqlite::Result<Vec<EndedSession>> {
    let mut ended = Vec::new();
    for (id, account) in sessions {
        ended.extend(end(connection, id, account, WHENEVER)?);
    }
    Ok(ended)
}

pub(super) fn ended(connection: &Connection, sequence: i64, limit: usize) -> rusqlite::Result<Vec<EndedSession>> {
    let mut statement = connection.prepare_cached(ENDED)?;
    let rows = statement.query_map([sequence, sql_limit(limit)], ending)?;
    let ended: Vec<EndedSession> = rows.collect::<rusqlite::Result<_>>()?;
    drop(statement);
    if ended.len() >= MANY_ENDED {
        forget_pages(connection)?;
    }
    Ok(ended)
}

/// Looks at the next sessions in the order of their ids: those that have expired, at most `limit`, and where to go on,
/// if there are more.
pub(super) fn expired(
    connection: &Connection,
    after: Option<SessionId>,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<(Vec<SessionId>, Option<SessionId>)> {
    let after = after.map_or(Vec::new(), |id| id.0.as_bytes().to_vec());
    look_on(connection, AFTER, after, id, now, limit)
}

/// The same for endings, in the order of their sequence: those that nobody has to remember any more.
pub(super) fn expired_endings(
    connection: &Connection,
    after: Option<i64>,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<(Vec<i64>, Option<i64>)> {
    look_on(
        connection,
        ENDED_AFTER,
        after.unwrap_or(0),
        |row| row.get(0),
        now,
        limit,
    )
}

/// Looks at the next rows of a table by a statement that has their keys and until when they are needed.
fn look_on<K: Copy>(
    connection: &Connection,
    statement: &str,
    after: impl ToSql,
    key: impl Fn(&Row<'_>) -> rusqlite::Result<K>,
    now: Timestamp,
    limit: usize,
) -> rusqlite::Result<(Vec<K>, Option<K>)> {
    let mut statement = connection.prepare_cached(statement)?;
    let mut rows = statement.query(params![after, sql_limit(LOOKED_AT)])?;
    let (mut found, mut looked_at, mut last) = (Vec::new(), 0, None);
    while found.len() < limit
        && let Some(row) = rows.next()?
    {
        let key = key(row)?;
        looked_at += 1;
        last = Some(key);
        if row.get::<_, i64>(1)? <= now.0 {
            found.push(key);
        }
    }
    drop(rows);
    drop(statement);
    if looked_at == LOOKED_AT {
        forget_pages(connection)?;
    }
    let is_last = looked_at < LOOKED_AT && found.len() < limit;
    Ok((found, last.filter(|_| !is_last)))
}

/// Forgets those of these sessions that have expired at `now`. Answers how many.
pub(super) fn purge(connection: &Connection, sessions: &[SessionId], now: Timestamp) -> rusqlite::Result<usize> {
    let mut purged = 0;
    for id in sessions {
        // It may have been used since it was looked at.
        purged += connection
            .prepare_cached(PURGE)?
            .execute(params![id.0.as_bytes(), now.0])?;
    }
    Ok(purged)
}

/// Forgets these endings, but not the last there is. Answers how many.
pub(super) fn purge_ended(connection: &Connection, sequences: &[i64]) -> rusqlite::Result<usize> {
    let mut purged = 0;
    for sequence in sequences {
        purged += connection.prepare_cached(PURGE_ENDED)?.execute([sequence])?;
    }
    Ok(purged)
}

fn id(row: &Row<'_>) -> rusqlite::Result<SessionId> {
    Ok(SessionId(Uuid::from_bytes(row.get(0)?)))
}

/// A session that is no row any more.
struct Removed {
    id: SessionId,
    remember_until: Timestamp,
    status_index: Option<i64>,
    mark: i64,
}

fn remember(connection: &Connection, removed: &Removed) -> rusqlite::Result<EndedSession> {
    let row = params![
        removed.id.0.as_bytes(),
        removed.remember_until.0,
        removed.status_index,
        removed.mark,
    ];
    connection.prepare_cached(REMEMBER)?.execute(row)?;
    Ok(EndedSession {
        sequence: connection.last_insert_rowid(),
        session: removed.id,
        expires_at: removed.remember_until,
        mark: removed.mark,
    })
}

fn ending(row: &Row<'_>) -> rusqlite::Result<EndedSession> {
    Ok(EndedSession {
        sequence: row.get(0)?,
        session: SessionId(Uuid::from_bytes(row.get(1)?)),
        expires_at: Timestamp(row.get(2)?),
        mark: row.get(3)?,
    })
}

fn removed(row: &Row<'_>) -> rusqlite::Result<Removed> {
    Ok(Removed {
        id: SessionId(Uuid::from_bytes(row.get(0)?)),
        remember_until: Timestamp(row.get(1)?),
        status_index: row.get(2)?,
        mark: row.get(3)?,
    })
}

/// Reads a session from the columns that [`LIST`] names, in its order.
pub(super) fn session(row: &Row<'_>) -> rusqlite::Result<Session> {
    Ok(Session {
        id: SessionId(Uuid::from_bytes(row.get(0)?)),
        account: AccountId(Uuid::from_bytes(row.get(1)?)),
        client: client(row, 2)?,
        created_at: Timestamp(row.get(4)?),
        used_at: Timestamp(row.get(5)?),
        expires_at: Timestamp(row.get(6)?),
        status_index: row.get::<_, Option<i64>>(7)?.map(StatusIndex),
        access_until: Timestamp(row.get(8)?),
    })
}

/// Reads a client from two columns, its address and its user agent. An address that is none is not worth refusing the
/// session for: a write that reads it would be taken back, with all that share its transaction.
pub(super) fn client(row: &Row<'_>, column: usize) -> rusqlite::Result<Client> {
    let address = row.get_ref(column)?.as_str_or_null()?;
    Ok(Client {
        address: address.and_then(|address| address.parse().ok()),
        user_agent: row.get(column + 1)?,
    })
}

#[cfg(test)]
mod tests;
