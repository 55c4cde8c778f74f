//! The compression function with AVX2: a block is 32 registers of 4 words.
//!
//! The surprise: the order of the words. A block is an 8 × 8 matrix of pairs of words. The register says the row and the
//! column without their lowest bits, and which word of the pair; the lowest bits say the lane. So a register is half a
//! quarter of two rows and of two columns, and both are computed alike, without transposing: the words of a quarter that
//! follow each other are in two registers, and to turn it by one is to take the one for the other and to swap the halves
//! of one of them.

#![expect(
    clippy::indexing_slicing,
    reason = "all places are below the 8 or 32 that there are, and the compiler sees it"
)]

use std::arch::x86_64::{
    __m256i, _mm256_add_epi64, _mm256_loadu_si256, _mm256_mul_epu32, _mm256_permute2x128_si256, _mm256_setr_epi8,
    _mm256_setzero_si256, _mm256_shuffle_epi8, _mm256_shuffle_epi32, _mm256_srli_epi64, _mm256_storeu_si256,
    _mm256_xor_si256,
};
use std::hint::black_box;

use crate::kernel::Old;
use crate::memory::Block;

/// Registers of a block.
const REGISTERS: usize = 32;

/// Four registers that do the same at the same time: four chains that do not wait for each other. The first two are the
/// quarters of two rows, or of two columns, and the last two those of two others.
type Four = [__m256i; 4];

/// What is permuted.
const ROWS: bool = true;
const COLUMNS: bool = false;

/// The proof that this machine has AVX2.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    pub(crate) fn detect() -> Option<Self> {
        is_x86_feature_detected!("avx2").then_some(Self(()))
    }

    /// Where a word stands.
    pub(crate) fn place(word: usize) -> usize {
        let (row, column, second) = (word >> 4, word >> 1 & 7, word & 1);
        let register = row >> 1 << 3 | column >> 1 << 1 | second;
        register << 2 | (row & 1) << 1 | column & 1
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
    // Kept in memory, as is what becomes of it: the rounds need the registers.
    let mut mixed = [_mm256_setzero_si256(); REGISTERS];
    let sources = registers(previous).iter().zip(registers(reference));
    for (mixed, (previous, reference)) in mixed.iter_mut().zip(sources) {
        *mixed = _mm256_xor_si256(load(previous), load(reference));
    }
    let upper = four_rows(&mixed, 0, by);
    // What is there is read before it is written, by the machine or, after the first pass, by us: it comes while the rows
    // are computed. Not asked for earlier, when the reference is still on its way.
    target.prefetch();
    let rows = [upper, four_rows(&mixed, 1, by)];
    for half in 0..2 {
        for (quarter, done) in four_columns(&rows, half, by).iter().enumerate() {
            for (column, done) in done.iter().enumerate() {
                let register = 8 * quarter + 4 * half + column;
                let mut new = _mm256_xor_si256(*done, mixed[register]);
                let target = &mut target.0.as_chunks_mut().0[register];
                if old == Old::Mixed {
                    new = _mm256_xor_si256(new, load(target));
                }
                store(target, new);
            }
        }
    }
}

/// The permutation P of the upper or the lower four rows.
#[inline]
#[target_feature(enable = "avx2")]
fn four_rows(mixed: &[__m256i; REGISTERS], half: usize, by: Rotations) -> [Four; 4] {
    let at = |quarter: usize| {
        let first = 16 * half + 2 * quarter;
        [mixed[first], mixed[first + 1], mixed[first + 8], mixed[first + 9]]
    };
    permute::<ROWS>([at(0), at(1), at(2), at(3)], by)
}

/// The permutation P of the left or the right four columns.
#[inline]
#[target_feature(enable = "avx2")]
fn four_columns(rows: &[[Four; 4]; 2], half: usize, by: Rotations) -> [Four; 4] {
    let at = |quarter: usize| {
        let (rows, first) = (&rows[quarter / 2], 2 * (quarter % 2));
        let [left, right] = [rows[2 * half], rows[2 * half + 1]];
        [left[first], left[first + 1], right[first], right[first + 1]]
    };
    permute::<COLUMNS>([at(0), at(1), at(2), at(3)], by)
}

/// The permutation P. Each quarter has its words in turn in two registers.
#[inline]
#[target_feature(enable = "avx2")]
fn permute<const LINES: bool>([a, b, c, d]: [Four; 4], by: Rotations) -> [Four; 4] {
    let [a, b, c, d] = round([a, b, c, d], by);
    // The diagonals, seen from B, which is the last to be known.
    let [a, b, c, d] = round(
        [before::<LINES>(a), b, next::<LINES>(c), d.map(|d| swap::<LINES>(d))],
        by,
    );
    [next::<LINES>(a), b, before::<LINES>(c), d.map(|d| swap::<LINES>(d))]
}

/// Each word in the place of the one before.
#[inline]
#[target_feature(enable = "avx2")]
fn next<const LINES: bool>(x: Four) -> Four {
    [x[1], swap::<LINES>(x[0]), x[3], swap::<LINES>(x[2])]
}

/// Each word in the place of the next.
#[inline]
#[target_feature(enable = "avx2")]
fn before<const LINES: bool>(x: Four) -> Four {
    [swap::<LINES>(x[1]), x[0], swap::<LINES>(x[3]), x[2]]
}

/// Each word in the place of the next but one of its row or its column.
#[inline]
#[target_feature(enable = "avx2")]
fn swap<const LINES: bool>(x: __m256i) -> __m256i {
    if LINES == ROWS {
        _mm256_shuffle_epi32::<0x4e>(x)
    } else {
        _mm256_permute2x128_si256::<0x01>(x, x)
    }
}

/// The function GB of RFC 9106 section 3.6, in each lane.
#[inline]
#[target_feature(enable = "avx2")]
fn round([mut a, mut b, mut c, mut d]: [Four; 4], by: Rotations) -> [Four; 4] {
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
fn add(x: &mut Four, y: &Four) {
    for (x, y) in x.iter_mut().zip(y) {
        let product = _mm256_mul_epu32(*x, *y);
        *x = _mm256_add_epi64(_mm256_add_epi64(*x, *y), _mm256_add_epi64(product, product));
    }
}

#[inline]
#[target_feature(enable = "avx2")]
fn mix(x: &mut Four, y: &Four) {
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
