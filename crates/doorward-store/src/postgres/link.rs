//! One connection, with the statements it has prepared.
//!
//! The surprise: everything takes `&self`. What is asked while an answer is awaited is sent at once, and the
//! answers come in the order of the questions; so readers may share a link, and a transaction may not.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Row, Statement};

use super::fault::{Fault, Undo};
use super::hidden::{given, hide};

/// How long to wait for an answer: longer than PostgreSQL lets a statement run, so that it is only ever reached
/// when the server or the network is gone without a word.
pub(super) const ANSWER_TIMEOUT: Duration = Duration::from_secs(8);

pub(super) type Parameters<'a> = &'a [&'a (dyn ToSql + Sync)];

/// What the driver answers.
pub(super) type Answer<T> = Result<T, tokio_postgres::Error>;

pub(super) struct Link {
    client: Client,
    /// As many as there are constants with statements in the files of the nouns.
    statements: RwLock<HashMap<&'static str, Statement>>,
    spoiled: AtomicBool,
    /// Spoiled because no answer came, so that the server may still be at work for it.
    silent: AtomicBool,
    /// An answer is late, so that whatever is asked now may have to wait behind it.
    late: AtomicBool,
    given_up: Notify,
}

/// A transaction that has begun. Dropped before it has ended (by a panic, or because nobody waits for it any
/// more), it takes the connection with it, and PostgreSQL takes it back.
struct Begun<'a> {
    link: &'a Link,
    ended: bool,
}

impl Drop for Begun<'_> {
    fn drop(&mut self) {
        if !self.ended {
            self.link.spoil();
        }
    }
}

/// Runs `work` in a transaction; nobody else may use the link meanwhile. Committed when `work` succeeds, taken
/// back when it does not.
///
/// # Errors
/// When `work` or the commit fails. After a commit whose answer was lost nobody knows whether it was made.
pub(super) async fn transaction<T, W>(link: Arc<Link>, work: impl Fn(Arc<Link>) -> W) -> Result<T, Fault>
where
    W: Future<Output = Result<T, Undo<T>>>,
{
    // Before it is asked for: who is dropped while it waits for the answer may have a transaction, too.
    let mut begun = Begun {
        link: &link,
        ended: false,
    };
    link.batch("BEGIN").await?;
    let result = match work(Arc::clone(&link)).await {
        // It is taken back with the connection: there is nobody to be asked for it.
        Err(Undo::Fault(fault)) if !link.is_usable() => return Err(fault),
        result => result,
    };
    let end = if result.is_ok() { "COMMIT" } else { "ROLLBACK" };
    link.batch(end).await?;
    begun.ended = true;
    match result {
        Ok(answer) | Err(Undo::Answer(answer)) => Ok(answer),
        Err(Undo::Fault(fault)) => Err(fault),
    }
}

impl Link {
    pub(super) fn new(client: Client) -> Self {
        Self {
            client,
            statements: RwLock::default(),
            spoiled: AtomicBool::new(false),
            silent: AtomicBool::new(false),
            late: AtomicBool::new(false),
            given_up: Notify::new(),
        }
    }

    /// Whether it may be used again.
    pub(super) fn is_usable(&self) -> bool {
        !self.spoiled.load(Ordering::Acquire) && !self.client.is_closed()
    }

    /// Whether it is of no more use since no answer came, and the server may still be at work for it.
    pub(super) fn is_silent(&self) -> bool {
        self.silent.load(Ordering::Acquire) && !self.client.is_closed()
    }

    /// Whether an answer is late, and nothing asked after it has been answered yet.
    pub(super) fn is_late(&self) -> bool {
        self.late.load(Ordering::Acquire)
    }

    /// Takes note that an answer is late, until everything that was asked so far has been answered. If that never is, the
    /// link is of no more use.
    pub(super) fn note_late(self: &Arc<Self>) {
        if self.late.swap(true, Ordering::AcqRel) {
            return;
        }
        let link = Arc::clone(self);
        tokio::spawn(async move {
            // Answered after everything before it. What it fails with spoils the link, or is an answer.
            drop(link.batch("").await);
            link.late.store(false, Ordering::Release);
        });
    }

    /// Waits until the server has done what it was asked for, or the connection has ended, however long that takes.
    pub(super) async fn settled(&self) {
        // Answered after everything before it.
        drop(self.client.batch_execute("").await);
    }

    /// Waits until somebody finds it to be of no use.
    pub(super) async fn given_up(&self) {
        self.given_up.notified().await;
    }

    /// All rows of an answer.
    pub(super) async fn rows(&self, sql: &'static str, parameters: Parameters<'_>) -> Result<Vec<Row>, Fault> {
        self.answered(self.ask(sql, parameters)).await
    }

    /// The same for one who decides himself how long to wait: what comes of it is for [`Link::judged`], and the rest of
    /// the wait for [`Link::answered`].
    pub(super) async fn ask(&self, sql: &'static str, parameters: Parameters<'_>) -> Answer<Vec<Row>> {
        let (statement, hidden) = (self.prepared(sql).await?, hide(parameters));
        self.client.query(&statement, &given(&hidden)).await
    }

    /// The row of an answer that has one or none.
    pub(super) async fn maybe(&self, sql: &'static str, parameters: Parameters<'_>) -> Result<Option<Row>, Fault> {
        self.answered(async {
            let (statement, hidden) = (self.prepared(sql).await?, hide(parameters));
            self.client.query_opt(&statement, &given(&hidden)).await
        })
        .await
    }

    /// The row of an answer that has one.
    pub(super) async fn one(&self, sql: &'static str, parameters: Parameters<'_>) -> Result<Row, Fault> {
        let row = self.maybe(sql, parameters).await?;
        row.ok_or_else(|| Fault::Nonsense(format!("no row: {sql}")))
    }

    /// How many rows were written.
    pub(super) async fn execute(&self, sql: &'static str, parameters: Parameters<'_>) -> Result<u64, Fault> {
        self.answered(async {
            let (statement, hidden) = (self.prepared(sql).await?, hide(parameters));
            self.client.execute(&statement, &given(&hidden)).await
        })
        .await
    }

    /// Runs statements without parameters.
    pub(super) async fn batch(&self, sql: &str) -> Result<(), Fault> {
        self.answered(self.client.batch_execute(sql)).await
    }

    async fn prepared(&self, sql: &'static str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(statement) = self.statements.read().get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).await?;
        self.statements.write().insert(sql, statement.clone());
        Ok(statement)
    }

    /// The answer to a question that was put to this link, if there is one in time.
    pub(super) async fn answered<T>(&self, question: impl Future<Output = Answer<T>>) -> Result<T, Fault> {
        match timeout(ANSWER_TIMEOUT, question).await {
            Ok(answer) => self.judged(answer),
            Err(_) => {
                self.silent.store(true, Ordering::Release);
                self.spoil();
                Err(Fault::Silence)
            }
        }
    }

    /// An answer of this link, which may be the end of it.
    pub(super) fn judged<T>(&self, answer: Answer<T>) -> Result<T, Fault> {
        let answer = answer.map_err(Fault::Postgres);
        if answer.as_ref().is_err_and(Fault::ends_connection) {
            self.spoil();
        }
        answer
    }

    fn spoil(&self) {
        self.spoiled.store(true, Ordering::Release);
        // Remembered when the keeper does not listen yet.
        self.given_up.notify_one();
    }
}
