//! How nodes tell each other that something has changed: PostgreSQL's `LISTEN` and `NOTIFY`.
//!
//! It makes learning faster and nothing else: whoever listens looks by himself, too, since a word can be lost with
//! its connection, and some engines that speak PostgreSQL's protocol have no such words.
//!
//! The surprise: what is told is no part of the transaction that it is about. A transaction that notifies takes a
//! lock at its commit that all databases of the server share, and they would wait for each other. So the word comes
//! after the commit, on a connection of its own, and one word stands for all that was committed meanwhile.

use std::future::{pending, ready};
use std::sync::Arc;
use std::time::Duration;

use doorward_core::{Result, random};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{sleep, timeout};
use tokio_postgres::error::SqlState;
use tokio_postgres::{Client, Error};

use super::fault::{Fault, is_unknown, words};
use super::link::ANSWER_TIMEOUT;
use super::meeting;
use super::server::{self, NoLink, Server};

/// The pause after a word. In a storm of logouts a node says so many a second and not one for each; the first is
/// never delayed.
const PAUSE: Duration = Duration::from_millis(10);

/// Both ends of the channel for one node.
pub(super) struct Channel {
    server: Arc<Server>,
    ears: Arc<Ears>,
    /// What this node calls itself: it does not listen to itself.
    name: Arc<str>,
    /// The task that keeps the connection. Started by the first who wants to be told: a command that only changes
    /// something has no use for it.
    keeper: Mutex<Option<AbortHandle>>,
}

/// What the task and those who use the channel share. Neither loses what comes while nobody waits.
#[derive(Default)]
struct Ears {
    /// Something was heard.
    told: Notify,
    /// There is something to say.
    changed: Notify,
}

/// Why nobody listens.
enum Deaf {
    /// There is no connection, or it broke at once.
    Now(String),
    /// The engine does not know the words.
    Forever(String),
}

impl Channel {
    /// # Errors
    /// When the system has no random bytes.
    pub(super) fn new(server: Arc<Server>) -> Result<Self> {
        let name = u128::from_be_bytes(random::bytes()?);
        Ok(Self {
            server,
            ears: Arc::default(),
            name: format!("{name:032x}").into(),
            keeper: Mutex::default(),
        })
    }

    /// Resolves when another node has said something since the last time that this did, and when the connection is
    /// new: whatever was said before was not heard.
    pub(super) fn told(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        self.keeper.lock().get_or_insert_with(|| {
            let keeper = Keeper {
                server: Arc::clone(&self.server),
                ears: Arc::clone(&self.ears),
                name: Arc::clone(&self.name),
                failures: 0,
                warned: false,
            };
            tokio::spawn(keeper.keep()).abort_handle()
        });
        let ears = Arc::clone(&self.ears);
        async move { ears.told.notified().await }
    }

    /// Tells the others soon. Where nobody does that in the background, answers what to say to them now.
    pub(super) fn tell(&self) -> Option<String> {
        if self.keeper.lock().is_some() {
            self.ears.changed.notify_one();
            return None;
        }
        Some(word(&self.name))
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        if let Some(keeper) = self.keeper.lock().take() {
            keeper.abort();
        }
    }
}

/// Keeps the connection.
struct Keeper {
    server: Arc<Server>,
    ears: Arc<Ears>,
    name: Arc<str>,
    /// How often in a row there was no connection, or none that a word could be said on.
    failures: u32,
    /// It was logged that words cannot be said, and none has been said since.
    warned: bool,
}

