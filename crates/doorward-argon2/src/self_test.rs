//! A look at the kernels of this machine before they are trusted.
//!
//! The surprise: the costs are small, but large enough for every kind of segment and for a second block of addresses.

use crate::{Error, Job, Kernel, Memory, Params, hash_pair};

/// Compares one pair of hashes of each kernel that this machine has with those of the `argon2` crate. It takes a
/// few milliseconds. A kernel that fails must not be used: see [`Memory::with_kernel`].
///
/// # Errors
/// The first kernel whose hashes differ.
pub fn self_test() -> Result<(), Kernel> {
    let mut reference = Memory::with_kernel(Kernel::Portable).map_err(|_| Kernel::Portable)?;
    let expected = hashes(&mut reference).map_err(|_| Kernel::Portable)?;
    // One memory for all of them: what an allocator gets back piece by piece it does not give back to the system.
    let mut memory = Memory::new();
    Kernel::ALL
        .iter()
        .copied()
        .filter(|kernel| *kernel != Kernel::Portable && kernel.is_available())
        .try_for_each(|kernel| {
            let made = memory.use_kernel(kernel).and_then(|()| hashes(&mut memory));
            if made == Ok(expected) { Ok(()) } else { Err(kernel) }
        })
}

/// What one pair of jobs gives.
fn hashes(memory: &mut Memory) -> Result<([u8; 32], [u8; 80]), Error> {
    // 520 blocks are segments of 130, two more than a block has addresses.
    let params = Params::argon2id(520, 2, 1)?;
    let (mut first, mut second) = ([0; 32], [0; 80]);
    let jobs = [
        Job::new(b"password", b"somesalt", &mut first),
        Job::new(b"", b"another salt", &mut second),
    ];
    hash_pair(memory, params, jobs)?;
    Ok((first, second))
}
