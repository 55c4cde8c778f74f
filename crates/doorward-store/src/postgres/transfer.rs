//! PostgreSQL as one side of a move: pages of rows, read and written.
//!
//! The surprise: a page is written by one statement, which takes a list for each column. So it is one transaction
//! and one round trip, however many rows it has.

use doorward_core::SetupError;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row as Answer};
use uuid::Uuid;

use super::fault::words;
use super::hidden::{given, hide};
use super::server::Server;
use super::url::PostgresUrl;
use super::{migrations, pooler};
use crate::Schema;
use crate::transfer::table::{Kind, Row, TABLES, Table, Value};
use crate::transfer::{PAGE, Stage};

/// Nobody waits for an answer: a page takes as long as it takes, and so does the other side.
const PATIENCE: &str = "SET statement_timeout = '10min'; SET idle_in_transaction_session_timeout = 0";

/// One view of everything until the connection ends, and nobody who writes meanwhile: what a server that still
/// runs would tell its clients would be left behind.
const HOLD: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

const LAST_SEQUENCE: &str = "SELECT last_sequence FROM endings WHERE id = 1";
const COUNT_ON: &str = "UPDATE endings SET last_sequence = $1 WHERE id = 1 AND last_sequence <> $1";
// Rows that bring their number along do not move what the next one is drawn from.
const NEXT_REALM: &str =
    "SELECT setval(pg_get_serial_sequence('realms', 'id'), COALESCE(MAX(id), 0) + 1, false) FROM realms";

/// A connection that serves nothing but the move.
pub(crate) struct TransferEnd {
    client: Client,
    /// The URL without what is secret in it.
    shown: String,
    stage: Stage,
}

impl TransferEnd {
    /// A database that nobody else uses from here on. It stays as it is.
    ///
    /// # Errors
    /// As [`open_postgres`](crate::open_postgres), and when a server or a command uses it.
    pub(crate) async fn take(url: &PostgresUrl) -> Result<Self, SetupError> {
        let server = Server::new(url)?;
        pooler::refuse(&server)
            .await
            .map_err(|why| why.explain(&server.shown))?;
        let (client, alone) = server.connect_alone().await.map_err(|why| why.explain(&server.shown))?;
        if !alone {
            return Err(SetupError::new(
                format!("somebody uses the database {}", server.shown),
                "stop every server and command that uses it, on every machine, and run the move again",
            ));
        }
        let stage = match migrations::seen(&client, &server.shown).await? {
            0 => Stage::Empty,
            migrations::LATEST => Stage::Current,
            _ => Stage::Older,
        };
        Ok(Self {
            client,
            shown: server.shown,
            stage,
        })
    }

    /// How far its schema was when it was taken.
    pub(crate) fn stage(&self) -> Stage {
        self.stage
    }

    /// Makes the schema, or brings it up to date.
    ///
    /// # Errors
    /// As [`open_postgres`](crate::open_postgres).
    pub(crate) async fn prepare(&self) -> Result<(), SetupError> {
        migrations::apply(&self.client, &self.shown, Schema::Update).await?;
        let set = self.client.batch_execute(PATIENCE).await;
        set.map_err(|error| self.failed("its settings", &error))
    }

    /// Keeps what is in it as it is now until this is dropped.
    ///
    /// # Errors
    /// When somebody writes to it now.
    pub(crate) async fn hold(&self) -> Result<(), SetupError> {
        let tables: Vec<&str> = TABLES.iter().map(|table| table.name).collect();
        let hold = format!("{HOLD}; LOCK TABLE {}, endings IN SHARE MODE", tables.join(", "));
        let held = self.client.batch_execute(&hold).await;
        held.map_err(|error| self.failed("its tables", &error))
    }

    pub(crate) async fn page(&self, table: &Table, after: Option<&Row>) -> Result<Vec<Row>, SetupError> {
        // Text in a key is ordered by its bytes, as on every engine: its column says so.
        let key: Vec<&str> = table.key_columns().map(|(name, _)| name).collect();
        let order = key.join(", ");
        let places: Vec<String> = (1..=key.len()).map(|place| format!("${place}")).collect();
        let following = match after {
            Some(_) => format!("WHERE ({order}) > ({})", places.join(", ")),
            None => String::new(),
        };
        let sql = format!(
            "SELECT {} FROM {} {following} ORDER BY {order} LIMIT {PAGE}",
            table.names(),
            table.name
        );
        let bound = after.map(|key| {
            let columns = table.key_columns().zip(key);
            columns.map(|((_, kind), value)| one(kind, value)).collect::<Vec<_>>()
        });
        let bound = bound.unwrap_or_default();
        let parameters: Vec<&(dyn ToSql + Sync)> = bound.iter().map(AsRef::as_ref).collect();
        let rows = self.client.query(&sql, &given(&hide(&parameters))).await;
        let rows = rows.map_err(|error| self.failed(table.name, &error))?;
        let read = |answer: &Answer| {
            let columns = table.columns.iter().enumerate();
            columns.map(|(at, (_, kind))| value(answer, at, *kind)).collect()
        };
        let rows: Result<_, _> = rows.iter().map(read).collect();
        rows.map_err(|error| self.failed(table.name, &error))
    }

