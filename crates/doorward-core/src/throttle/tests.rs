//! Tests of the throttle. Time is a clock that stands still until told.

use std::net::Ipv4Addr;
use std::sync::Barrier;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

mod attack;
mod registrations;
mod turns;

fn config() -> ThrottleConfig {
    ThrottleConfig {
        free_attempts: 3,
        per_address: 5,
        ..ThrottleConfig::default()
    }
}

fn throttle(config: ThrottleConfig) -> (Throttle, Clock) {
    let clock = Clock::manual(Timestamp(1_000_000));
    (Throttle::new(config, clock.clone()), clock)
}

/// A ledger with so many places of each kind.
fn ledger(places: usize) -> Ledger {
    Ledger {
        strangers: Strangers::new(places, places),
        known: Known::new(places),
        addresses: Windows::new(places),
        registrations: Windows::new(places),
    }
}

fn account(number: u128) -> Subject {
    Subject::Account(AccountId(Uuid::from_u128(number)))
}

fn unknown(name: &str) -> Subject {
    Subject::Unknown(RealmId(1), Canonical::of(name))
}

#[expect(clippy::unnecessary_wraps, reason = "a throttle takes an address or none")]
fn address(number: u32) -> Option<IpAddr> {
    Some(IpAddr::V4(Ipv4Addr::from_bits(number)))
}

fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// How long the throttle says to wait; zero when it permits (which is a failed attempt then).
fn wait(throttle: &Throttle, subject: &Subject, address: Option<IpAddr>) -> Duration {
    match throttle.permit(subject.clone(), address) {
        Ok(permit) => {
            permit.failed();
            Duration::ZERO
        }
        Err(Error::Throttled { retry_after }) => {
            assert!(!retry_after.is_zero());
            retry_after
        }
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn delays_grow_and_end_and_unknown_accounts_have_the_same() {
    for subject in [account(1), unknown("ann")] {
        let (throttle, clock) = throttle(config());
        for _ in 0..3 {
            assert_eq!(wait(&throttle, &subject, None), seconds(0));
        }
        // A second, doubled each time, and four times as much for having tried before, then five times.
        for delay in [4, 10, 20, 40, 80, 160, 300, 300, 300] {
            assert_eq!(wait(&throttle, &subject, None), seconds(delay));
            clock.advance(seconds(delay) - Duration::from_millis(1));
            assert_eq!(
                wait(&throttle, &subject, None),
                seconds(1),
                "rounded up, and asking moves nothing"
            );
            clock.advance(Duration::from_millis(1));
            assert_eq!(wait(&throttle, &subject, None), seconds(0));
        }
    }
}

#[test]
fn very_many_failures_lock_nobody_out() {
    let (throttle, clock) = throttle(config());
    for _ in 0..300 {
        clock.advance(seconds(300));
        assert_eq!(wait(&throttle, &account(1), None), seconds(0));
    }
    clock.advance(seconds(300));
    throttle.permit(account(1), None).unwrap().succeeded();
    assert_eq!(wait(&throttle, &account(1), None), seconds(0));
}

#[test]
fn guesses_sent_at_once_do_not_race_past() {
    for subject in [account(1), unknown("ann")] {
        let (throttle, _) = throttle(ThrottleConfig::default());
        let start = Barrier::new(200);
        let guess = || {
            start.wait();
            throttle.permit(subject.clone(), None).ok()
        };
        let permits: Vec<Permit> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..200).map(|_| scope.spawn(guess)).collect();
            threads
                .into_iter()
                .filter_map(|thread| thread.join().unwrap())
                .collect()
        });
        assert_eq!(permits.len(), 20);
        drop(permits);
        assert!(throttle.permit(subject, None).is_err(), "and they stay counted");
    }
}

#[test]
fn a_success_forgets_the_failures_and_not_what_is_in_flight() {
    let (throttle, _) = throttle(config());
    let subject = account(1);
    throttle.permit(subject.clone(), None).unwrap().succeeded();
    let in_flight = throttle.permit(subject.clone(), None).unwrap();
    assert_eq!(wait(&throttle, &subject, None), seconds(0));
    throttle.permit(subject.clone(), None).unwrap().succeeded();
    let second = throttle.permit(subject.clone(), None).unwrap();
    let third = throttle.permit(subject.clone(), None).unwrap();
    assert_eq!(wait(&throttle, &subject, None), seconds(4), "three are in flight");
    in_flight.failed();
    assert_eq!(wait(&throttle, &subject, None), seconds(4));
    second.succeeded();
    third.succeeded();
    for _ in 0..3 {
        assert_eq!(wait(&throttle, &subject, None), seconds(0));
    }
    assert_eq!(wait(&throttle, &subject, None), seconds(4));
}

