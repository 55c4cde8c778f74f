//! `grow`: the same requests with more and more accounts and ended sessions; also what a start takes.
//!
//! The surprise: hashes are cheap here. What grows with the number of accounts is everything else of a login, and next
//! to a hash nobody would see it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;

use crate::chart::{Chart, Kind, Series};
use crate::dice::Dice;
use crate::error::Result;
use crate::fill::{Size, fill};
use crate::folder::{Folder, read_through};
use crate::histogram::Histogram;
use crate::load::{Crowd, in_turn};
use crate::people::{self, grants};
use crate::record::{Draft, Goal};
use crate::server::{CHEAP, QUIET, Server};
use crate::statistics::{median, number};
use crate::table::Table;
use crate::wire::Wire;
use crate::{Options, clock, machine, print};

mod check;

/// Clients that ask.
const CLIENTS: usize = 32;
/// Tokens that profiles are asked for with, and accounts that log in; both from anywhere in the table.
const ASKED: u64 = 10_000;

const ABOUT: [&str; 4] = [
    "A database for each row, filled by SQL, each with a server of its own; one account in ten has a living session. All \
     take turns in each round. Profiles are asked for with the tokens of 10,000 accounts from anywhere in the table, and \
     accounts from anywhere in it log in, by 32 clients. Before each turn the files are read through, so that they are in \
     the system's cache; what is read from the disk all the same is shown.",
    "Hashes are cheap (m=8 KiB, t=1), so that a login shows everything but its hash.",
    "A start is counted from the launch of the process to the first profile that is answered with 200: median of \
     several, each of a new process.",
    "The check of an ended session alone is measured inside this program, with the code that the server runs: among as \
     many endings, half of the ids asked for have ended and half have not.",
];

#[derive(Args)]
pub(crate) struct GrowArgs {
    /// Accounts of the largest database: ten million take 5 GB of disk and some minutes to fill
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1_000..=50_000_000))]
    accounts: u64,
    /// Ended sessions of the largest database
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(0..=50_000_000))]
    ended: u64,
}

/// A database with its server.
struct Case {
    size: Size,
    server: Server,
    profile: Asked,
    login: Asked,
    first_answer_ms: f64,
    resident_mib: f64,
    anonymous_mib: f64,
    file_mib: f64,
    folder: Folder,
}

/// One kind of request to one server.
pub(crate) struct Asked {
    pub(crate) crowd: Crowd,
    pub(crate) status: u16,
    pub(crate) rates: Vec<f64>,
    pub(crate) cpu_us: Vec<f64>,
    /// What the machine read from its disks meanwhile, in MiB.
    pub(crate) disk_mib: f64,
    pub(crate) latencies: Histogram,
}

impl Asked {
    pub(crate) fn new(to: &[SocketAddr], status: u16, requests: Vec<Vec<u8>>, clients: usize) -> Result<Self> {
        let requests: Arc<[Vec<u8>]> = requests.into();
        let step = requests.len() / clients.max(1);
        let script = |n: usize| {
            to.get(n % to.len().max(1))
                .map(|to| (*to, in_turn(&requests, n * step)))
        };
        Ok(Self {
            crowd: Crowd::new((0..clients).filter_map(script))?,
            status,
            rates: Vec::new(),
            cpu_us: Vec::new(),
            disk_mib: 0.0,
            latencies: Histogram::default(),
        })
    }

    pub(crate) fn round(&mut self, servers: &[&Server], time: Duration) -> Result<()> {
        let disk = machine::read_mib();
        let before: f64 = servers.iter().map(|server| server.process.cpu_seconds()).sum();
        let tally = self.crowd.run(time)?.only("a request", self.status)?;
        let after: f64 = servers.iter().map(|server| server.process.cpu_seconds()).sum();
        self.disk_mib += machine::read_mib() - disk;
        self.rates.push(tally.rate());
        self.cpu_us
            .push((after - before) * 1e6 / number(tally.latencies.count().max(1)));
        self.latencies.add(&tally.latencies);
        Ok(())
    }
}

