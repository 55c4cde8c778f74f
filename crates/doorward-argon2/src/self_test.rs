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
    Kernel::ALL
        .into_iter()
        .filter(|kernel| kernel.is_available())
        .try_for_each(|kernel| {
            if agrees(kernel) == Ok(true) {
                Ok(())
            } else {
                Err(kernel)
            }
        })
}

fn agrees(kernel: Kernel) -> Result<bool, Error> {
    // 520 blocks are segments of 130, two more than a block has addresses.
    let params = Params::argon2id(520, 2, 1)?;
    let hashes = |kernel| {
        let (mut first, mut second) = ([0; 32], [0; 80]);
        let jobs = [
            Job::new(b"password", b"somesalt", &mut first),
            Job::new(b"", b"another salt", &mut second),
        ];
        hash_pair(&mut Memory::with_kernel(kernel)?, params, jobs)?;
        Ok((first, second))
    };
    Ok(hashes(kernel)? == hashes(Kernel::Portable)?)
}
