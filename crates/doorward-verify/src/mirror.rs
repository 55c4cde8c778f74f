//! The sessions that have ended, as far as one database told, and how fresh that is.
//!
//! The surprise: what belongs to another database goes into another mirror. A check holds one mirror from its first
//! look to its last, so that it never takes the freshness of one with the memory of the other. What the one before knew
//! to have ended stays so until the new one has been told everything.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};

use arc_swap::ArcSwapOption;
use parking_lot::RwLock;
use uuid::Uuid;

use crate::clock::Moment;
use crate::freshness::Proof;

/// Locks are held for one look-up, or while one shard is searched for what is over.
const SHARDS: usize = 64;
/// An ending is forgotten so many seconds after its last token is dead by age, so that a clock that is corrected by
/// a little brings no token back to life.
const SLACK: i64 = 60;

/// What is known of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Known {
    /// It has ended.
    Ended,
    /// It has not ended, as of a moment within the bound.
    Lives,
    /// Not known to have ended, and that is too old to say that it lives.
    Unsure,
}

/// No more endings can be kept.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Full;

/// The mirror of one database's endings.
pub(crate) struct Mirror {
    shards: Vec<RwLock<HashMap<Uuid, i64>>>,
    hashes: RandomState,
    kept: AtomicUsize,
    /// The most that are kept.
    limit: usize,
    proof: RwLock<Option<Proof>>,
    /// Up to which second, by the clock that people set, endings may have been forgotten.
    forgotten: AtomicI64,
    /// What was known to have ended before this one began, until this one has been told everything.
    before: ArcSwapOption<Mirror>,
    /// When it began, by the monotonic clock.
    began: i64,
}

