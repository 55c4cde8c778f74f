//! The places for connections: how many one network may have, and who is told when all are taken.
//!
//! The surprise: that there are places again is told late. A server at its limit has one free each time that somebody
//! goes, and its log would have two lines for each connection.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use doorward_core::throttle::network;
use doorward_http::{Connections, Network};
use parking_lot::Mutex;
use tokio::sync::OwnedSemaphorePermit;

/// One in so many places has to be free before that is told.
const FREE_AGAIN: usize = 10;

/// One in so many places may be of one network, so that nobody keeps everybody else out from a single machine.
const SHARE: usize = 4;

/// The places that a network may have however few there are: an office behind one address needs as many.
const LEAST_SHARE: usize = 64;

/// The places of a server.
pub(super) struct Places {
    connections: Connections,
    /// Whether the log has it that all are taken.
    full: AtomicBool,
    /// Who stands for many clients, and may have all.
    proxies: Vec<Network>,
    /// What each of the others has; none that has nothing.
    taken: Mutex<HashMap<IpAddr, Taken>>,
}

/// The places of a network.
#[derive(Default)]
struct Taken {
    places: usize,
    /// Whether the log has it that it wanted more.
    told: bool,
}

/// The place of a connection, for as long as there is one.
pub(super) struct Place {
    places: Arc<Places>,
    /// Of which network; none where nobody counts.
    network: Option<IpAddr>,
    /// Taken back before anybody asks how many are left.
    permit: Option<OwnedSemaphorePermit>,
}

impl Places {
    pub(super) fn new(connections: Connections, proxies: Vec<Network>) -> Arc<Self> {
        Arc::new(Self {
            connections,
            full: AtomicBool::new(false),
            proxies,
            taken: Mutex::default(),
        })
    }

    /// Waits until there is one. It stays free, so that nobody is counted who has not come.
    pub(super) async fn wait(&self) {
        if !self.are_free() && !self.full.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                max_connections = self.connections.most(),
                "every place for a connection is taken; further clients wait until one closes"
            );
        }
        self.connections.wait().await;
        // The place for which somebody waits counts as taken when it becomes free.
        self.tell_if_free();
    }

    /// Says that there are places again, if the log has it that there were none.
    fn tell_if_free(&self) {
        let (open, most) = (self.connections.open(), self.connections.most());
        let is_free = open.saturating_add(most.div_ceil(FREE_AGAIN)) <= most;
        if is_free && self.full.swap(false, Ordering::Relaxed) {
            tracing::info!(connections = open, "there are places for connections again");
        }
    }

    /// Whether there are any.
    pub(super) fn are_free(&self) -> bool {
        self.taken() < self.connections.most()
    }

    /// Takes a place for a connection of this client. None when its network has its share already, or when there is none,
    /// which whoever alone takes places has seen before.
    pub(super) fn take(self: &Arc<Self>, client: IpAddr) -> Option<Place> {
        let permit = self.connections.take()?;
        let client = client.to_canonical();
        let is_counted = !client.is_loopback() && !self.proxies.iter().any(|proxy| proxy.contains(client));
        let network = is_counted.then(|| network(client));
        if network.is_some_and(|network| !self.count(network)) {
            return None;
        }
        Some(Place {
            places: Arc::clone(self),
            network,
            permit: Some(permit),
        })
    }

    /// Counts one more of a network, if it may have it.
    fn count(&self, network: IpAddr) -> bool {
        let share = (self.connections.most() / SHARE).max(LEAST_SHARE);
        let mut taken = self.taken.lock();
        let of = taken.entry(network).or_default();
        if of.places < share {
            of.places += 1;
            return true;
        }
        if !of.told {
            of.told = true;
            tracing::warn!(
                %network,
                connections = share,
                "a network has as many connections as one may have, and more are closed; if it is a proxy, \
                 `trusted_proxies` should list it"
            );
        }
        false
    }

    fn discount(&self, network: IpAddr) {
        let mut taken = self.taken.lock();
        if let Some(of) = taken.get_mut(&network) {
            of.places -= 1;
            if of.places == 0 {
                taken.remove(&network);
            }
        }
    }

    /// How many are taken.
    pub(super) fn taken(&self) -> usize {
        self.connections.open()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(network) = self.network {
            self.places.discount(network);
        }
        drop(self.permit.take());
        self.places.tell_if_free();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_has_its_share_and_proxies_have_all() {
        let proxies = vec![Network::parse("10.0.0.0/8").unwrap()];
        let places = Places::new(Connections::new(1_000), proxies);
        let take = |client: &str| places.take(client.parse().unwrap());
        for (same, other) in [
            (["203.0.113.7", "::ffff:203.0.113.7"], "203.0.113.8"),
            (["2001:db8::1", "2001:db8::ffff:1"], "2001:db8:0:1::1"),
        ] {
            let mut taken: Vec<Place> = (0..250).map(|n| take(same[n % 2]).unwrap()).collect();
            assert!(same.iter().all(|client| take(client).is_none()), "{same:?}");
            assert!(take(other).is_some(), "{other}");
            taken.pop();
            assert!(take(same[0]).is_some(), "{same:?}");
        }
        assert_eq!(places.taken(), 0);
        assert!(places.taken.lock().is_empty(), "who has nothing is forgotten");
        for client in ["10.1.2.3", "::ffff:10.1.2.3", "127.0.0.1", "::1"] {
            let taken: Vec<Place> = (0..1_000).map(|_| take(client).unwrap()).collect();
            assert_eq!(places.taken(), taken.len(), "{client}");
        }
    }

    #[test]
    fn where_places_are_few_a_network_has_64() {
        let places = Places::new(Connections::new(100), Vec::new());
        let take = || places.take("203.0.113.7".parse().unwrap());
        let taken: Vec<Place> = (0..64).map(|_| take().unwrap()).collect();
        assert!(take().is_none());
        assert_eq!(places.taken(), taken.len());
    }
}
