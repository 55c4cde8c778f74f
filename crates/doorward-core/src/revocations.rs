//! Which sessions have ended, answered from memory on every check, with no I/O.
//!
//! The store is the truth and this mirrors it: loaded at start, written after each commit, and caught up by
//! sequence for what other processes ended. A mirror that has not been caught up for [`FRESH_FOR`] proves
//! nothing any more, and says so: then the store has to be asked. The surprise: a session is known by a 64-bit
//! fingerprint under a key of this process. Two sessions share one with a probability of 2⁻⁶⁴ a pair; then one is
//! refused early.

use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use self::fingerprints::Fingerprints;
pub(crate) use self::freshness::Freshness;
use crate::session::{EndedSession, Place, SessionId};
use crate::{Moment, Timestamp};

mod fingerprints;
mod freshness;
mod recent;

pub use recent::{Progress, Recent};

/// For how long the mirror speaks for the store after it was caught up: the bound within which a session that
/// another process ended is refused here. Catching up happens several times in it.
pub const FRESH_FOR: Duration = Duration::from_secs(1);

/// The mirror of ended sessions.
#[derive(Default)]
pub struct Revocations {
    ended: Fingerprints,
    freshness: Freshness,
    recent: Recent,
    /// The latest moment for which anything was forgotten, here or by another process: see [`Revocations::look_up`].
    forgotten_until: AtomicI64,
}

/// What memory knows of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// It has ended.
    Ended,
    /// It has not ended, and the mirror is fresh enough to say so.
    Lives,
    /// Not known to have ended, and the mirror is too old to say that it lives, or may have forgotten that it does not.
    Unsure,
}

impl Revocations {
    /// What is known of the session of a token that dies at `expires_at`, at this moment.
    ///
    /// A clock that is ahead forgets what is needed again once it is set right: endings of tokens that have not died
    /// yet, and living sessions, which nobody can end any more. So nothing is known of the session of a token that was
    /// dead by age at the latest moment for which anything was forgotten; only the session itself, in the store, proves
    /// that it lives.
    pub fn look_up(&self, session: SessionId, expires_at: Timestamp, at: Moment) -> Known {
        if self.ended.contains(session) {
            Known::Ended
        } else if expires_at <= self.forgotten_until() {
            // Looked at after the session: the moment is known before anything is forgotten.
            Known::Unsure
        } else if self.freshness.holds(at) {
            Known::Lives
        } else {
            Known::Unsure
        }
    }

    /// Remembers endings that are committed.
    pub fn add(&self, ended: &[EndedSession]) {
        for ended in ended {
            self.ended.insert(ended.session, ended.expires_at);
        }
    }

    /// Remembers endings read from the store in the order of their sequence, and how far they go.
    pub fn catch_up(&self, ended: &[EndedSession]) {
        self.add(ended);
        self.recent.push(ended);
    }

    /// Says that the order of endings is another one than was read: it has to be read from the beginning, and until
    /// that is done memory proves nothing. Who is known to have ended stays so.
    pub fn start_over(&self) {
        self.freshness.lose();
        self.recent.start_over();
    }

    /// Says that everything which had ended by `asked` is known. `asked` is when the store was asked, not when it
    /// answered: what ended in between is not in the answer.
    pub fn confirm(&self, asked: Moment) {
        // In this order: how far memory goes is known when it is fresh.
        self.recent.confirm(asked.running);
        self.freshness.confirm(asked);
    }

    /// Whether memory speaks for the store at this moment.
    pub fn is_fresh(&self, at: Moment) -> bool {
        self.freshness.holds(at)
    }

    /// The endings caught up with last, for those who follow them.
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    /// The place up to which everything is known.
    pub fn caught_up_to(&self) -> Place {
        self.recent.place()
    }

    /// Takes what is dead by age at this moment for forgotten from now on, if it is later than all before.
    pub fn forget_until(&self, until: Timestamp) {
        self.forgotten_until.fetch_max(until.0, Ordering::SeqCst);
    }

    /// The latest moment for which anything was forgotten.
    pub fn forgotten_until(&self) -> Timestamp {
        Timestamp(self.forgotten_until.load(Ordering::SeqCst))
    }

