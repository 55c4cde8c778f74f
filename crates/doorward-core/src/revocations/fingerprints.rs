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

/// Many fingerprints are put into a list by one walk through it when it has at most this many for each of them. By itself
/// each costs cache misses and moves what stands behind it, which takes as long as such a walk.
const WALK: usize = 16;

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

    /// The same of many, which takes less time.
    pub(super) fn insert_all(&self, sessions: impl Iterator<Item = (SessionId, Timestamp)>) {
        let fingerprints = sessions.map(|(session, until)| (self.key.fingerprint(session), hour(until)));
        let mut fingerprints: Vec<(u64, u32)> = fingerprints.collect();
        fingerprints.sort_unstable();
        for part in fingerprints.chunk_by(|(one, _), (other, _)| one >> 56 == other >> 56) {
            let shard = part.first().and_then(|(fingerprint, _)| self.shard(*fingerprint));
            if let Some(shard) = shard {
                shard.write().insert_all(part);
            }
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

    /// How many places there have to be for so many more.
    fn places_for(&self, more: usize) -> usize {
        let len = self.len + more;
        if len * MOST_TAKEN.1 > self.places * MOST_TAKEN.0 {
            (len * PLACES.0 / PLACES.1).max(FEWEST)
        } else {
            self.places
        }
    }

    /// Many, in ascending order.
    fn insert_all(&mut self, more: &[(u64, u32)]) {
        if more.len() * WALK >= self.len {
            self.spread(self.places_for(more.len()), 0, more);
        } else {
            for (fingerprint, hour) in more {
                self.insert(*fingerprint, *hour);
            }
        }
    }

    fn insert(&mut self, fingerprint: u64, hour: u32) {
        let places = self.places_for(1);
        if places != self.places {
            self.spread(places, 0, &[]);
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

    /// Spreads what is not over by this hour over so many places, together with more in ascending order.
    fn spread(&mut self, places: usize, now: u32, more: &[(u64, u32)]) {
        let (slots, hours) = (std::mem::take(&mut self.slots), std::mem::take(&mut self.hours));
        (self.slots, self.hours) = (vec![0; places], vec![NEVER; places]);
        (self.places, self.len) = (places, 0);
        let mut more = more.iter().copied().peekable();
        let mut next = 0;
        for (fingerprint, hour) in slots.into_iter().zip(hours) {
            if fingerprint == 0 || hour < now {
                continue;
            }
            while let Some((lower, hour)) = more.next_if(|(other, _)| *other < fingerprint) {
                self.append(&mut next, lower, hour);
            }
            self.append(&mut next, fingerprint, hour);
        }
        more.for_each(|(fingerprint, hour)| self.append(&mut next, fingerprint, hour));
    }

    /// Puts a fingerprint behind those that stand before `next`, all of which are lower, or the last the same.
    fn append(&mut self, next: &mut usize, fingerprint: u64, hour: u32) {
        let last = next.checked_sub(1);
        let last = last.filter(|last| self.slots.get(*last) == Some(&fingerprint));
        if let Some(known) = last.and_then(|last| self.hours.get_mut(last)) {
            *known = hour.max(*known);
            return;
        }
        let at = self.home(fingerprint).max(*next);
        self.put(at, fingerprint, hour);
        self.len += 1;
        *next = at + 1;
    }

    fn forget_before(&mut self, now: u32) {
        let left = self.hours.iter().filter(|hour| (now..NEVER).contains(*hour)).count();
        if left == 0 {
            *self = Self::default();
        } else {
            self.spread((left * PLACES.0 / PLACES.1).max(FEWEST), now, &[]);
        }
    }
}

#[cfg(test)]
mod tests;
