//! The memory of one thread, kept from one hash to the next.
//!
//! The surprise: keeping it is worth more than any arithmetic on several threads, since the kernel of the operating
//! system has to clear and map each page of a new one; and pages of 2 MiB keep address translation out of the way
//! of a function that reads at random.

use std::alloc::{Layout, alloc, dealloc};
use std::fmt;
use std::ptr::{self, NonNull};
use std::slice;

use zeroize::Zeroize;

use crate::kernel::Engine;
use crate::{Error, Kernel};

/// Words of 64 bits in a block.
pub(crate) const WORDS: usize = 128;

/// What a huge page of x86-64 takes, and to what the memory is aligned.
const HUGE_PAGE: usize = 2 << 20;

/// A block of 1 KiB. Which word stands where is the engine's affair.
#[repr(C, align(64))]
#[derive(Clone)]
pub(crate) struct Block(pub(crate) [u64; WORDS]);

impl Block {
    pub(crate) const ZERO: Self = Self([0; WORDS]);

    /// The word at a place; there are [`WORDS`].
    #[inline]
    pub(crate) fn word(&self, place: usize) -> u64 {
        self.0.get(place).copied().unwrap_or_default()
    }

    /// Puts a word in a place.
    #[inline]
    pub(crate) fn set_word(&mut self, place: usize, word: u64) {
        if let Some(there) = self.0.get_mut(place) {
            *there = word;
        }
    }

    /// Asks the machine to have this block in its cache soon.
    #[inline]
    pub(crate) fn prefetch(&self) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        for line in self.0.chunks_exact(8) {
            use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
            // SAFETY: a prefetch reads nothing that the program could see, wherever it points.
            unsafe { _mm_prefetch::<_MM_HINT_T0>(line.as_ptr().cast()) };
        }
    }
}

/// Memory for hashes, to be kept by each thread that makes them. It grows with the largest hash. What the kernels for AVX
/// compute in is given back for a hash that only the portable one knows, and the other way round.
///
/// What a hash leaves in it stays until the next one writes over it, or [`Memory::wipe`]; whatever is given back is wiped
/// before, also when this is dropped.
pub struct Memory {
    engine: Option<Engine>,
    blocks: Blocks,
    /// The `argon2` crate has a type of block of its own.
    portable: Vec<argon2::Block>,
}

impl Memory {
    /// Memory for the fastest kernel of this machine. Nothing is allocated before the first hash.
    pub fn new() -> Self {
        Self {
            engine: Engine::fastest(),
            blocks: Blocks::EMPTY,
            portable: Vec::new(),
        }
    }

    /// Memory for a kernel of one's choice, for tests and comparisons.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when this machine cannot run it.
    pub fn with_kernel(kernel: Kernel) -> Result<Self, Error> {
        let mut memory = Self::new();
        memory.use_kernel(kernel)?;
        Ok(memory)
    }

    /// Goes on with another kernel, in the memory that there is.
    pub(crate) fn use_kernel(&mut self, kernel: Kernel) -> Result<(), Error> {
        self.engine = Engine::of(kernel)?;
        Ok(())
    }

    /// The kernel that hashes here.
    pub fn kernel(&self) -> Kernel {
        self.engine.map_or(Kernel::Portable, Engine::kernel)
    }

    /// What is allocated now, in bytes.
    pub fn allocated(&self) -> usize {
        (self.blocks.count + self.portable.capacity()) * size_of::<Block>()
    }

    /// Wipes what hashes have left, and keeps the memory. To be called when no other hash follows soon: whoever reads
    /// this memory can try passwords without the cost of a hash, since all passes but the first can be undone.
    pub fn wipe(&mut self) {
        self.blocks.wipe();
        self.portable.iter_mut().for_each(Zeroize::zeroize);
    }

    /// Gives everything back to the system, wiped. The next hash allocates again.
    pub fn release(&mut self) {
        self.blocks = Blocks::EMPTY;
        self.release_portable();
    }

    fn release_portable(&mut self) {
        self.portable.iter_mut().for_each(Zeroize::zeroize);
        self.portable = Vec::new();
    }

    pub(crate) fn engine(&self) -> Option<Engine> {
        self.engine
    }

    /// `count` blocks, holding whatever was left in them.
    pub(crate) fn blocks(&mut self, count: usize) -> Result<&mut [Block], Error> {
        self.release_portable();
        if self.blocks.count < count {
            // Given back first, so that growing copies nothing and never holds both.
            self.blocks = Blocks::EMPTY;
            self.blocks = Blocks::allocate(count)?;
        }
        self.blocks.used = self.blocks.used.max(count);
        self.blocks.as_mut().get_mut(..count).ok_or(Error::Internal)
    }

