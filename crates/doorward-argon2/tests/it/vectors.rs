//! Published vectors.
//!
//! The surprise: the vectors of the RFC have four lanes, which is the portable way for all kernels. The strings of the
//! reference implementation have one.

#![expect(
    clippy::unwrap_used,
    reason = "in a test the panic is the message, also outside of its function"
)]

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use doorward_argon2::{Algorithm, Job, Memory, Params, Version, hash, hash_pair};

use crate::memories;

/// RFC 9106 sections 5.1 to 5.3.
#[test]
fn vectors_of_the_rfc() {
    let vectors = [
        (
            Algorithm::Argon2d,
            "512b391b6f1162975371d30919734294f868e3be3984f3c1a13a4db9fabe4acb",
        ),
        (
            Algorithm::Argon2i,
            "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8",
        ),
        (
            Algorithm::Argon2id,
            "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659",
        ),
    ];
    for mut memory in memories() {
        for (algorithm, expected) in vectors {
            let params = Params::new(algorithm, Version::V0x13, 32, 3, 4).unwrap();
            let mut out = [0; 32];
            let job = Job {
                secret: &[3; 8],
                ad: &[4; 12],
                ..Job::new(&[1; 32], &[2; 16], &mut out)
            };
            hash(&mut memory, params, job).unwrap();
            let expected = bytes_of(expected);
            assert_eq!(out.as_slice(), expected, "{algorithm}");
        }
    }
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digits = hex.as_bytes().as_chunks::<2>().0.iter();
    let pairs = digits.map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap());
    pairs.collect()
}

/// The hash in base64.
fn encoded(memory: &mut Memory, params: Params, password: &str, salt: &str) -> String {
    let mut out = [0; 32];
    hash(memory, params, Job::new(password.as_bytes(), salt.as_bytes(), &mut out)).unwrap();
    STANDARD_NO_PAD.encode(out)
}

/// From the test suite of the reference implementation (`test.c`), but for the one of 256 MiB.
const REFERENCE: [(u32, u32, u32, &str, &str, &str); 7] = [
    (
        65536,
        2,
        1,
        "password",
        "somesalt",
        "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
    ),
    (
        256,
        2,
        1,
        "password",
        "somesalt",
        "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    ),
    (
        256,
        2,
        2,
        "password",
        "somesalt",
        "bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    ),
    (
        65536,
        1,
        1,
        "password",
        "somesalt",
        "9qWtwbpyPd3vm1rB1GThgPzZ3/ydHL92zKL+15XZypg",
    ),
    (
        65536,
        4,
        1,
        "password",
        "somesalt",
        "kCXUjmjvc5XMqQedpMTsOv+zyJEf5PhtGiUghW9jFyw",
    ),
    (
        65536,
        2,
        1,
        "differentpassword",
        "somesalt",
        "C4TWUs9rDEvq7w3+J4umqA32aWKB1+DSiRuBfYxFj94",
    ),
    (
        65536,
        2,
        1,
        "password",
        "diffsalt",
        "vfMrBczELrFdWP0ZsfhWsRPaHppYdP3MVEMIVlqoFBw",
    ),
];

#[test]
fn strings_of_the_reference_implementation() {
    for mut memory in memories() {
        for (m_kib, t, p, password, salt, expected) in REFERENCE {
            let params = Params::argon2id(m_kib, t, p).unwrap();
            let found = encoded(&mut memory, params, password, salt);
            assert_eq!(found, expected, "{:?}: m={m_kib} t={t} p={p}", memory.kernel());
        }
    }
}

/// Two of those with the same cost, at once and in both orders.
#[test]
fn strings_of_the_reference_implementation_in_pairs() {
    let params = Params::argon2id(65536, 2, 1).unwrap();
    for mut memory in memories() {
        for [left, right] in [[5, 6], [6, 5], [0, 0]] {
            let [(.., password, salt, expected), (.., other_password, other_salt, other)] =
                [REFERENCE[left], REFERENCE[right]];
            let (mut one, mut two) = ([0; 32], [0; 32]);
            let jobs = [
                Job::new(password.as_bytes(), salt.as_bytes(), &mut one),
                Job::new(other_password.as_bytes(), other_salt.as_bytes(), &mut two),
            ];
            hash_pair(&mut memory, params, jobs).unwrap();
            assert_eq!([one, two].map(|out| STANDARD_NO_PAD.encode(out)), [expected, other]);
        }
    }
}
