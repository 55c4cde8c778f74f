//! Token Status Lists (draft-ietf-oauth-status-list-21): a bit for each session, set when it has ended.
//!
//! The surprise: a place in a list is taken from a block that this process has reserved, so that a login costs no
//! write of its own. What is left of a block at a stop is never given to anybody.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::{Auth, Error, Moment, Result};

/// How many sessions share a list: 16 KiB of bits, if they cannot be compressed at all.
pub const SIZE: i64 = 1 << 17;

/// How many places a process reserves at once.
const BLOCK: i64 = 1024;

/// For how long others may keep a list before they ask again (`ttl`).
pub const TTL: Duration = Duration::from_secs(5);

/// How old a list may become before it says nothing any more (`exp`).
pub const LIFETIME: Duration = Duration::from_secs(30);

/// For how long a list that was made is given to whoever asks. An ending is in every list that is given out later
/// than this after its commit.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);

/// How many lists are remembered, at 25 KB each at most.
const MAX_REMEMBERED: usize = 64;

/// How hard to compress, 0 to 10. The draft recommends the most that zlib has (section 4.1).
const COMPRESSION: u8 = 9;

/// What an operator wants of status lists.
#[derive(Clone, Debug)]
pub struct StatusListPolicy {
    /// Where this server is reached from outside, without a slash at the end: lists have addresses below it.
    pub public_url: String,
    /// Whether new sessions take places, and their tokens name them.
    pub in_tokens: bool,
}

/// The place of a session among all that ever took one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusIndex(pub i64);

/// The lists of a server.
pub(crate) struct StatusLists {
    policy: StatusListPolicy,
    /// The places that this process may give away.
    block: tokio::sync::Mutex<Block>,
    /// How often everything that was reserved has been given up.
    given_up: AtomicU64,
    /// Places below this one are known to be reserved by somebody.
    reserved: AtomicI64,
    /// Held while a list is made: one at a time, so that nobody can have many made at once.
    making: tokio::sync::Mutex<()>,
    made: Mutex<HashMap<i64, Made>>,
}

/// Places that were reserved.
#[derive(Default)]
struct Block {
    left: Range<i64>,
    /// What `given_up` was when they were asked for: they are good for as long as it stays so.
    given_up: u64,
}

struct Made {
    /// When the store was asked.
    asked: Moment,
    token: Arc<str>,
}

impl StatusLists {
    pub(crate) fn new(policy: StatusListPolicy) -> Self {
        Self {
            policy,
            block: tokio::sync::Mutex::default(),
            given_up: AtomicU64::new(0),
            reserved: AtomicI64::new(0),
            making: tokio::sync::Mutex::default(),
            made: Mutex::default(),
        }
    }

    /// Gives nothing more away of what was reserved: the database may not know of it any more, and let others have it.
    /// What is left of a block then is never given to anybody.
    pub(crate) fn start_over(&self) {
        self.given_up.fetch_add(1, Ordering::SeqCst);
        self.reserved.store(0, Ordering::SeqCst);
    }

    /// The next place. `reserve` asks the store for a block, if there is nothing left.
    async fn next(&self, reserve: impl Future<Output = Result<i64>>) -> Result<Option<StatusIndex>> {
        let mut block = self.block.lock().await;
        let given_up = self.given_up.load(Ordering::SeqCst);
        if block.left.is_empty() || block.given_up != given_up {
            let first = reserve.await?;
            let left = first..first + BLOCK;
            *block = Block { left, given_up };
            if self.given_up.load(Ordering::SeqCst) != given_up {
                return Err(Error::unavailable(
                    "the database may have forgotten who reserved places",
                ));
            }
            self.reserved.fetch_max(block.left.end, Ordering::SeqCst);
        }
        Ok(block.left.next().map(StatusIndex))
    }

    fn uri(&self, list: i64) -> String {
        format!("{}/v1/status-lists/{list}", self.policy.public_url)
    }

    /// The claim `status` of a token (section 6.2).
    pub(crate) fn claim(&self, index: StatusIndex) -> Option<Value> {
        let (list, position) = (index.0.div_euclid(SIZE), index.0.rem_euclid(SIZE));
        let reference = || json!({"status_list": {"idx": position, "uri": self.uri(list)}});
        self.policy.in_tokens.then(reference)
    }

