//! A set of 64-bit fingerprints of sessions, each with the hour after which it need not be remembered.
//!
//! The surprise: it is a sorted list with gaps. A fingerprint stands at the place in proportion to its value or a few
//! further on, so a look-up reads one or two cache lines, and growing or forgetting is one walk from left to right.
//! Hours stand beside the fingerprints and not in a set of each hour: sessions of thirty days would have 720 of them,
//! and a look-up one cache miss in each.

use std::hash::{BuildHasher, RandomState};

use parking_lot::RwLock;

use crate::Timestamp;
use crate::session::SessionId;

/// Locks are held for a look-up or for an insertion into a list of this part; so many parts make two threads rarely
/// meet, and keep short what has to be copied when one grows.
const SHARDS: usize = 256;

/// The most places taken of those there are: 17 of 20. Beyond that the few places further on become many.
const MOST_TAKEN: (usize, usize) = (17, 20);

/// A list grows to this many places for as many fingerprints: with [`MOST_TAKEN`], by an eighth each time. With 12 bytes
/// a place, a session takes 14 to 16.
const PLACES: (usize, usize) = (45, 34);

/// The fewest places of a list.
const FEWEST: usize = 16;

/// The fingerprints, by their highest bits in parts with a lock each.
pub(super) struct Fingerprints {
    shards: Vec<RwLock<Shard>>,
    key: Key,
}

impl Default for Fingerprints {
    fn default() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| RwLock::default()).collect(),
            key: Key::random(),
        }
    }
}

impl Fingerprints {
    pub(super) fn contains(&self, session: SessionId) -> bool {
        let fingerprint = self.key.fingerprint(session);
        self.shard(fingerprint)
            .is_some_and(|shard| shard.read().contains(fingerprint))
    }

    /// Remembers a session at least until this moment, or the later one of two.
    pub(super) fn insert(&self, session: SessionId, until: Timestamp) {
        let fingerprint = self.key.fingerprint(session);
        if let Some(shard) = self.shard(fingerprint) {
            shard.write().insert(fingerprint, hour(until));
        }
    }

    /// Forgets the hours that are over.
    pub(super) fn purge(&self, now: Timestamp) {
        let now = hour(now);
        for shard in &self.shards {
            // Most of the time there is nothing, and nobody has to wait for the search.
            let is_due = shard.read().hours.iter().any(|hour| *hour < now);
            if is_due {
                shard.write().forget_before(now);
            }
        }
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.read().len).sum()
    }

    fn shard(&self, fingerprint: u64) -> Option<&RwLock<Shard>> {
        self.shards.get(usize::try_from(fingerprint >> 56).unwrap_or(0))
    }
}

/// The hour of a moment, since the epoch. Never [`NEVER`].
fn hour(at: Timestamp) -> u32 {
    u32::try_from(at.seconds().div_euclid(3600).max(0)).map_or(NEVER - 1, |hour| hour.min(NEVER - 1))
}

/// The hour of a place that is free.
const NEVER: u32 = u32::MAX;

/// What makes fingerprints: multiply-shift over two words (Thorup, "High speed hashing for integers and strings", 2015,
/// section 3.5).
///
/// Two sessions share a fingerprint with a probability of 2⁻⁶⁴ for each pair, whatever their ids, over the choice of
/// the key; then one is refused early. That is all that has to be proven: ids are drawn by the server and not by an
/// attacker, and no answer shows anything of a fingerprint from which the key could be learned. So it need not be the
/// keyed hash for strings that strangers choose, which takes five times as long.
struct Key([u128; 3]);

impl Key {
    fn random() -> Self {
        let word = |number: u8| u128::from(RandomState::new().hash_one(number));
        Self([0, 1, 2].map(|number| word(number) << 64 | word(number)))
    }

    /// Never 0, which is a place that is free.
    fn fingerprint(&self, session: SessionId) -> u64 {
        let Self([add, first, second]) = *self;
        let (high, low) = session.0.as_u64_pair();
        let sum = add
            .wrapping_add(first.wrapping_mul(high.into()))
            .wrapping_add(second.wrapping_mul(low.into()));
        u64::try_from(sum >> 64).unwrap_or(0).max(1)
    }
}

