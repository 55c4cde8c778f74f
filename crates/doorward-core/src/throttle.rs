//! How often passwords may be tried, for each account and from each address. Kept in memory, by the given clock.
//!
//! The surprise: an attempt counts as failed from the moment it is permitted, and only its success (or its
//! never having been made) takes that back. Otherwise guesses sent at once would all be let in before the
//! first of them is known to be wrong.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use parking_lot::Mutex;

use self::recent::Recent;
use crate::account::AccountId;
use crate::identifier::Canonical;
use crate::realm::RealmId;
use crate::{Clock, Error, Result, Timestamp};

mod recent;
#[cfg(test)]
mod tests;

/// The most accounts and unknown identifiers remembered; a full ledger of them was measured at 27 MB.
///
/// An attacker who wants one account forgotten has to try this many others in between, each of which costs a
/// hash: four minutes at 400 hashes a second, for as few guesses as waiting out the longest delay gives.
const MAX_SUBJECTS: usize = 100_000;

/// The most addresses remembered; a full ledger of them was measured at 32 MB.
const MAX_ADDRESSES: usize = 100_000;

/// The first delay after the free attempts; each further attempt doubles it.
const FIRST_DELAY: Duration = Duration::from_secs(1);

/// How many attempts are free, and what comes after.
#[derive(Clone, Debug)]
pub struct ThrottleConfig {
    /// Consecutive attempts on one account, in flight or failed, before the first delay.
    pub free_attempts: u32,
    /// The longest delay between two attempts on one account. There is no lock-out for good: whoever knows
    /// somebody's e-mail address could lock that person out.
    pub max_delay: Duration,
    /// Attempts from one address (IPv6: one /64 network), in flight or failed, in one window.
    pub per_address: u32,
    /// How long a window lasts, from its first failure on.
    pub window: Duration,
    /// Whether anything is counted at all.
    pub enabled: bool,
}

impl Default for ThrottleConfig {
    fn default() -> Self {
        Self {
            free_attempts: 20,
            max_delay: Duration::from_secs(60),
            per_address: 200,
            window: Duration::from_secs(600),
            enabled: true,
        }
    }
}

/// Whose password is tried.
#[derive(Clone, Debug)]
pub enum Subject {
    /// An account, by whichever identifier it was found.
    Account(AccountId),
    /// An identifier that no account has. It is counted like an account, so that delays tell nobody which exist.
    Unknown(RealmId, Canonical),
}

/// Decides who may try a password now.
pub struct Throttle(Arc<State>);

impl Throttle {
    /// A throttle that has seen nothing yet.
    pub fn new(config: ThrottleConfig, clock: Clock) -> Self {
        Self::bounded(config, clock, MAX_SUBJECTS, MAX_ADDRESSES)
    }

    fn bounded(config: ThrottleConfig, clock: Clock, subjects: usize, addresses: usize) -> Self {
        Self(Arc::new(State {
            config,
            clock,
            ledger: Mutex::new(Ledger {
                subjects: Recent::new(subjects),
                addresses: Recent::new(addresses),
            }),
        }))
    }

    /// Permission for one attempt, which is counted as failed from now on.
    ///
    /// # Errors
    /// [`Error::Throttled`] with the whole seconds to wait, rounded up; the refused attempt itself counts for
    /// nothing.
    pub fn permit(&self, subject: Subject, address: Option<IpAddr>) -> Result<Permit> {
        if !self.0.config.enabled {
            return Ok(Permit(None));
        }
        let subject = SubjectKey::of(&subject);
        let address = address.map(network);
        let mut ledger = self.0.ledger.lock();
        // Read under the lock, so that moments are in the order of the attempts.
        let now = self.0.clock.now();
        let wait = ledger
            .subject_wait(&self.0.config, subject, now)
            .max(address.map_or(Duration::ZERO, |address| {
                ledger.address_wait(&self.0.config, address, now)
            }));
        if !wait.is_zero() {
            return Err(Error::Throttled {
                retry_after: whole_seconds(wait),
            });
        }
        let subject = ledger.count_subject(subject, now);
        let address = address.map(|address| ledger.count_address(address, now));
        Ok(Permit(Some(Counted {
            state: Arc::clone(&self.0),
            subject,
            address,
        })))
    }
}

