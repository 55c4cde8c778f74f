//! The passes over the memory: which block is computed from which (RFC 9106 section 3.4), for one hash or several of
//! equal cost in step.
//!
//! The surprise: several hashes take turns block by block, so that each waits for its memory while another one
//! computes: the address of a block's reference is known one turn ahead, and asked for at once.

use crate::Error;
use crate::kernel::{Engine, Old};
use crate::memory::{Block, WORDS};
use crate::params::{Params, SLICES};

/// Fills the memory of each hash, whose first two blocks are there.
///
/// # Errors
/// [`Error::Internal`] when a block would have to be computed from itself, which does not happen.
pub(crate) fn fill<const N: usize>(
    engine: Engine,
    params: Params,
    hashes: &mut [&mut [Block]; N],
) -> Result<(), Error> {
    for pass in 0..params.t() {
        for slice in 0..SLICES {
            let segment = Segment::new(params, pass, slice);
            // Argon2id: the first half of the first pass is read in an order that tells nothing of the password.
            if pass == 0 && slice < SLICES / 2 {
                segment.fill_in_known_order(engine, params, hashes)?;
            } else {
                segment.fill_in_secret_order(engine, hashes)?;
            }
        }
    }
    Ok(())
}

/// A quarter of a pass.
struct Segment {
    pass: u32,
    slice: usize,
    /// Blocks in it.
    length: usize,
    /// Blocks of the lane.
    lane: usize,
    /// The block from which on references are counted.
    start: usize,
    /// How many blocks can be referred to from the first block of the segment, and one more.
    reach: usize,
}

impl Segment {
    fn new(params: Params, pass: u32, slice: usize) -> Self {
        let lane = params.blocks();
        let length = lane / SLICES;
        let (start, reach) = match (pass, slice) {
            (0, _) => (0, slice * length),
            (_, 3) => (0, lane - length),
            _ => ((slice + 1) * length, lane - length),
        };
        Self {
            pass,
            slice,
            length,
            lane,
            start,
            reach,
        }
    }

    /// The first block to be computed: two are there from the start.
    fn first(&self) -> usize {
        if self.pass == 0 && self.slice == 0 { 2 } else { 0 }
    }

    /// The block to which `random` refers from block `index` of the segment (RFC 9106 section 3.4.2).
    #[inline]
    fn reference(&self, index: usize, random: u64) -> usize {
        // Neither is above the cost, which is below 2³², as is their product divided by 2³².
        let area = (self.reach + index - 1) as u64;
        let x = random & u64::from(u32::MAX);
        let back = (area * ((x * x) >> 32)) >> 32;
        #[expect(
            clippy::cast_possible_truncation,
            reason = "it is below the number of blocks in memory"
        )]
        let at = self.start + (area - 1 - back) as usize;
        if at < self.lane { at } else { at - self.lane }
    }

    /// The blocks before block `index` of the segment, and itself, in the lane.
    #[inline]
    fn places(&self, index: usize) -> (usize, usize) {
        let target = self.slice * self.length + index;
        (if target == 0 { self.lane - 1 } else { target - 1 }, target)
    }

    #[inline]
    fn compute(&self, engine: Engine, blocks: &mut [Block], index: usize, reference: usize) -> Result<(), Error> {
        let (previous, target) = self.places(index);
        let [previous, reference, target] = blocks
            .get_disjoint_mut([previous, reference, target])
            .map_err(|_| Error::Internal)?;
        let old = if self.pass == 0 { Old::Replaced } else { Old::Mixed };
        engine.compress(previous, reference, target, old);
        Ok(())
    }

    /// Data-independent addressing: the order depends on nothing but the costs, so that all hashes share it.
    fn fill_in_known_order<const N: usize>(
        &self,
        engine: Engine,
        params: Params,
        hashes: &mut [&mut [Block]; N],
    ) -> Result<(), Error> {
        let mut addresses = Addresses::new(engine, params, self);
        for index in self.first()..self.length {
            if index % WORDS == 0 || index == self.first() {
                addresses.next(engine);
            }
            let reference = self.reference(index, addresses.word(engine, index % WORDS));
            let ahead = (index + 1) % WORDS;
            let ahead = (ahead != 0).then(|| self.reference(index + 1, addresses.word(engine, ahead)));
            for blocks in hashes.iter_mut() {
                if let Some(block) = ahead.and_then(|ahead| blocks.get(ahead)) {
                    block.prefetch();
                }
                self.compute(engine, blocks, index, reference)?;
            }
        }
        Ok(())
    }

    /// Data-dependent addressing: the first word of the block before says which one is read.
    fn fill_in_secret_order<const N: usize>(
        &self,
        engine: Engine,
        hashes: &mut [&mut [Block]; N],
    ) -> Result<(), Error> {
        let mut references = [0; N];
        for (reference, blocks) in references.iter_mut().zip(hashes.iter()) {
            *reference = self.follow(blocks, 0)?;
        }
        for index in 0..self.length {
            for (reference, blocks) in references.iter_mut().zip(hashes.iter_mut()) {
                self.compute(engine, blocks, index, *reference)?;
                *reference = self.follow(blocks, index + 1)?;
            }
        }
        Ok(())
    }

    /// What block `index` of the segment refers to, once the one before it is there; asked for in advance. For the
    /// block after the last it is a number that nobody uses.
    #[inline]
    fn follow(&self, blocks: &[Block], index: usize) -> Result<usize, Error> {
        let (previous, _) = self.places(index);
        let random = blocks.get(previous).ok_or(Error::Internal)?.word(0);
        let reference = self.reference(index, random);
        if let Some(block) = blocks.get(reference) {
            block.prefetch();
        }
        Ok(reference)
    }
}

/// The pseudo-random words of data-independent addressing (RFC 9106 section 3.4.1.2), 128 at a time.
struct Addresses {
    input: Block,
    words: Block,
    counter: u64,
}

impl Addresses {
    fn new(engine: Engine, params: Params, segment: &Segment) -> Self {
        let mut input = Block::ZERO;
        let numbers = [
            u64::from(segment.pass),
            0, // the only lane
            segment.slice as u64,
            segment.lane as u64,
            u64::from(params.t()),
            params.algorithm() as u64,
        ];
        for (word, number) in numbers.into_iter().enumerate() {
            input.set_word(engine.place(word), number);
        }
        Self {
            input,
            words: Block::ZERO,
            counter: 0,
        }
    }

    fn next(&mut self, engine: Engine) {
        self.counter += 1;
        self.input.set_word(engine.place(6), self.counter);
        let mut once = Block::ZERO;
        engine.compress(&Block::ZERO, &self.input, &mut once, Old::Replaced);
        engine.compress(&Block::ZERO, &once, &mut self.words, Old::Replaced);
    }

    #[inline]
    fn word(&self, engine: Engine, word: usize) -> u64 {
        self.words.word(engine.place(word))
    }
}
