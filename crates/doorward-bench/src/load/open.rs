//! An open loop: requests at a fixed rate, whatever the server does, and their latency from the moment at which each
//! was due.
//!
//! The surprise: nobody hands out work. Each thread takes the next number and waits until that request is due. When
//! all of them wait for answers, later requests leave late, and the wait counts: a server that stalls cannot hide it
//! by keeping its clients from asking (coordinated omission).

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::Tally;
use crate::clock::{self, Span};
use crate::error::{Error, Result};
use crate::statistics::number;
use crate::wire::Wire;

/// What takes longer is kept one by one, so many of each connection.
const LONG: Duration = Duration::from_millis(10);
const MANY: usize = 10_000;

/// What to send, and how often.
pub(crate) struct Pace<'a> {
    pub(crate) target: SocketAddr,
    /// Sent in turn.
    pub(crate) requests: &'a [Vec<u8>],
    /// Requests a second.
    pub(crate) rate: u64,
    pub(crate) connections: usize,
    /// Whether those who ask are to run before all others of the machine, where it lets them: what they are late by counts
    /// as the server's, and where the server's own threads want the cores they are.
    pub(crate) goes_first: bool,
}

impl Pace<'_> {
    /// Sends for a time, and waits for the last answer.
    pub(crate) fn run(&self, limit: Duration) -> Result<Tally> {
        let count = self
            .rate
            .saturating_mul(limit.as_millis().try_into().unwrap_or(u64::MAX))
            / 1000;
        let wires = (0..self.connections).map(|_| Wire::open(self.target));
        let wires = wires.collect::<Result<Vec<_>>>()?;
        let (next, began) = (AtomicU64::new(0), clock::now() + Duration::from_millis(5));
        let parts = thread::scope(|scope| {
            let threads: Vec<_> = wires
                .into_iter()
                .map(|wire| scope.spawn(|| self.one(wire, &next, count, began)))
                .collect();
            threads
                .into_iter()
                .map(thread::ScopedJoinHandle::join)
                .collect::<Vec<_>>()
        });
        let mut tally = Tally::default();
        for part in parts {
            tally.add(&part.map_err(|_| Error::new("a thread of the loader died"))??);
        }
        tally.seconds = limit.as_secs_f64();
        Ok(tally)
    }

    fn one(&self, mut wire: Wire, next: &AtomicU64, count: u64, began: Instant) -> Result<Tally> {
        clock::be_punctual();
        if self.goes_first {
            // A refusal is shown by whoever measures with it.
            clock::go_first();
        }
        let mut tally = Tally::default();
        loop {
            let ticket = next.fetch_add(1, Ordering::Relaxed);
            if ticket >= count {
                return Ok(tally);
            }
            let due = began + Duration::from_secs_f64(number(ticket) / number(self.rate));
            let turn = usize::try_from(ticket).unwrap_or(0) % self.requests.len().max(1);
            let request = self.requests.get(turn).map(Vec::as_slice).unwrap_or_default();
            clock::wait_until(due);
            let status = wire.ask(request)?.status;
            let asked = Span {
                from: due,
                to: clock::now(),
            };
            tally.record(status, asked.length());
            tally.in_time += 1;
            if asked.length() > LONG && tally.long.len() < MANY {
                tally.long.push(asked);
            }
        }
    }
}
