//! The kernels of this crate, and which of them this machine can run.
//!
//! The surprise: an engine exists only where its instructions do; having one is the proof that it may be called.

use crate::Error;
#[cfg(target_arch = "x86_64")]
use crate::avx2::Avx2;
#[cfg(target_arch = "x86_64")]
use crate::avx512::Avx512;
use crate::memory::Block;

/// A way to compute Argon2id with one lane.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernel {
    /// Eight words at a time, on x86-64 with AVX-512F.
    Avx512,
    /// Four words at a time, on x86-64 with AVX2.
    Avx2,
    /// The `argon2` crate, everywhere.
    Portable,
}

impl Kernel {
    /// All, from the fastest to the slowest.
    pub const ALL: &[Self] = &[Self::Avx512, Self::Avx2, Self::Portable];

    /// Whether this machine can run it.
    pub fn is_available(self) -> bool {
        Engine::of(self).is_ok()
    }
}

/// The fastest kernel of this machine.
pub fn kernel() -> Kernel {
    Engine::fastest().map_or(Kernel::Portable, Engine::kernel)
}

/// What a block that is computed does to the one that was in its place.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Old {
    /// Overwritten, as in the first pass.
    Replaced,
    /// Combined with the new one by XOR, as in all others.
    Mixed,
}

/// One of our own kernels, on a machine that has it.
#[derive(Clone, Copy)]
pub(crate) enum Engine {
    #[cfg(target_arch = "x86_64")]
    Avx512(Avx512),
    #[cfg(target_arch = "x86_64")]
    Avx2(Avx2),
    /// Slow and plain, so that tests can watch what is around the kernels where these cannot run.
    #[cfg(test)]
    Plain,
}

impl Engine {
    /// The engine of a kernel; none inside for the `argon2` crate.
    pub(crate) fn of(kernel: Kernel) -> Result<Option<Self>, Error> {
        match kernel {
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx512 => Avx512::detect().map(|engine| Some(Self::Avx512(engine))),
            #[cfg(target_arch = "x86_64")]
            Kernel::Avx2 => Avx2::detect().map(|engine| Some(Self::Avx2(engine))),
            #[cfg(not(target_arch = "x86_64"))]
            Kernel::Avx512 | Kernel::Avx2 => None,
            Kernel::Portable => Some(None),
        }
        .ok_or(Error::Unavailable)
    }

    /// The engine of the fastest kernel; none for the `argon2` crate.
    pub(crate) fn fastest() -> Option<Self> {
        Kernel::ALL.iter().find_map(|kernel| Self::of(*kernel).ok()).flatten()
    }

    pub(crate) fn kernel(self) -> Kernel {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Kernel::Avx512,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Kernel::Avx2,
            #[cfg(test)]
            Self::Plain => Kernel::Portable,
        }
    }

    /// Where in a block this engine keeps a word of Argon2, below 128. Word 0 is at 0 everywhere.
    pub(crate) fn place(self, word: usize) -> usize {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(_) => Avx512::place(word),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(_) => Avx2::place(word),
            #[cfg(test)]
            Self::Plain => word,
        }
    }

    /// The compression function G of RFC 9106 section 3.5.
    #[inline]
    pub(crate) fn compress(self, previous: &Block, reference: &Block, target: &mut Block, old: Old) {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512(engine) => engine.compress(previous, reference, target, old),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2(engine) => engine.compress(previous, reference, target, old),
            #[cfg(test)]
            Self::Plain => crate::plain::compress(previous, reference, target, old),
        }
    }
}
