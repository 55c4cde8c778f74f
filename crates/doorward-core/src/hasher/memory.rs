//! The memory of one hash thread, and Argon2 in it.
//!
//! The surprise: two hashes of equal cost are made in less time together than one after the other on many machines, in
//! twice the memory. So that is what a thread keeps.

use doorward_argon2::{Algorithm, Job, Kernel, Params, Version, hash, hash_pair};

use crate::{Error, Result};

/// Blocks of 1 KiB, kept from one hash to the next.
pub(super) struct Memory {
    blocks: doorward_argon2::Memory,
    /// The largest cost in KiB that is kept memory for; a single hash may take more and gives it back.
    keep: u32,
    /// Whether that is kept twice, so that two hashes can be made at once.
    for_two: bool,
}

/// What Argon2 computes from, but for password and salt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Argon2Cost {
    pub(super) algorithm: Algorithm,
    pub(super) version: Version,
    pub(super) m_kib: u32,
    pub(super) t: u32,
    pub(super) p: u32,
}

impl Argon2Cost {
    /// What new hashes are made with.
    pub(super) const fn latest(m_kib: u32, t: u32, p: u32) -> Self {
        Self {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            m_kib,
            t,
            p,
        }
    }

    fn params(self) -> Result<Params> {
        Params::new(self.algorithm, self.version, self.m_kib, self.t, self.p).map_err(Error::internal)
    }

    /// Whether it is what the kernels for AVX compute.
    pub(super) fn is_ours(self) -> bool {
        self == Self::latest(self.m_kib, self.t, 1)
    }

    /// Whether `kernel` can make two of them at once, which is faster on some machines.
    pub(super) fn pairs_on(self, kernel: Kernel) -> bool {
        kernel != Kernel::Portable && self.is_ours()
    }
}

impl Memory {
    /// Memory that keeps what hashes of the cost `new` need, once they have needed it; nothing where new hashes are
    /// none of Argon2.
    pub(super) fn new(new: Option<Argon2Cost>, kernel: Kernel) -> Self {
        Self {
            // The kernel was asked for on this machine, or it is the portable one, which every machine has.
            blocks: doorward_argon2::Memory::with_kernel(kernel).unwrap_or_default(),
            keep: new.map_or(0, |new| new.m_kib),
            for_two: new.is_some_and(|new| new.pairs_on(kernel)),
        }
    }

    /// Whether two hashes of this cost may be made at once.
    pub(super) fn pairs(&self, cost: Argon2Cost) -> bool {
        self.for_two && cost.m_kib <= self.keep && cost.pairs_on(self.blocks.kernel())
    }

    /// Wipes what hashes have left.
    pub(super) fn wipe(&mut self) {
        self.blocks.wipe();
    }

    /// Fills `tag` with the hash of `password`.
    ///
    /// # Errors
    /// When there is not enough memory, or Argon2 knows no such cost.
    pub(super) fn argon2(&mut self, cost: Argon2Cost, password: &[u8], salt: &[u8], tag: &mut [u8]) -> Result<()> {
        let hashed = hash(&mut self.blocks, cost.params()?, Job::new(password, salt, tag));
        if cost.m_kib > self.keep {
            self.blocks.release();
        }
        hashed.map_err(Error::internal)
    }

    /// Does two jobs of this cost, for which [`Memory::pairs`] was asked.
    ///
    /// # Errors
    /// As [`Memory::argon2`].
    pub(super) fn argon2_pair(&mut self, cost: Argon2Cost, jobs: [Job<'_>; 2]) -> Result<()> {
        hash_pair(&mut self.blocks, cost.params()?, jobs).map_err(Error::internal)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cost(m_kib: u32) -> Argon2Cost {
        Argon2Cost::latest(m_kib, 2, 1)
    }

    fn tag(memory: &mut Memory, cost: Argon2Cost) -> [u8; 32] {
        let mut tag = [0; 32];
        memory.argon2(cost, b"password", b"somesalt", &mut tag).unwrap();
        tag
    }

    #[test]
    fn used_memory_gives_the_same_hash_as_fresh() {
        for kernel in Kernel::ALL.iter().copied() {
            let mut used = Memory::new(Some(cost(64)), kernel);
            tag(&mut used, cost(64));
            for cost in [
                cost(32),
                Argon2Cost { p: 4, ..cost(32) },
                Argon2Cost { t: 1, ..cost(32) },
            ] {
                assert!(tag(&mut used, cost) == tag(&mut Memory::new(None, Kernel::Portable), cost));
            }
        }
    }

    #[test]
    fn two_at_once_are_what_each_is_alone() {
        let mut memory = Memory::new(Some(cost(32)), doorward_argon2::kernel());
        let (mut first, mut second) = ([0; 32], [0; 64]);
        let jobs = [
            Job::new(b"password", b"somesalt", &mut first),
            Job::new(b"other", b"another salt", &mut second),
        ];
        memory.argon2_pair(cost(32), jobs).unwrap();
        let mut alone = [0; 64];
        memory.argon2(cost(32), b"other", b"another salt", &mut alone).unwrap();
        assert_eq!((first, second), (tag(&mut memory, cost(32)), alone));
    }

    #[test]
    fn only_new_costs_that_memory_is_kept_for_go_in_pairs() {
        for kernel in Kernel::ALL.iter().copied().filter(|kernel| kernel.is_available()) {
            let memory = Memory::new(Some(cost(32)), kernel);
            assert_eq!(memory.pairs(cost(32)), kernel != Kernel::Portable);
            for other in [
                cost(33),
                Argon2Cost { p: 2, ..cost(32) },
                Argon2Cost {
                    algorithm: Algorithm::Argon2i,
                    ..cost(32)
                },
                Argon2Cost {
                    version: Version::V0x10,
                    ..cost(32)
                },
            ] {
                assert!(!memory.pairs(other));
            }
            let lanes = Memory::new(Some(Argon2Cost { p: 2, ..cost(32) }), kernel);
            assert!(!lanes.pairs(cost(32)), "there is to be memory for one");
        }
    }

    #[test]
    fn memory_beyond_its_share_is_given_back() {
        let mut memory = Memory::new(Some(cost(32)), doorward_argon2::kernel());
        tag(&mut memory, cost(32));
        assert_eq!(memory.blocks.allocated(), 32 * 1024);
        tag(&mut memory, cost(64));
        assert_eq!(memory.blocks.allocated(), 0);
    }

    #[test]
    fn a_cost_that_does_not_exist_is_an_error() {
        let mut memory = Memory::new(Some(cost(32)), doorward_argon2::kernel());
        for cost in [
            cost(7),
            Argon2Cost { t: 0, ..cost(32) },
            Argon2Cost { p: 0, ..cost(32) },
        ] {
            assert!(memory.argon2(cost, b"", b"somesalt", &mut [0; 32]).is_err());
        }
        assert!(memory.argon2(cost(32), b"", b"short", &mut [0; 32]).is_err());
    }
}
