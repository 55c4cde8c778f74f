//! `http`: the real server through its own API, beside a bare axum that says hello.
//!
//! The surprise: requests that hash and requests that do not are never measured at the same time, but they take turns
//! in the same rounds. So whatever else the machine does meets all of them.

use std::sync::Arc;
use std::time::Duration;

use doorward_argon2::Params;

use self::alone::Alone;
use self::logout::Logouts;
use crate::chart::{Chart, Kind, Series};
use crate::error::Result;
use crate::folder::Folder;
use crate::histogram::Histogram;
use crate::load::{Crowd, Script, in_turn, same};
use crate::people::{self, grants, log_in, profile, refreshing, registering};
use crate::record::{Draft, Goal};
use crate::server::{QUIET, Server};
use crate::statistics::{median, number};
use crate::table::Table;
use crate::wire::{Wire, request};
use crate::{Options, machine, print};

mod alone;
mod logout;

/// Clients of what does not hash: enough that no thread waits for one.
const CLIENTS: u64 = 64;
/// Accounts whose profiles are asked for.
const ACCOUNTS: u64 = 512;
/// Requests that hash.
const HASHING: [&str; 2] = ["login", "register"];
/// Hashes of each thread alone, each way, before and after such requests.
const HASHES: u32 = 150;
/// Numbers that a client which registers has for itself.
const OWN: u64 = 1_000_000;

const ABOUT: [&str; 4] = [
    "All take turns in each round, each for the same time, on one machine together with the loader, which has two \
     threads and keeps its connections open; what hashes for twice as long, since the hashes that are under way at the \
     end do not count. Shown is the median of the rounds. The bare server is axum with one route \
     that answers a constant, with as many threads, in a process of its own.",
    "The token check without a row is the list of sessions, asked for with a token whose session has ended: the token \
     and its session are looked up, and nothing is read from the database. No route does that and then says yes.",
    "The server runs with its defaults, but for `log_level=warn,audit=info`: it logs logins, and not every request. The \
     row `each request logged` is the same server with its defaults.",
    "Processor time is that of the server's process in the kernel and outside, for one request; it does not depend on \
     what the loader takes.",
];

/// One kind of request to one server.
struct Candidate {
    name: &'static str,
    server: usize,
    status: u16,
    crowd: Crowd,
    rates: Vec<f64>,
    cpu_us: Vec<f64>,
    latencies: Histogram,
    /// Hashes alone, a second, about the same time; none for requests that do not hash.
    alone: Vec<f64>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let (rounds, time) = options.pick((5, Duration::from_secs(3)), (1, Duration::from_millis(300)));
    let mut draft = Draft::begin("http", "Requests through the real server", &ABOUT, options);
    let folders = [Folder::new()?, Folder::new()?, Folder::new()?];
    let [first, second, third] = &folders;
    let servers = [
        Server::hello(first)?,
        Server::doorward(second, &[QUIET])?,
        Server::doorward(third, &[])?,
    ];
    let idle = idle(&servers[1])?;
    let mut candidates = candidates(&servers)?;
    let params = Params::argon2id(19_456, 2, 1)?;
    let mut alone = Alone::new(params)?;
    let few = options.pick(HASHES, 8);
    let mut logouts = Logouts::new(options)?;
    for round in 1..=rounds {
        print::progress(&format!("round {round} of {rounds}"));
        for candidate in &mut candidates {
            let Some(server) = servers.get(candidate.server) else {
                continue;
            };
            let hashes = HASHING.contains(&candidate.name);
            let time = if hashes { 2 * time } else { time };
            let before = hashes.then(|| alone.rates(few)).transpose()?;
            let crowd = &mut candidate.crowd;
            let (tally, cpu) = server.cpu_of(|| crowd.run(time)?.only(candidate.name, candidate.status))?;
            candidate.rates.push(tally.rate());
            candidate
                .cpu_us
                .push(cpu * 1e6 / number(tally.latencies.count().max(1)));
            candidate.latencies.add(&tally.latencies);
            if let Some(before) = before {
                candidate.alone.push(alone::faster(&before, &alone.rates(few)?));
            }
        }
        logouts.round()?;
    }
    let peak = peak(options)?;
    reads(&mut draft, &candidates);
    hashes(&mut draft, &candidates);
    logouts.tell(&mut draft);
    memory(&mut draft, idle, peak);
    draft.finish()
}

