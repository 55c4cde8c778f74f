//! What a network may do in a stretch of time, counted from the first thing it does.

use std::net::IpAddr;
use std::time::Duration;

use super::recent::Recent;
use crate::Timestamp;

/// The windows of the networks seen last.
pub(super) struct Windows(Recent<IpAddr, Window>);

/// What was counted in the current window.
#[derive(Clone, Copy)]
struct Window {
    started: Timestamp,
    count: u32,
}

/// Something that was counted, to be given back.
#[derive(Clone, Copy)]
pub(super) struct Counted {
    key: IpAddr,
    born: u64,
    /// The window it was counted in.
    window: Timestamp,
}

impl Windows {
    pub(super) fn new(capacity: usize) -> Self {
        Self(Recent::new(capacity))
    }

    /// How long until one more is within `most` in a window of this `length`.
    pub(super) fn wait(&mut self, key: IpAddr, most: u32, length: Duration, now: Timestamp) -> Duration {
        let Some(entry) = self.0.touch(key) else {
            return Duration::ZERO;
        };
        let window = &mut entry.value;
        if now < window.started || now.since(window.started) >= length {
            *window = Window { started: now, count: 0 };
        }
        if window.count < most {
            return Duration::ZERO;
        }
        length.saturating_sub(now.since(window.started))
    }

    pub(super) fn count(&mut self, key: IpAddr, now: Timestamp) -> Counted {
        let entry = self.0.touch_or(key, Window { started: now, count: 0 });
        entry.value.count = entry.value.count.saturating_add(1);
        Counted {
            key,
            born: entry.born,
            window: entry.value.started,
        }
    }

    /// It shall not have counted.
    pub(super) fn give_back(&mut self, counted: Counted) {
        let Some(entry) = self.0.peek(counted.key).filter(|entry| entry.born == counted.born) else {
            return;
        };
        let window = &mut entry.value;
        if window.started != counted.window {
            return;
        }
        window.count = window.count.saturating_sub(1);
        if window.count == 0 {
            self.0.remove(counted.key);
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
