//! Tests of the line. Time is what they say it is.

use std::net::{Ipv4Addr, Ipv6Addr};

use proptest::prelude::*;

use super::*;

const MS: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

fn caller(network: u32, name: u64) -> Whose {
    Whose {
        network: Some(IpAddr::V4(Ipv4Addr::from_bits(network))),
        name,
    }
}

fn push(line: &mut Line<u32>, from: Whose, job: u32, takes: Duration) -> Result<Vec<u32>, Refused> {
    line.push(from, job, takes, Duration::ZERO)
        .map_err(|(reason, _)| reason)
}

fn take(line: &mut Line<u32>) -> Option<u32> {
    line.take(Duration::ZERO).map(|taken| taken.job)
}

#[test]
fn the_time_to_wait_is_what_is_bounded() {
    let mut line = Line::new(2, SECOND);
    // Two for the threads; the third waits 400 ms, the next 600, 800 and 1000.
    for job in 0..6 {
        assert_eq!(push(&mut line, caller(job, 0), job, 400 * MS), Ok(vec![]), "{job}");
    }
    assert_eq!(line.wait(), 1200 * MS);
    assert_eq!(push(&mut line, caller(9, 0), 9, MS), Err(Refused::Long));
    assert_eq!(push(&mut line, caller(2, 0), 9, MS), Err(Refused::Share));
    // A job that is being done is waited for like one that waits.
    let first = line.take(Duration::ZERO).unwrap();
    assert_eq!(push(&mut line, caller(9, 0), 9, MS), Err(Refused::Long));
    line.done(first.takes);
    assert_eq!(push(&mut line, caller(9, 0), 9, MS), Ok(vec![]));
}

#[test]
fn idle_threads_are_places_however_long_a_job_takes() {
    let mut line = Line::new(2, Duration::ZERO);
    let hour = 3600 * SECOND;
    assert_eq!(push(&mut line, caller(1, 1), 1, hour), Ok(vec![]));
    assert_eq!(push(&mut line, caller(1, 1), 2, hour), Ok(vec![]));
    assert_eq!(
        push(&mut line, caller(1, 1), 3, hour),
        Err(Refused::Share),
        "nobody shall wait"
    );
    assert_eq!((take(&mut line), take(&mut line)), (Some(1), Some(2)));
    assert_eq!(push(&mut line, caller(1, 1), 3, hour), Err(Refused::Long));
    line.done(hour);
    assert_eq!(push(&mut line, caller(1, 1), 3, hour), Ok(vec![]));
}

/// Two hashes in one go: only with a job whose turn it is, and not when another thread is free for it.
#[test]
fn a_second_job_is_taken_when_it_fits_and_nobody_else_is_free() {
    let mut line = Line::new(2, 60 * SECOND);
    let second =
        |line: &mut Line<u32>, fits: fn(&u32) -> bool| line.take_second(Duration::ZERO, fits).map(|taken| taken.job);
    for job in [1, 2, 3, 4] {
        push(&mut line, caller(job, 0), job, MS).unwrap();
    }
    assert_eq!(take(&mut line), Some(1));
    assert_eq!(second(&mut line, |_| true), None, "the other thread is free");
    assert_eq!(take(&mut line), Some(2));
    assert_eq!(second(&mut line, |job| *job == 4), None, "it is not the next");
    assert_eq!(second(&mut line, |job| *job == 3), Some(3));
    assert_eq!(second(&mut line, |_| true), Some(4));
    assert_eq!(second(&mut line, |_| true), None, "nothing waits");
    assert_eq!(line.work_running, 4 * MS);
}

#[test]
fn whoever_waited_too_long_is_told_so() {
    let mut line = Line::new(1, SECOND);
    for job in 1..=3 {
        push(&mut line, caller(job, 0), job, MS).unwrap();
    }
    let promised = line.take(SECOND + LENIENCE).unwrap();
    assert!(!promised.is_late && promised.waited == SECOND + LENIENCE);
    let late = SECOND + LENIENCE + MS;
    assert!(line.take_second(late, |_| true).is_none(), "nothing is done with it");
    assert!(line.take(late).unwrap().is_late);
}

