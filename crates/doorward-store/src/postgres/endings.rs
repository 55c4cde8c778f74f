//! Ending one session: a task that does it for all callers of the node, many with one commit.
//!
//! Endings of all nodes take turns at one row (`session.rs` says why), and each turn lasts a commit. One at a time
//! they would be as many a second as the disk can flush; together they are that many times [`MAX_BATCH`].
//!
//! The surprise: a batch waits for no session. One that somebody else holds at that moment is left out, and its
//! caller ends it alone, so that nobody waits for another one's session, and two batches cannot wait for each other.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::iter;
use std::sync::Arc;

use doorward_core::account::AccountId;
use doorward_core::session::{EndedSession, SessionId};
use doorward_core::{Error, Result, Timestamp};
use tokio::sync::{mpsc, oneshot};

use super::readers::Readers;
use super::writers::Writers;
use super::{session, write};

/// The most endings that share a commit. With more the first would wait longer than a commit takes.
const MAX_BATCH: usize = 256;

/// The most endings that wait. Past that the database is not keeping up, and a caller is better told so at once.
const MAX_QUEUE: usize = 4096;

/// One session to end.
pub(super) struct Wanted {
    pub(super) session: SessionId,
    pub(super) account: AccountId,
    pub(super) at: Timestamp,
}

type Reply = oneshot::Sender<Result<Option<EndedSession>>>;

/// The task as its callers see it. It ends what is queued when this is dropped.
pub(super) struct Endings {
    queue: mpsc::Sender<(Wanted, Reply)>,
}

impl Endings {
    pub(super) fn start(readers: Arc<Readers>, writers: Arc<Writers>) -> Self {
        let (queue, mut wanted) = mpsc::channel(MAX_QUEUE);
        tokio::spawn(async move {
            let mut batch = Vec::new();
            while wanted.recv_many(&mut batch, MAX_BATCH).await > 0 {
                if let Err(error @ Error::Unavailable(_)) = end(&readers, &writers, &mut batch).await {
                    // Those who queued meanwhile are not made to wait that long again, batch after batch.
                    for (_, reply) in iter::from_fn(|| wanted.try_recv().ok()).take(MAX_QUEUE) {
                        drop(reply.send(Err(error.clone())));
                    }
                }
            }
        });
        Self { queue }
    }

    /// Ends a session together with others, and answers after the commit. `None` when it did not live, or was held
    /// by somebody else; only ending it alone tells which.
    ///
    /// # Errors
    /// When too many wait, or the commit fails, or one fails behind which this one waited.
    pub(super) async fn end(&self, wanted: Wanted) -> Result<Option<EndedSession>> {
        let (reply, answer) = oneshot::channel();
        let queued = self.queue.try_send((wanted, reply));
        queued.map_err(|_| Error::unavailable("too many sessions wait to be ended"))?;
        let lost = || Err(Error::unavailable("the task that ends sessions is gone"));
        answer.await.unwrap_or_else(|_| lost())
    }
}

/// Ends a batch and answers each of its callers. Nobody listens where a caller has gone away.
///
/// # Errors
/// What they were answered, when the commit failed.
async fn end(readers: &Readers, writers: &Writers, batch: &mut Vec<(Wanted, Reply)>) -> Result<()> {
    let mut asked = HashMap::with_capacity(batch.len());
    for (wanted, reply) in batch.drain(..) {
        match asked.entry(wanted.session) {
            Entry::Vacant(place) => drop(place.insert((wanted, reply))),
            // Twice at once, or of two accounts: it is for one of them, and the other finds out alone.
            Entry::Occupied(_) => drop(reply.send(Ok(None))),
        }
    }
    let wanted: Vec<&Wanted> = asked.values().map(|(wanted, _)| wanted).collect();
    let wanted = &wanted;
    let ended = write(readers, writers, |link| async move {
        session::end_many(&link, wanted).await
    });
    match ended.await {
        Ok(ended) => {
            for ended in ended {
                if let Some((_, reply)) = asked.remove(&ended.session) {
                    drop(reply.send(Ok(Some(ended))));
                }
            }
            for (_, reply) in asked.into_values() {
                drop(reply.send(Ok(None)));
            }
            Ok(())
        }
        Err(error) => {
            for (_, reply) in asked.into_values() {
                drop(reply.send(Err(error.clone())));
            }
            Err(error)
        }
    }
}
