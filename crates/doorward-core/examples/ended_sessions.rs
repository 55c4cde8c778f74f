//! Fills the memory of ended sessions and says what it takes: `cargo run --release --example ended_sessions -- 10000000`.
//!
//! The surprise: what is looked up is in no cache, as in a server that answers a stranger.

#![expect(clippy::print_stdout, reason = "what it says is what it is for")]

use std::fs;

use doorward_core::revocations::{Known, Revocations};
use doorward_core::session::{EndedSession, SessionId};
use doorward_core::{Clock, Timestamp, random};

/// Sessions are added and looked up in pages of this many.
const PAGE: usize = 10_000;
/// Pages that are looked up.
const LOOK_UPS: usize = 100;
/// Their expiries are spread over thirty days.
const SPREAD: i64 = 30 * 24 * 3_600_000;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(1_000_000), |count| count.parse())?;
    let clock = Clock::system();
    let now = clock.now();
    let page = |first: usize| -> doorward_core::Result<Vec<EndedSession>> {
        (first..first + PAGE)
            .map(|number| {
                let sequence = i64::try_from(number).unwrap_or(i64::MAX);
                Ok(EndedSession {
                    sequence,
                    session: SessionId(random::uuid(now)?),
                    expires_at: Timestamp(now.0 + sequence.wrapping_mul(7_919_000) % SPREAD),
                    mark: 0,
                })
            })
            .collect()
    };
    let revocations = Revocations::default();
    let (before, mut kept, mut adding) = (resident(), Vec::new(), std::time::Duration::ZERO);
    for first in (0..count).step_by(PAGE) {
        let page = page(first)?;
        let started = clock.instant();
        revocations.catch_up(&page);
        adding += started.elapsed();
        kept.extend(page.get(first / PAGE % PAGE).map(|ended| ended.session));
    }
    let mib = (resident() - before) / 1024.0;
    println!("{} sessions in {adding:.1?}, {mib:.0} MiB", revocations.len());
    let others = page(0)?.into_iter().map(|other| other.session).collect::<Vec<_>>();
    for (what, sessions, known) in [("ended", &kept, true), ("living", &others, false)] {
        let never = Timestamp(i64::MAX);
        let (started, mut found) = (clock.instant(), 0);
        for session in sessions.iter().cycle().take(LOOK_UPS * PAGE) {
            found += usize::from(revocations.look_up(*session, never, clock.moment()) == Known::Ended);
        }
        let nanos = started.elapsed().as_nanos() / (LOOK_UPS * PAGE) as u128;
        assert_eq!(found, if known { LOOK_UPS * PAGE } else { 0 });
        println!("a look-up of one that is {what}: {nanos} ns, with the reading of the clock");
    }
    let started = clock.instant();
    revocations.purge(Timestamp(now.0 + SPREAD / 30));
    println!(
        "a day forgotten in {:.1?}: {} left",
        started.elapsed(),
        revocations.len()
    );
    Ok(())
}

/// Resident memory in KiB, where the system tells it.
fn resident() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse().ok())
        .unwrap_or(0.0)
}
