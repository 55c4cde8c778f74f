//! Tests of the memory and of what is left in it, with the plain engine too, so that Miri can watch them.
//!
//! The surprise: Miri takes seconds for a hash, so it gets fewer.

use super::*;
use crate::{Job, Params, hash, hash_pair};

/// Memories of each kernel of this machine that has blocks of our own, and of the plain one.
fn memories() -> Vec<Memory> {
    let ours = [Kernel::Avx512, Kernel::Avx2].into_iter();
    let mut memories: Vec<Memory> = ours.filter_map(|kernel| Memory::with_kernel(kernel).ok()).collect();
    memories.push(plain());
    memories
}

fn params(m_kib: u32, t: u32) -> Params {
    Params::argon2id(m_kib, t, 1).unwrap()
}

fn single(memory: &mut Memory, params: Params, password: &[u8]) -> [u8; 32] {
    let mut out = [0; 32];
    hash(memory, params, Job::new(password, b"somesalt", &mut out)).unwrap();
    out
}

fn is_wiped(block: &Block) -> bool {
    block.0.iter().all(|word| *word == 0)
}

/// Memory for the plain engine.
fn plain() -> Memory {
    let mut memory = Memory::new();
    memory.engine = Some(Engine::Plain);
    memory
}

/// The blocks that hold nothing, of all that are allocated.
fn wiped(memory: &mut Memory) -> Vec<usize> {
    let blocks = memory.blocks.as_mut();
    (0..blocks.len()).filter(|at| is_wiped(&blocks[*at])).collect()
}

#[test]
fn used_memory_of_any_size_gives_the_hash_of_the_crate() {
    for mut memory in memories() {
        let sizes = [params(8, 2), params(9, 1), params(37, 3), params(16, 2)];
        for params in sizes.into_iter().take(if cfg!(miri) { 1 } else { 4 }) {
            let mut crates = Memory::with_kernel(Kernel::Portable).unwrap();
            let (first, second) = (
                single(&mut crates, params, b"first"),
                single(&mut crates, params, b"second"),
            );
            assert_eq!(single(&mut memory, params, b"first"), first);
            let (mut one, mut two) = ([0; 32], [0; 32]);
            let jobs = [
                Job::new(b"first", b"somesalt", &mut one),
                Job::new(b"second", b"somesalt", &mut two),
            ];
            hash_pair(&mut memory, params, jobs).unwrap();
            assert_eq!((one, two), (first, second));
        }
    }
}

#[test]
fn the_last_block_is_wiped_and_after_one_pass_everything() {
    for mut memory in memories() {
        single(&mut memory, params(8, 2), b"password");
        assert_eq!(wiped(&mut memory), [7]);
        single(&mut memory, params(8, 1), b"password");
        assert_eq!(wiped(&mut memory).len(), 8);
        let (mut one, mut two) = ([0; 32], [0; 32]);
        let jobs = [
            Job::new(b"first", b"somesalt", &mut one),
            Job::new(b"second", b"somesalt", &mut two),
        ];
        hash_pair(&mut memory, params(8, 2), jobs).unwrap();
        assert_eq!(wiped(&mut memory), [7, 15]);
    }
}

#[test]
fn the_crate_leaves_no_more_than_we_do() {
    let mut memory = Memory::with_kernel(Kernel::Portable).unwrap();
    let mut out = [0; 32];
    for (t, p, expected) in [(2, 1, vec![15]), (2, 2, vec![7, 15]), (1, 2, (0..16).collect())] {
        let params = Params::argon2id(16, t, p).unwrap();
        hash(&mut memory, params, Job::new(b"password", b"somesalt", &mut out)).unwrap();
        let wiped: Vec<usize> = (0..16).filter(|at| is_empty(&memory.portable[*at])).collect();
        assert_eq!(wiped, expected);
    }
}

fn is_empty(block: &argon2::Block) -> bool {
    let words: &[u64] = block.as_ref();
    words.iter().all(|word| *word == 0)
}

/// All of it: what the largest hash since the last time has left, though smaller ones came after it.
#[test]
fn memory_that_is_wiped_holds_nothing_and_stays() {
    for mut memory in memories() {
        single(&mut memory, params(16, 2), b"password");
        single(&mut memory, params(8, 2), b"password");
        assert_eq!(wiped(&mut memory), [7, 15]);
        memory.wipe();
        assert_eq!(wiped(&mut memory).len(), 16);
        let again = single(&mut memory, params(16, 2), b"password");
        assert_eq!(again, single(&mut Memory::new(), params(16, 2), b"password"));
    }
    let mut memory = Memory::with_kernel(Kernel::Portable).unwrap();
    single(&mut memory, params(16, 2), b"password");
    memory.wipe();
    assert!(memory.portable.len() == 16 && memory.portable.iter().all(is_empty));
}

#[test]
fn memory_grows_stays_and_is_released() {
    let mut memory = plain();
    assert_eq!(memory.allocated(), 0);
    single(&mut memory, params(16, 1), b"");
    single(&mut memory, params(8, 1), b"");
    assert_eq!(memory.allocated(), 16 * 1024);
    single(&mut memory, params(17, 1), b"");
    assert_eq!(memory.allocated(), 16 * 1024, "a block less than asked for is used");
    single(&mut memory, params(20, 1), b"");
    assert_eq!(memory.allocated(), 20 * 1024);
    memory.release();
    assert_eq!(memory.allocated(), 0);
    single(&mut memory, params(8, 1), b"");
    assert_eq!(memory.allocated(), 8 * 1024);
}

#[test]
fn large_memory_is_aligned_to_huge_pages_and_zeroed() {
    for (count, alignment) in [(1, 64), (2047, 64), (2048, HUGE_PAGE), (2049, HUGE_PAGE)] {
        let mut blocks = Blocks::allocate(count).unwrap();
        let blocks = blocks.as_mut();
        assert_eq!((blocks.len(), blocks.as_ptr().addr() % alignment), (count, 0));
        assert!(blocks.iter().all(is_wiped));
    }
    assert_eq!(Blocks::allocate(0).unwrap().as_mut().len(), 0);
}

#[test]
fn memory_that_is_not_to_be_had_is_an_error() {
    assert_eq!(Blocks::allocate(usize::MAX / 1024).err(), Some(Error::OutOfMemory));
    assert_eq!(Blocks::allocate(usize::MAX).err(), Some(Error::OutOfMemory));
}

#[test]
fn memory_can_go_to_another_thread() {
    let mut memory = Memory::new();
    let here = single(&mut memory, params(16, 1), b"password");
    let there = std::thread::scope(|scope| scope.spawn(|| single(&mut memory, params(16, 1), b"password")).join());
    assert_eq!(there.unwrap(), here);
}
