//! How many hashes a second: the kernels of this machine beside the `argon2` crate, on one thread and on two.
//!
//! The surprise: on a machine that is not idle only the ratios mean anything. So the candidates take turns within each
//! round, and of each the best round counts.
//!
//! `cargo run --release -p doorward-argon2 --example speed [ROUNDS] [M_KIB] [T]`

#![expect(clippy::print_stdout, reason = "a table is what it is for")]

use std::error::Error;
use std::sync::Barrier;
use std::thread;
use std::time::Duration;

use doorward_argon2::{Job, Kernel, Memory, Params, hash, hash_pair, self_test};

/// Hashes that each thread makes in a round.
const HASHES: u32 = 8;

/// A way to make hashes.
#[derive(Clone, Copy)]
enum Way {
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

    fn memory(self) -> Result<Memory, doorward_argon2::Error> {
        match self {
            Self::Allocating => Ok(Memory::new()),
            Self::Single(kernel) | Self::Pair(kernel) => Memory::with_kernel(kernel),
        }
    }

    /// Makes `count` hashes, an even number.
    fn work(self, memory: &mut Memory, params: Params, count: u32) {
        let (mut first, mut second) = ([0; 32], [0; 32]);
        let (password, salt) = (b"correct horse battery staple", b"0123456789abcdef");
        let done = match self {
            Self::Allocating => (0..count).try_for_each(|_| {
                let costs = argon2::Params::new(params.m_kib(), params.t(), params.p(), None).map_err(drop)?;
                let argon2 = argon2::Argon2::new(params.algorithm(), params.version(), costs);
                argon2.hash_password_into(password, salt, &mut first).map_err(drop)
            }),
            Self::Single(_) => (0..count).try_for_each(|_| {
                let job = Job::new(password, salt, &mut first);
                hash(memory, params, job).map_err(drop)
            }),
            Self::Pair(_) => (0..count / 2).try_for_each(|_| {
                let jobs = [
                    Job::new(password, salt, &mut first),
                    Job::new(password, salt, &mut second),
                ];
                hash_pair(memory, params, jobs).map_err(drop)
            }),
        };
        assert!(done.is_ok(), "every way can hash at this cost");
    }
}

/// Hashes a second of `memories.len()` threads together.
fn measure(way: Way, params: Params, memories: &mut [Memory]) -> f64 {
    let start = Barrier::new(memories.len() + 1);
    let hashes = f64::from(HASHES) * f64::from(u32::try_from(memories.len()).unwrap_or(u32::MAX));
    let mut began = Duration::ZERO;
    let clock = clock();
    thread::scope(|scope| {
        for memory in memories {
            let start = &start;
            scope.spawn(move || {
                start.wait();
                way.work(memory, params, HASHES);
            });
        }
        start.wait();
        began = clock();
    });
    hashes / (clock() - began).as_secs_f64()
}

/// The time since now.
#[expect(clippy::disallowed_methods, reason = "measuring is what it is for")]
fn clock() -> impl Fn() -> Duration {
    let start = std::time::Instant::now();
    move || start.elapsed()
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1).map(|argument| argument.parse::<u32>());
    let mut argument = |default| arguments.next().unwrap_or(Ok(default));
    let (rounds, m_kib, t) = (argument(20)?.clamp(1, 10_000), argument(19_456)?, argument(2)?);
    let params = Params::argon2id(m_kib, t, 1)?;
    self_test().map_err(|kernel| format!("{kernel:?} does not compute argon2id"))?;
    let mut ways = vec![Way::Allocating, Way::Single(Kernel::Portable)];
    for kernel in [Kernel::Avx2, Kernel::Avx512] {
        if kernel.is_available() {
            ways.extend([Way::Single(kernel), Way::Pair(kernel)]);
        }
    }
    let mut rows = Vec::new();
    for way in ways {
        let mut memories = vec![way.memory()?, way.memory()?];
        // The memory of both is there before anything is measured.
        for memory in &mut memories {
            way.work(memory, params, 2);
        }
        rows.push((way, memories, [0.0_f64; 2]));
    }
    for _ in 0..rounds {
        for threads in [1, 2] {
            for (way, memories, best) in &mut rows {
                if let (Some(memories), Some(best)) = (memories.get_mut(..threads), best.get_mut(threads - 1)) {
                    *best = best.max(measure(*way, params, memories));
                }
            }
        }
    }
    println!("argon2id m={m_kib} t={t} p=1, best of {rounds} rounds, hashes a second and ratio to the first row\n");
    println!("| | 1 thread | | 2 threads | |\n| --- | ---: | ---: | ---: | ---: |");
    let [one, two] = rows.first().map_or([1.0; 2], |(.., best)| *best);
    for (way, _, [first, second]) in &rows {
        let name = way.name();
        println!(
            "| {name} | {first:.0} | {:.2} | {second:.0} | {:.2} |",
            first / one,
            second / two
        );
    }
    Ok(())
}
