//! What a verifier says to its log.
//!
//! The surprise: it is heard on the thread of the test alone. So a test that listens has only that one.

use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;
use tracing::Dispatch;
use tracing::subscriber::DefaultGuard;

/// Listens until it is dropped.
pub(crate) struct Log {
    lines: Lines,
    _heard: DefaultGuard,
    /// While there is only one, `tracing` asks the thread that comes to a line first whether anybody wants to hear it,
    /// and believes that for all threads.
    _second: Dispatch,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    pub(crate) fn listen() -> Self {
        let lines = Lines::default();
        let writer = lines.clone();
        let second = Dispatch::new(tracing_subscriber::fmt().with_writer(io::sink).finish());
        let subscriber = tracing_subscriber::fmt().with_writer(move || writer.clone()).finish();
        Self {
            lines,
            _second: second,
            _heard: tracing::subscriber::set_default(subscriber),
        }
    }

    /// How many lines have the text.
    pub(crate) fn count(&self, text: &str) -> usize {
        let lines = String::from_utf8(self.lines.0.lock().clone()).unwrap();
        lines.lines().filter(|line| line.contains(text)).count()
    }

    /// Waits until there is a line with the text.
    pub(crate) async fn until(&self, text: &str) {
        while self.count(text) == 0 {
            tokio::task::yield_now().await;
        }
    }
}
