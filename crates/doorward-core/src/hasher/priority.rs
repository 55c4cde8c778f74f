//! The priority of hash threads: whoever answers requests goes first.
//!
//! The surprise: the lowest nice value is not low enough. A thread that wakes up waits until a nice one has used its
//! slice, which is longer than most answers take; one of the policy `SCHED_IDLE` it interrupts at once (sched(7)). On
//! other systems than Linux nothing is done.

/// Gives the calling thread what the other threads of the machine leave of its core: all of it while they wait, and a
/// share of about 1 in 300 while one of them wants it, too.
///
/// # Errors
/// When the system refuses, which it has no reason to.
#[cfg(target_os = "linux")]
pub(super) fn lower() -> std::io::Result<()> {
    use thread_priority::NormalThreadSchedulePolicy::Idle;
    use thread_priority::ThreadSchedulePolicy::Normal;
    use thread_priority::{ThreadPriority, set_thread_priority_and_policy, thread_native_id};

    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, Normal(Idle))
        .map_err(|error| std::io::Error::other(error.to_string()))
}

/// See above.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub(super) fn lower() -> std::io::Result<()> {
    Ok(())
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    /// `SCHED_IDLE` in <linux/sched.h>.
    const IDLE: &str = "5";

    /// Of the calling thread (proc(5), field 41 of `stat`).
    fn policy() -> String {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        after_name.split_whitespace().nth(38).unwrap().to_owned()
    }

    #[test]
    fn only_the_calling_thread_is_idle() {
        let before = policy();
        thread::scope(|scope| {
            let lowered = scope.spawn(|| lower().map(|()| policy())).join().unwrap();
            assert_eq!(lowered.unwrap(), IDLE);
            assert_eq!(scope.spawn(policy).join().unwrap(), before);
        });
        assert_eq!(policy(), before);
        assert_ne!(before, IDLE);
    }
}
