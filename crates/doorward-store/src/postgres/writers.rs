//! Connections for writing, lent to one at a time and made when they are needed.
//!
//! The surprise: a write whose caller has gone away is not called back. What was sent happens; only a
//! transaction that was left in the middle is taken back, with its connection. And a connection that does not answer
//! keeps its place: a commit that waits for a standby holds a connection of the server for as long as it waits,
//! whether anybody listens or not, and making another one for each that is given up would soon use them all up. Nobody
//! could connect then, not even to end the wait.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};
use tokio::time::timeout;

use super::fault::Fault;
use super::link::Link;
use super::readers::{Readers, Renewal};
use super::server::Server;

/// How many may wait for a connection. Each takes milliseconds; who comes after so many would wait for seconds.
const MAX_QUEUE: usize = 4096;

/// How long to wait for a connection when all are lent.
const WAIT: Duration = Duration::from_secs(5);

pub(super) struct Writers {
    server: Arc<Server>,
    /// A stack: what was used last is the least likely to have died. Never more than there are places.
    idle: Mutex<Vec<Arc<Link>>>,
    /// One for each connection there may be.
    places: Arc<Semaphore>,
    /// One for each who has a place or waits for one.
    queue: Semaphore,
}

/// A connection of one's own; goes back when dropped, if it still is of use.
pub(super) struct Lease<'a> {
    link: Arc<Link>,
    home: &'a Writers,
    /// There until it is dropped.
    stay: Option<(OwnedSemaphorePermit, Renewal)>,
    _queued: SemaphorePermit<'a>,
}

impl Lease<'_> {
    /// The connection, for as long as the lease lasts.
    pub(super) fn link(&self) -> Arc<Link> {
        Arc::clone(&self.link)
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if self.link.is_usable() {
            self.home.idle.lock().push(Arc::clone(&self.link));
        } else if self.link.is_silent()
            && let (Some((place, renewal)), Ok(runtime)) = (self.stay.take(), Handle::try_current())
        {
            runtime.spawn(settle(Arc::clone(&self.link), place, renewal));
        }
    }
}

/// Keeps the place of a connection that does not answer, until it does or ends. When those who read have lost or made
/// a connection meanwhile, it is not one commit that waits but the server or the way there that is gone, and who writes
/// may have to connect to another one.
async fn settle(link: Arc<Link>, place: OwnedSemaphorePermit, renewal: Renewal) {
    tokio::select! {
        () = link.settled() => {}
        () = renewal.happened() => {}
    }
    drop(place);
}

impl Writers {
    pub(super) fn new(server: Arc<Server>, count: usize) -> Self {
        Self {
            server,
            idle: Mutex::default(),
            places: Arc::new(Semaphore::new(count.max(1))),
            queue: Semaphore::new(count.max(1) + MAX_QUEUE),
        }
    }

    /// Lends a connection. While nobody can read either, it does not even try to make one: that would take as
    /// long as a dead host takes not to answer.
    ///
    /// # Errors
    /// When too many wait, none becomes free in time, or none can be made.
    pub(super) async fn lend(&self, readers: &Readers) -> Result<Lease<'_>, Fault> {
        let busy = |what: &str| Fault::Unreachable(format!("all connections that write are taken, and {what}"));
        let queued = self.queue.try_acquire().map_err(|_| busy("too many wait for one"))?;
        let renewal = readers.renewal();
        let place = timeout(WAIT, Arc::clone(&self.places).acquire_owned()).await;
        let Ok(Ok(place)) = place else {
            return Err(busy("none became free in time"));
        };
        let link = match self.idle() {
            Some(link) => link,
            None => {
                readers.reachable().await?;
                let (link, _task) = self.server.connect().await.map_err(|why| why.fault())?;
                Arc::new(link)
            }
        };
        Ok(Lease {
            link,
            home: self,
            stay: Some((place, renewal)),
            _queued: queued,
        })
    }

    /// The idle connection that was used last, of those that still live.
    fn idle(&self) -> Option<Arc<Link>> {
        let mut idle = self.idle.lock();
        while let Some(link) = idle.pop() {
            if link.is_usable() {
                return Some(link);
            }
        }
        None
    }
}
