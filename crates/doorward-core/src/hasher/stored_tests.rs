//! Tests of what can be verified: hashes of other implementations, broken ones and hostile ones.

#![expect(clippy::string_slice, reason = "what is cut here is ASCII")]

use std::sync::Arc;

use proptest::prelude::*;

use super::Scheme;
use super::answers::Reply;
use super::job::Job;
use super::stored::{Ceiling, Stored};
use super::worker::{Checked, Worker};
use crate::password::typed;
use crate::presence::Presence;
use crate::secret::{PasswordHash, Secret};
use crate::{Clock, Result};

const TINY: Scheme = Scheme::Argon2id { m_kib: 8, t: 1, p: 1 };
const BCRYPT: Scheme = Scheme::Bcrypt { cost: 4 };

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

/// A worker of this thread, which hands over its answers when it is dropped.
fn worker(scheme: Scheme) -> Worker {
    let kernel = doorward_argon2::kernel();
    Worker::new(scheme, kernel, Arc::default(), Arc::default(), Clock::system())
}

/// Verifies on a worker of this thread.
fn check(scheme: Scheme, password: &str, stored: &str) -> Checked {
    let (answer, mut checked) = Reply::channel(&Presence::ALWAYS);
    worker(scheme).run(Job::Verify {
        password: secret(password),
        against: Stored::parse(stored, &Ceiling::of(scheme)),
        answer,
    });
    checked.try_recv().unwrap().unwrap()
}

fn matches(password: &str, stored: &str) -> bool {
    check(TINY, password, stored).matches
}

fn hash(scheme: Scheme, password: &str) -> Result<PasswordHash> {
    let (answer, mut hashed) = Reply::channel(&Presence::ALWAYS);
    worker(scheme).run(Job::Hash {
        password: secret(password),
        answer,
    });
    hashed.try_recv().unwrap()
}

#[test]
fn new_hashes_are_written_as_others_read_them() {
    let argon2 = hash(TINY, "x").unwrap();
    assert!(
        argon2.expose().starts_with("$argon2id$v=19$m=8,t=1,p=1$"),
        "{}",
        argon2.expose()
    );
    assert_eq!(argon2.expose().len(), "$argon2id$v=19$m=8,t=1,p=1$".len() + 22 + 1 + 43);
    let bcrypt = hash(BCRYPT, "x").unwrap();
    assert!(
        bcrypt.expose().starts_with("$2b$04$") && bcrypt.expose().len() == 60,
        "{}",
        bcrypt.expose()
    );
}

/// From the test suite of the reference implementation of Argon2 (`test.c`).
#[test]
fn argon2_of_the_reference_implementation() {
    for stored in [
        "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
        "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
        "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
        "$argon2i$v=16$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
        "$argon2i$m=256,t=2,p=2$c29tZXNhbHQ$tsEVYKap1h6scGt5ovl9aLRGOqOth+AMB+KwHpDFZPs",
    ] {
        assert!(matches("password", stored), "{stored}");
    }
    let other = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    assert!(!matches("sassword", other));
}

/// From the test suites of jBCrypt, `crypt_blowfish`, and of Python's, Node's and the Rust crate's bcrypt.
#[test]
fn bcrypt_of_other_implementations() {
    for (password, stored) in [
        ("a", "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe"),
        ("abc", "$2a$06$If6bvum7DFjUnE9p2uDeDu0YHzrHM6tf.iqN8.yx.jNN1ILEf7h0i"),
        ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
        (
            "correctbatteryhorsestapler",
            "$2b$04$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie",
        ),
        (
            "correctbatteryhorsestapler",
            "$2a$04$n4Uy0eSnMfvnESYL.bLwuuj0U/ETSsoTpRT9GVk5bektyVVa5xnIi",
        ),
        (
            "My S3cre7 P@55w0rd!",
            "$2b$05$HlFShUxTu4ZHHfOLJwfmCeDj/kuKFKboanXtDJXxCC7aIPTUgxNDe",
        ),
    ] {
        assert!(matches(password, stored), "{stored}");
        assert!(matches(password, &stored.replacen("$2a$", "$2y$", 1)));
        assert!(!matches("another", stored));
        for version in ["$2x$", "$2$", "$2c$", "$1$"] {
            let refused = [version, &stored[4..]].concat();
            assert!(!matches(password, &refused), "{refused}");
        }
    }
}

