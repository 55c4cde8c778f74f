//! The loader: clients that ask, read the answer and ask again (a closed loop). `open.rs` has the other kind.
//!
//! The surprise: what a client sends next is decided by a function that sees the last answer, after the time was
//! taken. So refreshing and logging out, where each request needs the answer before, are loops like any other.

use std::collections::BTreeMap;
use std::mem;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::answer::{Answer, MAX_ANSWER, Parsed, parse};
use crate::clock::{self, Span};
use crate::error::{Error, Result};
use crate::histogram::Histogram;
use crate::statistics::number;
use crate::wire::{PATIENCE, nonsense};

pub(crate) mod open;

/// Threads that load. Two keep any server busy that shares two cores with them; more would take its time.
const THREADS: usize = 2;

/// Statuses that put a client off: what it asked for was not done, and does not count as a rate.
const PUT_OFF: [u16; 2] = [429, 503];

/// What a client sends next, written into the empty buffer, given the last answer; false when it has nothing more to
/// ask.
pub(crate) type Script = Box<dyn FnMut(Option<&Answer<'_>>, &mut Vec<u8>) -> bool + Send>;

/// What came of a load.
#[derive(Clone, Default)]
pub(crate) struct Tally {
    /// Of every answer, whatever its status.
    pub(crate) latencies: Histogram,
    /// How often each status came.
    pub(crate) statuses: BTreeMap<u16, u64>,
    /// Answers that came before the time was up, but for those that put a client off.
    pub(crate) in_time: u64,
    /// How long it ran.
    pub(crate) seconds: f64,
    /// Of an open loop those that took long, one by one.
    pub(crate) long: Vec<Span>,
}

impl Tally {
    /// Answers a second.
    pub(crate) fn rate(&self) -> f64 {
        if self.seconds > 0.0 {
            number(self.in_time) / self.seconds
        } else {
            0.0
        }
    }

    /// Answers whose status is not of the 200s.
    pub(crate) fn refused(&self) -> u64 {
        let bad = self.statuses.iter().filter(|(status, _)| !(200..300).contains(*status));
        bad.map(|(_, count)| count).sum()
    }

    /// Fails when an answer had another status than this.
    pub(crate) fn only(self, what: &str, status: u16) -> Result<Self> {
        if self.statuses.keys().all(|is| *is == status) {
            return Ok(self);
        }
        Err(Error::new(format!(
            "{what}: answers other than {status}: {:?}",
            self.statuses
        )))
    }

    /// Takes over what another one counted in the same time.
    pub(crate) fn add(&mut self, other: &Self) {
        self.latencies.add(&other.latencies);
        for (status, count) in &other.statuses {
            *self.statuses.entry(*status).or_default() += count;
        }
        self.in_time += other.in_time;
        self.seconds = self.seconds.max(other.seconds);
        self.long.extend(&other.long);
    }

    fn record(&mut self, status: u16, latency: Duration) {
        self.latencies.record(latency);
        *self.statuses.entry(status).or_default() += 1;
    }
}

/// Clients that ask at the same time, each from a loopback address of its own, as people do.
pub(crate) struct Crowd {
    parts: Vec<(Runtime, Vec<Client>)>,
}

struct Client {
    source: IpAddr,
    target: SocketAddr,
    script: Script,
    next: Vec<u8>,
    has_next: bool,
    stream: Option<TcpStream>,
    bytes: Vec<u8>,
}

/// When a run ends.
#[derive(Clone)]
struct End {
    at: Instant,
    stop: Arc<AtomicBool>,
}

impl End {
    fn has_come(&self) -> bool {
        clock::now() >= self.at || self.stop.load(Ordering::Relaxed)
    }
}

impl Crowd {
    /// A crowd of these clients. Nothing is sent yet.
    pub(crate) fn new(scripts: impl IntoIterator<Item = (SocketAddr, Script)>) -> Result<Self> {
        let mut parts = Vec::new();
        for _ in 0..THREADS {
            parts.push((Builder::new_current_thread().enable_all().build()?, Vec::new()));
        }
        for (index, (target, mut script)) in scripts.into_iter().enumerate() {
            let mut next = Vec::new();
            let has_next = script(None, &mut next);
            let [_, _, high, low] = u32::try_from(index).unwrap_or(0).to_be_bytes();
            let client = Client {
                source: IpAddr::V4(Ipv4Addr::new(127, 1, high, low.max(1))),
                target,
                script,
                next,
                has_next,
                stream: None,
                bytes: Vec::with_capacity(4 << 10),
            };
            if let Some((_, clients)) = parts.get_mut(index % THREADS) {
                clients.push(client);
            }
        }
        Ok(Self { parts })
    }

    /// Lets them ask for a time, or until none has anything to ask. Connections stay open for the next run.
    pub(crate) fn run(&mut self, limit: Duration) -> Result<Tally> {
        self.run_until(limit, &Arc::default())
    }

    /// The same, or until it is told to stop.
    pub(crate) fn run_until(&mut self, limit: Duration, stop: &Arc<AtomicBool>) -> Result<Tally> {
        for (runtime, clients) in &mut self.parts {
            runtime.block_on(async {
                for client in clients {
                    client.connect().await?;
                }
                Ok::<(), Error>(())
            })?;
        }
        let began = clock::now();
        let end = End {
            at: began + limit,
            stop: Arc::clone(stop),
        };
        let mut tally = Tally::default();
        let parts = thread::scope(|scope| {
            let run = |(runtime, clients): &'_ mut (Runtime, Vec<Client>)| {
                clock::interrupt_nobody();
                let taken = mem::take(clients);
                let (back, tally) = runtime.block_on(run_all(taken, began, end.clone()))?;
                *clients = back;
                Ok::<Tally, Error>(tally)
            };
            let threads: Vec<_> = self
                .parts
                .iter_mut()
                .map(|part| scope.spawn(move || run(part)))
                .collect();
            threads
                .into_iter()
                .map(thread::ScopedJoinHandle::join)
                .collect::<Vec<_>>()
        });
        for part in parts {
            tally.add(&part.map_err(|_| Error::new("a thread of the loader died"))??);
        }
        Ok(tally)
    }
}

