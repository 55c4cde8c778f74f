//! A network between two that are on one machine: it passes on what is sent, or cuts it, or delays it.
//!
//! The surprise: it can tell one request from another by its first bytes, so that it can take away the feed and
//! nothing else.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// What happens to what is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// It arrives.
    Pass,
    /// Nobody gets through, and who is through is cut off.
    Cut,
    /// The same for whoever asks for a path that begins so.
    Without(&'static str),
    /// What the server says arrives so much later.
    Delay(Duration),
}

struct State {
    rule: Rule,
    target: SocketAddr,
    /// Both ends of whatever is connected.
    connections: Vec<TcpStream>,
    /// What each began with that came, since somebody asked last.
    requests: Vec<String>,
}

/// The network.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Relay {
    pub(crate) fn new(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State {
            rule: Rule::Pass,
            target,
            connections: Vec::new(),
            requests: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || connect(client, &state));
            }
        });
        Self { address, state }
    }

    /// From now on. Whoever is connected is cut off, but for a delay.
    pub(crate) fn set(&self, rule: Rule) {
        let mut state = self.state.lock();
        state.rule = rule;
        if matches!(rule, Rule::Cut | Rule::Without(_)) {
            state.cut();
        }
    }

    /// The first request of each connection that asked for a path which begins so, since the last call.
    pub(crate) fn take_requests(&self, path: &str) -> Vec<String> {
        let mut requests = std::mem::take(&mut self.state.lock().requests);
        requests.retain(|request| asks_for(request, path));
        requests
    }

    /// Leads somewhere else from now on.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        let mut state = self.state.lock();
        state.target = target;
        state.cut();
    }
}

impl State {
    fn cut(&mut self) {
        for connection in self.connections.drain(..) {
            // It may be over already.
            drop(connection.shutdown(Shutdown::Both));
        }
    }
}

fn asks_for(request: &str, path: &str) -> bool {
    request.contains(&format!(" {path}"))
}

fn connect(mut client: TcpStream, state: &Arc<Mutex<State>>) -> Option<()> {
    let mut first = [0; 16 * 1024];
    let length = client.read(&mut first).ok()?;
    let mut server = {
        // Held until both ends are known, so that nobody slips through a cut.
        let mut state = state.lock();
        let request = String::from_utf8_lossy(&first[..length]).into_owned();
        match state.rule {
            Rule::Cut => return None,
            Rule::Without(path) if asks_for(&request, path) => return None,
            _ => state.requests.push(request),
        }
        let server = TcpStream::connect(state.target).ok()?;
        server.set_nodelay(true).ok()?;
        state
            .connections
            .extend([client.try_clone().ok()?, server.try_clone().ok()?]);
        server
    };
    server.write_all(&first[..length]).ok()?;
    let (from, to) = (server.try_clone().ok()?, client.try_clone().ok()?);
    let rules = Arc::clone(state);
    std::thread::spawn(move || carry(from, to, move || rules.lock().rule));
    carry(client, server, || Rule::Pass)
}

/// Carries from one to the other until either is gone.
fn carry(mut from: TcpStream, mut to: TcpStream, rule: impl Fn() -> Rule) -> Option<()> {
    let (send, carried) = mpsc::sync_channel::<(Instant, Vec<u8>)>(1000);
    std::thread::scope(|scope| {
        scope.spawn(move || {
            for (due, bytes) in carried {
                std::thread::sleep(due.saturating_duration_since(Instant::now()));
                if to.write_all(&bytes).is_err() {
                    break;
                }
            }
            // Either may be gone already.
            drop(to.shutdown(Shutdown::Both));
        });
        let mut buffer = [0; 16 * 1024];
        loop {
            let read = from.read(&mut buffer).ok().filter(|read| *read > 0)?;
            let delay = match rule() {
                Rule::Delay(delay) => delay,
                _ => Duration::ZERO,
            };
            send.send((Instant::now() + delay, buffer[..read].to_vec())).ok()?;
        }
    })
}