    fn remembered(&self, list: i64, at: Moment) -> Option<Arc<str>> {
        let made = self.made.lock();
        let made = made.get(&list)?;
        at.is_within(made.asked.plus(REMEMBERED_FOR))
            .then(|| Arc::clone(&made.token))
    }

    fn remember(&self, list: i64, asked: Moment, token: &Arc<str>) {
        let mut made = self.made.lock();
        if made.len() >= MAX_REMEMBERED {
            made.retain(|_, made| asked.is_within(made.asked.plus(REMEMBERED_FOR)));
        }
        if made.len() >= MAX_REMEMBERED {
            made.clear();
        }
        let token = Arc::clone(token);
        made.insert(list, Made { asked, token });
    }
}

impl Auth {
    /// Whether this server has status lists.
    pub fn has_status_lists(&self) -> bool {
        self.status_lists.is_some()
    }

    /// A place for a new session, if sessions take any.
    pub(crate) async fn next_status_index(&self) -> Result<Option<StatusIndex>> {
        let Some(lists) = self.status_lists.as_ref().filter(|lists| lists.policy.in_tokens) else {
            return Ok(None);
        };
        lists.next(self.store.reserve_status_indices(BLOCK)).await
    }

    /// A list as a signed token (section 5.1), no older than a second. `None` if there is no such list: nobody has a
    /// place in it.
    ///
    /// # Errors
    /// When the store cannot say which sessions have ended: a list from before would say that they live.
    pub async fn status_list(&self, list: i64) -> Result<Option<Arc<str>>> {
        let (Some(lists), Some(first)) = (&self.status_lists, list.checked_mul(SIZE)) else {
            return Ok(None);
        };
        if let Some(token) = lists.remembered(list, self.clock.moment()) {
            return Ok(Some(token));
        }
        let _turn = lists.making.lock().await;
        let asked = self.clock.moment();
        if let Some(token) = lists.remembered(list, asked) {
            return Ok(Some(token));
        }
        if first >= lists.reserved.load(Ordering::SeqCst) {
            let reserved = self.store.reserved_status_indices().await?;
            lists.reserved.fetch_max(reserved, Ordering::SeqCst);
            if first >= reserved {
                return Ok(None);
            }
        }
        let ended = self
            .store
            .ended_status_indices(first, first.saturating_add(SIZE))
            .await?;
        let positions = ended.iter().filter_map(|index| usize::try_from(index.0 - first).ok());
        let bits = encoded(positions, usize::try_from(SIZE).unwrap_or(0));
        let token = self.sign_status_list(&lists.uri(list), &bits, asked.now)?;
        let token = Arc::from(token.expose());
        lists.remember(list, asked, &token);
        Ok(Some(token))
    }
}

/// A list of `size` bits, those at these positions set (sections 4.1 and 4.2): the first bit is the lowest of the first
/// byte; compressed by zlib, in base64url.
pub fn encoded(positions: impl Iterator<Item = usize>, size: usize) -> String {
    let mut bytes = vec![0_u8; size.div_ceil(8)];
    for position in positions {
        if let Some(byte) = bytes.get_mut(position / 8) {
            *byte |= 1 << (position % 8);
        }
    }
    URL_SAFE_NO_PAD.encode(miniz_oxide::deflate::compress_to_vec_zlib(&bytes, COMPRESSION))
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use super::*;

    fn lists() -> StatusLists {
        StatusLists::new(StatusListPolicy {
            public_url: "https://login.example.com".to_owned(),
            in_tokens: true,
        })
    }

    /// The next place, where the store would answer this.
    async fn next(lists: &StatusLists, first: i64) -> Option<i64> {
        let next = lists.next(ready(Ok(first))).await.unwrap();
        next.map(|StatusIndex(index)| index)
    }

    #[tokio::test]
    async fn what_is_given_up_is_given_to_nobody() {
        let lists = lists();
        assert_eq!((next(&lists, 0).await, next(&lists, 7).await), (Some(0), Some(1)));
        lists.start_over();
        assert_eq!(next(&lists, BLOCK).await, Some(BLOCK));
    }

    /// It does not wait for the store, so nobody can give up half way.
    #[tokio::test]
    async fn what_is_being_reserved_can_be_given_up() {
        let lists = lists();
        let meanwhile = async {
            lists.start_over();
            Ok(0)
        };
        let refused = lists.next(meanwhile).await;
        assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
        assert_eq!(next(&lists, BLOCK).await, Some(BLOCK));
        assert_eq!(next(&lists, 0).await, Some(BLOCK + 1));
    }
}