impl Mirror {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            hashes: RandomState::new(),
            kept: AtomicUsize::new(0),
            limit,
            proof: RwLock::new(None),
            forgotten: AtomicI64::new(i64::MIN),
            before: ArcSwapOption::empty(),
            began: i64::MIN,
        }
    }

    /// The one that takes its place.
    ///
    /// # Errors
    /// When nothing of this one was proven, and it and the one before it know of more endings than may be kept.
    pub(crate) fn successor(self: &Arc<Self>, now: Moment) -> Result<Self, Full> {
        let known = self.before.load_full().unwrap_or_else(|| Arc::clone(self));
        if !Arc::ptr_eq(&known, self) {
            for shard in &self.shards {
                shard.read().iter().try_for_each(|(sid, exp)| known.add(*sid, *exp))?;
            }
        }
        Ok(Self {
            before: ArcSwapOption::new(Some(known)),
            began: now.running,
            ..Self::new(self.limit)
        })
    }

    /// What is known of the session, where nothing older than `bound` (microseconds) counts.
    pub(crate) fn look_up(&self, sid: Uuid, now: Moment, bound: i64) -> Known {
        // First how fresh, then what: so the answer is at least as fresh as was found. The other way round, an
        // ending and a proof that come between the two looks would make a session live that has ended.
        let fresh = self.is_fresh(now, bound);
        // The one before goes once everything is here: so it is asked before this one.
        let had_ended = self.before.load().as_ref().is_some_and(|before| before.has(sid));
        if had_ended || self.has(sid) {
            Known::Ended
        } else if fresh {
            Known::Lives
        } else {
            Known::Unsure
        }
    }

    fn has(&self, sid: Uuid) -> bool {
        self.shard(sid).is_some_and(|shard| shard.read().contains_key(&sid))
    }

    /// Whether it speaks for the database, where nothing older than `bound` (microseconds) counts.
    pub(crate) fn is_fresh(&self, now: Moment, bound: i64) -> bool {
        self.age(now).is_some_and(|age| age <= bound) && !self.outlived(now)
    }

    /// How old the last proof is, in microseconds; none when there never was one.
    pub(crate) fn age(&self, now: Moment) -> Option<i64> {
        self.proof.read().map(|proof| proof.age(now))
    }

    /// Whether the clock has been set back to before what was forgotten, so that an ending which is needed again may
    /// be gone. Another mirror helps where the clock was fast until then: the server knows that ending still. Where it
    /// was right and is slow now, the server has forgotten it, too, by its own clock.
    pub(crate) fn outlived(&self, now: Moment) -> bool {
        now.seconds() < self.forgotten.load(Ordering::SeqCst)
    }

    /// Remembers an ending, until the second `exp`.
    ///
    /// # Errors
    /// When there are too many. Nothing that comes later may be believed then.
    pub(crate) fn add(&self, sid: Uuid, exp: i64) -> Result<(), Full> {
        let Some(shard) = self.shard(sid) else {
            return Err(Full);
        };
        let mut shard = shard.write();
        if let Some(known) = shard.get_mut(&sid) {
            *known = exp.max(*known);
            return Ok(());
        }
        if self.kept.load(Ordering::SeqCst) >= self.limit {
            return Err(Full);
        }
        shard.insert(sid, exp);
        self.kept.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Everything that had ended as of the proof has been added. An older one changes nothing.
    pub(crate) fn prove(&self, proof: Proof, now: Moment) {
        let mut known = self.proof.write();
        if known.is_none_or(|known| proof.age(now) < known.age(now)) {
            *known = Some(proof);
        }
        // An older proof may leave out what had ended by then.
        if proof.is_of(self.began) {
            self.before.store(None);
        }
    }

    /// Forgets sessions whose every token is dead by age.
    pub(crate) fn purge(&self, now: Moment) {
        let until = now.seconds().saturating_sub(SLACK);
        self.forgotten.fetch_max(until, Ordering::SeqCst);
        if let Some(before) = &*self.before.load() {
            before.purge(now);
        }
        for shard in &self.shards {
            let mut shard = shard.write();
            let before = shard.len();
            shard.retain(|_, exp| *exp > until);
            self.kept.fetch_sub(before - shard.len(), Ordering::SeqCst);
        }
    }

    /// How many endings are kept, without those that only the one before knows.
    pub(crate) fn kept(&self) -> usize {
        self.kept.load(Ordering::SeqCst)
    }

    fn shard(&self, sid: Uuid) -> Option<&RwLock<HashMap<Uuid, i64>>> {
        let index = usize::try_from(self.hashes.hash_one(sid) >> 32).unwrap_or(0) % SHARDS;
        self.shards.get(index)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::freshness::Anchor;

    const SECOND: i64 = 1_000_000;

    fn at(seconds: i64) -> Moment {
        Moment {
            running: seconds * SECOND,
            wall: (1000 + seconds) * SECOND,
        }
    }

    fn sid(n: u8) -> Uuid {
        Uuid::from_bytes([n; 16])
    }

    fn proof(seconds: i64) -> Proof {
        let mut anchor = Anchor::new(at(seconds), 5000);
        anchor.proof(5000, at(seconds))
    }

    #[test]
    fn it_speaks_for_the_database_only_within_the_bound() {
        let mirror = Mirror::new(10);
        assert_eq!(mirror.look_up(sid(1), at(0), SECOND), Known::Unsure, "nothing came yet");
        mirror.prove(proof(0), at(0));
        mirror.add(sid(2), 5000).unwrap();
        assert_eq!(mirror.look_up(sid(1), at(0), SECOND), Known::Lives);
        assert_eq!(mirror.look_up(sid(2), at(0), SECOND), Known::Ended);
        assert_eq!(mirror.look_up(sid(1), at(1), SECOND), Known::Unsure);
        assert_eq!(mirror.look_up(sid(2), at(1), SECOND), Known::Ended);
        mirror.prove(proof(2), at(2));
        mirror.prove(proof(0), at(2));
        assert_eq!(
            mirror.look_up(sid(1), at(2), SECOND),
            Known::Lives,
            "an older proof changes nothing"
        );
    }

    #[test]
    fn what_is_dead_by_age_makes_room() {
        let mirror = Mirror::new(2);
        mirror.add(sid(1), 1010).unwrap();
        mirror.add(sid(2), 1100).unwrap();
        mirror.add(sid(1), 1020).unwrap();
        assert_eq!(mirror.add(sid(3), 1100), Err(Full));
        mirror.purge(at(20 + SLACK - 1));
        assert_eq!(mirror.kept(), 2, "a token of the first one may live for a second");
        mirror.purge(at(20 + SLACK));
        assert_eq!(mirror.kept(), 1);
        mirror.add(sid(3), 1100).unwrap();
        mirror.prove(proof(90), at(90));
        assert_eq!(mirror.look_up(sid(2), at(90), SECOND), Known::Ended);
    }

    #[test]
    fn a_clock_set_back_finds_nothing_forgotten() {
        let mirror = Mirror::new(2);
        mirror.add(sid(1), 1500).unwrap();
        mirror.purge(at(3600));
        let mut back = at(3600);
        back.wall -= 3600 * SECOND;
        mirror.prove(proof(3600), at(3600));
        assert_eq!(mirror.look_up(sid(1), at(3600), SECOND), Known::Lives);
        assert_eq!(mirror.look_up(sid(1), back, SECOND), Known::Unsure);
        assert!(mirror.outlived(back));
    }

    #[test]
    fn what_had_ended_stays_so_until_a_successor_has_been_told_everything() {
        let first = Arc::new(Mirror::new(2));
        first.add(sid(1), 5000).unwrap();
        first.prove(proof(0), at(0));
        let second = Arc::new(first.successor(at(10)).unwrap());
        assert_eq!(second.look_up(sid(1), at(10), SECOND), Known::Ended);
        assert_eq!(
            second.look_up(sid(2), at(10), SECOND),
            Known::Unsure,
            "the freshness goes"
        );
        second.add(sid(2), 5000).unwrap();
        // Nothing of the second was proven: what both know counts.
        let third = second.successor(at(20)).unwrap();
        for ended in [sid(1), sid(2)] {
            assert_eq!(third.look_up(ended, at(20), SECOND), Known::Ended);
        }
        third.add(sid(2), 5000).unwrap();
        third.prove(proof(19), at(20));
        assert_eq!(
            third.look_up(sid(1), at(20), SECOND),
            Known::Ended,
            "it may have ended since"
        );
        third.prove(proof(21), at(21));
        assert_eq!(third.look_up(sid(1), at(21), SECOND), Known::Lives);
        assert_eq!(third.look_up(sid(2), at(21), SECOND), Known::Ended);
    }

    #[test]
    fn predecessors_know_together_no_more_than_may_be_kept() {
        let first = Arc::new(Mirror::new(1));
        first.add(sid(1), 1010).unwrap();
        let second = Arc::new(first.successor(at(0)).unwrap());
        second.add(sid(2), 1100).unwrap();
        assert!(second.successor(at(0)).is_err());
        second.purge(at(10 + SLACK));
        assert!(second.successor(at(10 + SLACK)).is_ok());
    }
}
