//! The priorities of the threads that hash: whoever answers requests goes first.
//!
//! The surprise: the lowest nice value is not low enough. A thread that wakes up waits until a nice one has used its
//! slice, which is longer than most answers take; one of the policy `SCHED_IDLE` it interrupts at once (sched(7)). On
//! other systems than Linux nothing is done.

use std::io;
use std::time::Duration;

/// The nice value of a rescuer: beside one thread that answers and would take all of a core, it gets a quarter of it,
/// and beside two of them a seventh (sched(7) has nice values differ by a factor of 1.25).
#[cfg(target_os = "linux")]
const RESCUER: i32 = 5;

/// Gives the calling thread what the other threads of the machine leave of its core: all of it while they wait, and a
/// share of about 1 in 300 while one of them wants it, too.
///
/// # Errors
/// When the system refuses, which it has no reason to.
#[cfg(target_os = "linux")]
pub(super) fn yield_to_all() -> io::Result<()> {
    use thread_priority::NormalThreadSchedulePolicy::Idle;
    use thread_priority::ThreadSchedulePolicy::Normal;
    use thread_priority::{ThreadPriority, set_thread_priority_and_policy, thread_native_id};

    set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, Normal(Idle))
        .map_err(|error| io::Error::other(error.to_string()))
}

/// Gives the calling thread less than the others of its core, and some in any case.
///
/// # Errors
/// When the system refuses, which it has no reason to.
#[cfg(target_os = "linux")]
pub(super) fn yield_a_little() -> io::Result<()> {
    // On Linux a nice value is that of a thread, and none means the calling one (setpriority(2)).
    Ok(rustix::process::setpriority_process(None, RESCUER)?)
}

/// Processor time of the calling thread so far; none where threads do not yield.
#[cfg(target_os = "linux")]
pub(super) fn time_used() -> Option<Duration> {
    let used = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::try_from(used).ok()
}

/// See above.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub(super) fn yield_to_all() -> io::Result<()> {
    Ok(())
}

/// See above.
///
/// # Errors
/// None.
#[cfg(not(target_os = "linux"))]
pub(super) fn yield_a_little() -> io::Result<()> {
    Ok(())
}

/// See above.
#[cfg(not(target_os = "linux"))]
pub(super) fn time_used() -> Option<Duration> {
    None
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    /// `SCHED_IDLE` in <linux/sched.h>.
    const IDLE: &str = "5";

    /// A field of the calling thread's `stat`, as proc(5) counts them.
    fn field(number: usize) -> String {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        after_name.split_whitespace().nth(number - 3).unwrap().to_owned()
    }

    fn policy() -> String {
        field(41)
    }

    fn nice() -> String {
        field(19)
    }

    #[test]
    fn only_the_calling_thread_yields() {
        let before = policy();
        thread::scope(|scope| {
            let lowered = scope.spawn(|| yield_to_all().map(|()| policy())).join().unwrap();
            assert_eq!(lowered.unwrap(), IDLE);
            let rescuer = scope
                .spawn(|| yield_a_little().map(|()| (policy(), nice())))
                .join()
                .unwrap();
            assert_eq!(rescuer.unwrap(), (before.clone(), RESCUER.to_string()));
            assert_eq!(scope.spawn(policy).join().unwrap(), before);
        });
        assert_eq!(policy(), before);
        assert_ne!(before, IDLE);
    }
}
