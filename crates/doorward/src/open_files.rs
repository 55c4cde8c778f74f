//! How many files this process may have open; each connection of a client is one.
//!
//! The surprise: the limit that systems start programs with, mostly 1,024, is none. Each program may raise it by itself
//! to a second, much higher one. It is low only for those that wait with `select`, which knows no higher numbers.

/// Files that are no connections of clients: those of the database, one for each reader and more, and the runtime's.
const OWN: u64 = 256;

/// Raises the limit of this process as far as the system lets it. How many files may then be open at once; none where
/// nothing limits them, or nobody says what does.
#[cfg(target_os = "linux")]
pub(crate) fn raise() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

    let limit = getrlimit(Resource::Nofile);
    let highest = Rlimit {
        current: limit.maximum,
        ..limit
    };
    match setrlimit(Resource::Nofile, highest) {
        Ok(()) => limit.maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files stays as it is");
            limit.current
        }
    }
}

/// The same where nobody says.
#[cfg(not(target_os = "linux"))]
pub(crate) fn raise() -> Option<u64> {
    None
}

/// How many connections at once fit below the limit, of those that are `wanted`. The rest waits with the kernel, as
/// beyond any number of connections: without a file left, the database could not be reached either.
pub(crate) fn connections(wanted: u32, limit: Option<u64>) -> usize {
    // Of a limit that is too low for anything, half is for clients.
    let room = limit.map_or(u64::MAX, |limit| limit.saturating_sub(OWN).max(limit / 2).max(1));
    let fitting = room.min(u64::from(wanted));
    if fitting < u64::from(wanted) {
        tracing::warn!(
            connections = fitting,
            max_connections = wanted,
            "not as many connections as `max_connections` allows fit below the limit of open files; a higher hard limit \
             (`ulimit -Hn`, or `LimitNOFILE=` of systemd) lets in more"
        );
    }
    usize::try_from(fitting).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_connections_as_leave_files_for_the_rest() {
        for (wanted, limit, fitting) in [
            (10_000, None, 10_000),
            (10_000, Some(20_000), 10_000),
            (10_000, Some(10_000), 9_744),
            (10_000, Some(1_024), 768),
            (10, Some(1_024), 10),
            (10_000, Some(300), 150),
            (10_000, Some(1), 1),
        ] {
            assert_eq!(connections(wanted, limit), fitting, "{limit:?}");
        }
    }
}