#[test]
fn memory_is_bounded_however_fast_hashes_are() {
    let mut line = Line::new(1, SECOND);
    let most = u32::try_from(MAX_WAITING).unwrap();
    for job in 0..most {
        push(&mut line, caller(job, 0), job, Duration::ZERO).unwrap();
    }
    assert_eq!(
        push(&mut line, caller(most, 0), most, Duration::ZERO),
        Err(Refused::Full)
    );
    take(&mut line);
    assert_eq!(push(&mut line, caller(1, 0), most, Duration::ZERO), Ok(vec![]));
    assert_eq!(
        push(&mut line, caller(0, 0), most, Duration::ZERO),
        Ok(vec![most]),
        "who has two gives way"
    );
    assert_eq!(line.len(), MAX_WAITING);
}

/// The promise of the whole thing.
#[test]
fn ten_thousand_requests_of_one_address_delay_another_by_one_round() {
    let mut line = Line::new(2, 5 * SECOND);
    let (attacker, victim) = (1, 2);
    let mut refused = 0;
    for request in 0..10_000 {
        // Each for another account, in case that helps.
        match push(&mut line, caller(attacker, request.into()), request, 5 * MS) {
            Ok(gave_way) => assert_eq!(gave_way, [0_u32; 0]),
            Err(reason) => {
                assert_eq!(reason, Refused::Share);
                refused += 1;
            }
        }
    }
    assert!(refused > 7_000 && line.wait() > 5 * SECOND, "the line is full");
    let gave_way = push(&mut line, caller(victim, 7), 77_777, 5 * MS).unwrap();
    assert_eq!(gave_way.len(), 1, "the newest of the attacker's");
    let before = std::iter::from_fn(|| take(&mut line)).position(|job| job == 77_777);
    assert_eq!(before, Some(1), "one job of the attacker's");
}

/// Whoever has a site of IPv6 has 65,536 networks, and each of them could wait for a turn.
#[test]
fn ten_thousand_networks_of_one_site_delay_another_by_one_round() {
    let mut line = Line::new(2, 5 * SECOND);
    let v6 = |site: u128, network: u128| Whose {
        network: Some(IpAddr::V6(Ipv6Addr::from_bits(
            0x2001_0db8 << 96 | site << 80 | network << 64,
        ))),
        name: 1,
    };
    let mut refused = 0;
    for network in 0..10_000 {
        match push(&mut line, v6(1, network.into()), network, 5 * MS) {
            Ok(gave_way) => assert_eq!(gave_way, [0_u32; 0]),
            Err(reason) => {
                assert_eq!(reason, Refused::Share);
                refused += 1;
            }
        }
    }
    assert!(refused > 7_000 && line.wait() > 5 * SECOND, "the line is full");
    // A neighbour in a site of their own, and somebody with IPv4.
    for (victim, job) in [(v6(2, 0), 77_777), (caller(1, 7), 88_888)] {
        let gave_way = push(&mut line, victim, job, 5 * MS).unwrap();
        assert_eq!(gave_way.len(), 1, "the newest of the attacker's");
    }
    let taken: Vec<_> = std::iter::from_fn(|| take(&mut line)).collect();
    assert_eq!(
        taken[..4],
        [0, 77_777, 88_888, 1],
        "and the attacker's networks take turns"
    );
}

/// Who shares an address with the attacker (behind one router) is fair to them by account.
#[test]
fn within_an_address_accounts_take_turns() {
    let mut line = Line::new(1, SECOND);
    for request in 0..500 {
        let _ = push(&mut line, caller(1, 1), request, 5 * MS);
    }
    assert_eq!(push(&mut line, caller(1, 1), 500, 5 * MS), Err(Refused::Share));
    assert!(push(&mut line, caller(1, 2), 501, 5 * MS).is_ok());
    let before = std::iter::from_fn(|| take(&mut line)).position(|job| job == 501);
    assert_eq!(before, Some(1));
}

