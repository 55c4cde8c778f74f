//! `peer`: doorward beside login backends as they are usually written, `bench/peers/`, driven by the same loader.
//!
//! The surprise: all servers run all the time and only one is asked at a time, so that every one of them meets the same
//! machine in each round.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use super::storm::beside;
use crate::chart::{Chart, Kind, Series};
use crate::error::{Error, Result};
use crate::folder::{Folder, project};
use crate::histogram::Histogram;
use crate::load::open::Pace;
use crate::load::{Crowd, in_turn, same};
use crate::people::{self, PASSWORD, email};
use crate::record::{Draft, Goal};
use crate::server::{QUIET, Server};
use crate::statistics::median;
use crate::table::Table;
use crate::wire::{Wire, request};
use crate::{Options, print};

/// Accounts that log in and whose profiles are asked for.
const ACCOUNTS: u64 = 64;
/// Clients while logins are counted: enough that no hash thread waits for one.
const SIGNING_IN: u64 = 16;
/// Profiles a second while latencies are taken. Every peer can keep up with as many when it is left alone.
const RATE: u64 = 200;
const CONNECTIONS: usize = 32;

const ABOUT: [&str; 4] = [
    "`bench/peers/README.md` says what the peers are and how they were chosen. One process each, on SQLite, as their \
     users run them, once with the hash that they come with and once with argon2id at doorward's cost (m=19456 KiB, t=2, \
     p=1). doorward is once more set to bcrypt at the peers' cost.",
    "Logins a second are of 16 clients, profiles a second of 64. Latencies of profiles are of an open loop of 200 a \
     second, first alone and then while 64 clients log in without pause. All take turns in each round.",
    "A profile is not the same work everywhere: `fastify` checks a signature, `express` also looks into its table of \
     ended tokens, `better-auth` reads its session from the database, doorward looks the token and its session up in \
     memory, and all read the account. doorward waits for the disk at every write, the peers do not.",
    "Node runs one thread of JavaScript and hashes in four of libuv; doorward has as many threads as there are cores.",
];

/// One server with its hash.
struct Candidate {
    name: &'static str,
    hash: &'static str,
    server: Server,
    is_peer: bool,
    profiles: Vec<Vec<u8>>,
    logins_a_second: Vec<f64>,
    profiles_a_second: Vec<f64>,
    calm: Histogram,
    storm: Histogram,
    refused: u64,
    memory_mib: f64,
    _folder: Folder,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut draft = Draft::begin("peer", "Beside other login backends", &ABOUT, options);
    let mut candidates = vec![
        doorward("argon2id", &[QUIET])?,
        doorward("bcrypt 10", &[QUIET, ("hash_scheme", "bcrypt"), ("bcrypt_cost", "10")])?,
    ];
    for (name, default) in [
        ("express", "bcrypt 10"),
        ("fastify", "bcrypt 10"),
        ("better-auth", "scrypt"),
    ] {
        candidates.push(peer(name, default, None)?);
        candidates.push(peer(name, "argon2id", Some("argon2id"))?);
    }
    let rounds = options.pick(3, 1);
    for round in 1..=rounds {
        print::progress(&format!("round {round} of {rounds}"));
        for candidate in &mut candidates {
            candidate.round(options)?;
        }
    }
    tell(&mut draft, &candidates);
    draft.finish()
}

fn doorward(hash: &'static str, settings: &[(&str, &str)]) -> Result<Candidate> {
    let folder = Folder::new()?;
    let server = Server::doorward(&folder, settings)?;
    people::settle(server.address, 0..ACCOUNTS)?;
    let grants = people::grants(server.address, 0..ACCOUNTS)?;
    let profiles = grants.iter().map(|grant| people::profile(&grant.access)).collect();
    Ok(Candidate::new(("doorward", hash), server, false, profiles, folder))
}

fn peer(name: &'static str, hash: &'static str, setting: Option<&str>) -> Result<Candidate> {
    let place = project().join("bench/peers").join(name);
    if !place.join("node_modules").is_dir() {
        let hint = format!("install what it needs: cd bench/peers/{name} && npm ci (see bench/peers/README.md)");
        return Err(Error::new(format!("the peer `{name}` is not installed")).hint(hint));
    }
    let folder = Folder::new()?;
    let mut command = Command::new("node");
    command
        .arg("server.js")
        .current_dir(place)
        .env("NODE_ENV", "production")
        .env("PORT", "0");
    command.env("DATABASE", folder.join("peer.db"));
    if let Some(setting) = setting {
        command.env("HASH", setting);
    }
    let server = Server::start(command, &folder)?;
    let profiles = sign_up(server.address)?;
    Ok(Candidate::new((name, hash), server, true, profiles, folder))
}

