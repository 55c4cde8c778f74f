//! Random cases against the `argon2` crate, allocating afresh for each: a hundred hundreds of them, and every small
//! size.
//!
//! The surprise: the memory under test is kept from case to case, so that whatever one size leaves behind has its
//! chance to spoil the next.

#![expect(
    clippy::unwrap_used,
    reason = "in a test the panic is the message, also outside of its function"
)]

use argon2::{Algorithm, Argon2, AssociatedData, ParamsBuilder, Version};
use doorward_argon2::{Job, Memory, Params, hash, hash_pair};

use crate::memories;

/// `SplitMix64`: every run has the same cases.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    fn from(&mut self, least: u32, most: u32) -> u32 {
        least + u32::try_from(self.next() % u64::from(most - least + 1)).unwrap()
    }

    fn bytes(&mut self, least: u32, most: u32) -> Vec<u8> {
        (0..self.from(least, most))
            .map(|_| self.next().to_le_bytes()[0])
            .collect()
    }
}

/// One hash to be made.
struct Input {
    password: Vec<u8>,
    salt: Vec<u8>,
    secret: Vec<u8>,
    ad: Vec<u8>,
    length: usize,
}

impl Input {
    fn random(random: &mut Random) -> Self {
        let longest = if random.from(0, 9) == 0 { 1000 } else { 70 };
        Self {
            password: random.bytes(0, longest),
            salt: random.bytes(8, 70),
            secret: if random.from(0, 2) == 0 {
                random.bytes(0, 140)
            } else {
                Vec::new()
            },
            ad: if random.from(0, 2) == 0 {
                random.bytes(0, 32)
            } else {
                Vec::new()
            },
            // Around 64 and 96 bytes the last links of H′ change their shape.
            length: random.from(4, 200) as usize,
        }
    }

    fn job<'a>(&'a self, out: &'a mut [u8]) -> Job<'a> {
        Job {
            secret: &self.secret,
            ad: &self.ad,
            ..Job::new(&self.password, &self.salt, out)
        }
    }

    fn expected(&self, (m_kib, t): (u32, u32)) -> Vec<u8> {
        let mut builder = ParamsBuilder::new();
        builder.m_cost(m_kib).t_cost(t).p_cost(1).output_len(self.length);
        builder.data(AssociatedData::new(&self.ad).unwrap());
        let params = builder.build().unwrap();
        let argon2 = Argon2::new_with_secret(&self.secret, Algorithm::Argon2id, Version::V0x13, params).unwrap();
        let mut out = vec![0; self.length];
        argon2.hash_password_into(&self.password, &self.salt, &mut out).unwrap();
        out
    }
}

/// Compares one pair, and each of it alone, in each memory.
fn compare(memories: &mut [Memory], (m_kib, t): (u32, u32), inputs: [&Input; 2]) {
    let params = Params::argon2id(m_kib, t, 1).unwrap();
    let expected = inputs.map(|input| input.expected((m_kib, t)));
    for memory in memories {
        let kernel = memory.kernel();
        let mut found = inputs.map(|input| vec![0; input.length]);
        let [first, second] = &mut found;
        hash_pair(memory, params, [inputs[0].job(first), inputs[1].job(second)]).unwrap();
        assert_eq!(found, expected, "{kernel:?} in a pair: m={m_kib} t={t}");
        for (input, expected) in inputs.iter().zip(&expected) {
            let mut found = vec![0; input.length];
            hash(memory, params, input.job(&mut found)).unwrap();
            assert_eq!(&found, expected, "{kernel:?} alone: m={m_kib} t={t}");
        }
    }
}

fn compare_random(seed: u64, cases: u32, largest: u32) {
    let mut random = Random(seed);
    let mut memories = memories();
    for _ in 0..cases {
        let cost = (random.from(8, largest), random.from(1, 4));
        let inputs = [Input::random(&mut random), Input::random(&mut random)];
        compare(&mut memories, cost, inputs.each_ref());
        if random.from(0, 99) == 0 {
            memories.iter_mut().for_each(Memory::release);
        }
    }
}

// Two of 5,000, so that two cores share them; each case is two inputs, once together and once apart.
#[test]
fn five_thousand_random_cases() {
    compare_random(1, 5000, 256);
}

#[test]
fn five_thousand_others() {
    compare_random(2, 5000, 256);
}

#[test]
fn larger_random_cases() {
    compare_random(3, 60, 4200);
}

#[test]
fn the_costs_that_people_use() {
    let mut random = Random(4);
    let mut memories = memories();
    // OWASP's list of equal costs for one lane, and a size that is no multiple of anything.
    for cost in [(19456, 2), (12288, 3), (9216, 4), (7168, 5), (47104, 1), (19457, 2)] {
        let inputs = [Input::random(&mut random), Input::random(&mut random)];
        compare(&mut memories, cost, inputs.each_ref());
    }
}

/// Also those that are no multiple of four, where blocks are left unused, and those where a segment ends with a block
/// of addresses or one more.
#[test]
fn every_small_size() {
    let mut random = Random(5);
    let mut memories = memories();
    for m_kib in (8..=48).chain(508..=520).chain(1020..=1032) {
        for t in 1..=3 {
            let inputs = [Input::random(&mut random), Input::random(&mut random)];
            compare(&mut memories, (m_kib, t), inputs.each_ref());
        }
    }
}

#[test]
fn every_length_of_output() {
    let mut random = Random(6);
    let mut memories = memories();
    for length in (4..=200).chain([1023, 1024, 1025]) {
        let mut inputs = [Input::random(&mut random), Input::random(&mut random)];
        inputs[0].length = length;
        compare(&mut memories, (8, 1), inputs.each_ref());
    }
}

/// Many passes, for whatever adds up.
#[test]
fn many_passes() {
    let mut random = Random(7);
    let inputs = [Input::random(&mut random), Input::random(&mut random)];
    compare(&mut memories(), (16, 500), inputs.each_ref());
}
