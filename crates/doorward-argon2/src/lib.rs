//! Argon2id for x86-64 with AVX-512 or AVX2: one hash or two at once, in memory that is kept.
//!
//! The surprise: everything that the kernels cannot do is done all the same, by the `argon2` crate, so that callers need
//! not ask what machine they are on.
#![doc = ""]
#![doc = include_str!("../README.md")]
#![deny(unsafe_op_in_unsafe_fn)]

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod blake;
mod error;
mod fill;
mod kernel;
mod memory;
mod params;
#[cfg(test)]
mod plain;
mod portable;
mod self_test;

use zeroize::Zeroizing;

pub use crate::error::Error;
pub use crate::kernel::{Kernel, kernel};
pub use crate::memory::Memory;
pub use crate::params::{Algorithm, Job, Params, Version};
pub use crate::self_test::self_test;

use crate::kernel::Engine;
use crate::memory::Block;

/// Hashes one password into `job.out`.
///
/// # Errors
/// When a length is out of range or memory is not to be had.
pub fn hash(memory: &mut Memory, params: Params, job: Job<'_>) -> Result<(), Error> {
    hash_each(memory, params, [job])
}

/// Hashes two passwords of equal cost at once, which takes less time than one after the other on some machines (measure),
/// and twice the memory. Everything but the cost may differ, also the lengths of the outputs.
///
/// # Errors
/// When a length of either is out of range or memory is not to be had. The outputs mean nothing then.
pub fn hash_pair(memory: &mut Memory, params: Params, jobs: [Job<'_>; 2]) -> Result<(), Error> {
    hash_each(memory, params, jobs)
}

fn hash_each<const N: usize>(memory: &mut Memory, params: Params, mut jobs: [Job<'_>; N]) -> Result<(), Error> {
    for job in &jobs {
        job.check()?;
    }
    let Some(engine) = memory.engine().filter(|_| params.is_single_argon2id()) else {
        return jobs.iter_mut().try_for_each(|job| portable::hash(memory, params, job));
    };
    let each = params.blocks();
    let all = memory.blocks(each.checked_mul(N).ok_or(Error::OutOfMemory)?)?;
    let hashed = hash_in(engine, params, &mut jobs, all);
    for used in all.chunks_exact_mut(each) {
        memory::wipe(used, params.t());
    }
    hashed
}

fn hash_in<const N: usize>(
    engine: Engine,
    params: Params,
    jobs: &mut [Job<'_>; N],
    all: &mut [Block],
) -> Result<(), Error> {
    let mut hashes: [&mut [Block]; N] = std::array::from_fn(|_| Default::default());
    for (hash, blocks) in hashes.iter_mut().zip(all.chunks_exact_mut(params.blocks())) {
        *hash = blocks;
    }
    for (job, blocks) in jobs.iter().zip(&mut hashes) {
        let first = blake::initial_hash(params, job)?;
        for (number, block) in (0_u32..2).zip(blocks.iter_mut()) {
            let mut bytes = Zeroizing::new([0; 1024]);
            blake::long_hash(&[&*first, &number.to_le_bytes(), &[0; 4]], &mut *bytes)?;
            for (word, bytes) in bytes.as_chunks().0.iter().enumerate() {
                block.set_word(engine.place(word), u64::from_le_bytes(*bytes));
            }
        }
    }
    fill::fill(engine, params, &mut hashes)?;
    for (job, blocks) in jobs.iter_mut().zip(&hashes) {
        let last = blocks.last().ok_or(Error::Internal)?;
        let mut bytes = Zeroizing::new([0; 1024]);
        for (word, bytes) in bytes.as_chunks_mut().0.iter_mut().enumerate() {
            *bytes = last.word(engine.place(word)).to_le_bytes();
        }
        blake::long_hash(&[&*bytes], job.out)?;
    }
    Ok(())
}