impl Keeper {
    async fn keep(mut self) {
        loop {
            match self.listen().await {
                Ok((client, connection)) => {
                    // Whatever was said until now was not heard.
                    self.ears.told.notify_one();
                    tracing::debug!("listening to {}", self.server.shown);
                    tokio::select! {
                        // It learns of the end of the connection as soon, and keeps the word that was not said.
                        biased;
                        fault = self.speak(&client) => tracing::debug!("a word was not said: {fault:?}"),
                        _ = connection => {}
                    }
                }
                Err(Deaf::Forever(why)) => {
                    tracing::warn!(
                        "{} has no LISTEN and NOTIFY ({why}): what other nodes did is learnt by asking alone",
                        self.server.shown
                    );
                    return;
                }
                Err(Deaf::Now(why)) => {
                    self.failures += 1;
                    tracing::debug!("cannot listen to {}: {why}", self.server.shown);
                }
            }
            sleep(server::pause(self.failures)).await;
        }
    }

    async fn listen(&self) -> Result<(Client, JoinHandle<()>), Deaf> {
        let (ears, own) = (Arc::clone(&self.ears), Arc::clone(&self.name));
        let hear = move |name: &str| {
            if name != &*own {
                ears.told.notify_one();
            }
        };
        let connected = self.server.connect_hearing(hear).await;
        let (client, connection) = connected.map_err(|why: NoLink| Deaf::Now(why.words()))?;
        match timeout(ANSWER_TIMEOUT, listen(&client)).await {
            Ok(Ok(())) => Ok((client, connection)),
            Ok(Err(error)) if is_unknown(&error) => Err(Deaf::Forever(words(&error))),
            Ok(Err(error)) => Err(Deaf::Now(words(&error))),
            Err(_) => Err(Deaf::Now("no answer".to_owned())),
        }
    }

    /// Says what there is to say, until the connection fails. A server that refuses a word would refuse it on another
    /// connection as well; so this one listens on meanwhile, and where words are never allowed it does nothing else.
    async fn speak(&mut self, client: &Client) -> Fault {
        let word = word(&self.name);
        loop {
            tokio::select! {
                biased;
                () = self.ears.changed.notified() => {}
                () = ready(()) => {
                    // Nothing is to be said, so nothing fails.
                    self.failures = 0;
                    self.ears.changed.notified().await;
                }
            }
            let fault = match timeout(ANSWER_TIMEOUT, client.batch_execute(&word)).await {
                Ok(Ok(())) => {
                    (self.failures, self.warned) = (0, false);
                    sleep(PAUSE).await;
                    continue;
                }
                Ok(Err(error)) => Fault::Postgres(error),
                Err(_) => Fault::Silence,
            };
            // To be said later, or on the next connection.
            self.ears.changed.notify_one();
            self.failures += 1;
            match &fault {
                Fault::Postgres(error) if !fault.ends_connection() => {
                    self.complain(error);
                    if is_unknown(error) {
                        pending::<()>().await;
                    }
                }
                _ => return fault,
            }
            sleep(server::pause(self.failures)).await;
        }
    }

    /// Tells the first refusal since a word was said.
    fn complain(&mut self, error: &Error) {
        if self.warned {
            return;
        }
        self.warned = true;
        let hint = if error.code() == Some(&SqlState::INSUFFICIENT_PRIVILEGE) {
            "let the user of the URL do so, `GRANT EXECUTE ON FUNCTION pg_notify(text, text) TO USER`, and start again"
        } else if is_unknown(error) {
            "turn `database_notify` off"
        } else {
            "see whether some session listens in a transaction that does not end; it is tried again and again"
        };
        tracing::warn!(
            "{} lets nobody notify ({}): what other nodes do is learnt by asking alone; hint: {hint}",
            self.server.shown,
            words(error)
        );
    }
}

/// The connection that listens writes nothing but words, which need not outlive the server; so it does not hold the lock
/// of all who notify until a disk or a standby has them.
async fn listen(client: &Client) -> Result<(), Error> {
    let ask = format!("SELECT {}", meeting::channel());
    let channel: String = client.query_one(&ask, &[]).await?.try_get(0)?;
    let listen = format!("SET synchronous_commit = 'off'; LISTEN {channel}");
    client.batch_execute(&listen).await
}

/// What the node of this name says.
fn word(name: &str) -> String {
    format!("SELECT pg_notify({}, '{name}')", meeting::channel())
}
