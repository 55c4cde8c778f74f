//! The places for connections, and who is told when all are taken.
//!
//! The surprise: that there are places again is told late. A server at its limit has one free each time that somebody
//! goes, and its log would have two lines for each connection.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use doorward_http::Connections;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What part of all places has to be free before that is told.
const FREE_AGAIN: usize = 10;

/// The places of a server.
pub(super) struct Places {
    free: Arc<Semaphore>,
    connections: Connections,
    /// Whether the log has it that all are taken.
    full: AtomicBool,
}

/// The place of a connection, for as long as there is one.
pub(super) struct Place {
    places: Arc<Places>,
    _permit: OwnedSemaphorePermit,
}

impl Places {
    pub(super) fn new(connections: Connections) -> Arc<Self> {
        Arc::new(Self {
            free: Arc::new(Semaphore::new(connections.most())),
            connections,
            full: AtomicBool::new(false),
        })
    }

    /// The right to a place, once there is one.
    pub(super) async fn wait(&self) -> Option<OwnedSemaphorePermit> {
        if let Some(permit) = self.try_wait() {
            return Some(permit);
        }
        if !self.full.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                max_connections = self.connections.most(),
                "every place for a connection is taken; further clients wait until one closes"
            );
        }
        Arc::clone(&self.free).acquire_owned().await.ok()
    }

    /// The right to a place, if there is one.
    pub(super) fn try_wait(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }

    /// Takes a place for a connection.
    pub(super) fn take(self: &Arc<Self>, permit: OwnedSemaphorePermit) -> Place {
        self.connections.opened();
        Place {
            places: Arc::clone(self),
            _permit: permit,
        }
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.connections.open()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Places { connections, full, .. } = &*self.places;
        let (open, most) = (connections.closed(), connections.most());
        let is_free = open.saturating_add(most.div_ceil(FREE_AGAIN)) <= most;
        if is_free && full.swap(false, Ordering::Relaxed) {
            tracing::info!(connections = open, "there are places for connections again");
        }
    }
}
