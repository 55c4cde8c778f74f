//! How many accounts may be made from one address: each costs a hash, and a row for good.
//!
//! The surprise: a registration counts also when it makes no account. One that finds the name taken has told that there
//! is such an account, which a guesser of names must not ask as often as the pool hashes.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use super::{State, Throttle, site, whole_seconds, windows};
use crate::{Error, Result};

/// Permission to register once. It counts, unless it is given back.
#[must_use = "a registration that is dropped counts"]
pub struct Registration(Option<(Arc<State>, windows::Counted)>);

impl Throttle {
    /// Permission for one registration. By site, since whoever has an IPv6 site has 65,536 networks; without an address
    /// there is nobody to count it for.
    ///
    /// # Errors
    /// [`Error::Throttled`] with the whole seconds to wait, rounded up.
    pub fn permit_registration(&self, address: Option<IpAddr>) -> Result<Registration> {
        let Some(site) = address.map(site).filter(|_| self.0.config.enabled) else {
            return Ok(Registration(None));
        };
        let config = &self.0.config;
        let mut ledger = self.0.ledger.lock();
        // Read under the lock, so that moments are in the order of the registrations.
        let now = self.0.clock.now();
        let wait = ledger
            .registrations
            .wait(site, config.registrations, config.window, now);
        if !wait.is_zero() {
            return Err(Error::Throttled {
                retry_after: whole_seconds(wait),
            });
        }
        let counted = ledger.registrations.count(site, now);
        Ok(Registration(Some((Arc::clone(&self.0), counted))))
    }
}

impl Registration {
    /// Nothing was hashed: it is given back.
    pub fn unused(self) {
        if let Some((state, counted)) = self.0 {
            state.ledger.lock().registrations.give_back(counted);
        }
    }
}

impl fmt::Debug for Registration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Registration")
    }
}
