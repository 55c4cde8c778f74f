//! The PostgreSQL engine: a server that many nodes share.
//!
//! The surprise: there are two kinds of connections. Reads share a few, each of them many reads at once, since a
//! read never waits for anything but its answer. A write may wait for another one's lock, and has a connection
//! of its own for that long.
//!
//! Whatever runs for a request keeps off what other engines that speak PostgreSQL's protocol say that they do not
//! have: no deferred constraints, no transaction ids, no lock of the advisory kind without a way to do without it.
//! `tests/it/postgres/portable.rs` has the list.

mod account;
mod channel;
mod client;
mod endings;
mod fault;
mod forgotten;
mod hidden;
mod key;
mod link;
mod lookups;
mod meeting;
mod migrations;
mod pooler;
mod probe;
mod readers;
mod realm;
mod refresh;
mod row;
mod server;
mod session;
mod status_list;
mod store;
mod tls;
mod transfer;
mod url;
mod writers;

use std::sync::Arc;
use std::time::Duration;

use doorward_core::{Result, SetupError};
use tokio::time::sleep;

use self::channel::Channel;
use self::endings::Endings;
use self::fault::{Fault, Undo};
use self::link::Link;
use self::lookups::Lookups;
use self::readers::Readers;
use self::server::Server;
pub(crate) use self::transfer::TransferEnd;
pub use self::url::PostgresUrl;
use self::writers::Writers;
use crate::Schema;

/// How often a write is tried that PostgreSQL takes back for the sake of another one. Each time one of those who
/// met got through; so many in a row are an overload and not a coincidence.
const MAX_ATTEMPTS: u32 = 8;

/// The pause before the second attempt; each further one is that much longer.
const CONFLICT_PAUSE: Duration = Duration::from_millis(5);

/// How many connections a node has.
#[derive(Clone, Copy, Debug)]
pub struct PostgresOptions {
    /// Connections that all reads share; at least one. Questions that share one are sent and answered together, so few
    /// are faster than many until the server needs more than that many cores for them.
    pub readers: usize,
    /// The most connections for writes, made when they are needed. Each commits once at a time; at least one.
    pub writers: usize,
    /// Whether nodes tell each other of changes (`LISTEN` and `NOTIFY`), with one more connection for whoever asks
    /// to be [told](doorward_core::store::Store::told).
    pub notify: bool,
    /// What may be done to the schema.
    pub schema: Schema,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            readers: 2,
            writers: 8,
            notify: true,
            schema: Schema::default(),
        }
    }
}

/// An open PostgreSQL database. Implements [`Store`](doorward_core::store::Store).
pub(crate) struct Postgres {
    readers: Arc<Readers>,
    writers: Arc<Writers>,
    endings: Endings,
    lookups: Lookups,
    /// `None` when nodes are not to tell each other.
    channel: Option<Channel>,
}

impl Postgres {
    pub(crate) async fn open(url: &PostgresUrl, options: PostgresOptions) -> Result<Self, SetupError> {
        let server = Arc::new(Server::new(url)?);
        let shown = &server.shown;
        pooler::refuse(&server).await.map_err(|why| why.explain(shown))?;
        // Nobody moves the database from here on: what is moved is not to change, least of all its schema.
        let (client, task) = server.connect_to_stay().await.map_err(|why| why.explain(shown))?;
        migrations::apply(&client, shown, options.schema).await?;
        let first = (Link::new(client), task);
        let channel = options.notify.then(|| Channel::new(Arc::clone(&server))).transpose();
        let channel = channel.map_err(|error| SetupError::new(error.to_string(), "look into the system's log"))?;
        let readers = Arc::new(Readers::start(&server, first, options.readers));
        let writers = Arc::new(Writers::new(server, options.writers));
        Ok(Self {
            endings: Endings::start(Arc::clone(&readers), Arc::clone(&writers)),
            lookups: Lookups::start(&readers),
            readers,
            writers,
            channel,
        })
    }

    /// Tells the other nodes, if they are to be told, that something they remember has changed. What was changed is
    /// committed by now and stays so, whatever becomes of the word: they look by themselves, too.
    async fn tell(&self) {
        let Some(word) = self.channel.as_ref().and_then(Channel::tell) else {
            return;
        };
        let word = &word;
        let said = self.write(|link| async move { link.batch(word).await }).await;
        if let Err(error) = said {
            tracing::debug!(%error, "the other nodes were not told");
        }
    }

    /// As the function [`write`].
    async fn write<T, W>(&self, work: impl Fn(Arc<Link>) -> W) -> Result<T>
    where
        W: Future<Output = Result<T, Fault>>,
    {
        write(&self.readers, &self.writers, work).await
    }

    /// Runs `work` in a transaction, and otherwise as [`Postgres::write`] does.
    async fn transaction<T, W>(&self, work: impl Fn(Arc<Link>) -> W) -> Result<T>
    where
        W: Future<Output = Result<T, Undo<T>>>,
    {
        self.write(|link| link::transaction(link, &work)).await
    }
}

/// Runs `work` on a connection of its own, again if PostgreSQL takes it back for the sake of another write.
///
/// # Errors
/// When `work` fails or no connection can be had. When the connection breaks, nobody knows whether what was
/// sent last has happened, and it is not tried again.
async fn write<T, W>(readers: &Readers, writers: &Writers, work: impl Fn(Arc<Link>) -> W) -> Result<T>
where
    W: Future<Output = Result<T, Fault>>,
{
    let mut attempt = 1;
    loop {
        let lease = writers.lend(readers).await?;
        match work(lease.link()).await {
            Err(fault) if fault.is_conflict() && attempt < MAX_ATTEMPTS => {
                drop(lease);
                sleep(CONFLICT_PAUSE * attempt).await;
                attempt += 1;
            }
            answer => return Ok(answer?),
        }
    }
}
