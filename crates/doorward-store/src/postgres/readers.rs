//! Connections that are shared by everybody who reads, and kept alive in the background.
//!
//! The surprise: readers share because they never wait for a lock. One who did would make everybody wait whose
//! question stands behind his in the same connection; so writers have connections of their own.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use doorward_core::Result;
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{sleep, timeout};
use tokio_postgres::Row;

use super::fault::Fault;
use super::link::{Answer, Link, Parameters};
use super::server::{self, NoLink, Server};

/// For how long a question waits when there is no connection at all. Enough for a connection that was just lost
/// to be replaced; during an outage nobody is kept waiting for nothing.
const PATIENCE: Duration = Duration::from_millis(500);

/// How long an answer is waited for before another connection is asked as well: far longer than any takes while all is
/// well. That a connection has fallen silent is certain only after seconds.
const HEDGE_AFTER: Duration = Duration::from_millis(500);

pub(super) struct Readers {
    living: watch::Receiver<Living>,
    /// Counts questions, to put them to each link in turn.
    next: AtomicUsize,
    keepers: Vec<AbortHandle>,
}

type Living = Vec<Arc<Link>>;

/// Tells whether a connection has been lost or made since this was taken.
pub(super) struct Renewal(watch::Receiver<Living>);

impl Renewal {
    /// Waits until one is, or nobody keeps any more.
    pub(super) async fn happened(mut self) {
        drop(self.0.changed().await);
    }
}

impl Readers {
    /// Shares the first connection, and sees to it that there are `count` of them, whatever becomes of any.
    pub(super) fn start(server: &Arc<Server>, first: (Link, JoinHandle<()>), count: usize) -> Self {
        let (living, seen) = watch::channel(Vec::new());
        let keeper = Arc::new(Keeper {
            server: Arc::clone(server),
            living,
        });
        let mut made = Some(first);
        let keepers = (0..count.max(1)).map(|_| {
            let made = made.take();
            if let Some((link, task)) = made {
                let link = keeper.share(link);
                tokio::spawn(Arc::clone(&keeper).keep(Some((link, task)))).abort_handle()
            } else {
                tokio::spawn(Arc::clone(&keeper).keep(None)).abort_handle()
            }
        });
        Self {
            keepers: keepers.collect(),
            living: seen,
            next: AtomicUsize::new(0),
        }
    }

    /// All rows of an answer. A question whose connection broke is put again, and one whose answer is late to another
    /// connection as well: reading twice does no harm. All may have broken together and each be found out in turn, so
    /// there are as many attempts, and one more.
    ///
    /// # Errors
    /// When the statement fails, or no connection can be had.
    pub(super) async fn rows(&self, sql: &'static str, parameters: Parameters<'_>) -> Result<Vec<Row>> {
        let mut lost = None;
        for _ in 0..=self.keepers.len() {
            let link = self.link().await?;
            let mut question = pin!(link.ask(sql, parameters));
            // While all is well there is this one timer, and not that of the link as well.
            let answer = match timeout(HEDGE_AFTER, &mut question).await {
                Ok(answer) => link.judged(answer),
                Err(_) => Box::pin(self.hedged(&link, question, sql, parameters)).await,
            };
            match answer {
                Err(fault) if fault.is_lost() => lost = Some(fault),
                answer => return Ok(answer?),
            }
        }
        Err(lost.unwrap_or(Fault::Silence).into())
    }

    /// The first answer of two links to a question that one of them is late with. Another one that is late, too, is not
    /// asked: then it is the database that is slow, and more questions are no help.
    async fn hedged(
        &self,
        late: &Arc<Link>,
        question: impl Future<Output = Answer<Vec<Row>>>,
        sql: &'static str,
        parameters: Parameters<'_>,
    ) -> Result<Vec<Row>, Fault> {
        late.note_late();
        let mut first = pin!(late.answered(question));
        let Some(other) = self.pick().filter(|other| !other.is_late()) else {
            return first.await;
        };
        let mut second = pin!(other.rows(sql, parameters));
        tokio::select! {
            answer = &mut first => match answer {
                Ok(rows) => Ok(rows),
                Err(_) => second.await,
            },
            answer = &mut second => match answer {
                Ok(rows) => Ok(rows),
                Err(_) => first.await,
            },
        }
    }

