//! Histories made by hand: those that break a promise, each in one way, have to be rejected for that.

use std::time::Duration;

use super::checker::{Promise, check};
use super::history::{Act, Operation, Outcome};

use Act::{Check, Login, Logout, Refresh, Register};
use Outcome::{Broken, Done, Other, Refused, Unavailable};

const PROMISE: Promise = Promise {
    bound: Duration::from_secs(1),
    healed: Duration::from_secs(100),
    nodes: 2,
};

const NOT_NOW: Outcome = Unavailable { retry_after: true };

/// Something that took a hundredth of a second on a node.
fn operation(node: usize, begin_ms: u64, act: Act, outcome: Outcome) -> Operation {
    let begin = Duration::from_millis(begin_ms);
    Operation {
        node,
        begin,
        end: begin + Duration::from_millis(10),
        act,
        outcome,
    }
}

/// One account, one session that goes on and one that was ended; and everything asked for once more at the end.
fn good() -> Vec<Operation> {
    vec![
        operation(0, 0, Register(0), Done),
        operation(1, 100, Login(0), Done),
        operation(1, 200, Check(0), Done),
        operation(0, 300, Refresh(0), Done),
        operation(0, 400, Check(1), Done),
        operation(1, 500, Logout(1), Done),
        // Within the bound, which counts from the answer at 510.
        operation(0, 1510, Check(1), Done),
        operation(0, 1600, Check(1), NOT_NOW),
        operation(1, 1700, Check(1), Refused),
        operation(0, 1800, Register(1), Broken),
        operation(0, 1900, Login(1), Refused),
        operation(0, 100_000, Login(0), Done),
        operation(0, 100_100, Check(1), Refused),
        operation(1, 100_100, Check(1), Refused),
        operation(1, 100_100, Check(0), Done),
    ]
}

/// The good history with more in it has to be rejected, once, for this reason.
fn rejected(more: &[Operation], why: &str) {
    let mut history = good();
    history.extend(more);
    let broken = check(&history, &PROMISE);
    assert!(
        broken.len() == 1 && broken[0].starts_with(why),
        "{why}: {more:?}: {broken:#?}"
    );
}

/// The good history without one operation has to be rejected, once, for this reason.
fn rejected_without(left_out: Operation, why: &str) {
    let mut history = good();
    history.retain(|operation| *operation != left_out);
    let broken = check(&history, &PROMISE);
    assert!(broken.len() == 1 && broken[0].starts_with(why), "{why}: {broken:#?}");
}

#[test]
fn a_good_history_passes() {
    assert_eq!(check(&good(), &PROMISE), Vec::<String>::new());
}

#[test]
fn a_token_that_is_accepted_too_late_is_found() {
    let why = "accepted after the session had ended";
    rejected(&[operation(0, 1511, Check(1), Done)], why);
    // What goes to the database has no time at all.
    rejected(&[operation(0, 511, Refresh(1), Done)], why);
    rejected(&[operation(1, 511, Logout(1), Done)], why);
}

#[test]
fn a_refusal_is_final_whatever_came_of_the_logout() {
    let history = [
        operation(0, 2000, Logout(2), Broken),
        operation(0, 3000, Check(2), Done),
        operation(1, 4000, Check(2), Refused),
        // The bound counts from the answer at 4010.
        operation(0, 5011, Check(2), Done),
    ];
    rejected(&history, "accepted after the session had ended");
    let mut within = good();
    within.extend(history);
    within.pop();
    within.push(operation(0, 5010, Check(2), Done));
    assert_eq!(check(&within, &PROMISE), Vec::<String>::new());
}

#[test]
fn an_acknowledged_account_that_cannot_log_in_is_found() {
    rejected(
        &[operation(0, 2000, Login(0), Refused)],
        "an account was acknowledged and is lost",
    );
    rejected(
        &[operation(0, 2000, Register(2), Done)],
        "nobody logged in to account 2",
    );
    rejected_without(operation(0, 100_000, Login(0), Done), "nobody logged in to account 0");
}

#[test]
fn an_acknowledged_logout_that_a_node_does_not_keep_is_found() {
    rejected_without(
        operation(0, 100_100, Check(1), Refused),
        "node 0 did not refuse session 1 at the end",
    );
}

#[test]
fn a_session_that_ends_by_itself_is_found() {
    let why = "a session was lost that nobody ended";
    rejected(&[operation(0, 2000, Check(3), Refused)], why);
    rejected(&[operation(0, 2000, Refresh(3), Refused)], why);
    rejected(&[operation(0, 2000, Logout(3), Refused)], why);
    // Asked for later is not asked for.
    rejected(
        &[
            operation(0, 2000, Check(3), Refused),
            operation(0, 2500, Logout(3), NOT_NOW),
        ],
        why,
    );
}

#[test]
fn a_session_that_somebody_may_have_ended_may_be_refused() {
    for asked in [Logout(3), Refresh(3)] {
        for outcome in [NOT_NOW, Broken] {
            let mut history = good();
            history.push(operation(0, 2000, asked, outcome));
            history.push(operation(0, 2500, Check(3), Refused));
            assert_eq!(check(&history, &PROMISE), Vec::<String>::new());
        }
    }
}

#[test]
fn an_answer_that_is_not_safe_is_found() {
    let why = "no safe answer";
    rejected(&[operation(0, 2000, Check(0), Unavailable { retry_after: false })], why);
    for status in [500, 502, 504, 409, 429] {
        rejected(&[operation(0, 2000, Check(0), Other(status))], why);
    }
}