    /// Forgets sessions whose every token is dead by age, once the hour is over in which the last of them died.
    pub fn purge(&self, now: Timestamp) {
        self.forget_until(now);
        self.ended.purge(now);
    }

    /// How many are remembered.
    pub fn len(&self) -> usize {
        self.ended.len()
    }

    /// Whether none is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    /// When a token dies that outlives whatever was forgotten.
    const FOREVER: Timestamp = Timestamp(i64::MAX);

    const MOMENT: Moment = Moment {
        running: Duration::ZERO,
        now: Timestamp(0),
    };

    fn ended(n: u8, expires_at: i64) -> EndedSession {
        EndedSession {
            sequence: i64::from(n),
            session: SessionId(Uuid::from_bytes([n; 16])),
            expires_at: Timestamp(expires_at),
            mark: 1,
        }
    }

    #[test]
    fn remembers_until_every_token_is_dead() {
        let revocations = Revocations::default();
        let hour = 3_600_000;
        revocations.catch_up(&[ended(1, hour - 1), ended(2, hour)]);
        assert_eq!(revocations.caught_up_to(), ended(2, 0).place());
        revocations.purge(Timestamp(hour));
        assert!(!revocations.ended.contains(ended(1, 0).session));
        assert!(revocations.ended.contains(ended(2, 0).session));
        assert_eq!(revocations.len(), 1);
    }

    #[test]
    fn an_old_mirror_is_unsure_and_still_knows_the_ended() {
        let revocations = Revocations::default();
        revocations.add(&[ended(1, 10)]);
        let (session, asked) = (ended(2, 0).session, MOMENT.plus(Duration::from_secs(7)));
        for at in [MOMENT, asked] {
            assert_eq!(
                revocations.look_up(session, FOREVER, at),
                Known::Unsure,
                "never caught up"
            );
        }
        revocations.confirm(asked);
        assert_eq!(
            revocations.look_up(session, FOREVER, asked.plus(FRESH_FOR)),
            Known::Lives
        );
        let late = asked.plus(FRESH_FOR + Duration::from_millis(1));
        assert_eq!(revocations.look_up(session, FOREVER, late), Known::Unsure);
        assert_eq!(revocations.look_up(ended(1, 0).session, FOREVER, late), Known::Ended);
    }

    #[test]
    fn another_past_makes_unsure_of_all_but_the_ended() {
        let revocations = Revocations::default();
        let asked = MOMENT;
        revocations.catch_up(&[ended(1, 10)]);
        revocations.confirm(asked);
        revocations.start_over();
        assert_eq!(revocations.look_up(ended(1, 0).session, FOREVER, asked), Known::Ended);
        assert_eq!(revocations.look_up(ended(2, 0).session, FOREVER, asked), Known::Unsure);
        revocations.catch_up(&[ended(1, 10)]);
        revocations.confirm(asked);
        assert_eq!(revocations.look_up(ended(2, 0).session, FOREVER, asked), Known::Lives);
    }

    #[test]
    fn of_what_was_forgotten_it_is_unsure_when_the_clock_goes_back() {
        let revocations = Revocations::default();
        let (asked, ahead) = (MOMENT, Timestamp(20_000_000));
        revocations.add(&[ended(1, 10_000_000)]);
        revocations.confirm(asked);
        revocations.purge(ahead);
        revocations.purge(Timestamp(5));
        let known = |expires_at| revocations.look_up(ended(1, 0).session, Timestamp(expires_at), asked);
        assert_eq!(known(10_000_000), Known::Unsure);
        assert_eq!(known(ahead.0), Known::Unsure);
        assert_eq!(known(ahead.0 + 1), Known::Lives, "nothing of it was forgotten");
    }

    #[test]
    fn own_endings_do_not_hide_those_of_others() {
        let revocations = Revocations::default();
        revocations.add(&[ended(5, 10)]);
        assert_eq!(
            revocations.caught_up_to(),
            Place::BEGINNING,
            "an ending of another process may have a smaller sequence"
        );
        assert!(revocations.ended.contains(ended(5, 0).session));
    }
}
