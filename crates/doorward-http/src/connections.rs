//! How many connections there are. Whoever serves the router counts them, since nothing in here accepts any.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many connections are open, and how many may be. Copies count together.
#[derive(Clone, Debug)]
pub struct Connections {
    open: Arc<AtomicUsize>,
    most: usize,
}

impl Connections {
    /// None yet, of so many that may be open at once.
    pub fn new(most: usize) -> Self {
        Self {
            open: Arc::default(),
            most,
        }
    }

    /// How many may be open at once.
    pub fn most(&self) -> usize {
        self.most
    }

    /// How many are open.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }

    /// One was opened.
    pub fn opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
    }

    /// One that was opened has been closed. How many are left.
    pub fn closed(&self) -> usize {
        self.open.fetch_sub(1, Ordering::Relaxed).saturating_sub(1)
    }
}
