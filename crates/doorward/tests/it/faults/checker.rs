//! Whether a history kept what doorward promises. Nothing here knows how the history came about.
//!
//! The surprise: what was answered 503, or not at all, proves nothing in either direction. It may have been done, it
//! may be done later, and both are right; only what was acknowledged, or refused, binds.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::history::{Act, Operation, Outcome, Session};

/// What the history is held to.
pub(super) struct Promise {
    /// How long after the end of a session was acknowledged a check may begin that still accepts its token.
    pub(super) bound: Duration,
    /// From when on nothing was at fault any more, and everything acknowledged was asked for once more.
    pub(super) healed: Duration,
    pub(super) nodes: usize,
}

/// Everything that breaks a promise, in words; nothing when all were kept.
pub(super) fn check(history: &[Operation], promise: &Promise) -> Vec<String> {
    let mut broken = unsafe_answers(history);
    broken.extend(lost_accounts(history, promise));
    broken.extend(lost_sessions(history));
    broken.extend(late_acceptances(history, promise));
    broken.extend(unproven_endings(history, promise));
    broken
}

/// What cannot be answered safely is a 503 with the time to try again, or a broken connection, and nothing else.
fn unsafe_answers(history: &[Operation]) -> Vec<String> {
    let unsafe_ones = history.iter().filter(|operation| {
        matches!(
            operation.outcome,
            Outcome::Other(_) | Outcome::Unavailable { retry_after: false }
        )
    });
    unsafe_ones
        .map(|operation| format!("no safe answer: {operation:?}"))
        .collect()
}

/// An account that was registered can log in, at once and at the end.
fn lost_accounts(history: &[Operation], promise: &Promise) -> Vec<String> {
    let mut registered = BTreeMap::new();
    for operation in history {
        if let (Act::Register(account), Outcome::Done) = (operation.act, operation.outcome) {
            registered.insert(account, operation.end);
        }
    }
    let mut broken = Vec::new();
    let mut proven = BTreeSet::new();
    for operation in history {
        let Act::Login(account) = operation.act else { continue };
        let Some(acknowledged) = registered.get(&account) else {
            continue;
        };
        match operation.outcome {
            Outcome::Refused if operation.begin > *acknowledged => {
                broken.push(format!("an account was acknowledged and is lost: {operation:?}"));
            }
            Outcome::Done if operation.begin >= promise.healed => drop(proven.insert(account)),
            _ => {}
        }
    }
    let unproven = registered.keys().filter(|account| !proven.contains(account));
    broken.extend(unproven.map(|account| format!("nobody logged in to account {account} at the end")));
    broken
}

/// A session ends only when somebody asks for it. A refresh token that is used again because the answer was lost
/// may do so, too: to the server it looks like a stolen one.
fn lost_sessions(history: &[Operation]) -> Vec<String> {
    let mut asked: BTreeMap<Session, Duration> = BTreeMap::new();
    for operation in history {
        let asks = match operation.act {
            Act::Logout(_) => true,
            Act::Refresh(_) => operation.outcome.is_unknown(),
            _ => false,
        };
        if let (true, Some(session)) = (asks, operation.act.session()) {
            let first = asked.entry(session).or_insert(operation.begin);
            *first = operation.begin.min(*first);
        }
    }
    let lost = history.iter().filter(|operation| {
        // A logout that is refused has not asked for anything: the token was no good before.
        let own = matches!(operation.act, Act::Logout(_)).then_some(operation.begin);
        let session = operation.act.session();
        let excuse = session.and_then(|session| asked.get(&session));
        operation.outcome == Outcome::Refused
            && session.is_some()
            && excuse.is_none_or(|begin| *begin >= operation.end || own == Some(*begin))
    });
    lost.map(|operation| format!("a session was lost that nobody ended: {operation:?}"))
        .collect()
}

/// When each session was first known to its client to have ended: by the answer to its logout, or by a refusal.
fn known_ends(history: &[Operation]) -> BTreeMap<Session, Duration> {
    let mut ends: BTreeMap<Session, Duration> = BTreeMap::new();
    for operation in history {
        let ended = matches!(
            (operation.act, operation.outcome),
            (Act::Logout(_), Outcome::Done) | (_, Outcome::Refused)
        );
        if let (true, Some(session)) = (ended, operation.act.session()) {
            let first = ends.entry(session).or_insert(operation.end);
            *first = operation.end.min(*first);
        }
    }
    ends
}

/// No token is accepted in a check that began later than the bound after its end was known. What goes to the
/// database (a refresh, another logout) has no such time.
fn late_acceptances(history: &[Operation], promise: &Promise) -> Vec<String> {
    let ends = known_ends(history);
    let late = history.iter().filter(|operation| {
        let allowed = match operation.act {
            Act::Check(_) => promise.bound,
            _ => Duration::ZERO,
        };
        let end = operation.act.session().and_then(|session| ends.get(&session));
        operation.outcome == Outcome::Done && end.is_some_and(|end| operation.begin > *end + allowed)
    });
    late.map(|operation| format!("accepted after the session had ended: {operation:?}"))
        .collect()
}

/// At the end every node refuses every session whose logout was acknowledged.
fn unproven_endings(history: &[Operation], promise: &Promise) -> Vec<String> {
    let mut refused = BTreeSet::new();
    for operation in history {
        if let (Act::Check(session), Outcome::Refused) = (operation.act, operation.outcome)
            && operation.begin >= promise.healed
        {
            refused.insert((session, operation.node));
        }
    }
    let mut broken = Vec::new();
    for operation in history {
        let (Act::Logout(session), Outcome::Done) = (operation.act, operation.outcome) else {
            continue;
        };
        let nodes = (0..promise.nodes).filter(|node| !refused.contains(&(session, *node)));
        broken.extend(nodes.map(|node| format!("node {node} did not refuse session {session} at the end")));
    }
    broken
}

/// How long after the acknowledgement of its logout each session was accepted for the last time, if it was.
pub(super) fn last_acceptances(history: &[Operation]) -> Vec<Duration> {
    let mut ends = BTreeMap::new();
    for operation in history {
        if let (Act::Logout(session), Outcome::Done) = (operation.act, operation.outcome) {
            ends.insert(session, operation.end);
        }
    }
    let mut last: BTreeMap<Session, Duration> = BTreeMap::new();
    for operation in history {
        if let (Act::Check(session), Outcome::Done) = (operation.act, operation.outcome)
            && let Some(late) = ends.get(&session).and_then(|end| operation.begin.checked_sub(*end))
        {
            let longest = last.entry(session).or_default();
            *longest = late.max(*longest);
        }
    }
    last.into_values().collect()
}
