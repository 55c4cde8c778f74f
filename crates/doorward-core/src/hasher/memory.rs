//! The memory of one hash thread, and Argon2 in it.
//!
//! The surprise: allocating is what makes Argon2 slow on several threads (the kernel has to give out and clear
//! the pages each time), so the memory is kept; what could help a guesser is wiped after each use.

use argon2::{Algorithm, Argon2, Block, Params, Version};
use zeroize::Zeroize;

use crate::{Error, Result};

/// Blocks of 1 KiB, kept from one hash to the next.
pub(super) struct Memory {
    blocks: Vec<Block>,
    /// What is kept; a single hash may take more and gives it back.
    keep: usize,
}

/// What Argon2 computes from, but for password and salt.
#[derive(Clone, Copy)]
pub(super) struct Argon2Cost {
    pub(super) algorithm: Algorithm,
    pub(super) version: Version,
    pub(super) m_kib: u32,
    pub(super) t: u32,
    pub(super) p: u32,
}

impl Memory {
    /// Memory that keeps `keep` blocks, once they have been needed.
    pub(super) fn new(keep: u32) -> Self {
        Self {
            blocks: Vec::new(),
            keep: usize::try_from(keep).unwrap_or(usize::MAX),
        }
    }

    /// Fills `tag` with the hash of `password`.
    ///
    /// # Errors
    /// When there is not enough memory, or Argon2 knows no such cost.
    pub(super) fn argon2(&mut self, cost: Argon2Cost, password: &[u8], salt: &[u8], tag: &mut [u8]) -> Result<()> {
        let params = Params::new(cost.m_kib, cost.t, cost.p, Some(tag.len())).map_err(Error::internal)?;
        let count = params.block_count();
        if self.blocks.len() < count {
            // Emptied first, so that growing copies nothing.
            self.blocks = Vec::new();
            self.blocks.try_reserve_exact(count).map_err(Error::internal)?;
            self.blocks.resize(count, Block::new());
        }
        let argon2 = Argon2::new(cost.algorithm, cost.version, params);
        let hashed = argon2.hash_password_into_with_memory(password, salt, tag, &mut self.blocks);
        self.wipe(cost, count);
        if self.blocks.len() > self.keep {
            self.blocks = Vec::new();
        }
        hashed.map_err(Error::internal)
    }

    /// Wipes the last block of each lane, from which the tag is a step away. What remains of the others took a
    /// whole pass to compute, so it lets nobody guess for much less than the hash itself does; but after a
    /// single pass the first blocks are a step away from the password, and then everything goes.
    fn wipe(&mut self, cost: Argon2Cost, count: usize) {
        let lane = count / usize::try_from(cost.p).unwrap_or(1).max(1);
        let used = self.blocks.get_mut(..count).unwrap_or_default();
        if cost.t == 1 {
            for block in used {
                wipe_block(block);
            }
        } else {
            for last in used.chunks_exact_mut(lane.max(1)).filter_map(<[Block]>::last_mut) {
                wipe_block(last);
            }
        }
    }
}

fn wipe_block(block: &mut Block) {
    let words: &mut [u64] = block.as_mut();
    words.zeroize();
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Argon2Cost = Argon2Cost {
        algorithm: Algorithm::Argon2id,
        version: Version::V0x13,
        m_kib: 32,
        t: 2,
        p: 1,
    };

    fn tag(memory: &mut Memory, cost: Argon2Cost) -> [u8; 32] {
        let mut tag = [0; 32];
        memory.argon2(cost, b"password", b"somesalt", &mut tag).unwrap();
        tag
    }

    fn is_wiped(block: &Block) -> bool {
        let words: &[u64] = block.as_ref();
        words.iter().all(|word| *word == 0)
    }

    #[test]
    fn used_memory_gives_the_same_hash_as_fresh() {
        let mut used = Memory::new(64);
        tag(&mut used, Argon2Cost { m_kib: 64, ..COST });
        for cost in [COST, Argon2Cost { p: 4, ..COST }, Argon2Cost { t: 1, ..COST }] {
            assert_eq!(tag(&mut used, cost), tag(&mut Memory::new(0), cost));
        }
    }

    #[test]
    fn the_last_block_of_each_lane_is_wiped() {
        let mut memory = Memory::new(32);
        tag(&mut memory, Argon2Cost { p: 2, ..COST });
        let wiped: Vec<usize> = (0..32).filter(|at| is_wiped(&memory.blocks[*at])).collect();
        assert_eq!(wiped, [15, 31]);
        tag(&mut memory, Argon2Cost { t: 1, ..COST });
        assert!(memory.blocks.iter().all(is_wiped));
    }

    #[test]
    fn memory_beyond_its_share_is_given_back() {
        let mut memory = Memory::new(32);
        tag(&mut memory, COST);
        assert_eq!(memory.blocks.len(), 32);
        tag(&mut memory, Argon2Cost { m_kib: 64, ..COST });
        assert_eq!(memory.blocks.capacity(), 0);
    }

    #[test]
    fn a_cost_that_does_not_exist_is_an_error() {
        let mut memory = Memory::new(32);
        for cost in [
            Argon2Cost { m_kib: 7, ..COST },
            Argon2Cost { t: 0, ..COST },
            Argon2Cost { p: 0, ..COST },
        ] {
            assert!(memory.argon2(cost, b"", b"somesalt", &mut [0; 32]).is_err());
        }
        assert!(memory.argon2(COST, b"", b"short", &mut [0; 32]).is_err());
    }
}