fn candidates(servers: &[Server; 3]) -> Result<Vec<Candidate>> {
    let [hello, quiet, logging] = servers;
    people::settle(quiet.address, 0..ACCOUNTS)?;
    people::settle(logging.address, 0..ACCOUNTS)?;
    let mut quiet_grants = grants(quiet.address, 0..ACCOUNTS)?;
    let refreshing_ones = quiet_grants.split_off(quiet_grants.len() - usize::try_from(CLIENTS)?);
    let profiles =
        |grants: &[people::Grant]| -> Arc<[Vec<u8>]> { grants.iter().map(|grant| profile(&grant.access)).collect() };
    let (asked, logged) = (
        profiles(&quiet_grants),
        profiles(&grants(logging.address, 0..ACCOUNTS)?),
    );
    let ended = grants(quiet.address, 0..CLIENTS)?;
    let mut wire = Wire::open(quiet.address)?;
    for grant in &ended {
        wire.ask_for(204, &people::log_out(&grant.access))?;
    }
    let each = |script: &dyn Fn(u64) -> Script| (0..CLIENTS).map(script).collect::<Vec<_>>();
    let turns = |requests: &Arc<[Vec<u8>]>| each(&|n| in_turn(requests, usize::try_from(n).unwrap_or(0) * 8));
    let ended = ended
        .iter()
        .map(|grant| same(people::sessions(&grant.access)))
        .collect();
    let bare = each(&|_| same(request("GET", "/hello", None, None)));
    let refreshing_ones = refreshing_ones.into_iter().map(refreshing).collect();
    let parts: [(&'static str, usize, u16, Vec<Script>); 7] = [
        ("bare axum, hello", 0, 200, bare),
        ("token check, no row", 1, 401, ended),
        ("profile", 1, 200, turns(&asked)),
        ("profile, each request logged", 2, 200, turns(&logged)),
        ("login", 1, 201, each(&|n| same(log_in(n)))),
        ("register", 1, 202, each(&|n| registering((n + 1) * OWN))),
        // The last, since the disk writes on after it while others have their turn.
        ("refresh", 1, 200, refreshing_ones),
    ];
    let address = |server: usize| servers.get(server).map_or(hello.address, |server| server.address);
    parts
        .into_iter()
        .map(|(name, server, status, scripts)| {
            Ok(Candidate {
                name,
                server,
                status,
                crowd: Crowd::new(scripts.into_iter().map(|script| (address(server), script)))?,
                rates: Vec::new(),
                cpu_us: Vec::new(),
                latencies: Histogram::default(),
                alone: Vec::new(),
            })
        })
        .collect()
}

/// Memory of a server that has answered once and has nothing to do.
fn idle(server: &Server) -> Result<f64> {
    Wire::open(server.address)?.ask_for(200, &request("GET", "/readyz", None, None))?;
    Ok(server.process.memory_mib("VmRSS"))
}

/// The highest memory of a server while 64 clients log in: all of it, and what is no file. One that has done nothing
/// else, since memory also remembers the tokens of others.
fn peak(options: &Options) -> Result<(f64, f64)> {
    let folder = Folder::new()?;
    let server = Server::doorward(&folder, &[QUIET])?;
    people::settle(server.address, 0..CLIENTS)?;
    server.process.forget_peak();
    let mut crowd = Crowd::new((0..CLIENTS).map(|n| (server.address, same(log_in(n)))))?;
    let time = options.pick(Duration::from_secs(5), Duration::from_millis(300));
    crowd.run(time)?.only("login", 201)?;
    Ok((server.process.memory_mib("VmHWM"), server.process.memory_mib("RssAnon")))
}

fn reads(draft: &mut Draft, candidates: &[Candidate]) {
    let columns = [
        "request",
        "a second",
        "to bare",
        "p50 ms",
        "p99 ms",
        "server µs",
        "bare's µs to these",
    ];
    let mut table = Table::new("64 clients", columns);
    let bare = candidates.first();
    let ratios = |of: &dyn Fn(&Candidate) -> Vec<f64>, candidate: &Candidate| {
        let bare = bare.map(of).unwrap_or_default();
        // Of each round with itself.
        of(candidate)
            .iter()
            .zip(bare)
            .map(|(is, bare)| is / bare)
            .collect::<Vec<f64>>()
    };
    for candidate in candidates {
        let rate = median(&ratios(&|candidate| candidate.rates.clone(), candidate));
        let cpu = 1.0 / median(&ratios(&|candidate| candidate.cpu_us.clone(), candidate));
        let latencies = &candidate.latencies;
        table.row([
            candidate.name.into(),
            median(&candidate.rates).into(),
            rate.into(),
            latencies.ms(0.5).into(),
            latencies.ms(0.99).into(),
            median(&candidate.cpu_us).into(),
            cpu.into(),
        ]);
        let goal = match candidate.name {
            "token check, no row" => 0.62,
            "profile" | "profile, each request logged" => 0.45,
            _ => continue,
        };
        draft.figure(
            &format!("{}, against bare axum hello", candidate.name),
            rate,
            "×",
            Goal::AtLeast(goal),
        );
    }
    draft.table(table);
    let shown: Vec<&Candidate> = candidates.iter().take(5).collect();
    draft.chart(Chart {
        title: "Requests a second, 64 clients and the loader on one machine".into(),
        kind: Kind::Bars(shown.iter().map(|candidate| candidate.name.to_owned()).collect()),
        measure: "requests a second (more is better)".into(),
        by_tens: false,
        series: vec![Series::new(
            "a second",
            shown.iter().map(|candidate| median(&candidate.rates)).collect(),
        )],
    });
}

fn hashes(draft: &mut Draft, candidates: &[Candidate]) {
    let mut table = Table::new(
        "What hashes, beside hashes alone: the same kernel on as many threads, without a server, right before and after",
        ["", "a second", "hashes alone", "to these"],
    );
    for candidate in candidates.iter().filter(|candidate| !candidate.alone.is_empty()) {
        let pairs = candidate.rates.iter().zip(&candidate.alone);
        let ratios: Vec<f64> = pairs.map(|(rate, alone)| rate / alone).collect();
        table.row([
            candidate.name.into(),
            median(&candidate.rates).into(),
            median(&candidate.alone).into(),
            median(&ratios).into(),
        ]);
        if candidate.name == "login" {
            let what = "logins/s through HTTP and SQLite against hashes/s of our kernel alone, the same threads";
            draft.figure(what, median(&ratios), "×", Goal::AtLeast(0.95));
        }
    }
    draft.table(table);
}

fn memory(draft: &mut Draft, idle: f64, (peak, anonymous): (f64, f64)) {
    let mut table = Table::new("Memory of the server's process", ["", "MiB"]);
    table.row(["idle (`VmRSS`)".into(), idle.into()]);
    table.row(["highest while 64 clients log in (`VmHWM`)".into(), peak.into()]);
    table.row(["of it no file, at the end (`RssAnon`)".into(), anonymous.into()]);
    draft.table(table);
    let limit = number(machine::cores() as u64) * 2.0 * 19.0 + 30.0;
    draft.figure(
        "highest memory under 64 logging-in clients (all of it, not the heap alone)",
        peak,
        "MiB",
        Goal::AtMost(limit),
    );
}