#[test]
fn a_permit_dropped_is_a_failure_and_an_unused_one_is_none() {
    let (throttle, clock) = throttle(config());
    let subject = account(1);
    for _ in 0..10 {
        throttle.permit(subject.clone(), address(1)).unwrap().unused();
    }
    for _ in 0..3 {
        drop(throttle.permit(subject.clone(), address(1)).unwrap());
    }
    assert_eq!(wait(&throttle, &subject, None), seconds(1));
    clock.advance(seconds(1));
    throttle.permit(subject.clone(), None).unwrap().unused();
    assert_eq!(
        wait(&throttle, &subject, None),
        seconds(0),
        "the delay had been waited for already"
    );
    assert_eq!(wait(&throttle, &account(2), address(1)), seconds(0));
    assert_eq!(wait(&throttle, &account(3), address(1)), seconds(0));
    assert_eq!(
        wait(&throttle, &account(4), address(1)),
        seconds(599),
        "five of this address failed"
    );
}

#[test]
fn an_address_has_so_many_failures_in_a_window() {
    let (throttle, clock) = throttle(config());
    for number in 0..5 {
        clock.advance(seconds(1));
        throttle.permit(account(100 + number), address(1)).unwrap().succeeded();
        assert_eq!(wait(&throttle, &account(number), address(1)), seconds(0));
    }
    assert_eq!(wait(&throttle, &account(9), address(1)), seconds(596));
    assert_eq!(wait(&throttle, &account(9), address(2)), seconds(0));
    assert_eq!(wait(&throttle, &account(9), None), seconds(0));
    clock.advance(seconds(596));
    assert_eq!(wait(&throttle, &account(10), address(1)), seconds(0));
}

#[test]
fn guesses_of_one_address_do_not_race_past() {
    let (throttle, _) = throttle(config());
    let permits: Vec<_> = (0..50)
        .filter_map(|number| throttle.permit(account(number), address(1)).ok())
        .collect();
    assert_eq!(permits.len(), 5);
}

#[test]
fn what_one_refusal_says_the_other_does_not_shorten() {
    let (throttle, _) = throttle(config());
    for _ in 0..3 {
        assert_eq!(wait(&throttle, &account(1), address(1)), seconds(0));
    }
    for number in 2..4 {
        assert_eq!(wait(&throttle, &account(number), address(1)), seconds(0));
    }
    assert_eq!(wait(&throttle, &account(1), address(1)), seconds(600));
    assert_eq!(wait(&throttle, &account(1), None), seconds(1));
}

#[test]
fn a_success_of_an_old_window_gives_nothing_to_the_new_one() {
    let (throttle, clock) = throttle(config());
    let old = throttle.permit(account(1), address(1)).unwrap();
    clock.advance(seconds(600));
    for number in 2..7 {
        assert_eq!(wait(&throttle, &account(number), address(1)), seconds(0));
    }
    old.succeeded();
    assert_eq!(wait(&throttle, &account(8), address(1)), seconds(600));
}

#[test]
fn a_clock_set_back_makes_nobody_wait_longer() {
    let clock = Clock::manual(Timestamp(1_000_000_000));
    let throttle = Throttle::new(config(), clock.clone());
    for _ in 0..3 {
        assert_eq!(wait(&throttle, &account(1), address(1)), seconds(0));
    }
    assert_eq!(wait(&throttle, &account(2), address(1)), seconds(0));
    assert_eq!(wait(&throttle, &account(2), address(1)), seconds(0));
    // A manual clock goes only forwards; this one of the same ledger stands earlier.
    let ledger = std::mem::replace(&mut *throttle.0.ledger.lock(), ledger(1));
    let earlier = Throttle::of(config(), Clock::manual(Timestamp(0)), ledger);
    assert_eq!(wait(&earlier, &account(1), None), seconds(1));
    assert_eq!(
        wait(&earlier, &account(3), address(1)),
        seconds(0),
        "the window of the future is over"
    );
}

#[test]
fn subjects_are_counted_apart() {
    let (throttle, _) = throttle(config());
    let nil = Subject::Account(AccountId(Uuid::nil()));
    let subjects = [
        account(1),
        account(2),
        nil,
        unknown("ann"),
        unknown("bob"),
        unknown(""),
        Subject::Unknown(RealmId(2), Canonical::of("ann")),
    ];
    for subject in &subjects {
        for _ in 0..3 {
            assert_eq!(wait(&throttle, subject, None), seconds(0), "{subject:?}");
        }
    }
    assert_eq!(
        wait(&throttle, &unknown("ANN"), None),
        seconds(4),
        "another spelling of the same"
    );
}

