//! `hash`: how many hashes a second the kernels of this machine make, beside the `argon2` crate.
//!
//! The surprise: on a machine that is not idle only the ratios mean anything. So the candidates take turns within each
//! round, for equally long, and a ratio is the median of those of the rounds. The best round of each would say more about
//! the quietest moment of the host than about the code: other guests take its cache for seconds at a time.

use std::sync::Barrier;
use std::thread;
use std::time::{Duration, Instant};

use clap::Args;
use doorward_argon2::{Job, Kernel, Memory, Params, hash, hash_pair, self_test};

use crate::chart::{Chart, Kind, Series};
use crate::error::{Error, Result};
use crate::record::{Draft, Goal};
use crate::statistics::{highest, median, number};
use crate::table::{Cell, Table};
use crate::{Options, clock, machine};

/// How long a candidate hashes in a round, and in a short one, about: each makes as many hashes as it is likely to need.
const SPELL: Duration = Duration::from_millis(100);
const SHORT: Duration = Duration::from_millis(10);

#[derive(Args)]
pub(crate) struct HashArgs {
    /// How often each candidate is measured
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    rounds: u32,
    /// Memory of a hash
    #[arg(long, value_name = "KIB", default_value_t = 19_456)]
    memory: u32,
    /// Passes over it
    #[arg(long, default_value_t = 2)]
    passes: u32,
}

/// A way to make hashes.
#[derive(Clone, Copy)]
pub(crate) enum Way {
    /// The crate, with memory of its own for each hash: how it is used.
    Allocating,
    Single(Kernel),
    Pair(Kernel),
}

impl Way {
    fn name(self) -> String {
        match self {
            Self::Allocating => "argon2 crate, allocating".to_owned(),
            Self::Single(Kernel::Portable) => "argon2 crate, memory kept".to_owned(),
            Self::Single(kernel) => format!("{kernel:?}"),
            Self::Pair(kernel) => format!("{kernel:?}, in pairs"),
        }
    }

    fn memory(self) -> Result<Memory> {
        Ok(match self {
            Self::Allocating => Memory::new(),
            Self::Single(kernel) | Self::Pair(kernel) => Memory::with_kernel(kernel)?,
        })
    }

    /// Makes `count` hashes, an even number.
    fn work(self, memory: &mut Memory, params: Params, count: u32) -> Result<()> {
        let (mut first, mut second) = ([0; 32], [0; 32]);
        let (password, salt) = (b"correct horse battery staple", b"0123456789abcdef");
        match self {
            Self::Allocating => {
                for _ in 0..count {
                    let failed = |error: argon2::Error| Error::new(format!("the argon2 crate: {error}"));
                    let costs = argon2::Params::new(params.m_kib(), params.t(), params.p(), None).map_err(failed)?;
                    let argon2 = argon2::Argon2::new(params.algorithm(), params.version(), costs);
                    argon2.hash_password_into(password, salt, &mut first).map_err(failed)?;
                }
            }
            Self::Single(_) => {
                for _ in 0..count {
                    hash(memory, params, Job::new(password, salt, &mut first))?;
                }
            }
            Self::Pair(_) => {
                for _ in 0..count / 2 {
                    let jobs = [
                        Job::new(password, salt, &mut first),
                        Job::new(password, salt, &mut second),
                    ];
                    hash_pair(memory, params, jobs)?;
                }
            }
        }
        Ok(())
    }
}

/// A way with threads that are ready for it.
pub(crate) struct Hashing {
    way: Way,
    params: Params,
    memories: Vec<Memory>,
}

impl Hashing {
    pub(crate) fn new(way: Way, params: Params, threads: usize) -> Result<Self> {
        let memories = (0..threads).map(|_| way.memory()).collect::<Result<_>>()?;
        let mut hashing = Self { way, params, memories };
        // The memory of all is there before anything is measured.
        for memory in &mut hashing.memories {
            way.work(memory, params, 2)?;
        }
        Ok(hashing)
    }

    /// Hashes a second of the first `threads` together, when each makes `count`.
    pub(crate) fn rate(&mut self, threads: usize, count: u32) -> Result<f64> {
        let (way, params) = (self.way, self.params);
        let memories = self.memories.get_mut(..threads).unwrap_or_default();
        let hashes = number(u64::from(count) * memories.len() as u64);
        let start = Barrier::new(memories.len() + 1);
        let (began, done) = thread::scope(|scope| -> (Instant, Result<()>) {
            let workers: Vec<_> = memories
                .iter_mut()
                .map(|memory| {
                    let start = &start;
                    scope.spawn(move || {
                        start.wait();
                        way.work(memory, params, count)
                    })
                })
                .collect();
            start.wait();
            let began = clock::now();
            let mut done = Ok(());
            for worker in workers {
                done = done.and(worker.join().unwrap_or_else(|_| Err(Error::new("a hash thread died"))));
            }
            (began, done)
        });
        done?;
        Ok(hashes / (clock::now() - began).as_secs_f64())
    }
}

/// The ways of this machine, the crate's first.
fn ways() -> Vec<Way> {
    let mut ways = vec![Way::Allocating, Way::Single(Kernel::Portable)];
    for kernel in [Kernel::Avx2, Kernel::Avx512] {
        if kernel.is_available() {
            ways.extend([Way::Single(kernel), Way::Pair(kernel)]);
        }
    }
    ways
}

