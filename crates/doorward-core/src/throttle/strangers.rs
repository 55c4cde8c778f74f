//! Attempts from networks that have not given the account's password: all of them share the account's delay, and of
//! them goes first who has tried and asked least.
//!
//! The surprise: nobody stands in a line. After an attempt the account opens to a network without one here when the
//! delay is over, to one with an attempt a delay later, and so on: whoever comes back when told finds it open, however
//! often those with more behind them ask meanwhile.

use std::net::IpAddr;
use std::time::Duration;

use super::attempts::{Attempts, Begun, Guest};
use super::recent::Recent;
use super::{Ending, SubjectKey, ThrottleConfig};
use crate::Timestamp;

/// How long attempts are remembered after the last one, at least. To come back as new each time, and be let in once a
/// minute, an attacker needs as many networks as there are minutes in it.
const FORGOTTEN_AFTER: Duration = Duration::from_hours(24);

/// The most networks remembered, each at one subject. To push one out takes as many attempts, each of which costs a
/// hash, or many networks that ask too early at many subjects; who is forgotten here is new again, and still shares the
/// delay. All of them, and as many addresses, were measured at 24 MB.
pub(super) const MAX_GUESTS: usize = 100_000;

/// How long attempts are remembered: so long that who waits for it, to have the free ones again, makes no more than who
/// goes on at the longest delay.
fn forgotten_after(config: &ThrottleConfig) -> Duration {
    FORGOTTEN_AFTER.max(config.max_delay.saturating_mul(config.free_attempts))
}

/// The attempts of strangers.
pub(super) struct Strangers {
    subjects: Recent<SubjectKey, Attempts>,
    guests: Recent<Place, Guest>,
}

/// A network at a subject.
type Place = (SubjectKey, Option<IpAddr>);

/// An attempt of a stranger.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    place: Place,
    subject: (u64, Begun),
    guest: (u64, Begun),
}

impl Strangers {
    pub(super) fn new(subjects: usize, guests: usize) -> Self {
        Self {
            subjects: Recent::new(subjects),
            guests: Recent::new(guests),
        }
    }

    /// How long an attempt from this network has to wait. If it has to, it asked too early, which is remembered.
    pub(super) fn wait(&mut self, config: &ThrottleConfig, place: Place, now: Timestamp) -> Duration {
        // Also an attempt that is refused keeps the subject remembered: it is being attacked.
        let Some(entry) = self.subjects.touch(place.0) else {
            return Duration::ZERO;
        };
        let (attempts, forgotten) = (&mut entry.value, forgotten_after(config));
        if attempts.is_forgotten(forgotten, now) {
            self.subjects.remove(place.0);
            return Duration::ZERO;
        }
        let (delay, age) = (attempts.delay(config), attempts.age(now));
        if let Some(entry) = self.guests.touch(place) {
            let guest = &mut entry.value;
            if guest.attempts.is_forgotten(forgotten, now) {
                *guest = Guest::new(now);
            }
            return guest.ask(delay, age);
        }
        let mut guest = Guest::new(now);
        let wait = guest.ask(delay, age);
        if !wait.is_zero() {
            self.guests.touch_or(place, guest);
        }
        wait
    }

    pub(super) fn count(&mut self, place: Place, now: Timestamp) -> Counted {
        let subject = self.subjects.touch_or(place.0, Attempts::none(now));
        let subject = (subject.born, subject.value.begin(now));
        let guest = self.guests.touch_or(place, Guest::new(now));
        let guest = (guest.born, guest.value.attempts.begin(now));
        Counted { place, subject, guest }
    }

    /// A success takes the failures of its own network back: they were no guesses. Those of others stay, or the owner's
    /// log-ins would give whoever guesses free attempts.
    pub(super) fn settle(&mut self, counted: &Counted, ending: Ending) {
        let (born, begun) = counted.guest;
        let mut own = 0;
        if let Some(entry) = self.guests.peek(counted.place).filter(|entry| entry.born == born) {
            let guest = &mut entry.value;
            guest.attempts.end(begun, ending);
            if ending == Ending::Succeeded {
                own = std::mem::take(&mut guest.attempts.failed);
                guest.early = 0;
            }
            if guest.attempts.made() == 0 && guest.early == 0 {
                self.guests.remove(counted.place);
            }
        }
        let (born, begun) = counted.subject;
        let subject = counted.place.0;
        let Some(entry) = self.subjects.peek(subject).filter(|entry| entry.born == born) else {
            return;
        };
        entry.value.end(begun, ending);
        entry.value.failed = entry.value.failed.saturating_sub(own);
        // Nothing left to know: the place is better used for somebody who is being attacked.
        if entry.value.made() == 0 {
            self.subjects.remove(subject);
        }
    }

    /// How many subjects, and how many networks at them.
    #[cfg(test)]
    pub(super) fn len(&self) -> (usize, usize) {
        (self.subjects.len(), self.guests.len())
    }
}