    /// `count` blocks of the `argon2` crate.
    pub(crate) fn portable(&mut self, count: usize) -> Result<&mut [argon2::Block], Error> {
        self.blocks = Blocks::EMPTY;
        if self.portable.len() < count {
            self.release_portable();
            self.portable.try_reserve_exact(count).map_err(|_| Error::OutOfMemory)?;
            self.portable.resize(count, argon2::Block::new());
        }
        self.portable.get_mut(..count).ok_or(Error::Internal)
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        self.release();
    }
}

impl Default for Memory {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memory")
            .field("kernel", &self.kernel())
            .field("allocated", &self.allocated())
            .finish_non_exhaustive()
    }
}

/// Wipes at once what gives most away for nothing, given the blocks that a hash used: the last, from which the output is a
/// step away, and after a single pass all of them, since the first are a step away from the password. The others are as
/// good to whoever undoes the later passes, and are for [`Memory::wipe`]: another walk through the memory.
pub(crate) fn wipe(used: &mut [Block], passes: u32) {
    let keep = if passes == 1 { 0 } else { used.len().saturating_sub(1) };
    for block in used.iter_mut().skip(keep) {
        block.0.zeroize();
    }
}

/// The same for a lane of the `argon2` crate.
pub(crate) fn wipe_portable(lane: &mut [argon2::Block], passes: u32) {
    let keep = if passes == 1 { 0 } else { lane.len().saturating_sub(1) };
    for block in lane.iter_mut().skip(keep) {
        block.zeroize();
    }
}

/// Owned blocks, aligned to a huge page when they fill one.
struct Blocks {
    start: NonNull<Block>,
    count: usize,
    /// So many of the first have been handed out since they were wiped.
    used: usize,
}

impl Blocks {
    const EMPTY: Self = Self {
        start: NonNull::dangling(),
        count: 0,
        used: 0,
    };

    fn allocate(count: usize) -> Result<Self, Error> {
        if count == 0 {
            return Ok(Self::EMPTY);
        }
        let layout = Self::layout(count)?;
        // SAFETY: the layout has a size, as the count is not 0.
        let start: *mut Block = unsafe { alloc(layout) }.cast();
        let start = NonNull::new(start).ok_or(Error::OutOfMemory)?;
        advise_huge_pages(start, layout.size());
        // SAFETY: `start` is allocated for `count` blocks and aligned for them. Written after the advice, so that the
        // pages come huge.
        unsafe { ptr::write_bytes(start.as_ptr(), 0, count) };
        Ok(Self { start, count, used: 0 })
    }

    fn wipe(&mut self) {
        let used = std::mem::take(&mut self.used);
        for block in self.as_mut().iter_mut().take(used) {
            block.0.zeroize();
        }
    }

    /// How `count` blocks are allocated, and so how they are given back.
    fn layout(count: usize) -> Result<Layout, Error> {
        let blocks = Layout::array::<Block>(count).map_err(|_| Error::OutOfMemory)?;
        if blocks.size() < HUGE_PAGE {
            return Ok(blocks);
        }
        blocks.align_to(HUGE_PAGE).map_err(|_| Error::OutOfMemory)
    }

    fn as_mut(&mut self) -> &mut [Block] {
        // SAFETY: `start` is allocated for `count` blocks, all of them zeroed at first (any bits are a block), and
        // nobody else has it; with a count of 0 any aligned pointer is right.
        unsafe { slice::from_raw_parts_mut(self.start.as_ptr(), self.count) }
    }
}

impl Drop for Blocks {
    fn drop(&mut self) {
        self.wipe();
        if let (1.., Ok(layout)) = (self.count, Self::layout(self.count)) {
            // SAFETY: allocated by `allocate` with this very layout, which depends on the count alone.
            unsafe { dealloc(self.start.as_ptr().cast(), layout) };
        }
    }
}

// SAFETY: the blocks are plain numbers, owned by this value alone.
unsafe impl Send for Blocks {}
// SAFETY: a shared reference gives no access to the blocks.
unsafe impl Sync for Blocks {}

/// Asks for huge pages. Where they are not to be had, everything works as before and slower.
#[cfg(all(target_os = "linux", not(miri)))]
fn advise_huge_pages(start: NonNull<Block>, bytes: usize) {
    if bytes >= HUGE_PAGE {
        // SAFETY: the range is allocated and ours, and the advice changes nothing that a program can see. The start
        // is aligned to 2 MiB, and so to the page of any size.
        unsafe { libc::madvise(start.as_ptr().cast(), bytes, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn advise_huge_pages(_start: NonNull<Block>, _bytes: usize) {}

#[cfg(test)]
#[path = "memory_tests.rs"]
mod tests;
