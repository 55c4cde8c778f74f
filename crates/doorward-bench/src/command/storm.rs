//! `storm`: how long a profile takes while many people log in without pause.
//!
//! The surprise: the profiles come at a fixed rate and their time counts from the moment at which each was due. A
//! server that stops answering for a second cannot hide it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::chart::{Chart, Kind, Series};
use crate::clock::Span;
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
/// The same with a loader that does not go first.
const ORDINARY: [usize; 2] = [0, 64];
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
    "Loader and server share the cores. What the loader is late by counts as the server's. So its threads that ask for \
     profiles run before all others (`SCHED_FIFO`), as they would on a machine of their own; those that log in do not. The \
     second table has both like any other thread, which waits for a core behind the threads of the server. What the machine \
     is late by counts as the server's as well, and is shown: the longest that one of the cores let a thread wait that only \
     wanted to wake up, and goes before all others; how many of the profiles over 20 ms were so also without the time that a \
     core stood still meanwhile, so that at least so many are not the machine's; and what was read from the disk.",
    "The third table is the other way round: all ask as soon as they have their answer, with both kinds of clients in the \
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
    /// Profiles over the limit also without the time that a core stood still meanwhile.
    over_by_itself: u64,
    /// The longest that a core stood still.
    hiccup: Duration,
    /// What was read from the disk.
    disk_mib: f64,
}

impl Level {
    /// Asks at this pace while so many clients log in.
    fn measure(&mut self, pace: &Pace<'_>, clients: usize, time: Duration) -> Result<()> {
        let crowd = Crowd::new((0..clients as u64).map(|n| (pace.target, same(log_in(ACCOUNTS + n)))))?;
        let (watch, disk) = (Watch::begin()?, machine::read_mib());
        let (profiles, logins) = beside(crowd, time, || pace.run(time))?;
        let hiccups = watch.end()?;
        self.hiccup = self.hiccup.max(hiccups.longest());
        let by_itself = |span: &&Span| span.length().saturating_sub(hiccups.within(**span)) > LIMIT;
        self.over_by_itself += profiles.long.iter().filter(by_itself).count() as u64;
        self.disk_mib += machine::read_mib() - disk;
        self.refused += profiles.refused() + logins.refused();
        self.p99.push(profiles.latencies.ms(0.99));
        self.profiles.add(&profiles.latencies);
        self.logins.push(logins.rate());
        Ok(())
    }
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
    let pace = |goes_first| Pace {
        target: server.address,
        requests: &requests,
        rate: RATE,
        connections: CONNECTIONS,
        goes_first,
    };
    let (first, ordinary) = (pace(true), pace(false));
    let (mut levels, mut ordinary_levels) = (<[Level; 4]>::default(), <[Level; 2]>::default());
    for round in 1..=rounds {
        print::progress(&format!("round {round} of {rounds}"));
        for (clients, level) in LEVELS.into_iter().zip(&mut levels) {
            level.measure(&first, clients, time)?;
        }
        for (clients, level) in ORDINARY.into_iter().zip(&mut ordinary_levels) {
            level.measure(&ordinary, clients, time)?;
        }
    }
    tell(&mut draft, &levels, &ordinary_levels);
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

fn tell(draft: &mut Draft, levels: &[Level; 4], ordinary: &[Level; 2]) {
    let may_go_first = thread::scope(|scope| matches!(scope.spawn(clock::go_first).join(), Ok(true)));
    let title = if may_go_first {
        "Profiles, 1,000 a second"
    } else {
        "Profiles, 1,000 a second (the system did not let the loader go first)"
    };
    let (table, ratio) = table(title, &LEVELS, levels);
    draft.table(table);
    let (ordinary_table, ordinary_ratio) = self::table(
        "The same with a loader that waits for a core like the others",
        &ORDINARY,
        ordinary,
    );
    draft.table(ordinary_table);
    for (loader, ratio) in [
        ("goes first", ratio),
        ("waits for a core like all others", ordinary_ratio),
    ] {
        let what = format!("profile p99 while 64 clients log in, against calm p99; the loader {loader}");
        draft.figure(&what, ratio, "×", Goal::AtMost(3.0));
    }
    let number = crate::statistics::number;
    let all = || levels.iter().chain(ordinary);
    let over = all().map(|level| level.profiles.over(LIMIT)).sum();
    let refused = all().map(|level| level.refused).sum();
    draft.figure("profiles over 20 ms at any level", number(over), "", Goal::AtMost(0.0));
    draft.figure(
        "profiles and logins refused at any level",
        number(refused),
        "",
        Goal::AtMost(0.0),
    );
    draft.chart(chart(levels));
}

/// A row for each level, and the ratio of the last to the first.
fn table(title: &str, clients: &[usize], levels: &[Level]) -> (Table, f64) {
    let columns = [
        "clients logging in",
        "logins/s",
        "p50 ms",
        "p99 ms",
        "p99.9 ms",
        "max ms",
        "over 20 ms",
        "but for the core",
        "refused",
        "p99 to calm",
        "core late ms",
        "from disk MiB",
    ];
    let mut table = Table::new(title, columns);
    let calm: Vec<f64> = levels.first().map(|level| level.p99.clone()).unwrap_or_default();
    let mut ratio = 0.0;
    for (clients, level) in clients.iter().zip(levels) {
        let profiles = &level.profiles;
        let ratios: Vec<f64> = level.p99.iter().zip(&calm).map(|(is, calm)| is / calm).collect();
        ratio = median(&ratios);
        table.row([
            (*clients as u64).into(),
            median(&level.logins).into(),
            profiles.ms(0.5).into(),
            profiles.ms(0.99).into(),
            profiles.ms(0.999).into(),
            profiles.max_ms().into(),
            profiles.over(LIMIT).into(),
            level.over_by_itself.into(),
            level.refused.into(),
            ratio.into(),
            (level.hiccup.as_secs_f64() * 1e3).into(),
            level.disk_mib.into(),
        ]);
    }
    (table, ratio)
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
