//! Sessions and their endings.
//!
//! A session that has ended is no row of `sessions` with a flag but a row of `ended_sessions`, moved there by one
//! statement. So nothing that looks for a living session can forget to ask for the flag.
//!
//! The surprise: the sequence of endings is no sequence of PostgreSQL. Those give numbers out in one order and
//! transactions commit in another, so a reader that has seen 7 could miss the 6 that is committed after it. Here
//! the numbers come from the one row of `endings`. Who takes one holds that row until it is committed, and only
//! then can the next one be taken: numbers become visible in their order, and who has read one has read all
//! before it. The price is that endings wait for each other, so the row is taken by the statement that writes the
//! endings, and nobody who holds it waits for anybody else. What comes after that statement is the commit, or the
//! removal of an account, which holds its row by then and is all that refers to it.

use std::time::Duration;

use doorward_core::account::AccountId;
use doorward_core::realm::RealmId;
use doorward_core::secret::PasswordHash;
use doorward_core::session::{Client, EndedSession, NewSession, Session, SessionId, lifetime_ms};
use doorward_core::status_list::StatusIndex;
use doorward_core::store::{MAX_EXCESS, Opened};
use doorward_core::{Result, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::endings::Wanted;
use super::fault::Fault;
use super::link::Link;
use super::readers::Readers;
use super::row;

/// By this time no session has expired.
const WHENEVER: Timestamp = Timestamp(i64::MIN);

// The condition is in the insert: a login must not outrun the change that was to shut it out. `FOR SHARE` makes
// it wait for such a change in flight and look again, and makes such a change wait until the session is there
// to be ended. What it returns of the account's sessions is as it was before this one.
const OPEN: &str = "INSERT INTO sessions (id, account, created_at, used_at, expires_at, address, user_agent, \
     refresh_hash, status_index, access_until) SELECT $1, id, $2, $3, $4, $5, $6, $7, $8, $9 FROM accounts \
     WHERE id = $10 AND disabled_at IS NULL AND password_hash = $11 FOR SHARE \
     RETURNING EXISTS (SELECT 1 FROM sessions WHERE account = $10 LIMIT 1 OFFSET $12)";
const LIVES: &str = "SELECT 1 FROM sessions WHERE id = $1 AND expires_at > $2";
const LIST: &str = "SELECT id, account, address, user_agent, created_at, used_at, expires_at, status_index, \
     COALESCE(access_until, expires_at) FROM sessions \
     WHERE account = $1 AND expires_at > $2 ORDER BY used_at DESC, id DESC LIMIT $3";
// The end moves as in `refresh.rs`: to what is asked for or to the end of the longest life ($3), and never back.
const EXTEND: &str = "UPDATE sessions SET used_at = $1, \
     expires_at = CASE WHEN expires_at >= $2 THEN expires_at WHEN created_at + $3 >= $2 THEN $2 \
     WHEN created_at + $3 >= expires_at THEN created_at + $3 ELSE expires_at END, \
     access_until = GREATEST(COALESCE(access_until, expires_at), $4) \
     WHERE id = $5 AND expires_at > $1 AND created_at + $3 > $1 \
     RETURNING id, account, address, user_agent, created_at, used_at, expires_at, status_index, access_until";
// The ending is remembered until the last access token is dead by age: `LEAST` passes over what is not known.
const END: &str = "WITH gone AS ( \
         DELETE FROM sessions WHERE id = $1 AND account = $2 AND expires_at > $3 \
         RETURNING id, LEAST(expires_at, access_until) AS remember_until, status_index \
     ), taken AS ( \
         UPDATE endings SET last_sequence = last_sequence + 1 WHERE id = 1 AND EXISTS (SELECT 1 FROM gone) \
         RETURNING last_sequence \
     ) \
     INSERT INTO ended_sessions (sequence, session, expires_at, status_index, mark) \
     SELECT taken.last_sequence, gone.id, gone.remember_until, gone.status_index, \
     (random() * 9007199254740991)::bigint FROM taken CROSS JOIN gone \
     RETURNING sequence, session, expires_at, mark";
// As END for many sessions, of any accounts. Those that somebody else holds are left to a later END, so that this
// waits for nobody but for the row of `endings`.
const END_MANY: &str = "WITH gone AS ( \
         DELETE FROM sessions WHERE id = ANY (ARRAY( \
             SELECT s.id FROM unnest($1::uuid[], $2::uuid[], $3::bigint[]) AS asked (id, account, at) \
             JOIN sessions s ON s.id = asked.id AND s.account = asked.account AND s.expires_at > asked.at \
             FOR UPDATE OF s SKIP LOCKED)) \
         RETURNING id, LEAST(expires_at, access_until) AS remember_until, status_index \
     ), living AS ( \
         SELECT id, remember_until, status_index, row_number() OVER (ORDER BY id) AS place FROM gone \
     ), taken AS ( \
         UPDATE endings SET last_sequence = last_sequence + (SELECT count(*) FROM living) \
         WHERE id = 1 AND EXISTS (SELECT 1 FROM living) RETURNING last_sequence \
     ) \
     INSERT INTO ended_sessions (sequence, session, expires_at, status_index, mark) \
     SELECT taken.last_sequence - living.place + 1, living.id, living.remember_until, living.status_index, \
     (random() * 9007199254740991)::bigint FROM taken CROSS JOIN living \
     RETURNING sequence, session, expires_at, mark";
// As END for all of an account. Those that have expired as well: this clock may be ahead, and by another one their
// tokens are good.
const END_ALL: &str = "WITH gone AS ( \
         DELETE FROM sessions WHERE account = $1 AND id IS DISTINCT FROM $2 \
         RETURNING id, LEAST(expires_at, access_until) AS remember_until, status_index \
     ), living AS ( \
         SELECT id, remember_until, status_index, row_number() OVER (ORDER BY id) AS place FROM gone \
     ), taken AS ( \
         UPDATE endings SET last_sequence = last_sequence + (SELECT count(*) FROM living) \
         WHERE id = 1 AND EXISTS (SELECT 1 FROM living) RETURNING last_sequence \
     ) \
     INSERT INTO ended_sessions (sequence, session, expires_at, status_index, mark) \
     SELECT taken.last_sequence - living.place + 1, living.id, living.remember_until, living.status_index, \
     (random() * 9007199254740991)::bigint FROM taken CROSS JOIN living \
     RETURNING sequence, session, expires_at, mark";
const EXCESS: &str = "SELECT id FROM sessions WHERE account = $1 AND id <> $2 ORDER BY expires_at > $3, used_at, id \
     LIMIT GREATEST(0, LEAST((SELECT count(*) FROM sessions WHERE account = $1) - $4, $5))";
// Locked before it is ended, since `END_MANY` leaves out what others hold: whoever goes through all of them does not
// come by again. Two who wait for each other like that are told apart by PostgreSQL, and one begins anew. The realm is
// asked for and not a condition: one that few sessions are of would have all others looked at at once.
const NEXT: &str = "SELECT id, account, (SELECT realm FROM accounts WHERE accounts.id = sessions.account) \
     FROM sessions WHERE id > $1 ORDER BY id LIMIT $2 FOR UPDATE";
// Makes two that end all sessions of one account take turns; otherwise each could hold a session that the
// other wants.
const LOCK_ACCOUNT: &str = "SELECT 1 FROM accounts WHERE id = $1 FOR UPDATE";
const ENDED: &str = "SELECT sequence, session, expires_at, mark FROM ended_sessions WHERE sequence > $1 \
     ORDER BY sequence LIMIT $2";
// Rows that another node is forgetting are left to it. The array makes the limit hold: a plain `IN` may be asked
// again for each row. The last ending is kept: whoever has read it finds by it that the order goes on.
const PURGE: &str = "DELETE FROM sessions WHERE id = ANY (ARRAY( \
     SELECT id FROM sessions WHERE expires_at <= $1 ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED))";
const PURGE_ENDED: &str = "DELETE FROM ended_sessions WHERE sequence = ANY (ARRAY( \
     SELECT sequence FROM ended_sessions WHERE expires_at <= $1 AND sequence < $2 \
     AND sequence < (SELECT last_sequence FROM endings WHERE id = 1) ORDER BY expires_at LIMIT $3 \
     FOR UPDATE SKIP LOCKED))";

pub(super) async fn open(
    link: &Link,
    new: &NewSession,
    password_hash: &PasswordHash,
    limit: usize,
) -> Result<Opened, Fault> {
    let session = &new.session;
    let opened = link
        .maybe(
            OPEN,
            &[
                &session.id.0,
                &session.created_at.0,
                &session.used_at.0,
                &session.expires_at.0,
                &session.client.address.map(|address| address.to_string()),
                &session.client.user_agent,
                &new.refresh_hash.as_ref().map(<[u8; 32]>::as_slice),
                &session.status_index.map(|index| index.0),
                &session.access_until.0,
                &session.account.0,
                &password_hash.expose(),
                &row::limit(limit.saturating_sub(1)),
            ],
        )
        .await?;
    Ok(match opened {
        None => Opened::Refused,
        Some(row) if row.try_get(0)? => Opened::OverLimit,
        Some(_) => Opened::Done,
    })
}

pub(super) async fn lives(readers: &Readers, id: SessionId, now: Timestamp) -> Result<bool> {
    Ok(!readers.rows(LIVES, &[&id.0, &now.0]).await?.is_empty())
}

pub(super) async fn list(readers: &Readers, account: AccountId, now: Timestamp, limit: usize) -> Result<Vec<Session>> {
    let rows = readers.rows(LIST, &[&account.0, &now.0, &row::limit(limit)]).await?;
    Ok(row::all(&rows, session)?)
}

pub(super) async fn extend(
    link: &Link,
    id: SessionId,
    (expires_at, access_until): (Timestamp, Timestamp),
    lifetime: Duration,
    now: Timestamp,
) -> Result<Option<Session>, Fault> {
    let extended = link
        .maybe(
            EXTEND,
            &[&now.0, &expires_at.0, &lifetime_ms(lifetime), &access_until.0, &id.0],
        )
        .await?;
    row::maybe(extended.as_ref(), session)
}

pub(super) async fn end(
    link: &Link,
    id: SessionId,
    account: AccountId,
    at: Timestamp,
) -> Result<Option<EndedSession>, Fault> {
    let ended = link.maybe(END, &[&id.0, &account.0, &at.0]).await?;
    row::maybe(ended.as_ref(), ending)
}

/// Ends those that live and are held by nobody else. A session may be named once.
pub(super) async fn end_many(link: &Link, wanted: &[&Wanted]) -> Result<Vec<EndedSession>, Fault> {
    let sessions: Vec<Uuid> = wanted.iter().map(|wanted| wanted.session.0).collect();
    let accounts: Vec<Uuid> = wanted.iter().map(|wanted| wanted.account.0).collect();
    let times: Vec<i64> = wanted.iter().map(|wanted| wanted.at.0).collect();
    let rows = link.rows(END_MANY, &[&sessions, &accounts, &times]).await?;
    row::all(&rows, ending)
}

/// Ends what the account has more than `limit` sessions: first those that have expired, then those that were used last
/// the longest ago, `newest` in no case. Two that do so for one account take turns: each keeps its own newest, and both
/// could end the other's. Nothing that comes after this in the transaction may wait for anybody.
pub(super) async fn end_excess(
    link: &Link,
    account: AccountId,
    newest: SessionId,
    limit: usize,
    at: Timestamp,
) -> Result<Vec<EndedSession>, Fault> {
    lock_account(link, account).await?;
    let (kept, most) = (row::limit(limit), row::limit(MAX_EXCESS));
    let rows = link.rows(EXCESS, &[&account.0, &newest.0, &at.0, &kept, &most]).await?;
    let excess: Vec<Wanted> = row::all(&rows, |row| Ok(wanted(row.try_get(0)?, account)))?;
    end_these(link, &excess).await
}

/// Ends the sessions of a realm, or of all, among the next `limit` after `after`. Answers them, and where to go on.
pub(super) async fn end_next(
    link: &Link,
    after: Option<SessionId>,
    realm: Option<RealmId>,
    limit: usize,
) -> Result<(Vec<EndedSession>, Option<SessionId>), Fault> {
    let after = after.map_or(Uuid::nil(), |id| id.0);
    let rows = link.rows(NEXT, &[&after, &row::limit(limit)]).await?;
    let next = row::all(&rows, |row| {
        let wanted = wanted(row.try_get(0)?, AccountId(row.try_get(1)?));
        Ok((wanted, RealmId(row.try_get(2)?)))
    })?;
    let last = next.last().filter(|_| next.len() >= limit);
    let last = last.map(|(wanted, _)| wanted.session);
    let of_realm = next
        .into_iter()
        .filter(|(_, of)| realm.is_none_or(|realm| realm == *of));
    let of_realm: Vec<Wanted> = of_realm.map(|(wanted, _)| wanted).collect();
    Ok((end_these(link, &of_realm).await?, last))
}

fn wanted(session: Uuid, account: AccountId) -> Wanted {
    Wanted {
        session: SessionId(session),
        account,
        at: WHENEVER,
    }
}

/// Ends these sessions, but for those that others hold, and those that have expired as well.
async fn end_these(link: &Link, sessions: &[Wanted]) -> Result<Vec<EndedSession>, Fault> {
    let mut ended = end_many(link, &sessions.iter().collect::<Vec<_>>()).await?;
    ended.sort_unstable_by_key(|ended| ended.sequence);
    Ok(ended)
}

/// As [`end_all`], for a caller who has not locked the account.
pub(super) async fn end_others(
    link: &Link,
    account: AccountId,
    keep: Option<SessionId>,
) -> Result<Vec<EndedSession>, Fault> {
    lock_account(link, account).await?;
    end_all(link, account, keep).await
}

/// Ends every session of the account but `keep`. The row of the account has to be locked by then, and nothing
/// that comes after this in the transaction may wait for anybody: see above.
pub(super) async fn end_all(
    link: &Link,
    account: AccountId,
    keep: Option<SessionId>,
) -> Result<Vec<EndedSession>, Fault> {
    let keep = keep.map(|id| id.0);
    let rows = link.rows(END_ALL, &[&account.0, &keep]).await?;
    let mut ended = row::all(&rows, ending)?;
    ended.sort_unstable_by_key(|ended| ended.sequence);
    Ok(ended)
}

/// Keeps everybody else from changing the account, and from opening a session for it, until the transaction ends.
async fn lock_account(link: &Link, account: AccountId) -> Result<(), Fault> {
    link.maybe(LOCK_ACCOUNT, &[&account.0]).await.map(drop)
}

pub(super) async fn ended(readers: &Readers, sequence: i64, limit: usize) -> Result<Vec<EndedSession>> {
    let rows = readers.rows(ENDED, &[&sequence, &row::limit(limit)]).await?;
    Ok(row::all(&rows, ending)?)
}

pub(super) async fn purge(link: &Link, now: Timestamp, limit: usize) -> Result<usize, Fault> {
    let purged = link.execute(PURGE, &[&now.0, &row::limit(limit)]).await?;
    Ok(row::count(purged))
}

pub(super) async fn purge_ended(link: &Link, now: Timestamp, below: i64, limit: usize) -> Result<usize, Fault> {
    let purged = link.execute(PURGE_ENDED, &[&now.0, &below, &row::limit(limit)]).await?;
    Ok(row::count(purged))
}

fn ending(row: &Row) -> Result<EndedSession, Fault> {
    Ok(EndedSession {
        sequence: row.try_get(0)?,
        session: SessionId(row.try_get(1)?),
        expires_at: Timestamp(row.try_get(2)?),
        mark: row.try_get(3)?,
    })
}

/// Reads a session from the columns that [`LIST`] names, in its order.
pub(super) fn session(row: &Row) -> Result<Session, Fault> {
    Ok(Session {
        id: SessionId(row.try_get(0)?),
        account: AccountId(row.try_get(1)?),
        client: client(row, 2)?,
        created_at: Timestamp(row.try_get(4)?),
        used_at: Timestamp(row.try_get(5)?),
        expires_at: Timestamp(row.try_get(6)?),
        status_index: row.try_get::<_, Option<i64>>(7)?.map(StatusIndex),
        access_until: Timestamp(row.try_get(8)?),
    })
}

/// Reads a client from two columns, its address and its user agent. An address that is none is not worth refusing the
/// session for.
pub(super) fn client(row: &Row, column: usize) -> Result<Client, Fault> {
    let address: Option<&str> = row.try_get(column)?;
    Ok(Client {
        address: address.and_then(|address| address.parse().ok()),
        user_agent: row.try_get(column + 1)?,
    })
}