/// Profiles and logins of accounts from anywhere in the table.
pub(crate) fn anywhere(server: SocketAddr, accounts: u64, asked: u64) -> Result<(Vec<Vec<u8>>, Vec<Vec<u8>>)> {
    let mut dice = Dice::new(9);
    let numbers: Vec<u64> = (0..asked).map(|_| dice.below(accounts)).collect();
    let logins = (0..asked).map(|_| people::log_in(dice.below(accounts))).collect();
    let grants = grants(server, numbers.into_iter())?;
    Ok((
        grants.iter().map(|grant| people::profile(&grant.access)).collect(),
        logins,
    ))
}

pub(crate) fn run(arguments: &GrowArgs, options: &Options) -> Result<()> {
    let mut draft = Draft::begin(
        "grow",
        "The same requests with more accounts and more ended sessions",
        &ABOUT,
        options,
    );
    let (accounts, ended) = options.pick((arguments.accounts, arguments.ended), (20_000, 20_000));
    let (few, some, a_tenth) = (1_000, accounts / 100, accounts / 10);
    let size = |accounts, ended| Size { accounts, ended };
    let sizes = [
        size(few, 0),
        size(some, 0),
        size(accounts, 0),
        size(few, ended / 10),
        size(few, ended),
        size(a_tenth, ended / 100),
    ];
    let mut cases = Vec::new();
    for size in sizes {
        print::progress(&format!(
            "filling: {} accounts, {} ended sessions",
            size.accounts, size.ended
        ));
        cases.push(case(size, options)?);
    }
    let (rounds, time) = options.pick((5, Duration::from_secs(2)), (1, Duration::from_millis(200)));
    for round in 1..=rounds {
        print::progress(&format!("round {round} of {rounds}"));
        for case in &mut cases {
            for asked in [&mut case.profile, &mut case.login] {
                read_through(case.folder.path())?;
                asked.round(&[&case.server], time)?;
            }
        }
    }
    tell(&mut draft, &cases);
    checks(&mut draft, ended)?;
    draft.finish()
}

fn case(size: Size, options: &Options) -> Result<Case> {
    let folder = Folder::new()?;
    let [memory, passes] = CHEAP;
    let settings = [QUIET, memory, passes];
    fill(&folder, &settings, size)?;
    let server = Server::doorward(&folder, &settings)?;
    let (profiles, logins) = anywhere(server.address, size.accounts, options.pick(ASKED, 500))?;
    let first = profiles.first().cloned().unwrap_or_default();
    drop(server);
    let mut times = Vec::new();
    // A start that reads ten million endings takes seconds: fewer of those.
    let starts = if size.ended > 1_000_000 { 3 } else { 9 };
    let mut last = None;
    for _ in 0..starts {
        drop(last.take());
        let server = Server::doorward(&folder, &settings)?;
        Wire::open(server.address)?.ask_for(200, &first)?;
        times.push((clock::now() - server.began).as_secs_f64() * 1e3);
        last = Some(server);
    }
    let server = last.map_or_else(|| Server::doorward(&folder, &settings), Ok)?;
    let at = [server.address];
    Ok(Case {
        size,
        profile: Asked::new(&at, 200, profiles, CLIENTS)?,
        login: Asked::new(&at, 201, logins, CLIENTS)?,
        first_answer_ms: median(&times),
        resident_mib: server.process.memory_mib("VmRSS"),
        anonymous_mib: server.process.memory_mib("RssAnon"),
        file_mib: number(std::fs::metadata(folder.join("doorward.db"))?.len()) / 1_048_576.0,
        server,
        folder,
    })
}