    pub(crate) async fn write(&self, table: &Table, rows: &[Row]) -> Result<(), SetupError> {
        let lists: Vec<String> = (1..)
            .zip(table.columns)
            .map(|(place, (_, kind))| format!("${place}::{}[]", sql_type(*kind)))
            .collect();
        // Realms bring their own ids; to the other tables the word means nothing.
        let sql = format!(
            "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT * FROM unnest({}) ON CONFLICT DO NOTHING",
            table.name,
            table.names(),
            lists.join(", ")
        );
        let columns: Vec<Box<dyn ToSql + Sync>> = table
            .columns
            .iter()
            .enumerate()
            .map(|(at, (_, kind))| list(*kind, rows.iter().map(move |row| row.get(at))))
            .collect();
        let parameters: Vec<&(dyn ToSql + Sync)> = columns.iter().map(AsRef::as_ref).collect();
        let written = self.client.execute(&sql, &given(&hide(&parameters))).await;
        written.map(drop).map_err(|error| self.failed(table.name, &error))
    }

    pub(crate) async fn count(&self, table: &Table) -> Result<u64, SetupError> {
        let sql = format!("SELECT count(*) FROM {}", table.name);
        let row = self.client.query_one(&sql, &[]).await;
        let count: Result<i64, _> = row.and_then(|row| row.try_get(0));
        let count = count.map_err(|error| self.failed(table.name, &error))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    pub(crate) async fn last_sequence(&self) -> Result<i64, SetupError> {
        let row = self.client.query_one(LAST_SEQUENCE, &[]).await;
        row.and_then(|row| row.try_get(0))
            .map_err(|error| self.failed("endings", &error))
    }

    pub(crate) async fn finish(&self, last_sequence: i64) -> Result<(), SetupError> {
        let counted = self.client.execute(COUNT_ON, &[&last_sequence]).await;
        counted.map_err(|error| self.failed("endings", &error))?;
        let drawn = self.client.query_one(NEXT_REALM, &[]).await;
        drawn.map(drop).map_err(|error| self.failed("realms", &error))
    }

    fn failed(&self, table: &str, error: &tokio_postgres::Error) -> SetupError {
        let hint = match error.code() {
            Some(&SqlState::LOCK_NOT_AVAILABLE) => {
                "somebody else uses it: stop every server and command on it, and run the move again"
            }
            Some(&SqlState::CHARACTER_NOT_IN_REPERTOIRE) => {
                "PostgreSQL keeps no NUL in a text: mend that row in the source, and run the move again"
            }
            _ => "look into the log of the server, and run the move again: it goes on where it stopped",
        };
        let (said, shown) = (words(error), &self.shown);
        SetupError::new(format!("`{table}` of the database {shown}: {said}"), hint)
    }
}

fn sql_type(kind: Kind) -> &'static str {
    match kind {
        Kind::Integer => "bigint",
        Kind::Text => "text",
        Kind::Bytes => "bytea",
        Kind::Id => "uuid",
    }
}

fn value(answer: &Answer, at: usize, kind: Kind) -> Result<Value, tokio_postgres::Error> {
    let value = match kind {
        Kind::Integer => answer.try_get::<_, Option<i64>>(at)?.map(Value::Integer),
        Kind::Text => answer.try_get::<_, Option<String>>(at)?.map(Value::Text),
        Kind::Bytes => answer.try_get::<_, Option<Vec<u8>>>(at)?.map(Value::Bytes),
        Kind::Id => {
            let id: Option<Uuid> = answer.try_get(at)?;
            id.map(|id| Value::Bytes(id.as_bytes().to_vec()))
        }
    };
    Ok(value.unwrap_or(Value::Null))
}

fn integer(value: Option<&Value>) -> Option<i64> {
    match value {
        Some(Value::Integer(number)) => Some(*number),
        _ => None,
    }
}

fn text(value: Option<&Value>) -> Option<String> {
    match value {
        Some(Value::Text(text)) => Some(text.clone()),
        _ => None,
    }
}

fn bytes(value: Option<&Value>) -> Option<Vec<u8>> {
    match value {
        Some(Value::Bytes(bytes)) => Some(bytes.clone()),
        _ => None,
    }
}

/// A value of another kind or length than its column's becomes none, which the column refuses or the comparison
/// at the end notices.
fn id(value: Option<&Value>) -> Option<Uuid> {
    match value {
        Some(Value::Bytes(bytes)) => Uuid::from_slice(bytes).ok(),
        _ => None,
    }
}

/// A value as a parameter.
fn one(kind: Kind, value: &Value) -> Box<dyn ToSql + Sync> {
    let value = Some(value);
    match kind {
        Kind::Integer => Box::new(integer(value)),
        Kind::Text => Box::new(text(value)),
        Kind::Bytes => Box::new(bytes(value)),
        Kind::Id => Box::new(id(value)),
    }
}

/// The values of a column as one parameter.
fn list<'a>(kind: Kind, values: impl Iterator<Item = Option<&'a Value>>) -> Box<dyn ToSql + Sync> {
    match kind {
        Kind::Integer => Box::new(values.map(integer).collect::<Vec<_>>()),
        Kind::Text => Box::new(values.map(text).collect::<Vec<_>>()),
        Kind::Bytes => Box::new(values.map(bytes).collect::<Vec<_>>()),
        Kind::Id => Box::new(values.map(id).collect::<Vec<_>>()),
    }
}
