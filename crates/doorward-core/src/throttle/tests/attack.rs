//! An hour of an attack on one account, with the limits as they are by default, while its owner wants to log in.

use super::*;

const OWNER: u128 = 1;
const HOME: u32 = 1;
/// The attacker's networks have the numbers from here on.
const ATTACKER: u32 = 1_000;
/// Networks that the owner has never been in have the numbers from here on.
const ELSEWHERE: u32 = 1_000_000;

/// How the owner fares.
#[derive(Debug, Default)]
struct Owner {
    tries: u32,
    /// Let in at the first try.
    at_once: u32,
    /// Let in when they came back as they were told to.
    when_told: u32,
    /// Told to wait once more.
    kept_out: u32,
}

/// An attacker who polls twice a second from each of so many networks, and an owner who comes once a minute from the
/// network of that minute. Answers the number of guesses, too.
fn hour(networks: u32, owner_at: impl Fn(u32) -> u32) -> (Owner, u32) {
    let (throttle, clock) = throttle(ThrottleConfig::default());
    throttle.permit(account(OWNER), address(HOME)).unwrap().succeeded();
    let (mut owner, mut guesses) = (Owner::default(), 0);
    let mut told: Option<(Timestamp, u32)> = None;
    for half_second in 0..7_200_u32 {
        for network in ATTACKER..ATTACKER + networks {
            if wait(&throttle, &account(OWNER), address(network)).is_zero() {
                guesses += 1;
            }
        }
        let now = clock.now();
        if let Some((_, network)) = told.filter(|(at, _)| *at <= now) {
            told = None;
            match throttle.permit(account(OWNER), address(network)) {
                Ok(permit) => {
                    permit.succeeded();
                    owner.when_told += 1;
                }
                Err(_) => owner.kept_out += 1,
            }
        }
        // Not in step with the attacker's slots, and in the middle of a second.
        if half_second % 121 == 61 {
            let network = owner_at(half_second / 121);
            owner.tries += 1;
            match throttle.permit(account(OWNER), address(network)) {
                Ok(permit) => {
                    permit.succeeded();
                    owner.at_once += 1;
                }
                Err(Error::Throttled { retry_after }) => told = Some((now.plus(retry_after), network)),
                Err(other) => panic!("{other}"),
            }
        }
        clock.advance(Duration::from_millis(500));
    }
    (owner, guesses)
}

#[test]
fn no_attacker_delays_the_owner_in_a_network_where_they_have_logged_in() {
    for networks in [1, 50] {
        let (owner, _) = hour(networks, |_| HOME);
        assert_eq!(owner.at_once, owner.tries, "{networks} networks: {owner:?}");
    }
}

#[test]
fn no_polling_keeps_the_owner_out_of_a_network_that_is_new() {
    for networks in [1, 50] {
        let (owner, _) = hour(networks, |minute| ELSEWHERE + minute);
        assert_eq!(owner.kept_out, 0, "{networks} networks: {owner:?}");
        assert!(owner.at_once > owner.tries / 2, "{networks} networks: {owner:?}");
    }
}

#[test]
fn guesses_from_everywhere_have_a_bound_that_the_owners_logins_do_not_raise() {
    for networks in [1, 50] {
        // Twenty at once, six while the delays grow, then one a minute.
        for owner_at in [|_| HOME, |minute| ELSEWHERE + minute] {
            let (owner, guesses) = hour(networks, owner_at);
            assert!(
                guesses <= 20 + 6 + 60,
                "{networks} networks: {guesses} guesses, {owner:?}"
            );
        }
    }
}
