//! `equal-time`: whether the time of an answer tells if somebody has an account.
//!
//! The surprise: no difference of means is looked for but how sure one could be of it (Welch's t). With enough samples
//! every two programs differ; what counts is whether somebody could tell from the samples that a network gives.

use std::net::SocketAddr;

use crate::chart::{Chart, Kind, Series};
use crate::dice::Dice;
use crate::error::Result;
use crate::folder::Folder;
use crate::people::{self, email, log_in_with};
use crate::record::{Draft, Goal};
use crate::server::{CHEAP, QUIET, Server};
use crate::statistics::{cropped, median, welch};
use crate::table::{Cell, Table};
use crate::wire::Wire;
use crate::{Options, clock, print};

/// Accounts that are tried with a wrong password.
const ACCOUNTS: u64 = 256;
/// What of the samples is kept where interruptions are cropped.
const KEPT: f64 = 0.9;
/// From where on two timings are called different.
const DIFFERENT: f64 = 4.5;
/// Registrations take numbers from here on.
const NEW: u64 = 50_000_000;

const ABOUT: [&str; 3] = [
    "One client asks on one connection, in an order that nobody could guess: for an account that there is with a wrong \
     password, or for one that there is not. The answers are the same to the last byte; the test is whether their times \
     are. Welch's t of both samples, and of both without the slowest tenth, which interruptions make; below 4.5 in size \
     nobody calls them different.",
    "The throttle is off, since it would refuse so many attempts. The rows with cheap hashes (m=8 KiB, t=1) show what \
     is left when the hash, which takes over 99 % of the time, is taken away: differences of microseconds, far below \
     what a network lets through. They are there to find what the hash hides.",
    "Registering answers the same for an address that is free and one that is taken; the times of both are compared in \
     the same way.",
];

/// Times of two kinds of requests, in microseconds.
struct Samples {
    name: &'static str,
    first: Vec<f64>,
    second: Vec<f64>,
}

impl Samples {
    /// Welch's t of both, and of both without the slowest.
    fn apart(&self) -> (f64, f64) {
        let (first, second) = cropped(&self.first, &self.second, KEPT);
        (welch(&self.first, &self.second), welch(&first, &second))
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let (real, cheap) = options.pick((4000, 20_000), (40, 200));
    let mut draft = Draft::begin("equal-time", "Whether times tell who has an account", &ABOUT, options);
    let off = ("throttle", "false");
    let [memory, passes] = CHEAP;
    let kinds = [
        ("with hashes as they are", real, vec![QUIET, off]),
        ("with cheap hashes", cheap, vec![QUIET, off, memory, passes]),
    ];
    let mut table = Table::new(
        "Two samples each",
        [
            "",
            "requests of each",
            "first µs",
            "second µs",
            "t",
            "t, cropped",
            "different",
        ],
    );
    let (mut names, mut all, mut without) = (Vec::new(), Vec::new(), Vec::new());
    for (kind, count, settings) in kinds {
        print::progress(&format!("{count} requests {kind}"));
        let folder = Folder::new()?;
        let server = Server::doorward(&folder, &settings)?;
        people::settle(server.address, 0..ACCOUNTS)?;
        let logins = logins(server.address, count)?;
        let registrations = registrations(server.address, count / 4)?;
        for samples in [logins, registrations] {
            let (t, t_cropped) = samples.apart();
            let worst = t.abs().max(t_cropped.abs());
            let name = format!("{} {kind}", samples.name);
            let different = if worst < DIFFERENT { "no" } else { "yes" };
            table.row([
                Cell::from(name.clone()),
                (samples.first.len() as u64).into(),
                median(&samples.first).into(),
                median(&samples.second).into(),
                t.into(),
                t_cropped.into(),
                different.into(),
            ]);
            names.push(name.clone());
            all.push(t.abs());
            without.push(t_cropped.abs());
            if kind == "with hashes as they are" && samples.name.starts_with("login") {
                draft.figure(
                    &format!("size of Welch's t, {name}"),
                    worst,
                    "",
                    Goal::AtMost(DIFFERENT),
                );
            }
        }
    }
    draft.table(table);
    draft.chart(Chart {
        title: "Size of Welch's t; below 4.5 nobody calls two timings different".into(),
        kind: Kind::Bars(names),
        measure: "standard errors that the means are apart (less is better)".into(),
        by_tens: false,
        series: vec![
            Series::new("all", all),
            Series::new("without the slowest tenth", without),
        ],
    });
    draft.finish()
}

/// Unknown accounts first, wrong passwords second.
fn logins(server: SocketAddr, count: u64) -> Result<Samples> {
    let mut dice = Dice::new(11);
    // Warm, and as long: neither is the first of its kind or of another size on the wire.
    let unknown =
        move |dice: &mut Dice| log_in_with(&email(10_000_000 + dice.below(10_000_000)), "not the password at all");
    let wrong = |dice: &mut Dice| log_in_with(&email(dice.below(ACCOUNTS)), "not the password at all");
    let mut wire = Wire::open(server)?;
    for _ in 0..16 {
        wire.ask_for(401, &unknown(&mut dice))?;
        wire.ask_for(401, &wrong(&mut dice))?;
    }
    sample(
        "login, unknown account or wrong password,",
        &mut wire,
        401,
        count,
        [&unknown, &wrong],
    )
}

/// Free addresses first, taken ones second.
fn registrations(server: SocketAddr, count: u64) -> Result<Samples> {
    let free = |dice: &mut Dice| people::register(NEW + dice.below(40_000_000));
    let taken = |dice: &mut Dice| people::register(dice.below(ACCOUNTS));
    let mut wire = Wire::open(server)?;
    sample(
        "register, address free or taken,",
        &mut wire,
        202,
        count,
        [&free, &taken],
    )
}

/// Asks `count` times for each of two kinds, tossing a coin for whose turn it is.
fn sample(
    name: &'static str,
    wire: &mut Wire,
    status: u16,
    count: u64,
    kinds: [&dyn Fn(&mut Dice) -> Vec<u8>; 2],
) -> Result<Samples> {
    let mut dice = Dice::new(7);
    let mut times = [Vec::new(), Vec::new()];
    while times.iter().any(|times| (times.len() as u64) < count) {
        let turn = usize::from(dice.below(2) == 1);
        let (Some(kind), Some(times)) = (kinds.get(turn), times.get_mut(turn)) else {
            continue;
        };
        let request = kind(&mut dice);
        let sent = clock::now();
        wire.ask_for(status, &request)?;
        times.push((clock::now() - sent).as_secs_f64() * 1e6);
    }
    let [first, second] = times;
    Ok(Samples { name, first, second })
}
