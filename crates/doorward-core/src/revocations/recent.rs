//! The endings read last, in the order of their sequence, for those who follow them; and how far reading has come.
//!
//! A reader keeps its own place and asks for what comes after it, so a slow one costs nothing. The surprise: there
//! is no queue for anybody. Whoever has fallen behind what is kept here reads on from the store.

use std::collections::VecDeque;
use std::time::Duration;

use parking_lot::RwLock;
use tokio::sync::watch;

use crate::session::{EndedSession, Place};

/// How many endings are kept, at 40 bytes each. At a thousand log-outs a second a reader may pause for eight
/// seconds before it costs the store a read. A power of two, at which their queue stops growing.
const KEPT: usize = 8_192;

/// How far the endings are known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Counts how often reading had to start over: endings of one timeline are in one order.
    pub timeline: u64,
    /// Every ending up to this sequence has been read.
    pub sequence: i64,
    /// Every session that had ended by then is among them, in the clock's running time: when the store was asked.
    /// `None` until it was read to its end once.
    pub asked: Option<Duration>,
}

/// The endings read last.
pub struct Recent {
    kept: RwLock<Kept>,
    progress: watch::Sender<Progress>,
}

#[derive(Default)]
struct Kept {
    /// Everything after this place is here.
    after: Place,
    /// In the order of their sequence.
    endings: VecDeque<EndedSession>,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            kept: RwLock::default(),
            progress: watch::Sender::new(Progress::default()),
        }
    }
}

impl Recent {
    /// Takes endings that were read from the store, in order and from where reading had come to at most. Two may
    /// read at once: what is known already is passed over.
    pub(super) fn push(&self, read: &[EndedSession]) {
        let mut kept = self.kept.write();
        let last = kept.last().sequence;
        let known = read.partition_point(|ended| ended.sequence <= last);
        for ended in read.iter().skip(known) {
            if kept.endings.len() >= KEPT
                && let Some(oldest) = kept.endings.pop_front()
            {
                kept.after = oldest.place();
            }
            kept.endings.push_back(*ended);
        }
    }

    /// Says that everything which had ended by `asked` has been pushed.
    pub(super) fn confirm(&self, asked: Duration) {
        let sequence = self.kept.read().last().sequence;
        self.progress.send_modify(|progress| {
            progress.sequence = progress.sequence.max(sequence);
            progress.asked = progress.asked.max(Some(asked));
        });
    }

    /// Up to `limit` endings after `sequence`, in order. `None` when some of them are not kept any more.
    pub fn after(&self, sequence: i64, limit: usize) -> Option<Vec<EndedSession>> {
        let kept = self.kept.read();
        if sequence < kept.after.sequence {
            return None;
        }
        let known = kept.endings.partition_point(|ended| ended.sequence <= sequence);
        Some(kept.endings.range(known..).take(limit).copied().collect())
    }

    /// Forgets the endings, since they are in another order now, and counts the timeline on.
    pub(super) fn start_over(&self) {
        // Counted first: who reads here and finds the same timeline afterwards has read what was of it.
        self.progress.send_modify(|progress| {
            *progress = Progress {
                timeline: progress.timeline + 1,
                ..Progress::default()
            };
        });
        *self.kept.write() = Kept::default();
    }

    /// The place of the last ending that was read.
    pub fn place(&self) -> Place {
        self.kept.read().last()
    }

    /// Whether this is a place in the order. `None` when it is not one of those kept here.
    pub fn knows(&self, place: Place) -> Option<bool> {
        let kept = self.kept.read();
        if place == kept.after {
            return Some(true);
        }
        if place.sequence <= kept.after.sequence || place.sequence > kept.last().sequence {
            return None;
        }
        let at = kept.endings.partition_point(|ended| ended.sequence < place.sequence);
        Some(kept.endings.get(at).is_some_and(|ended| ended.place() == place))
    }

    /// How far reading has come.
    pub fn progress(&self) -> Progress {
        *self.progress.borrow()
    }

    /// The same, for those who wait for it to move.
    pub fn follow(&self) -> watch::Receiver<Progress> {
        self.progress.subscribe()
    }

    /// How many wait for it to move.
    pub fn followers(&self) -> usize {
        self.progress.receiver_count()
    }
}