#[test]
fn bcrypt_reads_72_bytes_and_each_of_them_counts() {
    let full = "abcdefghijklmnopqr".repeat(4);
    assert_eq!(full.len(), 72);
    let stored = hash(BCRYPT, &full).unwrap();
    assert!(matches(&full, stored.expose()));
    for at in 0..72 {
        let mut flipped = full.clone().into_bytes();
        flipped[at] ^= 1;
        assert!(
            !matches(&String::from_utf8(flipped).unwrap(), stored.expose()),
            "byte {at}"
        );
    }
    assert!(!matches(&full[..71], stored.expose()));
    let longer = format!("{full}x");
    assert!(
        bcrypt::verify(&longer, stored.expose()).unwrap(),
        "what the crate alone would say"
    );
    assert!(!matches(&longer, stored.expose()));
    assert!(hash(BCRYPT, &longer).is_err());
}

#[test]
fn nul_and_nothing_are_no_bcrypt_passwords() {
    // Of the empty password, by jBCrypt.
    let empty = "$2a$06$DCq7YPn5Rq63x1Lad4cll.TV4S6ytwfsfvkgY8jIucDrjc8deX1s.";
    assert!(bcrypt::verify("", empty).unwrap() && bcrypt::verify("\0", empty).unwrap());
    for password in ["", "\0", "\0\0"] {
        assert!(!matches(password, empty), "{password:?}");
        assert!(hash(BCRYPT, password).is_err());
    }
    let a = "$2a$06$m0CrhHm10qJ3lXRY.5zDGO3rS2KdeeWLuGmsfGlMfOxih58VYVfxe";
    assert!(!matches("a\0", a) && !matches("\0a", a) && !matches("a\0a", a));
}

#[test]
fn argon2_takes_any_password_whole() {
    let long = "x".repeat(4096);
    for password in ["", "\0", "a\0b", &long] {
        let stored = hash(TINY, password).unwrap();
        assert!(matches(password, stored.expose()));
        assert!(!matches(&format!("{password}\0"), stored.expose()));
    }
    let stored = hash(TINY, &long).unwrap();
    assert!(!matches(&long[1..], stored.expose()));
}

#[test]
fn a_hash_behind_the_scheme_is_outdated_and_no_other() {
    let scheme = |m_kib, t, p| Scheme::Argon2id { m_kib, t, p };
    let now = scheme(16, 2, 1);
    for (made_with, verified_with, outdated) in [
        (now, now, false),
        (scheme(8, 2, 1), now, true),
        (scheme(16, 1, 1), now, true),
        (scheme(32, 1, 1), now, true),
        (scheme(32, 3, 1), now, false),
        (scheme(16, 2, 2), now, true),
        (scheme(32, 2, 2), now, false),
        (BCRYPT, now, true),
        (BCRYPT, BCRYPT, false),
        (BCRYPT, Scheme::Bcrypt { cost: 5 }, true),
        (Scheme::Bcrypt { cost: 5 }, BCRYPT, false),
        (now, BCRYPT, false),
    ] {
        let stored = hash(made_with, "right").unwrap();
        let checked = check(verified_with, "right", stored.expose());
        assert_eq!(
            checked,
            Checked {
                matches: true,
                outdated
            },
            "{made_with:?} under {verified_with:?}"
        );
        let wrong = check(verified_with, "wrong", stored.expose());
        assert_eq!(
            wrong,
            Checked {
                matches: false,
                outdated: false
            }
        );
    }
    for old in [
        "$argon2i$v=19$m=256,t=2,p=1$c29tZXNhbHQ$iekCn0Y3spW+sCcFanM2xBT63UP2sghkUoHLIUpWRS8",
        "$argon2i$v=16$m=256,t=2,p=1$c29tZXNhbHQ$/U3YPXYsSb3q9XxHvc0MLxur+GP960kN9j7emXX8zwY",
    ] {
        assert!(check(now, "password", old).outdated, "{old}");
    }
}

