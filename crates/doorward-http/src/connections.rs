//! How many connections there are. Whoever serves the router takes a place for each, since nothing in here accepts any.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// How many connections are open, and how many may be. Copies count together.
#[derive(Clone, Debug)]
pub struct Connections {
    free: Arc<Semaphore>,
    most: usize,
}

impl Connections {
    /// None yet, of so many that may be open at once.
    pub fn new(most: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(most)),
            most,
        }
    }

    /// How many may be open at once.
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.most.saturating_sub(self.free.available_permits())
    }

    /// Waits until one more may be opened, and takes nothing.
    pub async fn wait(&self) {
        // It is never closed; if it were, taking a place would say so.
        drop(self.free.acquire().await);
    }

    /// A place for one more, if it may be opened. It is open until that is dropped.
    pub fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.free).try_acquire_owned().ok()
    }
}