impl Kept {
    /// The place of the last ending that was read.
    fn last(&self) -> Place {
        self.endings.back().map_or(self.after, EndedSession::place)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::Timestamp;
    use crate::session::SessionId;

    fn endings(sequences: impl IntoIterator<Item = i64>) -> Vec<EndedSession> {
        let ended = |sequence| EndedSession {
            sequence,
            session: SessionId(Uuid::from_u128(u128::try_from(sequence).unwrap())),
            expires_at: Timestamp(1),
            mark: sequence * 10,
        };
        sequences.into_iter().map(ended).collect()
    }

    fn after(recent: &Recent, sequence: i64, limit: usize) -> Option<Vec<i64>> {
        let read = recent.after(sequence, limit)?;
        Some(read.iter().map(|ended| ended.sequence).collect())
    }

    #[test]
    fn a_reader_goes_on_where_it_was() {
        let recent = Recent::default();
        assert_eq!(after(&recent, 0, 9), Some(vec![]));
        recent.push(&endings([2, 3, 7]));
        assert_eq!(after(&recent, 0, 2), Some(vec![2, 3]));
        assert_eq!(after(&recent, 3, 2), Some(vec![7]));
        assert_eq!(after(&recent, 9, 2), Some(vec![]), "further than this process has read");
        recent.push(&endings([3, 7, 8]));
        assert_eq!(after(&recent, 2, 9), Some(vec![3, 7, 8]), "two have read the same");
    }

    #[test]
    fn who_is_too_far_behind_has_to_read_elsewhere() {
        let recent = Recent::default();
        let most = i64::try_from(KEPT).unwrap();
        recent.push(&endings(1..=most));
        assert_eq!(after(&recent, 0, 1), Some(vec![1]));
        recent.push(&endings([most + 1, most + 2]));
        assert_eq!(after(&recent, 1, 1), None);
        assert_eq!(after(&recent, 2, 1), Some(vec![3]));
    }

    #[test]
    fn a_place_is_known_by_its_mark() {
        let recent = Recent::default();
        let place = |sequence, mark| Place { sequence, mark };
        assert_eq!(recent.knows(Place::BEGINNING), Some(true));
        recent.push(&endings([2, 7]));
        let known =
            [(2, 20), (2, 21), (3, 30), (7, 70), (7, 0)].map(|(sequence, mark)| recent.knows(place(sequence, mark)));
        assert_eq!(known, [Some(true), Some(false), Some(false), Some(true), Some(false)]);
        assert_eq!(recent.knows(place(8, 80)), None, "further than this process has read");
        assert_eq!(recent.place(), place(7, 70));
    }

    #[test]
    fn who_starts_over_claims_nothing_until_all_is_read_again() {
        let recent = Recent::default();
        recent.push(&endings([1, 2]));
        recent.confirm(Duration::from_secs(1));
        let mut follower = recent.follow();
        follower.borrow_and_update();
        recent.start_over();
        let progress = Progress {
            timeline: 1,
            sequence: 0,
            asked: None,
        };
        assert_eq!(*follower.borrow_and_update(), progress);
        assert_eq!((recent.place(), after(&recent, 0, 9)), (Place::BEGINNING, Some(vec![])));
        recent.push(&endings([1]));
        recent.confirm(Duration::from_secs(2));
        assert_eq!((recent.progress().timeline, recent.progress().sequence), (1, 1));
    }

    #[test]
    fn progress_moves_on_and_never_back() {
        let recent = Recent::default();
        let mut follower = recent.follow();
        recent.push(&endings([1, 2]));
        assert!(!follower.has_changed().unwrap(), "not all is known to be there");
        assert_eq!(
            recent.progress().asked,
            None,
            "nothing is claimed by who was never told that it is all"
        );
        let second = Duration::from_secs(1);
        recent.confirm(2 * second);
        recent.confirm(second);
        let progress = Progress {
            timeline: 0,
            sequence: 2,
            asked: Some(2 * second),
        };
        assert_eq!(*follower.borrow_and_update(), progress);
        recent.confirm(3 * second);
        assert!(follower.has_changed().unwrap(), "nothing new is news");
    }
}