/// Fingerprints in ascending order, with gaps.
#[derive(Default)]
struct Shard {
    /// 0 where nothing stands. What does not fit before the end stands behind it.
    slots: Vec<u64>,
    /// Beside each its hour.
    hours: Vec<u32>,
    /// The places that fingerprints are spread over.
    places: usize,
    len: usize,
}

impl Shard {
    /// Where a fingerprint stands if nothing is in its way. In proportion: a higher one never stands before a lower.
    fn home(&self, fingerprint: u64) -> usize {
        // The highest bits are those of the shard.
        let share = u128::from(fingerprint << 8);
        usize::try_from((share * self.places as u128) >> 64).unwrap_or(0)
    }

    /// Where it stands, or where it would have to.
    fn find(&self, fingerprint: u64) -> Result<usize, usize> {
        let home = self.home(fingerprint);
        let from_home = self.slots.get(home..).unwrap_or_default();
        let before = from_home
            .iter()
            .take_while(|slot| (1..fingerprint).contains(*slot))
            .count();
        let at = home + before;
        match self.slots.get(at) {
            Some(slot) if *slot == fingerprint => Ok(at),
            _ => Err(at),
        }
    }

    fn contains(&self, fingerprint: u64) -> bool {
        self.find(fingerprint).is_ok()
    }

    fn insert(&mut self, fingerprint: u64, hour: u32) {
        if (self.len + 1) * MOST_TAKEN.1 > self.places * MOST_TAKEN.0 {
            let places = (self.len + 1) * PLACES.0 / PLACES.1;
            self.spread(places.max(FEWEST), 0);
        }
        match self.find(fingerprint) {
            Ok(at) => {
                if let Some(known) = self.hours.get_mut(at) {
                    *known = hour.max(*known);
                }
            }
            Err(at) => {
                self.put(at, fingerprint, hour);
                self.len += 1;
            }
        }
    }

    /// Puts it here; what stands here and right behind it moves on by one.
    fn put(&mut self, at: usize, fingerprint: u64, hour: u32) {
        let mut carried = (fingerprint, hour);
        let (slots, hours) = (self.slots.iter_mut().skip(at), self.hours.iter_mut().skip(at));
        for (slot, hour) in slots.zip(hours) {
            carried = (std::mem::replace(slot, carried.0), std::mem::replace(hour, carried.1));
            if carried.0 == 0 {
                return;
            }
        }
        self.slots.reserve_exact(1);
        self.slots.push(carried.0);
        self.hours.reserve_exact(1);
        self.hours.push(carried.1);
    }

    /// Spreads what is not over by this hour over so many places.
    fn spread(&mut self, places: usize, now: u32) {
        let (slots, hours) = (std::mem::take(&mut self.slots), std::mem::take(&mut self.hours));
        (self.slots, self.hours) = (vec![0; places], vec![NEVER; places]);
        (self.places, self.len) = (places, 0);
        let mut next = 0;
        for (fingerprint, hour) in slots.into_iter().zip(hours) {
            if fingerprint == 0 || hour < now {
                continue;
            }
            let at = self.home(fingerprint).max(next);
            self.put(at, fingerprint, hour);
            self.len += 1;
            next = at + 1;
        }
    }

