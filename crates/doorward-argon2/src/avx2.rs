//! The compression function with AVX2: a block is 32 registers of 4 words, in the order of the RFC.
//!
//! The surprise: there are 16 registers, so only two rows or column pairs at a time; the machine itself overlaps them
//! with the next two. Columns need no transposing: the two words of a pair stay together, and a diagonal is two
//! registers shifted into each other.

#![expect(
    clippy::indexing_slicing,
    reason = "all places are below the 8 or 32 that there are, and the compiler sees it"
)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_alignr_epi8, _mm256_loadu_si256, _mm256_mul_epu32, _mm256_permute4x64_epi64,
    _mm256_setr_epi8, _mm256_shuffle_epi8, _mm256_shuffle_epi32, _mm256_srli_epi64, _mm256_storeu_si256,
    _mm256_xor_si256,
};
use std::hint::black_box;

use crate::kernel::Old;
use crate::memory::Block;

/// Two registers that do the same at the same time.
type Two = [__m256i; 2];

/// The proof that this machine has AVX2.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    #[inline]
    pub(crate) fn compress(self, previous: &Block, reference: &Block, target: &mut Block, old: Old) {
        // SAFETY: there is a value of this type only where AVX2 was detected.
        unsafe { compress(previous, reference, target, old) }
    }
}

/// Shuffles of bytes that rotate each word to the right.
#[derive(Clone, Copy)]
struct Rotations {
    bits24: __m256i,
    bits16: __m256i,
}

impl Rotations {
    /// The shuffles, in a way that the compiler cannot look through. Otherwise it takes the rotation by 16 apart into
    /// two shuffles of words, to save itself a constant.
    #[target_feature(enable = "avx2")]
    fn new() -> Self {
        black_box(Self {
            bits24: _mm256_setr_epi8(
                3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10, 3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9,
                10,
            ),
            bits16: _mm256_setr_epi8(
                2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9, 2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15,
                8, 9,
            ),
        })
    }
}

#[target_feature(enable = "avx2")]
fn compress(previous: &Block, reference: &Block, target: &mut Block, old: Old) {
    let by = Rotations::new();
    let first = two_rows(previous, reference, 0, by);
    // What is there is read before it is written, by the machine or, after the first pass, by us: it comes while the rows
    // are computed. Not asked for earlier, when the reference is still on its way.
    target.prefetch();
    // Kept in memory: the rounds need the registers.
    let state = [
        first,
        two_rows(previous, reference, 1, by),
        two_rows(previous, reference, 2, by),
        two_rows(previous, reference, 3, by),
    ];
    for quarter in 0..4 {
        let at = |pair: usize| [state[pair][quarter], state[pair][4 + quarter]];
        let done = column_round([at(0), at(1), at(2), at(3)], by);
        for (row, done) in done.as_flattened().iter().enumerate() {
            let register = 4 * row + quarter;
            let mut new = _mm256_xor_si256(*done, mixed(previous, reference, register));
            let target = &mut target.0.as_chunks_mut().0[register];
            if old == Old::Mixed {
                new = _mm256_xor_si256(new, load(target));
            }
            store(target, new);
        }
    }
}

/// Mixes the sources of two rows and permutes them: the registers of the one, then of the other.
#[inline]
#[target_feature(enable = "avx2")]
fn two_rows(previous: &Block, reference: &Block, pair: usize, by: Rotations) -> [__m256i; 8] {
    let at = |quarter: usize| [8 * pair + quarter, 8 * pair + quarter + 4].map(|at| mixed(previous, reference, at));
    let [a, b, c, d] = row_round([at(0), at(1), at(2), at(3)], by);
    [a[0], b[0], c[0], d[0], a[1], b[1], c[1], d[1]]
}

#[inline]
#[target_feature(enable = "avx2")]
fn mixed(previous: &Block, reference: &Block, register: usize) -> __m256i {
    _mm256_xor_si256(
        load(&registers(previous)[register]),
        load(&registers(reference)[register]),
    )
}