/// A way and what was measured of it.
struct Row {
    hashing: Hashing,
    /// For each number of threads.
    measured: Vec<Measured>,
}

#[derive(Default)]
struct Measured {
    /// Hashes that a thread makes in a round.
    count: u32,
    /// Hashes a second, of each round.
    rates: Vec<f64>,
}

/// What came of a way, for each number of threads: hashes a second, and the ratio to the first way.
struct Came {
    way: Way,
    rates: Vec<f64>,
    ratios: Vec<f64>,
}

pub(crate) fn run(arguments: &HashArgs, options: &Options) -> Result<()> {
    let (rounds, spell) = options.pick((arguments.rounds, SPELL), (1, SHORT));
    let (m_kib, t, cores) = (arguments.memory, arguments.passes, machine::cores());
    let params = Params::argon2id(m_kib, t, 1)?;
    self_test().map_err(|kernel| Error::new(format!("{kernel:?} does not compute argon2id")))?;
    let mut draft = Draft::begin("hash", "Hashes a second", &[], options);
    draft.about(format!(
        "argon2id m={m_kib} t={t} p=1, {rounds} rounds in which all take turns, each for about {} ms. Hashes a second are \
         the median of the rounds; a ratio is the median of the ratios of each round, to the `argon2` crate as it is usually \
         called, with memory allocated for each hash. All give the same output: a self-test compares them before the first \
         round.",
        spell.as_millis()
    ));
    let threads = if cores == 1 { vec![1] } else { vec![1, cores] };
    let mut rows = Vec::new();
    for way in ways() {
        let mut hashing = Hashing::new(way, params, cores)?;
        let mut measured = Vec::new();
        for threads in &threads {
            let each = hashing.rate(*threads, 2)? / number(*threads as u64);
            measured.push(Measured {
                count: even(each * spell.as_secs_f64()),
                rates: Vec::new(),
            });
        }
        rows.push(Row { hashing, measured });
    }
    for _ in 0..rounds {
        for (index, threads) in threads.iter().enumerate() {
            for Row { hashing, measured } in &mut rows {
                let Some(measured) = measured.get_mut(index) else {
                    continue;
                };
                measured.rates.push(hashing.rate(*threads, measured.count)?);
            }
        }
    }
    tell(draft, &came(&rows), &threads)
}

/// A number of hashes that can also be made in pairs, at least one pair.
fn even(hashes: f64) -> u32 {
    let pairs = (1..10_000).take_while(|pairs| f64::from(2 * pairs) <= hashes);
    2 * pairs.last().unwrap_or(1)
}

fn came(rows: &[Row]) -> Vec<Came> {
    let came = |row: &Row| {
        let first = rows.first().map(|row| row.measured.as_slice()).unwrap_or_default();
        let ratio = |(is, first): (&Measured, &Measured)| {
            let ratios = is.rates.iter().zip(&first.rates).map(|(is, first)| is / first);
            median(&ratios.collect::<Vec<_>>())
        };
        Came {
            way: row.hashing.way,
            rates: row.measured.iter().map(|measured| median(&measured.rates)).collect(),
            ratios: row.measured.iter().zip(first).map(ratio).collect(),
        }
    };
    rows.iter().map(came).collect()
}

fn tell(mut draft: Draft, came: &[Came], threads: &[usize]) -> Result<()> {
    let mut table = Table::new("Hashes a second and ratio to the first row", ["way"]);
    for threads in threads {
        let plural = if *threads == 1 { "" } else { "s" };
        table
            .columns
            .extend([format!("{threads} thread{plural}"), "ratio".into()]);
    }
    for Came { way, rates, ratios } in came {
        let cells = rates.iter().zip(ratios);
        let cells = cells.flat_map(|(rate, ratio)| [(*rate).into(), (*ratio).into()]);
        table.row([Cell::from(way.name())].into_iter().chain(cells));
    }
    draft.table(table);
    for (kernel, name, goals) in [
        (Kernel::Avx512, "AVX-512", [3.4, 5.0]),
        (Kernel::Avx2, "AVX2", [1.9, 2.7]),
    ] {
        // The better of one at a time and two, which is what the pool does when two wait.
        let of_kernel = |came: &&Came| matches!(came.way, Way::Single(is) | Way::Pair(is) if is == kernel);
        let ways: Vec<&Came> = came.iter().filter(of_kernel).collect();
        for (index, threads) in threads.iter().enumerate().filter(|_| !ways.is_empty()) {
            let ratios = ways.iter().filter_map(|came| came.ratios.get(index).copied());
            let ratios: Vec<f64> = ratios.collect();
            let goal = goals.get(index).copied().unwrap_or_default();
            let what =
                format!("hashes/s, {name} kernel against the `argon2` crate allocating per call, {threads} thread(s)");
            draft.figure(&what, highest(&ratios), "×", Goal::AtLeast(goal));
        }
    }
    let series = threads.iter().enumerate().map(|(index, threads)| {
        let values = came
            .iter()
            .map(|came| came.rates.get(index).copied().unwrap_or_default());
        Series::new(&format!("{threads} thread(s)"), values.collect())
    });
    draft.chart(Chart {
        title: "argon2id: hashes a second".into(),
        kind: Kind::Bars(came.iter().map(|came| came.way.name()).collect()),
        measure: "hashes a second (more is better)".into(),
        by_tens: false,
        series: series.collect(),
    });
    draft.finish()
}
