//! The networks from which somebody has given an account's password lately. Each has attempts and delays of its own, so
//! that nobody elsewhere delays whoever logs in from there.
//!
//! The surprise: only who knows a password adds to this memory, and an account keeps few networks, so that an attacker
//! pushes out nobody's but with as many accounts of their own as there are places.

use std::net::IpAddr;
use std::time::Duration;

use super::attempts::{Begun, Guest};
use super::recent::Recent;
use super::{Ending, ThrottleConfig};
use crate::Timestamp;
use crate::account::AccountId;

/// The most networks remembered of one account: a home, a workplace, a telephone and some journeys. Whoever has the
/// password and uses more pushes out their own.
const MAX_NETWORKS: usize = 8;

/// The networks of the accounts used last.
pub(super) struct Known {
    /// Of each account that whose password was given last at the end.
    accounts: Recent<AccountId, Vec<Network>>,
    /// Networks learned so far.
    learned: u64,
}

struct Network {
    address: Option<IpAddr>,
    /// Its number in the order in which they were learned: one that comes back is another.
    born: u64,
    guest: Guest,
}

/// An attempt from a known network.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    account: AccountId,
    born: u64,
    begun: Begun,
}

impl Known {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            accounts: Recent::new(capacity),
            learned: 0,
        }
    }

    /// How long an attempt from this network has to wait; none if it is not known. It waits as a stranger does who has
    /// tried the account alone, so that delays tell nobody here which accounts exist.
    pub(super) fn wait(
        &mut self,
        config: &ThrottleConfig,
        account: AccountId,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Option<Duration> {
        let guest = &mut self.network(account, address)?.guest;
        let (delay, age) = (guest.attempts.delay(config), guest.attempts.age(now));
        Some(guest.ask(delay, age))
    }

    /// Counts an attempt, if the network is known.
    pub(super) fn count(&mut self, account: AccountId, address: Option<IpAddr>, now: Timestamp) -> Option<Counted> {
        let network = self.network(account, address)?;
        Some(Counted {
            account,
            born: network.born,
            begun: network.guest.attempts.begin(now),
        })
    }

    pub(super) fn settle(&mut self, counted: &Counted, ending: Ending) {
        // An attempt alone is no use of the place: strangers in this network must not keep it.
        let networks = self.accounts.peek(counted.account).map(|entry| &mut entry.value);
        let network = networks.and_then(|all| all.iter_mut().find(|network| network.born == counted.born));
        if let Some(network) = network {
            network.guest.attempts.end(counted.begun, ending);
        }
    }

    /// The password was given from this network: its failures are forgotten, but for attempts still in flight.
    pub(super) fn learn(&mut self, account: AccountId, address: Option<IpAddr>, now: Timestamp) {
        let networks = &mut self.accounts.touch_or(account, Vec::new()).value;
        let at = networks.iter().position(|network| network.address == address);
        let mut network = match at {
            Some(at) => networks.remove(at),
            None => {
                self.learned += 1;
                Network {
                    address,
                    born: self.learned,
                    guest: Guest::new(now),
                }
            }
        };
        if networks.len() >= MAX_NETWORKS {
            networks.remove(0);
        }
        network.guest.attempts.failed = 0;
        network.guest.early = 0;
        networks.push(network);
    }

    fn network(&mut self, account: AccountId, address: Option<IpAddr>) -> Option<&mut Network> {
        let networks = &mut self.accounts.peek(account)?.value;
        networks.iter_mut().find(|network| network.address == address)
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.accounts.len()
    }
}
