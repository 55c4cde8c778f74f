//! The proof that the kernels compute Argon2, from outside: published vectors, the `argon2` crate, and the limits.
//!
//! The surprise: every test runs on every kernel that the machine has. On a machine without AVX-512 or AVX2 it proves
//! less, so what it found is printed.

mod limits;
mod random;
mod vectors;

use std::io::{self, Write};

use doorward_argon2::{Kernel, Memory, kernel, self_test};

/// Memory for each kernel of this machine.
fn memories() -> Vec<Memory> {
    let memories = Kernel::ALL
        .iter()
        .filter_map(|kernel| Memory::with_kernel(*kernel).ok());
    memories.collect()
}

#[test]
fn the_fastest_kernel_is_taken_and_the_self_test_agrees() {
    let kernels: Vec<Kernel> = memories().iter().map(Memory::kernel).collect();
    // Past the capture of the tests' output. What nobody can read is no failure.
    drop(writeln!(
        io::stderr(),
        "kernels of this machine, all of them tried: {kernels:?}"
    ));
    assert_eq!(kernels.first(), Some(&kernel()));
    assert_eq!(kernels.last(), Some(&Kernel::Portable));
    assert_eq!(Memory::new().kernel(), kernel());
    for kernel in Kernel::ALL.iter().copied() {
        assert_eq!(kernel.is_available(), kernels.contains(&kernel));
    }
    assert_eq!(self_test(), Ok(()));
}