#[test]
fn memory_is_bounded_and_the_active_stay() {
    let clock = Clock::manual(Timestamp(0));
    let config = ThrottleConfig {
        per_address: 1000,
        ..config()
    };
    let throttle = Throttle::of(config, clock, ledger(4));
    for _ in 0..3 {
        assert_eq!(wait(&throttle, &account(1), address(1)), seconds(0));
    }
    for number in 2..100 {
        assert_eq!(
            wait(&throttle, &unknown(&number.to_string()), address(number)),
            seconds(0)
        );
        let told = wait(&throttle, &account(1), address(1));
        assert!(told >= seconds(4), "asked for again and again, so kept");
        throttle.welcome(AccountId(Uuid::from_u128(number.into())), address(number));
    }
    let ledger = throttle.0.ledger.lock();
    assert_eq!(
        (ledger.strangers.len(), ledger.known.len(), ledger.addresses.len()),
        ((4, 4), 4, 4)
    );
}

#[test]
fn a_permit_of_a_forgotten_subject_settles_nothing_on_its_successor() {
    let (throttle, _) = throttle(config());
    let throttle = Throttle::of(config(), throttle.0.clock.clone(), ledger(1));
    let forgotten = throttle.permit(account(1), address(1)).unwrap();
    assert_eq!(wait(&throttle, &account(2), address(2)), seconds(0));
    for _ in 0..3 {
        assert_eq!(wait(&throttle, &account(1), address(1)), seconds(0));
    }
    forgotten.succeeded();
    assert_eq!(wait(&throttle, &account(1), None), seconds(1));
}

#[test]
fn success_leaves_no_attempt_behind() {
    let (throttle, _) = throttle(config());
    throttle.permit(account(1), address(1)).unwrap().succeeded();
    throttle.permit(unknown("ann"), address(2)).unwrap().unused();
    let ledger = throttle.0.ledger.lock();
    assert_eq!((ledger.strangers.len(), ledger.addresses.len()), ((0, 0), 0));
    assert_eq!(ledger.known.len(), 1, "but that the owner was there");
}

#[test]
fn switched_off_it_permits_everything() {
    let (throttle, _) = throttle(ThrottleConfig {
        enabled: false,
        free_attempts: 0,
        per_address: 0,
        ..config()
    });
    for _ in 0..100 {
        assert_eq!(wait(&throttle, &account(1), address(1)), seconds(0));
    }
}

#[test]
fn addresses_as_subscribers_have_them() {
    for (one, other, same) in [
        ("2001:db8::1", "2001:db8::ffff:ffff:ffff:ffff", true),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
        ("192.0.2.1", "::ffff:192.0.2.1", true),
        ("192.0.2.1", "192.0.2.2", false),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", false),
        ("::", "::1", true),
    ] {
        let key = |text: &str| network(text.parse().unwrap());
        assert_eq!(key(one) == key(other), same, "{one} and {other}");
    }
}

proptest! {
    #[test]
    fn a_v4_address_is_one_in_every_form(bits: u32) {
        let v4 = Ipv4Addr::from_bits(bits);
        prop_assert_eq!(network(IpAddr::V6(v4.to_ipv6_mapped())), IpAddr::V4(v4));
        prop_assert_eq!(network(IpAddr::V4(v4)), IpAddr::V4(v4));
    }

    #[test]
    fn a_v6_address_is_its_first_half(network_bits: u64, host: u64, other: u64) {
        let v6 = |host: u64| IpAddr::V6(Ipv6Addr::from_bits(u128::from(network_bits) << 64 | u128::from(host)));
        // The mapped range is the one that differs.
        prop_assume!(network_bits != 0);
        prop_assert_eq!(network(v6(host)), network(v6(other)));
        prop_assert_eq!(network(network(v6(host))), network(v6(host)));
        let next = IpAddr::V6(Ipv6Addr::from_bits(u128::from(network_bits ^ 1) << 64));
        prop_assert_ne!(network(v6(host)), network(next));
    }

    /// Whatever happens, no more is ever permitted at one moment than is free, plus one after a delay.
    #[test]
    fn no_order_of_events_permits_more(known: bool, steps in prop::collection::vec((0u8..4, 0usize..8), 0..200)) {
        let (throttle, _) = throttle(ThrottleConfig { per_address: u32::MAX, ..config() });
        if known {
            throttle.welcome(AccountId(Uuid::from_u128(1)), address(1));
        }
        let mut held: Vec<Permit> = Vec::new();
        let mut failed = 0;
        for (step, which) in steps {
            if step == 0 {
                let permit = throttle.permit(account(1), address(1)).ok();
                prop_assert_eq!(permit.is_some(), failed + held.len() < 3);
                held.extend(permit);
            } else if which < held.len() {
                let permit = held.swap_remove(which);
                match step {
                    1 => { permit.failed(); failed += 1; }
                    // Elsewhere it would be the first of a network that is known from then on.
                    2 if known => { permit.succeeded(); failed = 0; }
                    _ => permit.unused(),
                }
            }
        }
    }
}