#[test]
fn what_cannot_be_read_never_matches() {
    let good = "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    for (part, other) in [
        ("m=256", "m=4294967295"),
        ("m=256", "m=262145"),
        ("m=256", "m=99999999999999999999"),
        ("m=256", "m=7"),
        ("m=256", "m=0256"),
        ("m=256", "m=+256"),
        ("m=256", "m="),
        ("t=2", "t=0"),
        ("t=2", "t=11"),
        ("p=1", "p=0"),
        ("p=1", "p=17"),
        ("p=1", "p=4294967295"),
        ("p=1", "p=1,data=Dw8P"),
        ("m=256,t=2", "t=2,m=256"),
        ("v=19", "v=18"),
        ("v=19", "v=19$"),
        ("argon2id", "argon2"),
        ("$c29tZXNhbHQ", "$c29t"),
        ("$c29tZXNhbHQ", "$c29tZXNhbHR"),
        ("$c29tZXNhbHQ", "$"),
        ("i/4", "i/5"),
        ("i/4", "i/4="),
        ("i/4", "i/4$"),
        ("$nf65", "\0$nf65"),
    ] {
        let bad = good.replacen(part, other, 1);
        assert_ne!(bad, good);
        assert!(Stored::parse(&bad, &Ceiling::of(TINY)).is_none(), "{bad}");
        assert!(!matches("password", &bad));
    }
    for bad in [
        "",
        "$",
        "password",
        "$argon2id$",
        "$2b$",
        "$2b$17$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie",
    ] {
        assert!(!matches("password", bad), "{bad}");
    }
}

#[test]
fn what_can_be_configured_can_be_verified() {
    let (argon2, bcrypt) = (
        Scheme::Argon2id {
            m_kib: 1_048_576,
            t: 64,
            p: 1,
        },
        Scheme::Bcrypt { cost: 20 },
    );
    let high = "$argon2id$v=19$m=1048576,t=64,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    assert!(Stored::parse(high, &Ceiling::of(argon2)).is_some());
    assert!(Stored::parse(high, &Ceiling::of(TINY)).is_none());
    let high = "$2b$20$EGdrhbKUv8Oc9vGiXX0HQOxSg445d458Muh7DAHskb6QbtCvdxcie";
    assert!(Stored::parse(high, &Ceiling::of(bcrypt)).is_some());
    assert!(Stored::parse(high, &Ceiling::of(TINY)).is_none());
}

/// Strings that look like hashes, with costs from absurd to fine.
fn hash_like() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,100}",
        "\\$argon2(id|i|d)?(\\$v=[0-9]{0,3})?\\$m=[0-9]{0,12},t=[0-9]{0,11},p=[0-9]{0,11}\\$[A-Za-z0-9+/=]{0,90}\\$[A-Za-z0-9+/]{0,90}",
        "\\$argon2(id|i|d)\\$v=19\\$m=[1-9][0-9]{1,5},t=[1-9],p=[1-4]\\$[A-Za-z0-9+/]{21}[AQgw]\\$[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]",
        "\\$2[abxy]?\\$[0-9+]{2}\\$[./A-Za-z0-9]{50,56}",
        "\\$2[aby]\\$[01][0-9]\\$[./A-Za-z0-9]{21}[.Oeu][./A-Za-z0-9]{30}[.26CGKOSWaeimquy]",
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn hostile_hashes_never_panic_nor_cost_more_than_allowed(text in hash_like()) {
        match Stored::parse(&text, &Ceiling::of(TINY)) {
            Some(Stored::Argon2(hash)) => {
                prop_assert!(hash.cost.m_kib <= 262_144 && hash.cost.t <= 10 && (1..=16).contains(&hash.cost.p));
                prop_assert!((8..=64).contains(&hash.salt.len()) && (16..=64).contains(&hash.tag.len()));
                let versioned = if text.contains("$v=") { text } else { text.replacen("$m=", "$v=16$m=", 1) };
                prop_assert_eq!(hash.to_string(), versioned);
            }
            Some(Stored::Bcrypt(hash)) => prop_assert!((4..=16).contains(&hash.cost)),
            None => prop_assert!(!matches("password", &text)),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_changed_hash_matches_nothing(at in any::<prop::sample::Index>(), other in prop::char::range(' ', '~')) {
        let good = "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$";
        let stored = hash(TINY, "password").unwrap();
        prop_assert!(stored.expose().starts_with(&good[..27]));
        let mut changed = stored.expose().to_owned();
        let at = at.index(changed.len());
        changed.replace_range(at..=at, other.encode_utf8(&mut [0; 4]));
        prop_assert_eq!(matches("password", &changed), changed == stored.expose());
    }

    #[test]
    fn a_password_and_its_nfc_form_are_one(text in "\\PC{0,30}") {
        let stored = hash(TINY, typed(&text).expose()).unwrap();
        let composed: String = unicode_normalization::UnicodeNormalization::nfc(text.as_str()).collect();
        prop_assert!(matches(typed(&composed).expose(), stored.expose()));
    }
}
