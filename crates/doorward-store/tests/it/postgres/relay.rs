//! A network between a store and the server, on which single connections fall silent.
//!
//! The surprise: a connection that is silent stays open at both ends, as one does whose packets a firewall drops.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use doorward_store::PostgresUrl;
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use super::engine::server;
use super::server::PASSWORD;

#[derive(Default)]
struct Line {
    silent: AtomicBool,
    /// How often something came from the store since somebody began to count.
    asked: AtomicUsize,
}

#[derive(Default)]
struct State {
    lines: Mutex<Vec<Arc<Line>>>,
    /// Whoever asks next falls silent.
    silences: AtomicBool,
    connected: Notify,
}

/// The network. It goes on for as long as the runtime of its test.
pub struct Relay {
    port: u16,
    state: Arc<State>,
}

impl Relay {
    /// One to the server that all tests share.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State::default());
        tokio::spawn({
            let state = Arc::clone(&state);
            async move {
                while let Ok((store, _)) = listener.accept().await {
                    let server = TcpStream::connect(("127.0.0.1", server().port)).await.unwrap();
                    state.connect(store, server);
                }
            }
        });
        Self { port, state }
    }

    /// A database by this way.
    pub fn url(&self, database: &str) -> PostgresUrl {
        let url = format!("postgres://doorward:{PASSWORD}@127.0.0.1:{}/{database}", self.port);
        url.parse().unwrap()
    }

    /// Begins to count anew what is asked.
    pub fn count(&self) {
        for line in &*self.state.lines.lock() {
            line.asked.store(0, Ordering::SeqCst);
        }
    }

    /// On how many connections something came at least so often.
    pub fn asked(&self, times: usize) -> usize {
        let lines = self.state.lines.lock();
        let asked = lines.iter().filter(|line| line.asked.load(Ordering::SeqCst) >= times);
        asked.count()
    }

    /// Lets the connection fall silent on which something comes next; that is lost, too.
    pub fn silence_next(&self) {
        self.state.silences.store(true, Ordering::SeqCst);
    }

    /// How many connections were made.
    pub fn connections(&self) -> usize {
        self.state.lines.lock().len()
    }

    /// Waits until there were so many.
    pub async fn connected(&self, times: usize) {
        while self.connections() < times {
            self.state.connected.notified().await;
        }
    }
}

impl State {
    fn connect(self: &Arc<Self>, store: TcpStream, server: TcpStream) {
        store.set_nodelay(true).and(server.set_nodelay(true)).unwrap();
        let line = Arc::new(Line::default());
        self.lines.lock().push(Arc::clone(&line));
        self.connected.notify_one();
        let (from_store, to_store) = store.into_split();
        let (from_server, to_server) = server.into_split();
        let (state, asks) = (Arc::clone(self), Arc::clone(&line));
        let passes = move || {
            asks.asked.fetch_add(1, Ordering::SeqCst);
            if state.silences.swap(false, Ordering::SeqCst) {
                asks.silent.store(true, Ordering::SeqCst);
            }
            !asks.silent.load(Ordering::SeqCst)
        };
        tokio::spawn(carry(from_store, to_server, passes));
        tokio::spawn(carry(from_server, to_store, move || {
            !line.silent.load(Ordering::SeqCst)
        }));
    }
}

/// Carries what comes until it ends, or does not pass.
async fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, passes: impl Fn() -> bool) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = from.read(&mut buffer).await.unwrap_or(0);
        if !passes() {
            return pending().await;
        }
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
