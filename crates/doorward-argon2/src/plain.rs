//! The compression function as the RFC writes it, for tests: it runs wherever Rust does, also under Miri.
//!
//! The surprise: it is not the portable kernel; that is the `argon2` crate.

use crate::kernel::Old;
use crate::memory::{Block, WORDS};

pub(crate) fn compress(previous: &Block, reference: &Block, target: &mut Block, old: Old) {
    let mut mixed = [0; WORDS];
    for (mixed, (previous, reference)) in mixed.iter_mut().zip(previous.0.iter().zip(&reference.0)) {
        *mixed = previous ^ reference;
    }
    let mut state = mixed;
    for row in 0..8 {
        permute(&mut state, |word| 16 * row + word);
    }
    for column in 0..8 {
        permute(&mut state, |word| 16 * (word / 2) + 2 * column + word % 2);
    }
    for (target, (state, mixed)) in target.0.iter_mut().zip(state.iter().zip(mixed)) {
        let kept = if old == Old::Mixed { *target } else { 0 };
        *target = kept ^ state ^ mixed;
    }
}

fn permute(state: &mut [u64; WORDS], place: impl Fn(usize) -> usize) {
    for [a, b, c, d] in [
        [0, 4, 8, 12],
        [1, 5, 9, 13],
        [2, 6, 10, 14],
        [3, 7, 11, 15],
        [0, 5, 10, 15],
        [1, 6, 11, 12],
        [2, 7, 8, 13],
        [3, 4, 9, 14],
    ] {
        let [a, b, c, d] = [place(a), place(b), place(c), place(d)];
        for (first, second) in [(32, 24), (16, 63)] {
            state[a] = multiply_add(state[a], state[b]);
            state[d] = (state[d] ^ state[a]).rotate_right(first);
            state[c] = multiply_add(state[c], state[d]);
            state[b] = (state[b] ^ state[c]).rotate_right(second);
        }
    }
}

fn multiply_add(x: u64, y: u64) -> u64 {
    let product = (x & u64::from(u32::MAX)) * (y & u64::from(u32::MAX));
    x.wrapping_add(y).wrapping_add(product.wrapping_mul(2))
}
