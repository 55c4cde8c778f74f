//! The other way round: how many log in while others ask for profiles without pause.
//!
//! The surprise: this is where yielding would go too far. Threads that hash yield to those that answer, who have work for
//! every core here.

use std::sync::Arc;
use std::time::Duration;

use super::{ACCOUNTS, beside};
use crate::error::Result;
use crate::histogram::Histogram;
use crate::load::{Crowd, in_turn, same};
use crate::people::log_in;
use crate::server::Server;
use crate::statistics::median;
use crate::table::Table;
use crate::{Options, print};

/// Clients that log in, and clients that ask for profiles meanwhile.
const SIGNING_IN: u64 = 16;
const ASKING: [usize; 2] = [0, 64];

#[derive(Default)]
struct Seen {
    logins: Vec<f64>,
    login: Histogram,
    refused: u64,
    profiles: Vec<f64>,
    profile: Histogram,
}

pub(super) fn measure(server: &Server, profiles: &[Vec<u8>], options: &Options) -> Result<Table> {
    let (rounds, time) = options.pick((5, Duration::from_secs(3)), (1, Duration::from_millis(300)));
    let profiles: Arc<[Vec<u8>]> = profiles.into();
    let mut seen: [Seen; 2] = Default::default();
    for round in 1..=rounds {
        print::progress(&format!("log-ins under a flood of profiles, round {round} of {rounds}"));
        for (asking, seen) in ASKING.into_iter().zip(&mut seen) {
            let mut logins = Crowd::new((0..SIGNING_IN).map(|n| (server.address, same(log_in(ACCOUNTS + n)))))?;
            let asking = Crowd::new((0..asking).map(|n| (server.address, in_turn(&profiles, n))))?;
            let (logins, profiles) = beside(asking, time, || logins.run(time))?;
            seen.refused += logins.refused() + profiles.refused();
            seen.logins.push(logins.rate());
            seen.login.add(&logins.latencies);
            seen.profiles.push(profiles.rate());
            seen.profile.add(&profiles.latencies);
        }
    }
    Ok(tell(&seen))
}

fn tell(seen: &[Seen; 2]) -> Table {
    let columns = [
        "clients asking for profiles",
        "logins/s",
        "p50 ms",
        "p99 ms",
        "profiles/s",
        "p50 ms",
        "p99 ms",
        "refused",
    ];
    let mut table = Table::new("16 clients log in while others ask for profiles without pause", columns);
    for (asking, seen) in ASKING.iter().zip(seen) {
        let mut row = vec![
            (*asking as u64).into(),
            median(&seen.logins).into(),
            seen.login.ms(0.5).into(),
            seen.login.ms(0.99).into(),
        ];
        if *asking > 0 {
            row.push(median(&seen.profiles).into());
            row.push(seen.profile.ms(0.5).into());
            row.push(seen.profile.ms(0.99).into());
        } else {
            row.extend([""; 3].map(Into::into));
        }
        row.push(seen.refused.into());
        table.row(row);
    }
    table
}
