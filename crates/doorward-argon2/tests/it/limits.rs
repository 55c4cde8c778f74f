//! What is refused, and that the portable way has the same limits as the kernels.
//!
//! The surprise: lengths of 4 GiB are refused, too, and not tried here.

use argon2::Argon2;
use doorward_argon2::{Algorithm, Error, Job, Kernel, Memory, Params, Version, hash, hash_pair};

use crate::memories;

#[test]
fn costs_out_of_range_are_refused() {
    for (m_kib, t, p, error) in [
        (7, 1, 1, Error::MemoryCost),
        (0, 1, 1, Error::MemoryCost),
        (31, 1, 4, Error::MemoryCost),
        (8, 0, 1, Error::Passes),
        (8, 1, 0, Error::Lanes),
        (u32::MAX, 1, 1 << 24, Error::Lanes),
        (u32::MAX, 1, u32::MAX, Error::Lanes),
    ] {
        assert_eq!(Params::argon2id(m_kib, t, p), Err(error), "m={m_kib} t={t} p={p}");
    }
    assert!(Params::argon2id(u32::MAX, u32::MAX, (1 << 24) - 1).is_ok());
}

#[test]
fn blocks_are_a_multiple_of_four_for_each_lane() {
    for (m_kib, p, blocks) in [(8, 1, 8), (11, 1, 8), (12, 1, 12), (19456, 1, 19456), (100, 3, 96)] {
        assert_eq!(Params::argon2id(m_kib, 1, p).unwrap().blocks(), blocks);
    }
}

#[test]
fn lengths_out_of_range_are_refused_before_anything_is_done() {
    let params = Params::argon2id(8, 1, 1).unwrap();
    for mut memory in memories() {
        for (salt, ad, length, error) in [
            (7, 0, 32, Error::Salt),
            (0, 0, 32, Error::Salt),
            (8, 33, 32, Error::AssociatedData),
            (8, 0, 3, Error::Output),
            (8, 0, 0, Error::Output),
        ] {
            let (salt, ad) = (vec![1; salt], vec![1; ad]);
            let (mut good, mut bad) = ([7; 32], vec![7; length]);
            let job = Job {
                ad: &ad,
                ..Job::new(b"", &salt, &mut bad)
            };
            let jobs = [Job::new(b"", b"somesalt", &mut good), job];
            assert_eq!(hash_pair(&mut memory, params, jobs), Err(error));
            assert!(bad.iter().chain(&good).all(|byte| *byte == 7));
            assert_eq!(memory.allocated(), 0);
        }
    }
}

/// Other kinds and versions and more lanes: whatever memory they are hashed in.
#[test]
fn everything_else_is_hashed_by_the_crate() {
    for mut memory in memories() {
        for algorithm in [Algorithm::Argon2d, Algorithm::Argon2i, Algorithm::Argon2id] {
            for (version, p) in [(Version::V0x10, 1), (Version::V0x13, 3)] {
                let params = Params::new(algorithm, version, 64, 2, p).unwrap();
                let costs = argon2::Params::new(64, 2, p, Some(40)).unwrap();
                let mut expected = [0; 40];
                Argon2::new(algorithm, version, costs)
                    .hash_password_into(b"password", b"somesalt", &mut expected)
                    .unwrap();
                let (mut one, mut two) = ([0; 40], [0; 40]);
                let jobs = [
                    Job::new(b"password", b"somesalt", &mut one),
                    Job::new(b"password", b"somesalt", &mut two),
                ];
                hash_pair(&mut memory, params, jobs).unwrap();
                assert_eq!((one, two), (expected, expected), "{algorithm} {version:?} p={p}");
            }
        }
    }
}

#[test]
fn memory_tells_what_it_takes_and_gives_it_back() {
    let params = Params::argon2id(64, 1, 1).unwrap();
    for mut memory in memories() {
        let mut out = [0; 32];
        hash(&mut memory, params, Job::new(b"", b"somesalt", &mut out)).unwrap();
        assert_eq!(memory.allocated(), 64 * 1024);
        let mut other = [0; 32];
        let jobs = [
            Job::new(b"", b"somesalt", &mut out),
            Job::new(b"", b"somesalt", &mut other),
        ];
        hash_pair(&mut memory, params, jobs).unwrap();
        let hashes = if memory.kernel() == Kernel::Portable { 1 } else { 2 };
        assert_eq!(memory.allocated(), hashes * 64 * 1024);
        // What another kernel would have computed in is not kept beside.
        for (p, hashes) in [(2, 1), (1, 1)] {
            let params = Params::argon2id(64, 1, p).unwrap();
            hash(&mut memory, params, Job::new(b"", b"somesalt", &mut out)).unwrap();
            assert_eq!(memory.allocated(), hashes * 64 * 1024);
        }
        memory.release();
        assert_eq!(memory.allocated(), 0);
    }
}

#[test]
fn nothing_prints_a_password() {
    let mut out = [0; 32];
    let job = Job {
        secret: b"pepper",
        ..Job::new(b"hunter2", b"somesalt", &mut out)
    };
    let printed = format!("{job:?} {:?}", Memory::new());
    assert!(
        !printed.contains("hunter2") && !printed.contains("104, 117") && !printed.contains("pepper"),
        "{printed}"
    );
    assert!(Error::Salt.to_string().contains("hint:"));
}