/// Registers the accounts with a peer and logs each in; answers what asks for their profiles.
fn sign_up(server: SocketAddr) -> Result<Vec<Vec<u8>>> {
    let mut wire = Wire::open(server)?;
    let mut profiles = Vec::new();
    for number in 0..ACCOUNTS {
        let email = email(number);
        let body = format!(r#"{{"email":"{email}","name":"Ann Example","password":"{PASSWORD}"}}"#);
        let status = wire.ask(&request("POST", "/register", None, Some(&body)))?.status;
        if !(200..300).contains(&status) {
            return Err(Error::new(format!("a peer refuses to register {email}: {status}")));
        }
        let answer = wire.ask_for(200, &log_in(number))?;
        let token = answer
            .text("token")
            .ok_or_else(|| Error::new("a peer gives no token"))?
            .to_owned();
        let profile = request("GET", "/profile", Some(&token), None);
        let shown = wire.ask_for(200, &profile)?;
        if !String::from_utf8_lossy(&shown.body).contains(&email) {
            return Err(Error::new("a peer shows somebody else's profile, or none"));
        }
        profiles.push(profile);
    }
    Ok(profiles)
}

fn log_in(number: u64) -> Vec<u8> {
    let body = format!(r#"{{"email":"{}","password":"{PASSWORD}"}}"#, email(number));
    request("POST", "/login", None, Some(&body))
}

impl Candidate {
    fn new(
        (name, hash): (&'static str, &'static str),
        server: Server,
        is_peer: bool,
        profiles: Vec<Vec<u8>>,
        folder: Folder,
    ) -> Self {
        Self {
            name,
            hash,
            server,
            is_peer,
            profiles,
            logins_a_second: Vec::new(),
            profiles_a_second: Vec::new(),
            calm: Histogram::default(),
            storm: Histogram::default(),
            refused: 0,
            memory_mib: 0.0,
            _folder: folder,
        }
    }

    fn round(&mut self, options: &Options) -> Result<()> {
        let seconds = |full, quick| Duration::from_millis(options.pick(full, quick));
        let address = self.server.address;
        let log_in = if self.is_peer { log_in } else { people::log_in };
        let signing_in = |clients: u64| Crowd::new((0..clients).map(|n| (address, same(log_in(n)))));
        let logins = signing_in(SIGNING_IN)?.run(seconds(4000, 500))?;
        self.logins_a_second.push(logins.rate());
        let asked = self.profiles.clone().into();
        let from = |n: u64| usize::try_from(n).unwrap_or(0);
        let mut asking = Crowd::new((0..ACCOUNTS).map(|n| (address, in_turn(&asked, from(n)))))?;
        let profiles = asking.run(seconds(2000, 300))?.only("a profile", 200)?;
        self.profiles_a_second.push(profiles.rate());
        let pace = Pace {
            target: address,
            requests: &self.profiles,
            rate: RATE,
            connections: CONNECTIONS,
            goes_first: false,
        };
        let calm = pace.run(seconds(3000, 300))?;
        let time = seconds(5000, 500);
        let (storm, others) = beside(signing_in(ACCOUNTS)?, time, || pace.run(time))?;
        self.refused += logins.refused() + calm.refused() + storm.refused() + others.refused();
        self.calm.add(&calm.latencies);
        self.storm.add(&storm.latencies);
        self.memory_mib = self.server.process.memory_mib("VmHWM");
        Ok(())
    }

    fn shown(&self) -> String {
        format!("{}, {}", self.name, self.hash)
    }
}

fn tell(draft: &mut Draft, candidates: &[Candidate]) {
    let columns = [
        "server, hash",
        "logins/s",
        "profiles/s",
        "alone p50 ms",
        "p99 ms",
        "64 signing in p50 ms",
        "p99 ms",
        "max ms",
        "refused",
        "memory MiB",
    ];
    let mut table = Table::new("The same loader, the same run", columns);
    for candidate in candidates {
        let (calm, storm) = (&candidate.calm, &candidate.storm);
        table.row([
            candidate.shown().into(),
            median(&candidate.logins_a_second).into(),
            median(&candidate.profiles_a_second).into(),
            calm.ms(0.5).into(),
            calm.ms(0.99).into(),
            storm.ms(0.5).into(),
            storm.ms(0.99).into(),
            storm.max_ms().into(),
            candidate.refused.into(),
            candidate.memory_mib.into(),
        ]);
    }
    draft.table(table);
    let ours = candidates
        .first()
        .map(|ours| ours.logins_a_second.clone())
        .unwrap_or_default();
    for candidate in candidates
        .iter()
        .filter(|candidate| candidate.is_peer && candidate.hash == "argon2id")
    {
        let rounds = ours
            .iter()
            .zip(&candidate.logins_a_second)
            .filter(|(_, its)| **its > 0.0);
        let ratios: Vec<f64> = rounds.map(|(ours, its)| ours / its).collect();
        let what = format!("logins/s against `{}` with argon2id at our cost", candidate.name);
        draft.figure(&what, median(&ratios), "×", Goal::AtLeast(6.0));
    }
    let names: Vec<String> = candidates.iter().map(Candidate::shown).collect();
    let values = |of: &dyn Fn(&Candidate) -> f64| candidates.iter().map(of).collect::<Vec<f64>>();
    draft.chart(Chart {
        title: "Logins a second, 16 clients".into(),
        kind: Kind::Bars(names.clone()),
        measure: "logins a second (more is better)".into(),
        by_tens: false,
        series: vec![Series::new(
            "logins",
            values(&|candidate| median(&candidate.logins_a_second)),
        )],
    });
    draft.chart(Chart {
        title: "How long a profile takes while 64 clients log in".into(),
        kind: Kind::Bars(names),
        measure: "milliseconds, by tens (less is better)".into(),
        by_tens: true,
        series: vec![
            Series::new("p50", values(&|candidate| candidate.storm.ms(0.5))),
            Series::new("p99", values(&|candidate| candidate.storm.ms(0.99))),
            Series::new("p50 alone", values(&|candidate| candidate.calm.ms(0.5))),
        ],
    });
}
