//! Whether somebody still waits for an answer.
//!
//! The surprise: an action goes on when its caller hangs up, since what it has begun to write is not to be half done. So
//! it has to ask before it begins with something that only a caller who is there has any use for.

use std::sync::{Arc, Weak};

/// Held by whoever waits for an answer, and dropped with the wait.
#[derive(Debug)]
pub struct Waits {
    _held: Arc<()>,
}

/// Tells whether somebody waits.
#[derive(Clone, Debug)]
pub struct Presence(Option<Weak<()>>);

impl Presence {
    /// Of somebody who does not go away, or whom nobody sees go.
    pub const ALWAYS: Self = Self(None);

    /// Of whoever holds the other half.
    pub fn of_one_who_waits() -> (Waits, Self) {
        let held = Arc::new(());
        let presence = Self(Some(Arc::downgrade(&held)));
        (Waits { _held: held }, presence)
    }

    /// Whether nobody waits any more.
    pub fn is_gone(&self) -> bool {
        self.0.as_ref().is_some_and(|held| held.strong_count() == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_ends_with_the_wait() {
        let (waits, presence) = Presence::of_one_who_waits();
        let other = presence.clone();
        assert!(!presence.is_gone() && !other.is_gone());
        drop(waits);
        assert!(presence.is_gone() && other.is_gone());
        assert!(!Presence::ALWAYS.is_gone());
    }
}
