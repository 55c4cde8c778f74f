//! `hash`: how many hashes a second the kernels of this machine make, beside the `argon2` crate.
//!
//! The surprise: on a machine that is not idle only the ratios mean anything. So the candidates take turns within each
//! round, and of each the best round counts. There are enough rounds for a minute: other guests of a host take its cache
//! for seconds at a time, and with rounds for twenty seconds two runs half a minute apart differed by a seventh.

use std::sync::Barrier;
use std::thread;
use std::time::Instant;

use clap::Args;
use doorward_argon2::{Job, Kernel, Memory, Params, hash, hash_pair, self_test};

use crate::chart::{Chart, Kind, Series};
use crate::error::{Error, Result};
use crate::record::{Draft, Goal};
use crate::statistics::{highest, number};
use crate::table::{Cell, Table};
use crate::{Options, clock, machine};

/// Hashes that each thread makes in a round, and in a short one.
const HASHES: u32 = 8;
const FEW: u32 = 2;

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

pub(crate) fn run(arguments: &HashArgs, options: &Options) -> Result<()> {
    let (rounds, count) = options.pick((arguments.rounds, HASHES), (1, FEW));
    let (m_kib, t, cores) = (arguments.memory, arguments.passes, machine::cores());
    let params = Params::argon2id(m_kib, t, 1)?;
    self_test().map_err(|kernel| Error::new(format!("{kernel:?} does not compute argon2id")))?;
    let mut draft = Draft::begin("hash", "Hashes a second", &[], options);
    draft.about(format!(
        "argon2id m={m_kib} t={t} p=1, best of {rounds} rounds in which all take turns; each thread makes {count} \
         hashes in a round. Ratios are to the `argon2` crate as it is usually called, with memory allocated for each \
         hash. All give the same output: a self-test compares them before the first round."
    ));
    let threads = if cores == 1 { vec![1] } else { vec![1, cores] };
    let mut rows = Vec::new();
    for way in ways() {
        let rates: Vec<Vec<f64>> = vec![Vec::new(); threads.len()];
        rows.push((way, Hashing::new(way, params, cores)?, rates));
    }
    for _ in 0..rounds {
        for (index, threads) in threads.iter().enumerate() {
            for (_, hashing, rates) in &mut rows {
                let rate = hashing.rate(*threads, count)?;
                rates.get_mut(index).map(|rates| rates.push(rate)).unwrap_or_default();
            }
        }
    }
    let best: Vec<(Way, Vec<f64>)> = rows
        .into_iter()
        .map(|(way, _, rates)| (way, rates.iter().map(|rates| highest(rates)).collect()))
        .collect();
    tell(draft, &best, &threads)
}

fn tell(mut draft: Draft, best: &[(Way, Vec<f64>)], threads: &[usize]) -> Result<()> {
    let first = best.first().map(|(_, rates)| rates.clone()).unwrap_or_default();
    let ratio = |rates: &[f64], index: usize| {
        let of = |rates: &[f64]| rates.get(index).copied().unwrap_or_default();
        of(rates) / of(&first).max(f64::MIN_POSITIVE)
    };
    let mut table = Table::new("Hashes a second and ratio to the first row", ["way"]);
    for threads in threads {
        let plural = if *threads == 1 { "" } else { "s" };
        table
            .columns
            .extend([format!("{threads} thread{plural}"), "ratio".into()]);
    }
    for (way, rates) in best {
        let cells = rates.iter().enumerate();
        let cells = cells.flat_map(|(index, rate)| [(*rate).into(), ratio(rates, index).into()]);
        table.row([Cell::from(way.name())].into_iter().chain(cells));
    }
    draft.table(table);
    for (kernel, name, goals) in [
        (Kernel::Avx512, "AVX-512", [3.4, 5.0]),
        (Kernel::Avx2, "AVX2", [1.9, 2.7]),
    ] {
        // The better of one at a time and two, which is what the pool does when two wait.
        let of_kernel = |way: &Way| matches!(way, Way::Single(is) | Way::Pair(is) if *is == kernel);
        let ways: Vec<_> = best.iter().filter(|(way, _)| of_kernel(way)).collect();
        for (index, threads) in threads.iter().enumerate().filter(|_| !ways.is_empty()) {
            let ratios: Vec<f64> = ways.iter().map(|(_, rates)| ratio(rates, index)).collect();
            let goal = goals.get(index).copied().unwrap_or_default();
            let what =
                format!("hashes/s, {name} kernel against the `argon2` crate allocating per call, {threads} thread(s)");
            draft.figure(&what, highest(&ratios), "×", Goal::AtLeast(goal));
        }
    }
    let series = threads.iter().enumerate().map(|(index, threads)| {
        let values = best
            .iter()
            .map(|(_, rates)| rates.get(index).copied().unwrap_or_default());
        Series::new(&format!("{threads} thread(s)"), values.collect())
    });
    draft.chart(Chart {
        title: "argon2id: hashes a second".into(),
        kind: Kind::Bars(best.iter().map(|(way, _)| way.name()).collect()),
        measure: "hashes a second (more is better)".into(),
        by_tens: false,
        series: series.collect(),
    });
    draft.finish()
}
