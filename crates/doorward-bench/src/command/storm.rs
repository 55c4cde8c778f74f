//! `storm`: how long a profile takes while many people log in without pause.
//!
//! The surprise: the profiles come at a fixed rate and their time counts from the moment at which each was due. A
//! server that stops answering for a second cannot hide it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::chart::{Chart, Kind, Series};
use crate::error::{Error, Result};
use crate::folder::Folder;
use crate::hiccup::Watch;
use crate::histogram::Histogram;
use crate::load::open::Pace;
use crate::load::{Crowd, Tally, same};
use crate::people::{self, grants, log_in, profile};
use crate::record::{Draft, Goal};
use crate::server::{QUIET, Server};
use crate::statistics::median;
use crate::table::Table;
use crate::{Options, clock, machine, print};

mod flood;

/// Clients that log in meanwhile.
const LEVELS: [usize; 4] = [0, 4, 16, 64];
/// Profiles a second, and connections to ask for them.
const RATE: u64 = 1000;
const CONNECTIONS: usize = 32;
/// Accounts whose profiles are asked for. Those behind them log in: whoever does so some thousand times loses sessions.
const ACCOUNTS: u64 = 256;
/// How long the logins run before anything is measured.
const WARM: Duration = Duration::from_millis(500);
/// What no profile may take longer than.
const LIMIT: Duration = Duration::from_millis(20);

const ABOUT: [&str; 3] = [
    "1,000 profiles a second are asked for on 32 connections, each counted from the moment at which it was due (an open \
     loop, without coordinated omission), while 0, 4, 16 and 64 clients log in, each again as soon as it has its answer. \
     The levels take turns in each round; percentiles are of all rounds together, and the ratio is the median of the \
     rounds.",
    "Loader and server share the cores. What the loader is late by counts as the server's. What the machine is late by does \
     so as well, and is shown: the longest that one of the cores let a thread wait that only wanted to wake up, and what was \
     read from the disk meanwhile.",
    "The second table is the other way round: all ask as soon as they have their answer, with both kinds of clients in the \
     same round.",
];

/// What was seen while some clients logged in.
#[derive(Default)]
struct Level {
    profiles: Histogram,
    refused: u64,
    logins: Vec<f64>,
    /// Of each round, in milliseconds.
    p99: Vec<f64>,
    /// The longest that a core stood still.
    hiccup: Duration,
    /// What was read from the disk.
    disk_mib: f64,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let (rounds, time) = options.pick((5, Duration::from_secs(8)), (1, Duration::from_millis(500)));
    let mut draft = Draft::begin("storm", "Profiles while people log in", &ABOUT, options);
    let folder = Folder::new()?;
    let server = Server::doorward(&folder, &[QUIET])?;
    let most = LEVELS.into_iter().max().unwrap_or_default() as u64;
    people::settle(server.address, 0..ACCOUNTS + most)?;
    let grants = grants(server.address, 0..ACCOUNTS)?;
    let requests: Vec<Vec<u8>> = grants.iter().map(|grant| profile(&grant.access)).collect();
    let pace = Pace {
        target: server.address,
        requests: &requests,
        rate: RATE,
        connections: CONNECTIONS,
    };
    let mut levels: [Level; 4] = Default::default();
    for round in 1..=rounds {
        print::progress(&format!("round {round} of {rounds}"));
        for (clients, level) in LEVELS.into_iter().zip(&mut levels) {
            let crowd = Crowd::new((0..clients as u64).map(|n| (server.address, same(log_in(ACCOUNTS + n)))))?;
            let (watch, disk) = (Watch::begin()?, machine::read_mib());
            let (profiles, logins) = beside(crowd, time, || pace.run(time))?;
            level.hiccup = level.hiccup.max(watch.end()?);
            level.disk_mib += machine::read_mib() - disk;
            level.refused += profiles.refused() + logins.refused();
            level.p99.push(profiles.latencies.ms(0.99));
            level.profiles.add(&profiles.latencies);
            level.logins.push(logins.rate());
        }
    }
    tell(&mut draft, &levels);
    draft.table(flood::measure(&server, &requests, options)?);
    draft.finish()
}

/// Does something that takes about this time while a crowd works.
pub(crate) fn beside(mut crowd: Crowd, time: Duration, work: impl FnOnce() -> Result<Tally>) -> Result<(Tally, Tally)> {
    let stop = Arc::new(AtomicBool::new(false));
    thread::scope(|scope| {
        let told = Arc::clone(&stop);
        let limit = time + WARM + Duration::from_secs(30);
        let crowd = scope.spawn(move || {
            let began = clock::now();
            let mut tally = crowd.run_until(limit, &told)?;
            tally.seconds = (clock::now() - began).as_secs_f64();
            Ok::<Tally, Error>(tally)
        });
        clock::wait(WARM);
        let done = work();
        stop.store(true, Ordering::Relaxed);
        let crowd = crowd.join().map_err(|_| Error::new("a thread of the loader died"))??;
        Ok((done?, crowd))
    })
}

fn tell(draft: &mut Draft, levels: &[Level]) {
    let columns = [
        "clients logging in",
        "logins/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        "over 20 ms",
        "refused",
        "p99 to calm",
        "core late ms",
        "from disk MiB",
    ];
    let mut table = Table::new("Profiles, 1,000 a second", columns);
    let calm: Vec<f64> = levels.first().map(|level| level.p99.clone()).unwrap_or_default();
    let mut ratio = 0.0;
    let (mut refused, mut over) = (0, 0);
    for (clients, level) in LEVELS.iter().zip(levels) {
        let profiles = &level.profiles;
        let ratios: Vec<f64> = level.p99.iter().zip(&calm).map(|(is, calm)| is / calm).collect();
        ratio = median(&ratios);
        (refused, over) = (refused + level.refused, over + profiles.over(LIMIT));
        table.row([
            (*clients as u64).into(),
            median(&level.logins).into(),
            profiles.ms(0.5).into(),
            profiles.ms(0.99).into(),
            profiles.ms(0.999).into(),
            profiles.max_ms().into(),
            profiles.over(LIMIT).into(),
            level.refused.into(),
            ratio.into(),
            (level.hiccup.as_secs_f64() * 1e3).into(),
            level.disk_mib.into(),
        ]);
    }
    draft.table(table);
    draft.figure(
        "profile p99 while 64 clients log in, against calm p99",
        ratio,
        "×",
        Goal::AtMost(3.0),
    );
    let number = crate::statistics::number;
    draft.figure("profiles over 20 ms at any level", number(over), "", Goal::AtMost(0.0));
    draft.figure(
        "profiles and logins refused at any level",
        number(refused),
        "",
        Goal::AtMost(0.0),
    );
    draft.chart(chart(levels));
}

fn chart(levels: &[Level]) -> Chart {
    let of = |name: &str, value: &dyn Fn(&Histogram) -> f64| {
        Series::new(name, levels.iter().map(|level| value(&level.profiles)).collect())
    };
    Chart {
        title: "How long a profile takes while people log in".into(),
        kind: Kind::Lines {
            places: LEVELS.map(|clients| clients.to_string()).into(),
            axis: "clients that log in without pause".into(),
        },
        measure: "milliseconds (by tens)".into(),
        by_tens: true,
        series: vec![
            of("p50", &|profiles| profiles.ms(0.5)),
            of("p99", &|profiles| profiles.ms(0.99)),
            of("p99.9", &|profiles| profiles.ms(0.999)),
            of("slowest", &Histogram::max_ms),
        ],
    }
}
