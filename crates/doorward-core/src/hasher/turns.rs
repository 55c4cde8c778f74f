//! Turn by turn: whoever waits is in a class, and the classes are served in rotation, one thing from each.
//!
//! The surprise: a class may itself be made of classes (sites, within a site networks, within a network accounts), so
//! all levels are this one type.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::hash::Hash;

/// Things that wait, in one order or another.
pub(super) trait Class: Default {
    /// What waits.
    type Item;
    /// How a thing finds its place.
    type Path: Copy;

    /// How many wait.
    fn len(&self) -> usize;
    /// How many wait on this path's first level.
    fn len_of(&self, path: Self::Path) -> usize;
    /// Puts a thing at the end of what waits on its path.
    fn push(&mut self, path: Self::Path, item: Self::Item);
    /// The thing whose turn it is.
    fn next(&self) -> Option<&Self::Item>;
    /// Takes the thing whose turn it is.
    fn pop(&mut self) -> Option<Self::Item>;
    /// Takes the oldest thing on this path, without using up a turn.
    fn pop_at(&mut self, path: Self::Path) -> Option<Self::Item>;
    /// Takes the newest thing of whoever has most.
    fn pop_of_largest(&mut self) -> Option<Self::Item>;
    /// Takes out what has to give way to a newcomer on this path: the newest thing of whoever has most, if that stays
    /// at least as much as the newcomer's will be. Nothing if all have the same share.
    fn give_way(&mut self, path: Self::Path) -> Option<Self::Item>;
}

/// First come, first served.
impl<T> Class for VecDeque<T> {
    type Item = T;
    type Path = ();

    fn len(&self) -> usize {
        self.len()
    }

    fn len_of(&self, (): ()) -> usize {
        self.len()
    }

    fn push(&mut self, (): (), item: T) {
        self.push_back(item);
    }

    fn next(&self) -> Option<&T> {
        self.front()
    }

    fn pop(&mut self) -> Option<T> {
        self.pop_front()
    }

    fn pop_at(&mut self, (): ()) -> Option<T> {
        self.pop_front()
    }

    fn pop_of_largest(&mut self) -> Option<T> {
        self.pop_back()
    }

    fn give_way(&mut self, (): ()) -> Option<T> {
        None
    }
}

/// Classes in rotation. Each step takes the logarithm of their number.
pub(super) struct Turns<K, C> {
    /// Those in which something waits, each with its ticket.
    classes: HashMap<K, (u64, C)>,
    /// By ticket: who is next has the lowest.
    order: BTreeMap<u64, K>,
    /// By size, and the newest ticket last.
    sizes: BTreeSet<(usize, u64)>,
    next_ticket: u64,
    len: usize,
}

impl<K, C> Default for Turns<K, C> {
    fn default() -> Self {
        Self {
            classes: HashMap::new(),
            order: BTreeMap::new(),
            sizes: BTreeSet::new(),
            next_ticket: 0,
            len: 0,
        }
    }
}

impl<K: Copy + Eq + Hash, C: Class> Turns<K, C> {
    /// Takes something out of the class with this ticket. A class that had its turn goes to the end; one that is empty
    /// is forgotten.
    fn take(
        &mut self,
        ticket: u64,
        had_its_turn: bool,
        how: impl FnOnce(&mut C) -> Option<C::Item>,
    ) -> Option<C::Item> {
        let key = *self.order.get(&ticket)?;
        let (_, class) = self.classes.get_mut(&key)?;
        let before = class.len();
        let item = how(class)?;
        let left = class.len();
        self.len -= 1;
        self.sizes.remove(&(before, ticket));
        if left == 0 {
            self.classes.remove(&key);
            self.order.remove(&ticket);
        } else if had_its_turn {
            self.order.remove(&ticket);
            let ticket = self.ticket(key, left);
            if let Some(entry) = self.classes.get_mut(&key) {
                entry.0 = ticket;
            }
        } else {
            self.sizes.insert((left, ticket));
        }
        Some(item)
    }

    /// The next ticket, for a class of this size.
    fn ticket(&mut self, key: K, size: usize) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.order.insert(ticket, key);
        self.sizes.insert((size, ticket));
        ticket
    }
}

impl<K: Copy + Eq + Hash, C: Class> Class for Turns<K, C> {
    type Item = C::Item;
    type Path = (K, C::Path);

    fn len(&self) -> usize {
        self.len
    }

    fn len_of(&self, (key, _): Self::Path) -> usize {
        self.classes.get(&key).map_or(0, |(_, class)| class.len())
    }

    fn push(&mut self, (key, rest): Self::Path, item: C::Item) {
        self.len += 1;
        if let Some((ticket, class)) = self.classes.get_mut(&key) {
            self.sizes.remove(&(class.len(), *ticket));
            class.push(rest, item);
            self.sizes.insert((class.len(), *ticket));
            return;
        }
        let mut class = C::default();
        class.push(rest, item);
        let ticket = self.ticket(key, 1);
        self.classes.insert(key, (ticket, class));
    }

    fn next(&self) -> Option<&C::Item> {
        let (_, key) = self.order.first_key_value()?;
        self.classes.get(key)?.1.next()
    }

    fn pop(&mut self) -> Option<C::Item> {
        let (ticket, _) = self.order.first_key_value()?;
        self.take(*ticket, true, C::pop)
    }