impl fmt::Debug for Throttle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle")
            .field("config", &self.0.config)
            .finish_non_exhaustive()
    }
}

/// Permission to try one password once. Dropped without a word it is a failed attempt.
#[must_use = "a permit that is dropped counts as a failed attempt"]
pub struct Permit(Option<Counted>);

impl Permit {
    /// The password was right: the account's failures are forgotten, but for other attempts still in flight,
    /// and the address gets this attempt back.
    pub fn succeeded(mut self) {
        self.settle(Ending::Succeeded);
    }

    /// The password was wrong.
    pub fn failed(mut self) {
        self.settle(Ending::Failed);
    }

    /// The password was never tested: the attempt is given back.
    pub fn unused(mut self) {
        self.settle(Ending::Unused);
    }

    fn settle(&mut self, ending: Ending) {
        if let Some(counted) = self.0.take() {
            let mut ledger = counted.state.ledger.lock();
            ledger.settle_subject(&counted.subject, ending);
            if let Some(address) = &counted.address {
                ledger.settle_address(address, ending);
            }
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.settle(Ending::Failed);
    }
}

impl fmt::Debug for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Permit")
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Ending {
    Succeeded,
    Failed,
    Unused,
}

/// What a permit has to settle.
struct Counted {
    state: Arc<State>,
    subject: CountedSubject,
    address: Option<CountedAddress>,
}

struct CountedSubject {
    key: SubjectKey,
    born: u64,
    at: Timestamp,
    /// When the attempt before was, to go back to if this one is not used.
    previous: Timestamp,
}

struct CountedAddress {
    key: IpAddr,
    born: u64,
    /// The window it was counted in.
    window: Timestamp,
}

struct State {
    config: ThrottleConfig,
    clock: Clock,
    /// One lock for both ledgers: it is held for about a microsecond, a hash takes ten thousand.
    ledger: Mutex<Ledger>,
}

struct Ledger {
    subjects: Recent<SubjectKey, Attempts>,
    addresses: Recent<IpAddr, Window>,
}

/// The attempts on a subject since its last success.
#[derive(Clone, Copy)]
struct Attempts {
    failed: u32,
    in_flight: u32,
    last: Timestamp,
}

/// The attempts of an address, failed or in flight, in the current window.
#[derive(Clone, Copy)]
struct Window {
    started: Timestamp,
    attempts: u32,
}

impl Ledger {
    fn subject_wait(&mut self, config: &ThrottleConfig, key: SubjectKey, now: Timestamp) -> Duration {
        // Also an attempt that is refused keeps the subject remembered: it is being attacked.
        let Some(entry) = self.subjects.touch(key) else {
            return Duration::ZERO;
        };
        let attempts = &mut entry.value;
        // A clock that was set back must not turn a delay of seconds into one of days.
        attempts.last = attempts.last.min(now);
        let made = attempts.failed.saturating_add(attempts.in_flight);
        Self::delay(config, made).saturating_sub(now.since(attempts.last))
    }

    /// How long after the last attempt the next one may be made, when `made` have been.
    fn delay(config: &ThrottleConfig, made: u32) -> Duration {
        let Some(beyond) = made.checked_sub(config.free_attempts) else {
            return Duration::ZERO;
        };
        let factor = 1u32.checked_shl(beyond).unwrap_or(u32::MAX);
        FIRST_DELAY.saturating_mul(factor).min(config.max_delay)
    }

