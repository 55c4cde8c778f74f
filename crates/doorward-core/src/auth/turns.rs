//! Reading from the store in turn: what one has read does for all who waited meanwhile.
//!
//! The surprise: it does not do for those who came while it was being read. What changed before they came may be
//! missing.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

use crate::Result;

/// Who reads, and what came of it.
#[derive(Default)]
pub(crate) struct Turns {
    begun: AtomicU64,
    /// What came of the last one; nothing, if it was given up half way.
    last: Mutex<Option<Result<()>>>,
}

impl Turns {
    /// Reads when nobody else does, unless somebody has begun to after this was called and is done.
    ///
    /// # Errors
    /// As whoever has read.
    pub(crate) async fn take(&self, read: impl Future<Output = Result<()>>) -> Result<()> {
        let begun = self.begun.load(Ordering::SeqCst);
        let mut last = self.last.lock().await;
        if self.begun.load(Ordering::SeqCst) > begun
            && let Some(outcome) = &*last
        {
            return outcome.clone();
        }
        *last = None;
        self.begun.fetch_add(1, Ordering::SeqCst);
        let outcome = read.await;
        *last = Some(outcome.clone());
        outcome
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use tokio::sync::oneshot;

    use super::*;
    use crate::Error;

    fn poll(turn: Pin<&mut impl Future<Output = Result<()>>>) -> Poll<Result<()>> {
        turn.poll(&mut Context::from_waker(Waker::noop()))
    }

    /// Whoever reads later knows what is newer, so no older answer may come after it.
    #[test]
    fn one_reads_at_a_time_and_for_all_who_came_before() {
        let (turns, reads) = (Turns::default(), RefCell::new(Vec::new()));
        let read = |name: &'static str, answer: oneshot::Receiver<Result<()>>| {
            let reads = &reads;
            turns.take(async move {
                reads.borrow_mut().push(name);
                answer.await.unwrap()
            })
        };
        let (first, first_answer) = oneshot::channel();
        let (second, second_answer) = oneshot::channel();
        let (_never, third_answer) = oneshot::channel();
        let mut one = pin!(read("first", first_answer));
        let mut two = pin!(read("second", second_answer));
        let mut three = pin!(read("third", third_answer));
        assert!(poll(one.as_mut()).is_pending());
        assert!(poll(two.as_mut()).is_pending());
        assert!(poll(three.as_mut()).is_pending());
        assert_eq!(*reads.borrow(), ["first"]);
        first.send(Ok(())).unwrap();
        assert!(matches!(poll(one.as_mut()), Poll::Ready(Ok(()))));
        assert!(poll(two.as_mut()).is_pending());
        assert_eq!(
            *reads.borrow(),
            ["first", "second"],
            "the first had begun before they came"
        );
        second.send(Err(Error::unavailable("away"))).unwrap();
        assert!(matches!(poll(two.as_mut()), Poll::Ready(Err(_))));
        assert!(matches!(poll(three.as_mut()), Poll::Ready(Err(_))));
        assert_eq!(*reads.borrow(), ["first", "second"], "the second did for both");
    }

    #[test]
    fn what_is_given_up_does_for_nobody() {
        let turns = Turns::default();
        let (_never, answer) = oneshot::channel();
        let mut given_up = Box::pin(turns.take(async { answer.await.unwrap() }));
        assert!(poll(given_up.as_mut()).is_pending());
        let mut next = pin!(turns.take(async { Err(Error::unavailable("away")) }));
        assert!(poll(next.as_mut()).is_pending());
        drop(given_up);
        assert!(matches!(poll(next.as_mut()), Poll::Ready(Err(_))), "it has read");
    }
}
