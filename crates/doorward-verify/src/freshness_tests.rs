//! The arithmetic of freshness, played through with a node and a service whose clocks are known to the test alone.
//!
//! The surprise is the oracle: the test knows the true time of everything, and holds each proof against it.

use proptest::prelude::*;

use super::*;

const MS: i64 = 1000;
const SECOND: i64 = 1_000_000;

/// A machine whose clock began at a true time and runs at a rate of its own, in parts per million more or less.
#[derive(Clone, Copy, Debug)]
struct Machine {
    began: i64,
    ppm: i64,
}

impl Machine {
    fn running(self, truly: i64) -> i64 {
        let elapsed = truly - self.began;
        elapsed + elapsed / 1_000_000 * self.ppm + elapsed % 1_000_000 * self.ppm / 1_000_000
    }

    fn moment(self, truly: i64) -> Moment {
        let running = self.running(truly);
        Moment {
            running,
            wall: running + 1_700_000_000 * SECOND,
        }
    }

    fn millis(self, truly: i64) -> u64 {
        u64::try_from(self.running(truly) / MS).unwrap()
    }
}

const NODE: Machine = Machine {
    began: -5000 * SECOND,
    ppm: 0,
};
const SERVICE: Machine = Machine {
    began: -70 * SECOND,
    ppm: 0,
};

/// Asked for at `sent`, answered at `hello`: true times.
fn anchor(sent: i64, hello: i64) -> Anchor {
    Anchor::new(SERVICE.moment(sent), NODE.millis(hello))
}

#[test]
fn a_proof_is_as_old_as_the_question_to_the_database() {
    let mut anchor = anchor(0, 0);
    let proof = anchor.proof(NODE.millis(SECOND), SERVICE.moment(SECOND + 2 * MS));
    let age = proof.age(SERVICE.moment(SECOND + 300 * MS));
    assert!((300 * MS..303 * MS).contains(&age), "{age}");
}

#[test]
fn an_event_that_was_in_flight_for_ten_seconds_is_ten_seconds_old() {
    let mut anchor = anchor(0, MS);
    let arrived = SERVICE.moment(11 * SECOND);
    let proof = anchor.proof(NODE.millis(SECOND), arrived);
    assert!(proof.age(arrived) >= 10 * SECOND, "{}", proof.age(arrived));
}

#[test]
fn a_hello_that_was_in_flight_for_ten_seconds_makes_nothing_younger() {
    // Everything of the stream came ten seconds late: only the request's own time is known to be before it.
    let mut anchor = anchor(0, MS);
    let arrived = SERVICE.moment(10 * SECOND + MS);
    assert!(anchor.proof(NODE.millis(MS), arrived).age(arrived) >= 10 * SECOND);
}

#[test]
fn a_slow_request_makes_proofs_older_and_never_younger() {
    let mut anchor = anchor(0, 400 * MS);
    let arrived = SERVICE.moment(500 * MS);
    let age = anchor.proof(NODE.millis(500 * MS), arrived).age(arrived);
    assert!((400 * MS..410 * MS).contains(&age), "{age}");
}

#[test]
fn a_node_that_started_again_is_another_clock() {
    let mut before = anchor(0, 0);
    let proof = before.proof(NODE.millis(SECOND), SERVICE.moment(SECOND));
    // Its clock begins at zero. Told to the old anchor, what it says would be ages ago, and not fresh.
    let again = Machine {
        began: 2 * SECOND,
        ppm: 0,
    };
    let arrived = SERVICE.moment(3 * SECOND);
    assert!(before.proof(again.millis(3 * SECOND), arrived).age(arrived) > 1000 * SECOND);
    let mut after = Anchor::new(SERVICE.moment(2 * SECOND), again.millis(2 * SECOND));
    let fresh = after.proof(again.millis(3 * SECOND), arrived);
    assert!(fresh.age(arrived) < 10 * MS, "{}", fresh.age(arrived));
    assert!(fresh.age(arrived) < proof.age(arrived));
}

#[test]
fn what_was_asked_before_the_hello_is_older_than_the_request() {
    let mut anchor = anchor(SECOND, SECOND);
    let arrived = SERVICE.moment(SECOND);
    let age = anchor.proof(NODE.millis(SECOND - 200 * MS), arrived).age(arrived);
    assert!((200 * MS..203 * MS).contains(&age), "{age}");
}

#[test]
fn a_node_that_sees_into_the_future_is_not_believed() {
    let mut anchor = anchor(0, 0);
    let arrived = SERVICE.moment(SECOND);
    for asked in [NODE.millis(100 * SECOND), u64::MAX, u64::MAX / 1000] {
        let proof = anchor.proof(asked, arrived);
        assert_eq!(proof.age(arrived), 0);
        assert_eq!(proof.age(SERVICE.moment(2 * SECOND)), SECOND);
    }
    // Nor one that says hello from the end of time, or whose clock went back.
    let mut hello = Anchor::new(SERVICE.moment(0), u64::MAX);
    assert!(hello.proof(1, arrived).age(arrived) > SECOND);
}

#[test]
fn a_machine_that_slept_for_an_hour_has_no_fresh_proof() {
    let mut anchor = anchor(0, 0);
    let proof = anchor.proof(NODE.millis(SECOND), SERVICE.moment(SECOND));
    let mut woken = SERVICE.moment(SECOND + 10 * MS);
    woken.wall += 3600 * SECOND;
    assert!(proof.age(woken) >= 3600 * SECOND);
    assert!(anchor.parted(woken) >= 3600 * SECOND);
    // An event that waited in the socket all the while is no better, nor one that comes now: a new hello is.
    assert!(anchor.proof(NODE.millis(SECOND), woken).age(woken) >= 3600 * SECOND);
    assert!(anchor.proof(NODE.millis(3601 * SECOND), woken).age(woken) >= 3600 * SECOND);
    let mut again = Anchor::new(woken, NODE.millis(3601 * SECOND));
    assert!(again.proof(NODE.millis(3601 * SECOND), woken).age(woken) < 10 * MS);
}

#[test]
fn a_clock_set_back_hides_no_later_sleep() {
    let mut anchor = anchor(0, 0);
    let mut set_back = SERVICE.moment(SECOND);
    set_back.wall -= 3600 * SECOND;
    let proof = anchor.proof(NODE.millis(SECOND), set_back);
    assert!(proof.age(set_back) < 10 * MS, "setting it back is no sleep");
    let mut woken = SERVICE.moment(SECOND + MS);
    woken.wall -= 3590 * SECOND;
    assert!(proof.age(woken) >= 10 * SECOND);
}

proptest! {
    /// However long the ways are and however badly the clocks run, no proof is younger than the truth.
    #[test]
    fn no_proof_is_younger_than_the_truth(
        request in 0..5 * SECOND,
        ask in -2 * SECOND..600 * SECOND,
        way in 0..20 * SECOND,
        later in 0..5 * SECOND,
        node in -500..=500_i64,
        service in -500..=500_i64,
    ) {
        let node = Machine { ppm: node, ..NODE };
        let service = Machine { ppm: service, ..SERVICE };
        let (hello, asked) = (request, request + ask);
        let arrived = asked.max(hello) + way;
        let mut anchor = Anchor::new(service.moment(0), node.millis(hello));
        let proof = anchor.proof(node.millis(asked), service.moment(arrived));
        let truly = arrived + later - asked;
        let age = proof.age(service.moment(arrived + later));
        // What passes after the arrival is measured by one clock alone: within its own rate.
        let rate = (truly / 2000).max(0) + 2;
        prop_assert!(age >= truly - rate, "{age} for {truly}");
    }
}
