//! Accounts by their id: what is asked for while the database answers others is asked for together.
//!
//! One question for twenty accounts costs this process, the driver and PostgreSQL little more than one for a single
//! account; and a node that is busy always has more than one to ask for.
//!
//! The surprise: nobody waits for others to come, only for the question that is out, and for that not long ([`HOLD`]).
//! And nobody is told what was read before they came: whoever comes while a question is out is part of the next.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use doorward_core::account::{Account, AccountId};
use doorward_core::secret::PasswordHash;
use doorward_core::{Error, Result};
use tokio::sync::{Mutex, mpsc, oneshot};
use tokio::task::yield_now;
use tokio::time::timeout;

use super::account;
use super::readers::Readers;

/// For how long a question holds back the next. A database nearby has answered by then, and the next one asks for all
/// who have come meanwhile; over a slow network, and behind a question that takes long, several are out at once.
const HOLD: Duration = Duration::from_millis(1);

/// The most questions that are out at once.
const MAX_OUT: usize = 8;

/// The most accounts that one question asks for.
const MAX_BATCH: usize = 256;

/// The most callers that wait. Past that the database is not keeping up, and a caller is better told so at once.
const MAX_QUEUE: usize = 8192;

type Found = Option<(Account, PasswordHash)>;
type Wanted = (AccountId, oneshot::Sender<Result<Found>>);

/// The tasks that ask, as their callers see them. They end when this is dropped and what is queued is answered.
pub(super) struct Lookups {
    queue: mpsc::Sender<Wanted>,
}

impl Lookups {
    pub(super) fn start(readers: &Arc<Readers>) -> Self {
        let (queue, wanted) = mpsc::channel(MAX_QUEUE);
        let wanted = Arc::new(Mutex::new(wanted));
        for _ in 0..MAX_OUT {
            tokio::spawn(ask_again_and_again(Arc::clone(readers), Arc::clone(&wanted)));
        }
        Self { queue }
    }

    /// The account as it is now, with its password.
    ///
    /// # Errors
    /// When too many wait or the database cannot answer.
    pub(super) async fn account(&self, id: AccountId) -> Result<Found> {
        let (reply, answer) = oneshot::channel();
        let queued = self.queue.try_send((id, reply));
        queued.map_err(|_| Error::unavailable("too many wait to read an account"))?;
        let lost = || Err(Error::unavailable("the task that reads accounts is gone"));
        answer.await.unwrap_or_else(|_| lost())
    }
}

async fn ask_again_and_again(readers: Arc<Readers>, queue: Arc<Mutex<mpsc::Receiver<Wanted>>>) {
    let mut batch = Vec::new();
    loop {
        // Whoever holds the queue is the next to ask.
        let mut queue = queue.lock().await;
        if queue.recv_many(&mut batch, 1).await == 0 {
            return;
        }
        // Those who are about to want one say so before the question goes out; when nobody is, this takes no time.
        yield_now().await;
        while batch.len() < MAX_BATCH
            && let Ok(wanted) = queue.try_recv()
        {
            batch.push(wanted);
        }
        let mut asking = pin!(ask(&readers, &mut batch));
        if timeout(HOLD, &mut asking).await.is_err() {
            drop(queue);
            asking.await;
        }
    }
}

/// Asks for all accounts of a batch and answers each caller. Nobody listens where one has gone away.
async fn ask(readers: &Readers, batch: &mut Vec<Wanted>) {
    let ids: Vec<_> = batch.iter().map(|(id, _)| id.0).collect();
    let mut found: HashMap<AccountId, Result<(Account, PasswordHash)>> = match account::find_many(readers, &ids).await {
        Ok(found) => found,
        Err(error) => {
            for (_, reply) in batch.drain(..) {
                drop(reply.send(Err(error.clone())));
            }
            return;
        }
    };
    // Side by side, so that the last one who wants an account can have it, and nobody else's is copied.
    batch.sort_unstable_by_key(|(id, _)| *id);
    let mut wanted = batch.drain(..).peekable();
    while let Some((id, reply)) = wanted.next() {
        let is_last = wanted.peek().is_none_or(|(next, _)| *next != id);
        let account = if is_last {
            found.remove(&id)
        } else {
            found.get(&id).cloned()
        };
        drop(reply.send(account.transpose()));
    }
}
