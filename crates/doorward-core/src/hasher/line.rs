//! The line before the hash threads, bounded by the time to wait in it, and fair. It knows no threads and no clock.
//!
//! The surprise: whoever has nothing in the line yet waits for one round at most, one job of every other site, how
//! much these may have put in before. A site is an IPv4 address, or what one customer may have of IPv6 networks. And
//! when the line is as long as it may be, a newcomer is refused only if nobody has more in it; otherwise the newest job
//! of whoever has most gives way.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::Duration;

use super::turns::{Class, Turns};
use crate::throttle::site;

/// The most jobs that wait, whatever they take: a bound of memory. With passwords of 1,024 characters, which have
/// 4 KiB at most, it is 64 MiB; a person's takes about 200 bytes.
pub(super) const MAX_WAITING: usize = 16_384;

/// How much longer than promised a job may have waited and is still done. Estimates err, and somebody who has waited
/// for seconds would rather wait a little more than begin again.
const LENIENCE: Duration = Duration::from_secs(1);

/// Whose turn it is: jobs of one site take turns with those of others, within it those of one network, and within that
/// those of one account. By networks alone, one customer would have 65,536 turns for everybody else's one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Whose {
    /// The address, IPv6 as its /64; none when it is not known.
    pub(super) network: Option<IpAddr>,
    /// A fingerprint of what the caller goes by.
    pub(super) name: u64,
}

/// Why there was no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// The wait would be too long, and nobody has more in the line than others.
    Long,
    /// The wait would be too long, and the caller's site has its share in the line.
    Share,
    /// The line is at its bound of memory.
    Full,
    /// It had a place and gave way to somebody with less in the line.
    GaveWay,
    /// It had waited longer than anybody shall.
    Late,
}

/// Where a job waits: in its site, network and account.
type Path = (Option<IpAddr>, (Option<IpAddr>, (u64, ())));

/// What waits in a network: by account, and each in its order.
type Network<T> = Turns<u64, VecDeque<Waiting<T>>>;

/// Jobs that wait, and what is known of those being done.
pub(super) struct Line<T> {
    waiting: Turns<Option<IpAddr>, Turns<Option<IpAddr>, Network<T>>>,
    /// Since when they wait and where, in the order in which they came.
    by_age: BTreeMap<u64, (Duration, Path)>,
    /// How many have come.
    came: u64,
    /// What those that wait are estimated to take together.
    work_waiting: Duration,
    /// What those being done were estimated to take together.
    work_running: Duration,
    /// At least one.
    threads: u32,
    idle: usize,
    limit: Duration,
}

struct Waiting<T> {
    /// Its place in `by_age`.
    number: u64,
    job: T,
    takes: Duration,
    since: Duration,
}

/// A job whose turn has come.
pub(super) struct Taken<T> {
    pub(super) job: T,
    /// What it was estimated to take; to be given back to [`Line::done`].
    pub(super) takes: Duration,
    /// How long it waited.
    pub(super) waited: Duration,
    /// Whether that was longer than anybody shall wait.
    pub(super) is_late: bool,
}

impl<T> Line<T> {
    /// A line before `threads` threads, in which nobody shall wait for longer than `limit`.
    pub(super) fn new(threads: u32, limit: Duration) -> Self {
        Self {
            waiting: Turns::default(),
            by_age: BTreeMap::new(),
            came: 0,
            work_waiting: Duration::ZERO,
            work_running: Duration::ZERO,
            threads: threads.max(1),
            idle: threads as usize,
            limit,
        }
    }

    /// Puts a job in the line that is estimated to take this long. Answers the jobs that gave way to it.
    pub(super) fn push(
        &mut self,
        whose: Whose,
        job: T,
        takes: Duration,
        now: Duration,
    ) -> Result<Vec<T>, (Refused, T)> {
        let path = (whose.network.map(site), (whose.network, (whose.name, ())));
        let mut gave_way = Vec::new();
        while self.is_full() {
            let Some(out) = self.waiting.give_way(path) else { break };
            self.left(&out);
            gave_way.push(out.job);
        }
        if gave_way.is_empty() && self.is_full() {
            let reason = if self.waiting.len() >= MAX_WAITING {
                Refused::Full
            } else if self.waiting.len_of(path) > 0 {
                Refused::Share
            } else {
                Refused::Long
            };
            return Err((reason, job));
        }
        let (number, since) = (self.came, now);
        self.came += 1;
        self.by_age.insert(number, (since, path));
        self.work_waiting = self.work_waiting.saturating_add(takes);
        let job = Waiting {
            number,
            job,
            takes,
            since,
        };
        self.waiting.push(path, job);
        Ok(gave_way)
    }