    pub(super) fn renewal(&self) -> Renewal {
        let mut living = self.living.clone();
        living.mark_unchanged();
        Renewal(living)
    }

    /// Waits until there is any connection; not for long.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn reachable(&self) -> Result<(), Fault> {
        self.link().await.map(drop)
    }

    async fn link(&self) -> Result<Arc<Link>, Fault> {
        if let Some(link) = self.pick() {
            return Ok(link);
        }
        let mut living = self.living.clone();
        let found = timeout(
            PATIENCE,
            living.wait_for(|links| links.iter().any(|link| link.is_usable())),
        )
        .await
        // What is found holds the list, and has to be let go of here: whoever wants to change the list waits for that,
        // and `pick` for him.
        .is_ok_and(|found| found.is_ok());
        let link = if found { self.pick() } else { None };
        link.ok_or_else(unreachable)
    }

    /// The next link in turn that can be used; one that is late only where all are.
    fn pick(&self) -> Option<Arc<Link>> {
        let links = self.living.borrow();
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % links.len().max(1);
        let (before, after) = links.split_at_checked(turn)?;
        let usable = || after.iter().chain(before).filter(|link| link.is_usable());
        let link = usable().find(|link| !link.is_late()).or_else(|| usable().next());
        link.map(Arc::clone)
    }
}

fn unreachable() -> Fault {
    Fault::Unreachable("there is no connection to PostgreSQL".to_owned())
}

impl Drop for Readers {
    /// The links say goodbye to the server when the last who reads from them has his answer.
    fn drop(&mut self) {
        for keeper in &self.keepers {
            keeper.abort();
        }
    }
}

/// What the tasks that keep connections alive have in common.
struct Keeper {
    server: Arc<Server>,
    living: watch::Sender<Living>,
}

impl Keeper {
    fn share(&self, link: Link) -> Arc<Link> {
        let link = Arc::new(link);
        self.living.send_modify(|links| {
            if links.is_empty() {
                tracing::info!("connected to {}", self.server.shown);
            }
            links.push(Arc::clone(&link));
        });
        link
    }

    /// Keeps one connection: when it is lost, another one takes its place as soon as there can be one.
    async fn keep(self: Arc<Self>, mut made: Option<(Arc<Link>, JoinHandle<()>)>) {
        let mut failures = 0;
        loop {
            let connected = match made.take() {
                Some(connected) => Ok(connected),
                None => self
                    .server
                    .connect_to_stay()
                    .await
                    .map(|(client, task)| (self.share(Link::new(client)), task)),
            };
            match connected {
                Ok((link, task)) => {
                    failures = 0;
                    tokio::select! {
                        _ = task => {}
                        () = link.given_up() => {}
                    }
                    self.forget(&link);
                }
                Err(why) => {
                    failures += 1;
                    self.complain(failures, &why);
                }
            }
            sleep(server::pause(failures)).await;
        }
    }

    fn forget(&self, lost: &Arc<Link>) {
        self.living.send_modify(|links| {
            links.retain(|link| !Arc::ptr_eq(link, lost));
            if links.is_empty() {
                tracing::error!(
                    "lost the last connection to {}; trying again and again",
                    self.server.shown
                );
            }
        });
    }

    /// Tells the first failure of a row, if nobody else has a connection either.
    fn complain(&self, failures: u32, why: &NoLink) {
        if failures == 1 && self.living.borrow().is_empty() {
            tracing::error!("cannot connect to {}: {}", self.server.shown, why.words());
        } else {
            tracing::debug!("cannot connect to {}: {}", self.server.shown, why.words());
        }
    }
}
