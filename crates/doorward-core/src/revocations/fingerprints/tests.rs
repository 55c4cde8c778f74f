//! Tests of the set, most of them against a map.

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
    let fingerprints: std::collections::HashSet<u64> = (0..128).map(|bit| key.fingerprint(session(1 << bit))).collect();
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
    for n in 0..150_000 {
        fingerprints.insert(session(n), Timestamp(0));
    }
    for page in 0..10 {
        let sessions = (0..15_000).map(|n| session(150_000 + page * 15_000 + n));
        fingerprints.insert_all(sessions.map(|session| (session, Timestamp(0))));
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
    InsertAll(Vec<(u8, u8)>),
    Purge(u8),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (any::<u8>(), 0u8..20).prop_map(|(n, hour)| Step::Insert(n, hour)),
        2 => prop::collection::vec((any::<u8>(), 0u8..20), 0..20).prop_map(Step::InsertAll),
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
                Step::InsertAll(all) => {
                    let mut all: Vec<(u64, u32)> =
                        all.into_iter().map(|(n, hour)| (fingerprint(n), hour.into())).collect();
                    all.sort_unstable();
                    shard.insert_all(&all);
                    for (fingerprint, hour) in all {
                        let known = model.entry(fingerprint).or_insert(hour);
                        *known = (*known).max(hour);
                    }
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
                Step::InsertAll(all) => {
                    let until = |hour: u8| Timestamp(i64::from(hour) * HOUR + 7);
                    fingerprints.insert_all(all.iter().map(|(n, hour)| (session((*n).into()), until(*hour))));
                    for (n, hour) in all {
                        let known = model.entry(n).or_insert(hour);
                        *known = (*known).max(hour);
                    }
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