    fn pop_at(&mut self, (key, rest): Self::Path) -> Option<C::Item> {
        let ticket = self.classes.get(&key)?.0;
        self.take(ticket, false, |class| class.pop_at(rest))
    }

    fn pop_of_largest(&mut self) -> Option<C::Item> {
        let (_, ticket) = self.sizes.last()?;
        self.take(*ticket, false, C::pop_of_largest)
    }

    fn give_way(&mut self, path: Self::Path) -> Option<C::Item> {
        let (largest, _) = self.sizes.last()?;
        if *largest > self.len_of(path) + 1 {
            return self.pop_of_largest();
        }
        let (key, rest) = path;
        let ticket = self.classes.get(&key)?.0;
        self.take(ticket, false, |class| class.give_way(rest))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Two = Turns<u8, Turns<u8, VecDeque<u32>>>;

    fn emptied(mut turns: Two) -> Vec<u32> {
        std::iter::from_fn(|| turns.pop()).collect()
    }

    #[test]
    fn one_from_each_in_rotation_on_both_levels() {
        let mut turns = Two::default();
        for (network, account, item) in [
            (1, 1, 10),
            (1, 1, 11),
            (1, 1, 12),
            (1, 2, 13),
            (2, 1, 20),
            (2, 2, 21),
            (3, 9, 30),
        ] {
            turns.push((network, (account, ())), item);
        }
        assert_eq!(turns.next(), Some(&10));
        assert_eq!(emptied(turns), [10, 20, 30, 13, 21, 11, 12]);
    }

    #[test]
    fn whoever_has_most_gives_way_and_not_to_those_who_have_as_much() {
        let mut turns = Two::default();
        for item in 0..3 {
            turns.push((1, (1, ())), item);
        }
        turns.push((1, (2, ())), 3);
        assert_eq!(
            turns.give_way((2, (1, ()))),
            Some(2),
            "the newest of account 1 in network 1"
        );
        turns.push((2, (1, ())), 4);
        assert_eq!(
            turns.give_way((1, (1, ()))),
            None,
            "nobody has more than this newcomer would"
        );
        assert_eq!(turns.give_way((1, (2, ()))), None, "2 and 2 are fair");
        turns.push((1, (1, ())), 5);
        assert_eq!(
            turns.give_way((1, (3, ()))),
            Some(5),
            "within a network as between networks"
        );
        assert_eq!(turns.give_way((2, (1, ()))), Some(1), "3 against 2: 2 and 2 after it");
    }

    #[test]
    fn between_equals_the_newest_gives_way() {
        let mut turns = Two::default();
        for account in 0..3 {
            turns.push((1, (account, ())), account.into());
        }
        assert_eq!(turns.give_way((2, (1, ()))), Some(2));
        assert_eq!(emptied(turns), [0, 1]);
    }

    /// What a list would do: rounds are counted for each class, and the earliest round is served first.
    #[derive(Default)]
    struct Model(Vec<(u8, u8, u32)>, Vec<u8>, Vec<(u8, u8)>);

    impl Model {
        fn push(&mut self, network: u8, account: u8, item: u32) {
            self.0.push((network, account, item));
            if !self.1.contains(&network) {
                self.1.push(network);
            }
            if !self.2.contains(&(network, account)) {
                self.2.push((network, account));
            }
        }

        fn pop(&mut self) -> Option<u32> {
            let network = *self.1.first()?;
            let at = self.2.iter().position(|(of, _)| *of == network).unwrap();
            let account = self.2.remove(at);
            let at = self.0.iter().position(|(n, a, _)| (*n, *a) == account).unwrap();
            let (_, _, item) = self.0.remove(at);
            self.1.remove(0);
            if self.0.iter().any(|(n, a, _)| (*n, *a) == account) {
                self.2.push(account);
            }
            if self.0.iter().any(|(n, _, _)| *n == network) {
                self.1.push(network);
            }
            Some(item)
        }
    }

    proptest! {
        #[test]
        fn serves_as_the_model_does(steps in prop::collection::vec((0u8..4, 0u8..3, any::<bool>()), 0..200)) {
            let (mut turns, mut model) = (Two::default(), Model::default());
            for (item, (network, account, push)) in (0..).zip(steps) {
                if push {
                    turns.push((network, (account, ())), item);
                    model.push(network, account, item);
                } else {
                    prop_assert_eq!(turns.pop(), model.pop());
                }
                prop_assert_eq!(turns.len(), model.0.len());
            }
            prop_assert_eq!(emptied(turns), std::iter::from_fn(|| model.pop()).collect::<Vec<_>>());
        }

        /// Whatever is pushed and pushed out, the parts stay in step.
        #[test]
        fn what_gives_way_is_counted(steps in prop::collection::vec((0u8..4, 0u8..3, 0u8..3), 0..200)) {
            let (mut turns, mut inside) = (Two::default(), BTreeSet::new());
            for (item, (network, account, step)) in (0..).zip(steps) {
                let out = match step {
                    0 => turns.give_way((network, (account, ()))),
                    1 => turns.pop(),
                    _ => {
                        turns.push((network, (account, ())), item);
                        inside.insert(item);
                        None
                    }
                };
                prop_assert!(out.is_none_or(|out| inside.remove(&out)));
                prop_assert_eq!(turns.len(), inside.len());
                let sizes: usize = turns.sizes.iter().map(|(size, _)| size).sum();
                prop_assert_eq!(sizes, inside.len());
                prop_assert_eq!(turns.order.len(), turns.classes.len());
            }
        }
    }
}
