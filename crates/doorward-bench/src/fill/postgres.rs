//! Fills a database of PostgreSQL in the same way, by statements that make their rows themselves.
//!
//! The surprise: references are not checked while it fills. They hold by the way the rows are made, and checking each
//! would take longer than all the rest.

use super::{REMEMBERED_MS, Size};
use crate::command::postgres::cluster::Cluster;
use crate::error::Result;
use crate::{clock, print};

/// Rows of a statement.
const BATCH: u64 = 1_000_000;

/// Fills a database in which one account is registered.
pub(crate) fn fill(cluster: &Cluster, database: &str, size: Size) -> Result<()> {
    let now = clock::epoch_ms();
    let quick = "SET session_replication_role = replica; SET synchronous_commit = off; SET jit = off";
    for from in (1..size.accounts).step_by(usize::try_from(BATCH)?) {
        print::progress(&format!("filling PostgreSQL: {from} of {} accounts", size.accounts));
        let to = size.accounts.min(from + BATCH) - 1;
        cluster.sql(
            database,
            &format!(
                "{quick}; \
                 INSERT INTO accounts (id, realm, number, object_id, email, first_name, last_name, attributes, \
                 password_hash, created_at, updated_at) \
                 SELECT (lpad(to_hex(at), 12, '0') || '7' || substr(h, 1, 3) || '8' || substr(h, 4, 15))::uuid, \
                 f.realm, n + 1, decode(substr(h, 1, 24), 'hex'), 'person' || lpad(n::text, 8, '0') || '@example.com', \
                 'Ann', 'Example', '{{}}', f.password_hash, at, at \
                 FROM generate_series({from}, {to}) n, \
                 LATERAL (SELECT md5(n::text) AS h, {now} - 1000 * (20000000 - n::bigint) AS at) x, \
                 (SELECT realm, password_hash FROM accounts ORDER BY number LIMIT 1) f; \
                 INSERT INTO identifiers (realm, canonical, account) \
                 SELECT realm, email, id FROM accounts WHERE number BETWEEN {from} + 1 AND {to} + 1 ORDER BY number; \
                 INSERT INTO sessions (id, account, created_at, used_at, expires_at, address, user_agent) \
                 SELECT gen_random_uuid(), id, created_at, created_at, {now} + 3600000 + number, '127.0.0.1', \
                 'a browser of some kind' FROM accounts WHERE number BETWEEN {from} + 1 AND {to} + 1 AND number % 10 = 0"
            ),
        )?;
    }
    let (least, most) = REMEMBERED_MS;
    for from in (0..size.ended).step_by(usize::try_from(BATCH)?) {
        let to = size.ended.min(from + BATCH);
        cluster.sql(
            database,
            &format!(
                "{quick}; INSERT INTO ended_sessions (sequence, session, expires_at) \
                 SELECT n, gen_random_uuid(), {now} + {least} + (random() * {})::bigint \
                 FROM generate_series({from} + 1, {to}) n",
                most - least
            ),
        )?;
    }
    let (next, ended) = (size.accounts + 1, size.ended);
    cluster.sql(
        database,
        &format!("UPDATE realms SET next_number = {next}; UPDATE endings SET last_sequence = {ended}"),
    )?;
    print::progress("vacuuming");
    cluster.sql(database, "VACUUM ANALYZE")?;
    Ok(())
}
