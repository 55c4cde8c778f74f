//! The priority of hash threads: whoever answers requests goes first.
//!
//! The surprise: POSIX has one nice value for a whole process; on Linux each thread has its own, and this sets that of
//! the calling thread alone. On other systems nothing is done.

/// The lowest priority of ordinary threads. A hash thread still gets all that is left of its core, and a small share
/// where others want all of it.
#[cfg(target_os = "linux")]
const NICE: i32 = 19;

/// Gives the calling thread a lower priority than the other threads of this process.
///
/// # Errors
/// When the system refuses, which it has no reason to.
pub(super) fn lower() -> std::io::Result<()> {
    #[cfg(target_os = "linux")]
    rustix::process::setpriority_process(None, NICE)?;
    Ok(())
}

#[cfg(target_os = "linux")]
#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    /// Of the calling thread (proc(5), field 19 of `stat`).
    fn nice() -> i32 {
        let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        after_name.split_whitespace().nth(16).unwrap().parse().unwrap()
    }

    #[test]
    fn only_the_calling_thread_is_nice() {
        let before = nice();
        thread::scope(|scope| {
            let lowered = scope.spawn(|| lower().map(|()| nice())).join().unwrap();
            assert_eq!(lowered.unwrap(), NICE);
            assert_eq!(scope.spawn(nice).join().unwrap(), before);
        });
        assert_eq!(nice(), before);
    }
}
