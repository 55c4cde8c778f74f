//! The compression function with AVX-512F: a block is 16 registers of 8 words.
//!
//! The surprise: the order of the words. A block is an 8 × 8 matrix of pairs of words. The register says the row and
//! the column without their lowest bits, and those two and the place in the pair say the lane. So the four registers
//! that stand beside each other hold two rows and those that stand below each other two columns, in the same order,
//! and rows and columns are computed without transposing anything.

use std::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_loadu_si512, _mm512_mul_epu32, _mm512_permutex_epi64, _mm512_permutexvar_epi64,
    _mm512_ror_epi64, _mm512_setr_epi64, _mm512_shuffle_i64x2, _mm512_storeu_si512, _mm512_xor_si512,
};

use crate::kernel::Old;
use crate::memory::Block;

/// Registers of a block.
const REGISTERS: usize = 16;

/// Four registers that do the same at the same time: four chains that do not wait for each other.
type Four = [__m512i; 4];

/// The proof that this machine has AVX-512F.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    pub(crate) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx512f").then_some(Self(()))
    }

    /// Where a word stands.
    pub(crate) fn place(word: usize) -> usize {
        let (row, column, second) = (word >> 4, word >> 1 & 7, word & 1);
        let register = row >> 1 << 2 | column >> 1;
        register << 3 | (row & 1) << 2 | (column & 1) << 1 | second
    }

    #[inline]
    pub(crate) fn compress(self, previous: &Block, reference: &Block, target: &mut Block, old: Old) {
        // SAFETY: there is a value of this type only where AVX-512F was detected.
        unsafe { compress(previous, reference, target, old) }
    }
}

#[target_feature(enable = "avx512f")]
fn compress(previous: &Block, reference: &Block, target: &mut Block, old: Old) {
    let mut mixed = [_mm512_setr_epi64(0, 0, 0, 0, 0, 0, 0, 0); REGISTERS];
    let sources = registers(previous).iter().zip(registers(reference));
    for (mixed, (previous, reference)) in mixed.iter_mut().zip(sources) {
        *mixed = _mm512_xor_si512(load(previous), load(reference));
    }
    let [a0, a1, a2, a3, b0, b1, b2, b3, c0, c1, c2, c3, d0, d1, d2, d3] = mixed;
    // Row pairs: the quarters of a row are the registers beside each other.
    let [[a0, b0, c0, d0], [a1, b1, c1, d1], [a2, b2, c2, d2], [a3, b3, c3, d3]] =
        rows([[a0, b0, c0, d0], [a1, b1, c1, d1], [a2, b2, c2, d2], [a3, b3, c3, d3]]);
    let done = columns([[a0, a1, a2, a3], [b0, b1, b2, b3], [c0, c1, c2, c3], [d0, d1, d2, d3]]);
    let targets = target.0.as_chunks_mut::<8>().0.iter_mut();
    for ((target, done), mixed) in targets.zip(done.as_flattened()).zip(mixed) {
        let mut new = _mm512_xor_si512(*done, mixed);
        if old == Old::Mixed {
            new = _mm512_xor_si512(new, load(target));
        }
        store(target, new);
    }
}

/// The permutation P of all rows. Of each quarter round, A, B, C and D are the first, second, third and fourth
/// register of all four row pairs.
#[inline]
#[target_feature(enable = "avx512f")]
fn rows([a, b, c, d]: [Four; 4]) -> [Four; 4] {
    let [a, b, c, d] = round([a, b, c, d]);
    // The diagonals, seen from B, which is the last to be known.
    let a = a.map(|a| _mm512_permutex_epi64::<0x93>(a));
    let c = c.map(|c| _mm512_permutex_epi64::<0x39>(c));
    let d = d.map(|d| _mm512_permutex_epi64::<0x4e>(d));
    let [a, b, c, d] = round([a, b, c, d]);
    let a = a.map(|a| _mm512_permutex_epi64::<0x39>(a));
    let c = c.map(|c| _mm512_permutex_epi64::<0x93>(c));
    let d = d.map(|d| _mm512_permutex_epi64::<0x4e>(d));
    [a, b, c, d]
}

/// The permutation P of all columns.
#[inline]
#[target_feature(enable = "avx512f")]
fn columns([a, b, c, d]: [Four; 4]) -> [Four; 4] {
    // A column's four words of a register are lanes 0, 1, 4, 5 or 2, 3, 6, 7.
    let forward = _mm512_setr_epi64(1, 4, 3, 6, 5, 0, 7, 2);
    let back = _mm512_setr_epi64(5, 0, 7, 2, 1, 4, 3, 6);
    let [a, b, c, d] = round([a, b, c, d]);
    let a = a.map(|a| _mm512_permutexvar_epi64(back, a));
    let c = c.map(|c| _mm512_permutexvar_epi64(forward, c));
    let d = d.map(|d| _mm512_shuffle_i64x2::<0x4e>(d, d));
    let [a, b, c, d] = round([a, b, c, d]);
    let a = a.map(|a| _mm512_permutexvar_epi64(forward, a));
    let c = c.map(|c| _mm512_permutexvar_epi64(back, c));
    let d = d.map(|d| _mm512_shuffle_i64x2::<0x4e>(d, d));
    [a, b, c, d]
}

/// The function GB of RFC 9106 section 3.6, in each lane.
#[inline]
#[target_feature(enable = "avx512f")]
fn round([mut a, mut b, mut c, mut d]: [Four; 4]) -> [Four; 4] {
    add(&mut a, &b);
    mix(&mut d, &a);
    rotate::<32>(&mut d);
    add(&mut c, &d);
    mix(&mut b, &c);
    rotate::<24>(&mut b);
    add(&mut a, &b);
    mix(&mut d, &a);
    rotate::<16>(&mut d);
    add(&mut c, &d);
    mix(&mut b, &c);
    rotate::<63>(&mut b);
    [a, b, c, d]
}

/// `x + y + 2 · lo(x) · lo(y)`, where lo is the lower half.
#[inline]
#[target_feature(enable = "avx512f")]
fn add(x: &mut Four, y: &Four) {
    for (x, y) in x.iter_mut().zip(y) {
        let product = _mm512_mul_epu32(*x, *y);
        *x = _mm512_add_epi64(_mm512_add_epi64(*x, *y), _mm512_add_epi64(product, product));
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn mix(x: &mut Four, y: &Four) {
    for (x, y) in x.iter_mut().zip(y) {
        *x = _mm512_xor_si512(*x, *y);
    }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn rotate<const BITS: i32>(x: &mut Four) {
    for x in x {
        *x = _mm512_ror_epi64::<BITS>(*x);
    }
}

fn registers(block: &Block) -> &[[u64; 8]] {
    block.0.as_chunks().0
}

#[inline]
#[target_feature(enable = "avx512f")]
fn load(words: &[u64; 8]) -> __m512i {
    // SAFETY: eight words can be read there, and no alignment is asked for.
    unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx512f")]
fn store(words: &mut [u64; 8], register: __m512i) {
    // SAFETY: eight words can be written there, and no alignment is asked for.
    unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), register) }
}
