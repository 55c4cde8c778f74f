//! Bringing the schema up to date: numbered files, each applied once, all of them or none.
//!
//! The surprise: a migration does not wait for a table that somebody else uses. Whoever wants the table meanwhile stands
//! in line behind it, and those are all the nodes that still serve; so it steps back, and comes again.

use std::pin::pin;
use std::time::Duration;

use doorward_core::SetupError;
use tokio::time::{sleep, timeout};
use tokio_postgres::error::{DbError, SqlState};
use tokio_postgres::{Client, Error};

use super::fault::{is_unknown, words};
use super::meeting;
use super::server::explain;
use crate::Schema;

/// Every migration, in order. A released one is never edited; the next one mends it.
const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_accounts_and_sessions.sql"),
    include_str!("migrations/0002_clients.sql"),
    include_str!("migrations/0003_status_list.sql"),
    include_str!("migrations/0004_ending_marks.sql"),
    include_str!("migrations/0005_access_until.sql"),
    include_str!("migrations/0006_fewer_pages.sql"),
    include_str!("migrations/0007_text_by_its_bytes.sql"),
];

/// How many they are.
pub(super) const LATEST: usize = MIGRATIONS.len();

/// How long to wait for another one who migrates: longer than that takes, each statement by [`PATIENCE`]. Bounded, so
/// that a lock which somebody forgot does not look like a slow start.
const TURN: Duration = Duration::from_hours(1);

/// How long to wait for one without a word: nodes that start together on an empty database do, and it is made sooner.
const UNTOLD: Duration = Duration::from_secs(1);

/// Nobody is waiting for an answer: a statement takes as long as it takes. But for as long as it waits for a table, so
/// do all requests that want the table.
const PATIENCE: &str = "SET LOCAL statement_timeout = '10min'; SET LOCAL lock_timeout = '1s'";

/// How often the tables are asked for: for two and a half minutes in all, a fifth of which requests may wait.
const MAX_ATTEMPTS: u32 = 30;

/// The pause between two attempts, in which requests have the tables to themselves.
const PAUSE: Duration = Duration::from_secs(4);

const TABLE: &str = "CREATE TABLE doorward_schema ( \
     id bigint NOT NULL PRIMARY KEY CHECK (id = 1), version bigint NOT NULL); \
     INSERT INTO doorward_schema (id, version) VALUES (1, 0)";

/// What the database tells about itself: its encoding, whether there is a schema to make tables in, how many
/// tables and views that has, and whether one of them is ours.
const LOOK: &str = "SELECT current_setting('server_encoding'), current_schema() IS NOT NULL, count(c.oid), \
     count(*) FILTER (WHERE c.relname = 'doorward_schema') \
     FROM (SELECT 1) AS one LEFT JOIN (pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace) \
     ON n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f')";

/// How many of those tables and views no extension has brought. The monitoring that is often asked for in each new
/// database, `pg_stat_statements`, puts its views into `public`.
const FOREIGN: &str = "SELECT count(*) \
     FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = current_schema() AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
     AND NOT EXISTS (SELECT 1 FROM pg_catalog.pg_depend d \
     WHERE d.classid = 'pg_catalog.pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')";

const VERSION: &str = "SELECT version FROM doorward_schema WHERE id = 1";

/// Why nothing was applied.
enum Failure {
    /// Somebody else uses a table, or wanted what was held here.
    Held(Error),
    Final(SetupError),
}

impl From<SetupError> for Failure {
    fn from(error: SetupError) -> Self {
        Self::Final(error)
    }
}

impl Failure {
    /// What PostgreSQL said to a statement that needs a table; `tell` is for what does not pass.
    fn of(error: Error, tell: impl FnOnce(Error) -> SetupError) -> Self {
        match error.code() {
            Some(&(SqlState::LOCK_NOT_AVAILABLE | SqlState::T_R_DEADLOCK_DETECTED)) => Self::Held(error),
            _ => Self::Final(tell(error)),
        }
    }
}

/// How many migrations the database has seen. Writes nothing.
///
/// # Errors
/// When the database is not ours, or a newer program has changed it.
pub(super) async fn seen(client: &Client, shown: &str) -> Result<usize, SetupError> {
    Ok(version(client, shown, LATEST).await?.unwrap_or(0))
}

/// Applies what is missing. Many nodes may do so at once: one does it, the others wait and find it done.
///
/// # Errors
/// When the database is not ours, a newer program has changed it, its schema would have to be changed and may not be, a
/// migration fails, or others use the tables at each attempt; then none is applied.
pub(super) async fn apply(client: &Client, shown: &str, schema: Schema) -> Result<(), SetupError> {
    let seen = seen(client, shown).await?;
    schema.allow(shown, seen, LATEST)?;
    if seen == LATEST {
        return Ok(());
    }
    let mut attempt = 1;
    loop {
        let why = match apply_these(MIGRATIONS, client, shown).await {
            Ok(()) => return Ok(()),
            Err(Failure::Final(error)) => return Err(error),
            Err(Failure::Held(why)) => why,
        };
        let rolled_back = client.batch_execute("ROLLBACK").await;
        rolled_back.map_err(|error| explain(error, shown))?;
        if attempt == 1 {
            tracing::warn!("somebody uses a table of {shown} that has to be changed; trying again and again");
        }
        if attempt == MAX_ATTEMPTS {
            return Err(held(shown, &why));
        }
        sleep(PAUSE).await;
        attempt += 1;
    }
}