    fn address_wait(&mut self, config: &ThrottleConfig, key: IpAddr, now: Timestamp) -> Duration {
        let Some(entry) = self.addresses.touch(key) else {
            return Duration::ZERO;
        };
        let window = &mut entry.value;
        if now < window.started || now.since(window.started) >= config.window {
            *window = Window {
                started: now,
                attempts: 0,
            };
        }
        if window.attempts < config.per_address {
            return Duration::ZERO;
        }
        config.window.saturating_sub(now.since(window.started))
    }

    fn count_subject(&mut self, key: SubjectKey, now: Timestamp) -> CountedSubject {
        let fresh = Attempts {
            failed: 0,
            in_flight: 0,
            last: now,
        };
        let entry = self.subjects.touch_or(key, fresh);
        entry.value.in_flight = entry.value.in_flight.saturating_add(1);
        let previous = std::mem::replace(&mut entry.value.last, now);
        CountedSubject {
            key,
            born: entry.born,
            at: now,
            previous,
        }
    }

    fn count_address(&mut self, key: IpAddr, now: Timestamp) -> CountedAddress {
        let fresh = Window {
            started: now,
            attempts: 0,
        };
        let entry = self.addresses.touch_or(key, fresh);
        entry.value.attempts = entry.value.attempts.saturating_add(1);
        CountedAddress {
            key,
            born: entry.born,
            window: entry.value.started,
        }
    }

    fn settle_subject(&mut self, counted: &CountedSubject, ending: Ending) {
        let Some(entry) = self
            .subjects
            .peek(counted.key)
            .filter(|entry| entry.born == counted.born)
        else {
            return;
        };
        let attempts = &mut entry.value;
        attempts.in_flight = attempts.in_flight.saturating_sub(1);
        match ending {
            Ending::Succeeded => attempts.failed = 0,
            Ending::Failed => attempts.failed = attempts.failed.saturating_add(1),
            Ending::Unused if attempts.last == counted.at => attempts.last = counted.previous,
            Ending::Unused => {}
        }
        // Nothing left to know: the place is better used for somebody who is being attacked.
        if attempts.failed == 0 && attempts.in_flight == 0 {
            self.subjects.remove(counted.key);
        }
    }

    fn settle_address(&mut self, counted: &CountedAddress, ending: Ending) {
        let Some(entry) = self
            .addresses
            .peek(counted.key)
            .filter(|entry| entry.born == counted.born)
        else {
            return;
        };
        let window = &mut entry.value;
        if ending == Ending::Failed || window.started != counted.window {
            return;
        }
        window.attempts = window.attempts.saturating_sub(1);
        if window.attempts == 0 {
            self.addresses.remove(counted.key);
        }
    }
}

/// Rounded up: `Retry-After` (RFC 9110 section 10.2.3) knows whole seconds only, and 0 would invite a new try at once.
fn whole_seconds(wait: Duration) -> Duration {
    Duration::from_secs(wait.as_secs().saturating_add(u64::from(wait.subsec_nanos() > 0)))
}

/// A subject as the ledger keeps it: of fixed size, so that long identifiers take no more room than short ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum SubjectKey {
    Account(AccountId),
    /// SHA-256 over realm and identifier: nobody can find two that share a bucket.
    Unknown([u8; 32]),
}

impl SubjectKey {
    fn of(subject: &Subject) -> Self {
        match subject {
            Subject::Account(id) => Self::Account(*id),
            Subject::Unknown(realm, canonical) => {
                let text = [&realm.0.to_le_bytes(), canonical.as_str().as_bytes()].concat();
                let mut key = [0; 32];
                key.copy_from_slice(digest(&SHA256, &text).as_ref());
                Self::Unknown(key)
            }
        }
    }
}

/// The address as one subscriber has it: IPv6 by its /64, because each subscriber gets a whole one at least
/// (RFC 6177 section 2), and IPv4 written as IPv6 (RFC 4291 section 2.5.5.2) as IPv4.
pub fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => IpAddr::V4(v4),
            None => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 64))),
        },
    }
}