    fn forget_before(&mut self, now: u32) {
        let left = self.hours.iter().filter(|hour| (now..NEVER).contains(*hour)).count();
        if left == 0 {
            *self = Self::default();
        } else {
            self.spread((left * PLACES.0 / PLACES.1).max(FEWEST), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    const HOUR: i64 = 3_600_000;

    fn session(n: u128) -> SessionId {
        SessionId(Uuid::from_u128(n))
    }

    impl Shard {
        fn check(&self) {
            let taken: Vec<(usize, u64)> = self
                .slots
                .iter()
                .copied()
                .enumerate()
                .filter(|(_, slot)| *slot != 0)
                .collect();
            assert!(taken.is_sorted_by(|(_, a), (_, b)| a < b));
            for (at, fingerprint) in &taken {
                let home = self.home(*fingerprint);
                assert!(home <= *at && self.slots[home..*at].iter().all(|slot| *slot != 0));
            }
            assert_eq!(taken.len(), self.len);
            let free = self.hours.iter().filter(|hour| **hour == NEVER).count();
            assert_eq!(
                (self.hours.len(), free),
                (self.slots.len(), self.slots.len() - self.len)
            );
        }
    }

    #[test]
    fn every_word_of_an_id_counts() {
        let key = Key::random();
        let fingerprints: std::collections::HashSet<u64> =
            (0..128).map(|bit| key.fingerprint(session(1 << bit))).collect();
        assert_eq!(fingerprints.len(), 128);
        assert_ne!(key.fingerprint(session(1)), Key::random().fingerprint(session(1)));
    }

    #[test]
    fn an_hour_is_forgotten_when_it_is_over() {
        let fingerprints = Fingerprints::default();
        fingerprints.insert(session(1), Timestamp(HOUR + 1));
        fingerprints.insert(session(2), Timestamp(i64::MAX));
        fingerprints.insert(session(3), Timestamp(i64::MIN));
        fingerprints.purge(Timestamp(2 * HOUR - 1));
        assert!(fingerprints.contains(session(1)) && !fingerprints.contains(session(3)));
        fingerprints.purge(Timestamp(2 * HOUR));
        assert!(!fingerprints.contains(session(1)));
        fingerprints.purge(Timestamp(i64::MAX - 1));
        assert!(fingerprints.contains(session(2)));
        assert_eq!(fingerprints.len(), 1);
    }

    #[test]
    fn a_session_takes_16_bytes_at_most() {
        let fingerprints = Fingerprints::default();
        for n in 0..300_000 {
            fingerprints.insert(session(n), Timestamp(0));
        }
        let places: usize = fingerprints
            .shards
            .iter()
            .map(|shard| shard.read().slots.capacity())
            .sum();
        assert!(places * 12 <= 300_000 * 16, "{places}");
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u8, u8),
        Purge(u8),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            20 => (any::<u8>(), 0u8..20).prop_map(|(n, hour)| Step::Insert(n, hour)),
            1 => (0u8..20).prop_map(Step::Purge),
        ]
    }

    proptest! {
        /// One part, in which everything meets, against a map. Fingerprints are close together at both ends, where the
        /// list is most likely to be wrong.
        #[test]
        fn a_part_is_a_map(steps in prop::collection::vec(step(), 0..400), spread in 0u32..56) {
            let (mut shard, mut model) = (Shard::default(), HashMap::new());
            let fingerprint = |n: u8| {
                let low = (u64::from(n) << spread) & (u64::MAX >> 8);
                if n.is_multiple_of(2) { low.max(1) } else { (u64::MAX >> 8) - low }.max(1)
            };
            for step in steps {
                match step {
                    Step::Insert(n, hour) => {
                        shard.insert(fingerprint(n), hour.into());
                        let known = model.entry(fingerprint(n)).or_insert(u32::from(hour));
                        *known = (*known).max(hour.into());
                    }
                    Step::Purge(now) => {
                        shard.forget_before(now.into());
                        model.retain(|_, hour| *hour >= u32::from(now));
                    }
                }
                shard.check();
                prop_assert_eq!(shard.len, model.len());
            }
            for n in 0..=u8::MAX {
                prop_assert_eq!(shard.contains(fingerprint(n)), model.contains_key(&fingerprint(n)));
            }
        }

        /// The whole, through sessions and moments.
        #[test]
        fn remembers_what_a_map_remembers(steps in prop::collection::vec(step(), 0..200)) {
            let (fingerprints, mut model) = (Fingerprints::default(), HashMap::new());
            for step in steps {
                match step {
                    Step::Insert(n, hour) => {
                        fingerprints.insert(session(n.into()), Timestamp(i64::from(hour) * HOUR + 7));
                        let known = model.entry(n).or_insert(hour);
                        *known = (*known).max(hour);
                    }
                    Step::Purge(now) => {
                        fingerprints.purge(Timestamp(i64::from(now) * HOUR));
                        model.retain(|_, hour| *hour >= now);
                    }
                }
                prop_assert_eq!(fingerprints.len(), model.len());
            }
            prop_assert!((0..=u8::MAX).all(|n| fingerprints.contains(session(n.into())) == model.contains_key(&n)));
        }
    }
}
