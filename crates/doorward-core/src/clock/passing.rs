//! The time that passes, which nobody can set.
//!
//! The surprise: what Rust calls `Instant` stands still while a machine with Linux sleeps. So there it is the clock
//! that counts from the boot on, asleep or awake (`CLOCK_BOOTTIME`); it costs as little to read.

use std::time::Duration;
#[cfg(not(target_os = "linux"))]
use std::time::Instant;

/// When it was begun to measure.
#[cfg(target_os = "linux")]
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing(Duration);

/// When it was begun to measure.
#[cfg(not(target_os = "linux"))]
#[derive(Clone, Copy, Debug)]
pub(super) struct Passing(Instant);

#[cfg(target_os = "linux")]
impl Passing {
    pub(super) fn start() -> Self {
        Self(since_boot())
    }

    pub(super) fn elapsed(self) -> Duration {
        since_boot().saturating_sub(self.0)
    }
}

#[cfg(target_os = "linux")]
fn since_boot() -> Duration {
    let since = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::try_from(since).unwrap_or_default()
}

#[cfg(not(target_os = "linux"))]
impl Passing {
    #[expect(
        clippy::disallowed_methods,
        reason = "beside `clock.rs` the one place that reads the time"
    )]
    pub(super) fn start() -> Self {
        Self(Instant::now())
    }

    pub(super) fn elapsed(self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use super::*;

    /// Tells something only where the machine has slept, or in a time namespace (`unshare -T --boottime`).
    #[test]
    fn it_counts_what_the_machine_slept() {
        let slept_too = || {
            rustix::time::clock_gettime(rustix::time::ClockId::Boottime)
                .try_into()
                .unwrap()
        };
        let before: Duration = slept_too();
        let since_boot = Passing(Duration::ZERO).elapsed();
        assert!(before <= since_boot && since_boot <= slept_too());
    }
}