    /// Takes out whoever has waited longer than anybody shall, the oldest first. They need not wait for a thread to hear of
    /// it, nor whoever comes now stand behind them.
    pub(super) fn overdue(&mut self, now: Duration) -> Vec<T> {
        let mut overdue = Vec::new();
        while let Some((_, (since, path))) = self.by_age.first_key_value()
            && self.is_late(*since, now)
        {
            let Some(out) = self.waiting.pop_at(*path) else { break };
            self.left(&out);
            overdue.push(out.job);
        }
        overdue
    }

    /// The next job, for a thread that has none. Whoever has waited longer than anybody shall comes first, to be told
    /// so, and does not use up a turn: they are not served, and with a new turn for each such job the others of their
    /// network would stand behind everybody who comes later.
    pub(super) fn take(&mut self, now: Duration) -> Option<Taken<T>> {
        let oldest = self.by_age.first_key_value().map(|(_, oldest)| *oldest);
        let overdue = oldest.filter(|(since, _)| self.is_late(*since, now));
        let next = match overdue {
            Some((_, path)) => self.waiting.pop_at(path),
            None => self.waiting.pop(),
        };
        let taken = self.begun(next?, now);
        self.idle = self.idle.saturating_sub(1);
        Some(taken)
    }

    /// The next job as well, for a thread that has one and can do both at once: if it `fits`, and no thread is free to
    /// do it at the same time.
    pub(super) fn take_second(&mut self, now: Duration, fits: impl FnOnce(&T) -> bool) -> Option<Taken<T>> {
        let next = self.waiting.next().filter(|_| self.idle == 0)?;
        if self.is_late(next.since, now) || !fits(&next.job) {
            return None;
        }
        let next = self.waiting.pop()?;
        Some(self.begun(next, now))
    }

    /// Whether a job that waits since then has waited longer than anybody shall.
    fn is_late(&self, since: Duration, now: Duration) -> bool {
        now.saturating_sub(since) > self.limit.saturating_add(LENIENCE)
    }

    /// It is no more in the line.
    fn left(&mut self, out: &Waiting<T>) {
        self.by_age.remove(&out.number);
        self.work_waiting = self.work_waiting.saturating_sub(out.takes);
    }

    fn begun(&mut self, next: Waiting<T>, now: Duration) -> Taken<T> {
        self.left(&next);
        self.work_running = self.work_running.saturating_add(next.takes);
        Taken {
            is_late: self.is_late(next.since, now),
            job: next.job,
            takes: next.takes,
            waited: now.saturating_sub(next.since),
        }
    }

    /// A thread has done what it took, one job or two, and is without one again.
    pub(super) fn done(&mut self, takes: Duration) {
        self.work_running = self.work_running.saturating_sub(takes);
        self.idle += 1;
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// Whether there are two jobs for each thread.
    pub(super) fn suffices(&self) -> bool {
        self.waiting.len() >= 2 * self.threads as usize
    }

    /// How long it takes until all that is in the line now has been taken. A job that an idle thread is about to take
    /// does not wait.
    pub(super) fn wait(&self) -> Duration {
        if self.waiting.len() < self.idle {
            return Duration::ZERO;
        }
        self.work() / self.threads
    }

    /// What is left to do, jobs that have begun counted in full.
    fn work(&self) -> Duration {
        self.work_waiting.saturating_add(self.work_running)
    }

    /// When there is a place again if nobody else comes, in whole seconds and at least one: `Retry-After` knows no
    /// others (RFC 9110 section 10.2.3).
    pub(super) fn retry_after(&self) -> Duration {
        // Jobs are done all at once, so there is a place one job later than by the work alone.
        let jobs = self.waiting.len() + (self.threads as usize).saturating_sub(self.idle);
        let one = self.work() / u32::try_from(jobs).unwrap_or(u32::MAX).max(1);
        let wait = self.wait().saturating_sub(self.limit).saturating_add(one);
        let seconds = wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0));
        Duration::from_secs(seconds.max(1))
    }

    fn is_full(&self) -> bool {
        self.waiting.len() >= MAX_WAITING || self.wait() > self.limit
    }
}

#[cfg(test)]
mod tests;