/// The permutation P of two rows, each with its quarters in one register.
#[inline]
#[target_feature(enable = "avx2")]
fn row_round(quarters: [Two; 4], by: Rotations) -> [Two; 4] {
    let [a, b, c, d] = round(quarters, by);
    // The diagonals, seen from B, which is the last to be known.
    let a = a.map(|a| _mm256_permute4x64_epi64::<0x93>(a));
    let c = c.map(|c| _mm256_permute4x64_epi64::<0x39>(c));
    let d = d.map(|d| _mm256_permute4x64_epi64::<0x4e>(d));
    let [a, b, c, d] = round([a, b, c, d], by);
    let a = a.map(|a| _mm256_permute4x64_epi64::<0x39>(a));
    let c = c.map(|c| _mm256_permute4x64_epi64::<0x93>(c));
    let d = d.map(|d| _mm256_permute4x64_epi64::<0x4e>(d));
    [a, b, c, d]
}

/// The permutation P of two columns, each with half a quarter in half of a register.
#[inline]
#[target_feature(enable = "avx2")]
fn column_round(quarters: [Two; 4], by: Rotations) -> [Two; 4] {
    let [a, b, c, d] = round(quarters, by);
    let (b, d) = (next(b), next(d));
    let [a, b, [c1, c0], [d1, d0]] = round([a, b, [c[1], c[0]], [d[1], d[0]]], by);
    [a, before(b), [c0, c1], before([d0, d1])]
}

/// Each word in the place of the one before.
#[inline]
#[target_feature(enable = "avx2")]
fn next([low, high]: Two) -> Two {
    [_mm256_alignr_epi8::<8>(high, low), _mm256_alignr_epi8::<8>(low, high)]
}

/// Each word in the place of the next.
#[inline]
#[target_feature(enable = "avx2")]
fn before([low, high]: Two) -> Two {
    [_mm256_alignr_epi8::<8>(low, high), _mm256_alignr_epi8::<8>(high, low)]
}

/// The function GB of RFC 9106 section 3.6, in each lane.
#[inline]
#[target_feature(enable = "avx2")]
fn round([mut a, mut b, mut c, mut d]: [Two; 4], by: Rotations) -> [Two; 4] {
    add(&mut a, &b);
    mix(&mut d, &a);
    d = d.map(|d| _mm256_shuffle_epi32::<0xb1>(d));
    add(&mut c, &d);
    mix(&mut b, &c);
    b = b.map(|b| _mm256_shuffle_epi8(b, by.bits24));
    add(&mut a, &b);
    mix(&mut d, &a);
    d = d.map(|d| _mm256_shuffle_epi8(d, by.bits16));
    add(&mut c, &d);
    mix(&mut b, &c);
    b = b.map(|b| _mm256_xor_si256(_mm256_add_epi64(b, b), _mm256_srli_epi64::<63>(b)));
    [a, b, c, d]
}

/// `x + y + 2 · lo(x) · lo(y)`, where lo is the lower half.
#[inline]
#[target_feature(enable = "avx2")]
fn add(x: &mut Two, y: &Two) {
    for (x, y) in x.iter_mut().zip(y) {
        let product = _mm256_mul_epu32(*x, *y);
        *x = _mm256_add_epi64(_mm256_add_epi64(*x, *y), _mm256_add_epi64(product, product));
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn mix(x: &mut Two, y: &Two) {
    for (x, y) in x.iter_mut().zip(y) {
        *x = _mm256_xor_si256(*x, *y);
    }
}

fn registers(block: &Block) -> &[[u64; 4]] {
    block.0.as_chunks().0
}

#[inline]
#[target_feature(enable = "avx2")]
fn load(words: &[u64; 4]) -> __m256i {
    // SAFETY: four words can be read there, and no alignment is asked for.
    unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
}

#[inline]
#[target_feature(enable = "avx2")]
fn store(words: &mut [u64; 4], register: __m256i) {
    // SAFETY: four words can be written there, and no alignment is asked for.
    unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), register) }
}