fn tell(draft: &mut Draft, cases: &[Case]) {
    let mut starts = Table::new(
        "Starts and memory",
        [
            "accounts",
            "ended sessions",
            "file MiB",
            "first answer ms",
            "memory MiB",
            "of it no file",
        ],
    );
    let columns = [
        "accounts",
        "ended sessions",
        "profiles/s",
        "p50 ms",
        "p99 ms",
        "server µs",
        "from disk MiB",
        "logins/s",
        "p50 ms",
        "p99 ms",
        "server µs",
        "from disk MiB",
    ];
    let mut requests = Table::new("Requests, 32 clients", columns);
    for case in cases {
        let sizes = [case.size.accounts.into(), case.size.ended.into()];
        let row = [
            case.file_mib,
            case.first_answer_ms,
            case.resident_mib,
            case.anonymous_mib,
        ];
        starts.row(sizes.clone().into_iter().chain(row.map(Into::into)));
        let row = [&case.profile, &case.login].into_iter().flat_map(|asked| {
            let latencies = &asked.latencies;
            [
                median(&asked.rates).into(),
                latencies.ms(0.5).into(),
                latencies.ms(0.99).into(),
                median(&asked.cpu_us).into(),
                asked.disk_mib.into(),
            ]
        });
        requests.row(sizes.into_iter().chain(row));
    }
    draft.table(requests);
    draft.table(starts);
    figures(draft, cases);
    let names = cases
        .iter()
        .map(|case| format!("{} / {}", short(case.size.accounts), short(case.size.ended)));
    let series = |name: &str, of: &dyn Fn(&Case) -> f64| Series::new(name, cases.iter().map(of).collect());
    draft.chart(Chart {
        title: "Processor time of the server for a request".into(),
        kind: Kind::Bars(names.map(|name| format!("{name} accounts / ended")).collect()),
        measure: "microseconds (less is better)".into(),
        by_tens: false,
        series: vec![
            series("profile", &|case| median(&case.profile.cpu_us)),
            series("login without its hash", &|case| median(&case.login.cpu_us)),
        ],
    });
}

fn figures(draft: &mut Draft, cases: &[Case]) {
    let [small, _, large, _, ended, middle] = cases else {
        return;
    };
    let ratio = |of: &dyn Fn(&Case) -> &Asked| {
        let rounds = of(small).rates.iter().zip(&of(large).rates);
        median(&rounds.map(|(small, large)| small / large).collect::<Vec<_>>())
    };
    let (few, many) = (short(small.size.accounts), short(large.size.accounts));
    let what = format!("time of a profile (one by its rate), {many} against {few} accounts");
    draft.figure(&what, ratio(&|case| &case.profile), "×", Goal::AtMost(1.3));
    let what = format!("time of a login without its hash, {many} against {few} accounts");
    draft.figure(&what, ratio(&|case| &case.login), "×", Goal::AtMost(1.3));
    let (accounts, endings) = (short(middle.size.accounts), short(middle.size.ended));
    let with = format!("with {accounts} accounts and {endings} ended sessions");
    draft.figure(
        &format!("idle memory {with}"),
        megabytes(middle.resident_mib),
        "MB",
        Goal::AtMost(15.0),
    );
    draft.figure(
        &format!("start to first answer {with}"),
        middle.first_answer_ms,
        "ms",
        Goal::AtMost(60.0),
    );
    let more = ended.resident_mib - small.resident_mib;
    let what = format!("memory of {} ended sessions", short(ended.size.ended));
    draft.figure(&what, megabytes(more), "MB", Goal::AtMost(200.0));
}

/// What is measured in MiB in those that these two goals are set in.
fn megabytes(mib: f64) -> f64 {
    mib * 1.048_576
}

fn checks(draft: &mut Draft, most: u64) -> Result<()> {
    let mut table = Table::new(
        "The check of one session in memory, one thread",
        ["ended sessions", "ns"],
    );
    for ended in [0, most / 10, most] {
        let ns = check::time_ns(ended)?;
        table.row([ended.into(), ns.into()]);
        if ended == most {
            let what = format!("check of one session among {} ended ones", short(ended));
            draft.figure(&what, ns, "ns", Goal::AtMost(100.0));
        }
    }
    draft.table(table);
    Ok(())
}

/// A power of ten in few letters.
pub(crate) fn short(count: u64) -> String {
    match count {
        0 => "0".to_owned(),
        _ if 10_u64.pow(count.ilog10()) == count && count >= 1000 => {
            let digits = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
            let power = count.ilog10() as usize;
            digits
                .get(power)
                .map_or_else(|| count.to_string(), |power| format!("10{power}"))
        }
        _ => crate::table::shown(number(count)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_ten() {
        let wanted = [
            (0, "0"),
            (20, "20"),
            (1_000, "10³"),
            (10_000_000, "10⁷"),
            (20_000, "20,000"),
        ];
        for (count, text) in wanted {
            assert_eq!(short(count), text);
        }
    }
}