async fn apply_these(migrations: &[&str], client: &Client, shown: &str) -> Result<(), Failure> {
    let explain = |error| explain(error, shown);
    // Two messages: older servers time all statements of one together, by what was set before it.
    let begin = format!(
        "BEGIN; SET LOCAL statement_timeout = '{turn}s'; SET LOCAL lock_timeout = '{turn}s'; \
         SET LOCAL idle_in_transaction_session_timeout = '2min'",
        turn = TURN.as_secs()
    );
    client.batch_execute(&begin).await.map_err(explain)?;
    match wait_for_turn(client, shown).await {
        Ok(()) => {}
        // Without such locks the first node has to start alone. The transaction is spoiled by the refusal.
        Err(error) if is_unknown(&error) => {
            client.batch_execute("ROLLBACK").await.map_err(explain)?;
            client.batch_execute(&begin).await.map_err(explain)?;
        }
        Err(error) => return Err(explain(error).into()),
    }
    client.batch_execute(PATIENCE).await.map_err(explain)?;
    // Asked again under the lock: somebody may have been faster.
    let applied = match version(client, shown, migrations.len()).await? {
        Some(applied) => applied,
        None => {
            client.batch_execute(TABLE).await.map_err(explain)?;
            0
        }
    };
    for (number, migration) in (1..).zip(migrations).skip(applied) {
        let applied = client.batch_execute(migration).await;
        applied.map_err(|error| Failure::of(error, |error| failed(shown, number, &error)))?;
    }
    let mark = format!("UPDATE doorward_schema SET version = {}; COMMIT", migrations.len());
    let marked = client.batch_execute(&mark).await;
    marked.map_err(|error| Failure::of(error, explain))
}

/// Waits until nobody else migrates, and keeps the others waiting until the transaction ends.
async fn wait_for_turn(client: &Client, shown: &str) -> Result<(), Error> {
    let lock = format!("SELECT pg_advisory_xact_lock({})", meeting::migrates());
    let mut turn = pin!(client.batch_execute(&lock));
    if let Ok(turn) = timeout(UNTOLD, &mut turn).await {
        return turn;
    }
    tracing::warn!(
        database = shown,
        seconds = TURN.as_secs(),
        "another node brings the schema of the database up to date; waiting for it, so many seconds at most"
    );
    turn.await
}

/// How many migrations the database has seen; `None` if it is empty.
async fn version(client: &Client, shown: &str, known: usize) -> Result<Option<usize>, SetupError> {
    let explain = |error| explain(error, shown);
    let look = client.query_one(LOOK, &[]).await.map_err(explain)?;
    let encoding: String = look.try_get(0).map_err(explain)?;
    if encoding != "UTF8" {
        return Err(SetupError::new(
            format!("the database {shown} has the encoding {encoding}"),
            "make one with `createdb --encoding=UTF8 --template=template0 NAME`",
        ));
    }
    if !look.try_get::<_, bool>(1).map_err(explain)? {
        return Err(SetupError::new(
            format!("the database {shown} has no schema to make tables in"),
            "make the schema that `search_path` names, or `public`",
        ));
    }
    match (
        look.try_get::<_, i64>(2).map_err(explain)?,
        look.try_get::<_, i64>(3).map_err(explain)?,
    ) {
        (0, _) => return Ok(None),
        (_, 0) if !is_foreign(client).await.map_err(explain)? => return Ok(None),
        (_, 0) => {
            return Err(SetupError::new(
                format!("{shown} is a database of another program"),
                "give doorward a database of its own, `createdb NAME`, or a schema of its own, with \
                 `?options=-csearch_path%3DNAME` in the URL",
            ));
        }
        _ => {}
    }
    let row = client.query_one(VERSION, &[]).await.map_err(explain)?;
    let version: i64 = row.try_get(0).map_err(explain)?;
    match usize::try_from(version) {
        Ok(version) if version <= known => Ok(Some(version)),
        _ => Err(SetupError::new(
            format!("the database {shown} has schema version {version}; this doorward knows up to {known}"),
            "start the newer doorward, or restore the backup made before the upgrade",
        )),
    }
}

/// Whether somebody else has made a table or a view. Asked only when that would be refused, so that an engine without
/// `pg_depend` may spoil the transaction: there all of them are somebody's.
async fn is_foreign(client: &Client) -> Result<bool, Error> {
    match client.query_one(FOREIGN, &[]).await {
        Ok(row) => Ok(row.try_get::<_, i64>(0)? > 0),
        Err(error) if is_unknown(&error) => Ok(true),
        Err(error) => Err(error),
    }
}

fn failed(shown: &str, number: usize, error: &Error) -> SetupError {
    let said = error
        .as_db_error()
        .filter(|_| error.code() == Some(&SqlState::UNIQUE_VIOLATION));
    if let Some(table) = said.and_then(DbError::table) {
        return SetupError::new(
            format!(
                "migration {number} of the database {shown} failed: rows of `{table}` are there twice, which an index \
                 in the order of an older locale library let in"
            ),
            "nothing was changed; the manual for operators (docs/operating.md) says how to find them, and what to do \
             with the older doorward before you start this one: \"Identifiers that are there twice\"",
        );
    }
    SetupError::new(
        format!("migration {number} of the database {shown} failed: {}", words(error)),
        "nothing was changed; start the older doorward again and report this",
    )
}

fn held(shown: &str, why: &Error) -> SetupError {
    SetupError::new(
        format!(
            "a table of the database {shown} has to be changed, and others use it: {}",
            words(why)
        ),
        "nothing was changed; somebody reads the tables for long, a backup or a report: start again when that is over",
    )
}
