//! A map that keeps what was used last: when it is full, the entry left alone for longest makes room.
//!
//! The surprise: an entry that was pushed out and comes back is another one, told apart by [`Entry::born`];
//! whoever still holds the old one must not settle its account on the new.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

/// At most `capacity` values, each step in the logarithm of their number.
pub(super) struct Recent<K, V> {
    entries: HashMap<K, Entry<V>>,
    /// The keys by their last use, oldest first.
    order: BTreeMap<u64, K>,
    next: u64,
    capacity: usize,
}

/// A value with its place in the order of use.
pub(super) struct Entry<V> {
    /// The number of the use that made it, unique for the life of the map.
    pub(super) born: u64,
    used: u64,
    pub(super) value: V,
}

impl<K: Copy + Eq + Hash, V> Recent<K, V> {
    pub(super) fn new(capacity: usize) -> Self {
        Self {
            entries: HashMap::new(),
            order: BTreeMap::new(),
            next: 0,
            capacity,
        }
    }

    /// The entry of `key`, without counting as a use.
    pub(super) fn peek(&mut self, key: K) -> Option<&mut Entry<V>> {
        self.entries.get_mut(&key)
    }

    /// The entry of `key`, now the one used last.
    pub(super) fn touch(&mut self, key: K) -> Option<&mut Entry<V>> {
        let entry = self.entries.get_mut(&key)?;
        self.order.remove(&entry.used);
        entry.used = self.next;
        self.order.insert(self.next, key);
        self.next += 1;
        Some(entry)
    }

    /// The entry of `key`, now the one used last; `fresh` if there was none.
    pub(super) fn touch_or(&mut self, key: K, fresh: V) -> &mut Entry<V> {
        let full = self.entries.len() >= self.capacity && !self.entries.contains_key(&key);
        if full && let Some((_, oldest)) = self.order.pop_first() {
            self.entries.remove(&oldest);
        }
        let used = self.next;
        self.next += 1;
        let entry = self.entries.entry(key).or_insert(Entry {
            born: used,
            used,
            value: fresh,
        });
        self.order.remove(&entry.used);
        entry.used = used;
        self.order.insert(used, key);
        entry
    }

    pub(super) fn remove(&mut self, key: K) {
        if let Some(entry) = self.entries.remove(&key) {
            self.order.remove(&entry.used);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        assert_eq!(self.entries.len(), self.order.len());
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_one_left_alone_for_longest_makes_room() {
        let mut recent = Recent::new(2);
        let first = recent.touch_or('a', 1).born;
        recent.touch_or('b', 2);
        assert_eq!(
            recent.touch_or('a', 9).value,
            1,
            "still there, so the fresh value is not taken"
        );
        recent.touch_or('c', 3);
        assert!(recent.peek('b').is_none());
        assert_eq!(recent.peek('a').map(|entry| entry.born), Some(first));
        assert_eq!(recent.len(), 2);
    }

    #[test]
    fn an_entry_that_comes_back_is_another_one() {
        let mut recent = Recent::new(1);
        let first = recent.touch_or('a', 1).born;
        recent.touch_or('b', 1);
        assert_ne!(recent.touch_or('a', 1).born, first);
    }

    proptest! {
        /// Against a plain list of keys in the order of use.
        #[test]
        fn keeps_the_last_used(steps in prop::collection::vec((0u8..12, 0u8..6), 0..200)) {
            let (mut recent, mut model) = (Recent::new(5), VecDeque::new());
            for (key, step) in steps {
                let known = model.contains(&key);
                if step == 0 {
                    recent.remove(key);
                } else if step == 1 {
                    prop_assert_eq!(recent.touch(key).is_some(), known);
                } else {
                    recent.touch_or(key, ());
                }
                model.retain(|k| *k != key);
                if step > 1 || (step == 1 && known) {
                    model.push_back(key);
                }
                if model.len() > 5 {
                    model.pop_front();
                }
                prop_assert_eq!(recent.len(), model.len());
                prop_assert!(model.iter().all(|key| recent.peek(*key).is_some()));
            }
        }
    }
}