/// A pool that takes what was estimated, with nobody else about.
#[test]
fn whoever_comes_back_when_told_finds_a_place() {
    for (threads, takes) in [(1, 5 * MS), (2, 300 * MS), (3, 7 * SECOND)] {
        let mut line = Line::new(threads, SECOND);
        let mut jobs = 0..;
        let refused = |line: &mut Line<u32>, job| push(line, caller(1, 1), job, takes).is_err();
        while !refused(&mut line, jobs.next().unwrap()) {}
        let mut left = line.retry_after();
        assert!(left >= SECOND && left.subsec_nanos() == 0);
        for _ in 0..threads {
            line.take(Duration::ZERO).unwrap();
        }
        while left >= takes {
            left -= takes;
            for _ in 0..threads {
                line.done(takes);
                let _ = line.take(Duration::ZERO);
            }
        }
        assert!(!refused(&mut line, 0), "{threads} threads, {takes:?}");
    }
}

proptest! {
    /// Whoever comes to a place where they have nothing is preceded by at most one job of each other network, come
    /// who may.
    #[test]
    fn nobody_waits_longer_than_a_round(
        before in prop::collection::vec((0u32..5, 0u64..3), 0..100),
        later in prop::collection::vec((prop::option::of(0u32..5), 0u64..3), 0..300),
    ) {
        let mut line = Line::new(1, 600 * SECOND);
        for (network, name) in &before {
            push(&mut line, caller(*network, *name), 0, MS).unwrap();
        }
        let newcomer = 9;
        push(&mut line, caller(newcomer, 0), 1, MS).unwrap();
        let networks = before.iter().map(|(network, _)| network).collect::<std::collections::HashSet<_>>().len();
        let mut taken = 0;
        for (network, name) in later {
            match network {
                Some(network) => { push(&mut line, caller(network, name), 0, MS).unwrap(); }
                None => {
                    if take(&mut line) == Some(1) {
                        return Ok(());
                    }
                    taken += 1;
                    prop_assert!(taken <= networks);
                }
            }
        }
    }

    /// Nobody is lost and nobody done twice; the wait stays what it is by definition.
    #[test]
    fn everybody_is_done_or_told(steps in prop::collection::vec((0u32..4, 0u64..3, 0u64..400, any::<bool>()), 0..200)) {
        let mut line = Line::new(2, SECOND);
        let (mut inside, mut running) = (BTreeMap::new(), Vec::new());
        for (job, (network, name, millis, come)) in (0..).zip(steps) {
            if come {
                let takes = Duration::from_millis(millis);
                let before = line.wait();
                if let Ok(gave_way) = push(&mut line, caller(network, name), job, takes) {
                    prop_assert!(before <= SECOND || !gave_way.is_empty());
                    inside.insert(job, takes);
                    for out in gave_way {
                        prop_assert!(out != job && inside.remove(&out).is_some());
                    }
                }
            } else if let Some(takes) = (running.len() == 2).then(|| running.remove(0)) {
                line.done(takes);
            } else if let Some(taken) = line.take(Duration::ZERO) {
                prop_assert_eq!(inside.remove(&taken.job), Some(taken.takes));
                running.push(taken.takes);
            }
            prop_assert_eq!(line.len(), inside.len());
            prop_assert_eq!(line.work_waiting, inside.values().sum::<Duration>());
            prop_assert_eq!(line.work_running, running.iter().sum::<Duration>());
        }
    }
}

/// Somebody with one job goes before those with many, and these must not be told only when it is their turn.
#[test]
fn whoever_has_waited_too_long_is_told_first_and_uses_up_no_turn() {
    let mut line = Line::new(1, SECOND);
    let (crowd, late) = (caller(1, 1), SECOND + LENIENCE + MS);
    for job in 0..3 {
        line.push(crowd, job, MS, Duration::ZERO).unwrap();
    }
    line.push(crowd, 3, MS, SECOND).unwrap();
    for job in 10..12 {
        line.push(caller(job, 1), job, MS, SECOND).unwrap();
    }
    let mut take = |now| {
        let taken = line.take(now).unwrap();
        line.done(taken.takes);
        (taken.job, taken.is_late)
    };
    assert_eq!(take(Duration::ZERO), (0, false));
    // It is the turn of others.
    assert_eq!([take(late), take(late)], [(1, true), (2, true)]);
    assert_eq!([take(late), take(late)], [(10, false), (11, false)]);
    assert_eq!(take(late), (3, false));
    assert!(line.take(late).is_none() && line.by_age.is_empty() && line.work().is_zero());
}
