//! Who goes first at an account that several networks try, and which networks are its owner's.

use super::*;

#[expect(clippy::unnecessary_wraps, reason = "a throttle takes an address or none")]
fn v6(text: &str) -> Option<IpAddr> {
    Some(text.parse().unwrap())
}

/// As many failures on account 1, from a network each, as are free.
fn attacked() -> (Throttle, Clock) {
    let (throttle, clock) = throttle(ThrottleConfig {
        per_address: 100,
        ..config()
    });
    for network in 100..103 {
        assert_eq!(wait(&throttle, &account(1), address(network)), seconds(0));
    }
    (throttle, clock)
}

#[test]
fn whoever_has_tried_waits_for_whoever_has_not() {
    let (throttle, clock) = attacked();
    assert_eq!(wait(&throttle, &account(1), address(1)), seconds(1));
    assert_eq!(wait(&throttle, &account(1), address(100)), seconds(2));
    clock.advance(seconds(1));
    assert_eq!(wait(&throttle, &account(1), address(100)), seconds(1));
    assert_eq!(wait(&throttle, &account(1), address(1)), seconds(0));
    // It had its turn, like the others.
    assert_eq!(wait(&throttle, &account(1), address(1)), seconds(4));
    assert_eq!(wait(&throttle, &account(1), address(2)), seconds(2));
}

#[test]
fn whoever_asks_too_often_has_had_a_turn_and_comes_back_when_told() {
    let (throttle, clock) = attacked();
    for _ in 0..9 {
        assert_eq!(wait(&throttle, &account(1), address(1)), seconds(1));
    }
    assert_eq!(wait(&throttle, &account(1), address(1)), seconds(2), "the tenth time");
    for _ in 0..1000 {
        assert!(wait(&throttle, &account(1), address(1)) <= seconds(5), "it has an end");
    }
    let told = wait(&throttle, &account(1), address(1));
    clock.advance(told);
    assert_eq!(wait(&throttle, &account(1), address(1)), seconds(0));
}

/// One delay for each would give a site 65,536 turns.
#[test]
fn an_ipv6_site_is_one_stranger() {
    let (throttle, _) = attacked();
    for _ in 0..9 {
        assert_eq!(wait(&throttle, &account(1), v6("2001:db8:1:1::1")), seconds(1));
    }
    assert_eq!(wait(&throttle, &account(1), v6("2001:db8:1:2::1")), seconds(2));
    assert_eq!(wait(&throttle, &account(1), v6("2001:db8:2:2::1")), seconds(1));
}

#[test]
fn a_network_where_the_password_was_given_has_attempts_of_its_own() {
    let (throttle, clock) = attacked();
    throttle.welcome(AccountId(Uuid::from_u128(1)), address(1));
    for _ in 0..3 {
        assert_eq!(wait(&throttle, &account(1), address(1)), seconds(0));
    }
    // Whoever shares the network is delayed, and as at an account that does not exist.
    for _ in 0..3 {
        assert_eq!(wait(&throttle, &unknown("nobody"), address(1)), seconds(0));
    }
    for _ in 0..20 {
        let told = wait(&throttle, &account(1), address(1));
        assert!((4..=5).contains(&told.as_secs()));
        assert_eq!(wait(&throttle, &unknown("nobody"), address(1)), told);
    }
    clock.advance(seconds(5));
    throttle.permit(account(1), address(1)).unwrap().succeeded();
    for _ in 0..3 {
        assert_eq!(wait(&throttle, &account(1), address(1)), seconds(0));
    }
    assert_eq!(wait(&throttle, &account(2), address(1)), seconds(0), "of this account");
}

#[test]
fn a_success_takes_back_the_failures_of_its_own_network_alone() {
    let (throttle, clock) = throttle(config());
    for network in [100, 1, 1] {
        assert_eq!(wait(&throttle, &account(1), address(network)), seconds(0));
    }
    clock.advance(seconds(3));
    throttle.permit(account(1), address(1)).unwrap().succeeded();
    // One has failed, of an attacker's.
    for network in [101, 102] {
        assert_eq!(wait(&throttle, &account(1), address(network)), seconds(0));
    }
    assert_eq!(wait(&throttle, &account(1), address(103)), seconds(1));
}

#[test]
fn an_account_keeps_the_networks_that_were_used_last() {
    let (throttle, _) = attacked();
    for network in (1..=8).chain([1, 9]) {
        throttle.welcome(AccountId(Uuid::from_u128(1)), address(network));
    }
    assert_eq!(wait(&throttle, &account(1), address(2)), seconds(1));
    for network in [1, 3, 9] {
        assert_eq!(wait(&throttle, &account(1), address(network)), seconds(0), "{network}");
    }
}

/// Who shares a network with the owner cannot keep its place by trying, and nobody elsewhere can take it.
#[test]
fn only_a_password_keeps_or_takes_the_place_of_a_network() {
    let clock = Clock::manual(Timestamp(0));
    let throttle = Throttle::of(config(), clock, ledger(2));
    throttle.welcome(AccountId(Uuid::from_u128(1)), address(1));
    throttle.welcome(AccountId(Uuid::from_u128(2)), address(2));
    for number in 10..100 {
        assert_eq!(wait(&throttle, &account(number), address(100)).is_zero(), number < 15);
        let _ = wait(&throttle, &account(1), address(1));
    }
    assert_eq!(throttle.0.ledger.lock().known.len(), 2);
    throttle.welcome(AccountId(Uuid::from_u128(3)), address(3));
    let ledger = &mut *throttle.0.ledger.lock();
    let mut is_known = |number, at| {
        let account = AccountId(Uuid::from_u128(number));
        ledger
            .known
            .wait(&config(), account, address(at), Timestamp(0))
            .is_some()
    };
    assert_eq!([is_known(1, 1), is_known(2, 2), is_known(3, 3)], [false, true, true]);
}

#[test]
fn a_day_after_the_last_attempt_all_is_forgotten() {
    let (throttle, clock) = attacked();
    clock.advance(seconds(24 * 3600 - 1));
    assert_eq!(wait(&throttle, &account(1), address(100)), seconds(0));
    assert_eq!(wait(&throttle, &account(1), address(101)), seconds(4));
    clock.advance(seconds(24 * 3600));
    for network in [100, 101, 102] {
        assert_eq!(wait(&throttle, &account(1), address(network)), seconds(0));
    }
    assert_eq!(wait(&throttle, &account(1), address(103)), seconds(1));
}

#[test]
fn a_delay_of_a_day_is_not_forgotten_in_a_day() {
    let day = seconds(24 * 3600);
    let (throttle, clock) = throttle(ThrottleConfig {
        free_attempts: 3,
        max_delay: day,
        ..ThrottleConfig::default()
    });
    // Strangers, each new, who wait for as long as they are told: three are free, and seventeen come in the first day.
    let mut guesses = 0;
    let end = clock.now().plus(day.saturating_mul(10));
    for network in 0.. {
        let told = wait(&throttle, &account(1), address(network));
        guesses += u32::from(told.is_zero());
        clock.advance(told);
        if clock.now() >= end {
            break;
        }
        // Now and then one waits for a day and a little more, in case that helps.
        if network % 5 == 0 && guesses > 19 {
            clock.advance(day + seconds(1));
        }
    }
    assert!(guesses <= 3 + 17 + 10, "{guesses}");
}
