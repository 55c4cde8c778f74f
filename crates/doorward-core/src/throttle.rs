//! How often passwords may be tried, for each account and from each address. Kept in memory, by the given clock.
//!
//! An account has one delay for all strangers (`strangers.rs`), and one for each network from which its password was
//! given lately (`known.rs`): whoever guesses elsewhere does not delay the owner there.
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

use self::known::Known;
pub use self::registrations::Registration;
use self::strangers::{MAX_GUESTS, Strangers};
use self::windows::Windows;
use crate::account::AccountId;
use crate::identifier::Canonical;
use crate::realm::RealmId;
use crate::{Clock, Error, Result, Timestamp};

mod attempts;
mod known;
mod recent;
mod registrations;
mod strangers;
#[cfg(test)]
mod tests;
mod windows;

/// The most accounts and unknown identifiers remembered; a full ledger of them was measured at 27 MB.
///
/// An attacker who wants one account forgotten has to try this many others in between, each of which costs a
/// hash: four minutes at 400 hashes a second, for as few guesses as waiting out the longest delay gives.
const MAX_SUBJECTS: usize = 100_000;

/// The most addresses remembered, of those that guess and of those that register each; a full ledger of them was
/// measured at 32 MB.
const MAX_ADDRESSES: usize = 100_000;

/// The most accounts whose known networks are remembered; those of who logged in last the longest ago are forgotten.
/// Full, it was measured at 39 MB with a network each, and at 105 MB with seven.
const MAX_ACCOUNTS: usize = 100_000;

/// How many attempts are free, and what comes after.
#[derive(Clone, Debug)]
pub struct ThrottleConfig {
    /// Consecutive attempts on one account, in flight or failed, before the first delay: of all strangers together, and
    /// of each network from which its password was given lately.
    pub free_attempts: u32,
    /// The longest delay between two attempts on one account. A network that has tried or asked often waits for
    /// several. There is no lock-out for good: whoever knows somebody's e-mail address could lock that person out.
    pub max_delay: Duration,
    /// Attempts from one address (IPv6: one /64 network), in flight or failed, in one window.
    pub per_address: u32,
    /// How long a window lasts, from its first failure on.
    pub window: Duration,
    /// Registrations from one address (IPv6: one /48 site) in one window.
    pub registrations: u32,
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
            // Three classes of a school behind one address, all in the first minutes of a lesson; and yet one client
            // makes no more than an account each six seconds.
            registrations: 100,
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
        let ledger = Ledger {
            strangers: Strangers::new(MAX_SUBJECTS, MAX_GUESTS),
            known: Known::new(MAX_ACCOUNTS),
            addresses: Windows::new(MAX_ADDRESSES),
            registrations: Windows::new(MAX_ADDRESSES),
        };
        Self::of(config, clock, ledger)
    }

    fn of(config: ThrottleConfig, clock: Clock, ledger: Ledger) -> Self {
        let ledger = Mutex::new(ledger);
        Self(Arc::new(State { config, clock, ledger }))
    }

    /// Permission for one attempt, which is counted as failed from now on.
    ///
    /// # Errors
    /// [`Error::Throttled`] with the whole seconds to wait, rounded up. The refused attempt delays nobody; a network
    /// that is refused often lets others go first.
    pub fn permit(&self, subject: Subject, address: Option<IpAddr>) -> Result<Permit> {
        if !self.0.config.enabled {
            return Ok(Permit(None));
        }
        let whose = Whose::of(&subject, address);
        let address = whose.network;
        let mut ledger = self.0.ledger.lock();
        // Read under the lock, so that moments are in the order of the attempts.
        let now = self.0.clock.now();
        let config = &self.0.config;
        let wait = ledger
            .subject_wait(config, &whose, now)
            .max(address.map_or(Duration::ZERO, |address| {
                ledger.addresses.wait(address, config.per_address, config.window, now)
            }));
        if !wait.is_zero() {
            return Err(Error::Throttled {
                retry_after: whole_seconds(wait),
            });
        }
        let attempt = ledger.count(&whose, now);
        let address = address.map(|address| ledger.addresses.count(address, now));
        Ok(Permit(Some(Counted {
            state: Arc::clone(&self.0),
            whose,
            attempt,
            address,
        })))
    }

    /// The password of a new account was given from this address: it is the owner's.
    pub fn welcome(&self, account: AccountId, address: Option<IpAddr>) {
        if self.0.config.enabled {
            let now = self.0.clock.now();
            self.0.ledger.lock().known.learn(account, address.map(network), now);
        }
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
    /// The password was right: the failures of this network on the account are forgotten, but for other attempts still
    /// in flight, the network is known to be the owner's, and the address gets this attempt back.
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
            ledger.settle(&counted, ending);
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
    whose: Whose,
    attempt: Attempt,
    address: Option<windows::Counted>,
}

/// With whom an attempt was counted.
enum Attempt {
    Known(known::Counted),
    Stranger(strangers::Counted),
}

struct State {
    config: ThrottleConfig,
    clock: Clock,
    /// One lock for all: it is held for about a microsecond, a hash takes ten thousand.
    ledger: Mutex<Ledger>,
}

struct Ledger {
    strangers: Strangers,
    known: Known,
    addresses: Windows,
    registrations: Windows,
}

/// Whose password is tried, and from where.
struct Whose {
    subject: SubjectKey,
    network: Option<IpAddr>,
}

impl Whose {
    fn of(subject: &Subject, address: Option<IpAddr>) -> Self {
        Self {
            subject: SubjectKey::of(subject),
            network: address.map(network),
        }
    }

    /// Where strangers are counted: by site, since whoever has an IPv6 site has 65,536 networks that are new.
    fn place(&self) -> (SubjectKey, Option<IpAddr>) {
        (self.subject, self.network.map(site))
    }
}

impl Ledger {
    fn subject_wait(&mut self, config: &ThrottleConfig, whose: &Whose, now: Timestamp) -> Duration {
        whose
            .subject
            .account()
            .and_then(|account| self.known.wait(config, account, whose.network, now))
            .unwrap_or_else(|| self.strangers.wait(config, whose.place(), now))
    }

    fn count(&mut self, whose: &Whose, now: Timestamp) -> Attempt {
        whose
            .subject
            .account()
            .and_then(|account| self.known.count(account, whose.network, now))
            .map_or_else(
                || Attempt::Stranger(self.strangers.count(whose.place(), now)),
                Attempt::Known,
            )
    }

    fn settle(&mut self, counted: &Counted, ending: Ending) {
        match &counted.attempt {
            Attempt::Known(attempt) => self.known.settle(attempt, ending),
            Attempt::Stranger(attempt) => self.strangers.settle(attempt, ending),
        }
        if ending == Ending::Succeeded
            && let Some(account) = counted.whose.subject.account()
        {
            let now = counted.state.clock.now();
            self.known.learn(account, counted.whose.network, now);
        }
        if ending != Ending::Failed
            && let Some(address) = counted.address
        {
            self.addresses.give_back(address);
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
    /// The account; an identifier that nobody has has no password to give.
    fn account(self) -> Option<AccountId> {
        match self {
            Self::Account(id) => Some(id),
            Self::Unknown(_) => None,
        }
    }

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

/// What one customer of a provider may have of networks: IPv6 by its /48, the most that a site is given (RFC 6177
/// section 2). IPv4 stands for itself, since neighbours there are strangers to each other.
pub fn site(address: IpAddr) -> IpAddr {
    match network(address) {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & (u128::MAX << 80))),
        v4 @ IpAddr::V4(_) => v4,
    }
}