async fn run_all(clients: Vec<Client>, began: Instant, end: End) -> Result<(Vec<Client>, Tally)> {
    let mut tasks = JoinSet::new();
    for client in clients {
        tasks.spawn(client.run(began, end.clone()));
    }
    let (mut clients, mut all) = (Vec::new(), Tally::default());
    while let Some(done) = tasks.join_next().await {
        let (client, tally) = done??;
        clients.push(client);
        all.add(&tally);
    }
    Ok((clients, all))
}

impl Client {
    async fn run(mut self, began: Instant, end: End) -> Result<(Self, Tally)> {
        let mut tally = Tally::default();
        while self.has_next && !end.has_come() {
            let sent = clock::now();
            let answered = timeout(PATIENCE, self.ask(&mut tally, sent)).await;
            let (came, status) = answered.map_err(|_| Error::new("a client waited for a minute"))??;
            if came <= end.at && !PUT_OFF.contains(&status) {
                tally.in_time += 1;
            }
            tally.seconds = (came.min(end.at) - began).as_secs_f64();
        }
        // Whoever was cut short by the time has worked for all of it.
        if self.has_next && end.at <= clock::now() {
            tally.seconds = (end.at - began).as_secs_f64();
        }
        Ok((self, tally))
    }

    /// Sends what is next and reads the answer; says when it was there, and its status.
    async fn ask(&mut self, tally: &mut Tally, sent: Instant) -> Result<(Instant, u16)> {
        self.connect().await?;
        let Some(stream) = &mut self.stream else {
            return Err(Error::new("a client has no connection"));
        };
        stream.write_all(&self.next).await?;
        loop {
            if stream.read_buf(&mut self.bytes).await? == 0 {
                return Err(Error::new("the server hung up instead of answering"));
            }
            match parse(&self.bytes) {
                Parsed::Part if self.bytes.len() < MAX_ANSWER => {}
                Parsed::Whole(answer) => {
                    let came = clock::now();
                    tally.record(answer.status, came - sent);
                    self.next.clear();
                    self.has_next = (self.script)(Some(&answer), &mut self.next);
                    let (used, status) = (answer.length, answer.status);
                    self.bytes.drain(..used);
                    return Ok((came, status));
                }
                Parsed::Part | Parsed::Nonsense => return Err(nonsense(&self.bytes)),
            }
        }
    }

    async fn connect(&mut self) -> Result<()> {
        if self.stream.is_none() {
            let socket = TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(self.source, 0))?;
            let stream = socket.connect(self.target).await?;
            stream.set_nodelay(true)?;
            self.stream = Some(stream);
        }
        Ok(())
    }
}

/// A client that asks for the same thing for ever.
pub(crate) fn same(request: Vec<u8>) -> Script {
    Box::new(move |_, next| {
        next.extend_from_slice(&request);
        true
    })
}

/// A client that asks for each of these once.
pub(crate) fn each(requests: Vec<Vec<u8>>) -> Script {
    let mut requests = requests.into_iter();
    Box::new(move |_, next| {
        let request = requests.next();
        next.extend_from_slice(request.as_deref().unwrap_or_default());
        request.is_some()
    })
}

/// A client that asks for each of these in turn, for ever, from a place of its own on.
pub(crate) fn in_turn(requests: &Arc<[Vec<u8>]>, from: usize) -> Script {
    let (requests, mut at) = (Arc::clone(requests), from);
    Box::new(move |_, next| {
        let request = requests.get(at % requests.len().max(1));
        next.extend_from_slice(request.map(Vec::as_slice).unwrap_or_default());
        at += 1;
        request.is_some()
    })
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;
