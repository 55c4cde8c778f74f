//! The only place of this program that reads the time, and the only one that waits for it.
//!
//! The surprise: a thread that paces requests asks the kernel to be woken within a microsecond. Fifty are usual, and
//! they would be counted as the server's.

use std::fs;
use std::time::{Duration, Instant};

use thread_priority::NormalThreadSchedulePolicy::Batch;
use thread_priority::RealtimeThreadSchedulePolicy::Fifo;
use thread_priority::ThreadSchedulePolicy::{Normal, Realtime};
use thread_priority::{ThreadPriority, ThreadPriorityOsValue, set_thread_priority_and_policy, thread_native_id};

/// From one moment to another.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Span {
    pub(crate) from: Instant,
    pub(crate) to: Instant,
}

impl Span {
    pub(crate) fn length(self) -> Duration {
        self.to.saturating_duration_since(self.from)
    }

    /// The time that is in both.
    pub(crate) fn shared(self, other: Self) -> Duration {
        self.to
            .min(other.to)
            .saturating_duration_since(self.from.max(other.from))
    }
}

/// Now.
#[expect(clippy::disallowed_methods, reason = "measuring is what this program is for")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// The moment, as records keep it: RFC 3339 in whole seconds.
#[expect(clippy::disallowed_methods, reason = "a record says when it was made")]
pub(crate) fn date() -> String {
    format!("{:.0}", jiff::Timestamp::now())
}

/// Milliseconds since 1970-01-01T00:00:00Z, as the database counts.
#[expect(clippy::disallowed_methods, reason = "rows that are filled in have times")]
pub(crate) fn epoch_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Waits until a moment; returns at once when it is past.
pub(crate) fn wait_until(moment: Instant) {
    wait(moment.saturating_duration_since(now()));
}

/// Waits.
#[expect(
    clippy::disallowed_methods,
    reason = "the pace of an open loop is a time, not an event"
)]
pub(crate) fn wait(duration: Duration) {
    if !duration.is_zero() {
        std::thread::sleep(duration);
    }
}

/// Makes the waits of this thread end punctually, where the system lets us ask for that.
pub(crate) fn be_punctual() {
    let task = fs::read_link("/proc/thread-self").unwrap_or_default();
    if let Some(thread) = task.file_name().and_then(|name| name.to_str()) {
        // A refusal costs 50 µs of precision and nothing else.
        drop(fs::write(format!("/proc/{thread}/timerslack_ns"), "1000"));
    }
}

/// Has this thread interrupt no other of its core when it wakes up (`SCHED_BATCH`, sched(7)), where the system lets us.
/// Else an answer may take the core from the server that writes it, for some seconds at a time and not for others: a
/// profile then took 31 µs of the server in place of 22.
pub(crate) fn interrupt_nobody() {
    let as_nice_as_others = ThreadPriority::Os(ThreadPriorityOsValue::default());
    set_thread_priority_and_policy(thread_native_id(), as_nice_as_others, Normal(Batch)).ok();
}

/// Has this thread run as soon as it wakes up, before all ordinary ones of its core (`SCHED_FIFO`, sched(7)), where the
/// system lets us: whether it does.
pub(crate) fn go_first() -> bool {
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, Realtime(Fifo)).is_ok()
}

/// The same before those that go first, too.
pub(crate) fn go_before_all() -> bool {
    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Max, Realtime(Fifo)).is_ok()
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    /// `SCHED_BATCH` in <linux/sched.h>.
    const BATCH: &str = "3";

    /// The policy of the calling thread and its nice value, as proc(5) counts them.
    fn policy_and_nice() -> [String; 2] {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        [41, 19].map(|number| after_name.split_whitespace().nth(number - 3).unwrap().to_owned())
    }

    #[test]
    fn who_interrupts_nobody_is_as_nice_as_others() {
        let [_, nice] = policy_and_nice();
        let changed = thread::scope(|scope| {
            let thread = scope.spawn(|| {
                interrupt_nobody();
                policy_and_nice()
            });
            thread.join().unwrap()
        });
        assert_eq!(changed, [BATCH.to_owned(), nice]);
    }
}
