//! Whether the transcripts show every way in which a built-in contract can answer.
//!
//! The surprise: the list of ways comes from the loaded contract, so a new route or outcome fails here until a
//! transcript has it. That the outcomes written in transcripts are true is checked where they run, against the log.

use std::collections::BTreeSet;
use std::fs;

use doorward_core::action::{Action, OutcomeKind};
use doorward_http::contract::wide::{WIDE, Wide};
use doorward_http::contract::{self, Contract, builtin};

use crate::transcript;
use crate::transcript::parse::{What, parse};

/// What one transcript step shows: method, path below the contract's own prefix, outcome.
type Shown = BTreeSet<(String, String, String)>;

/// Outcomes that a request can meet only while another one runs, so that no sequence of requests shows them: the
/// account goes away between the look at its token and the write.
const ONLY_IN_A_RACE: [(Action, OutcomeKind); 3] = [
    (Action::UpdateAccount, OutcomeKind::Gone),
    (Action::ChangePassword, OutcomeKind::Gone),
    (Action::DeleteAccount, OutcomeKind::Gone),
];

/// Contract-wide answers that take many requests at once or a broken disk; `load.rs` has them.
const NOT_IN_TRANSCRIPTS: [Wide; 2] = [Wide::Busy, Wide::Unavailable];

/// What the transcripts show of the contract that is served under its own name.
fn shown(contract: &Contract) -> Shown {
    let mut shown = Shown::new();
    for entry in fs::read_dir(transcript::folder()).unwrap() {
        let path = entry.unwrap().path();
        let transcript = parse(&fs::read_to_string(&path).unwrap()).unwrap();
        for step in transcript.steps {
            let What::Exchange(exchange) = step.what else { continue };
            let (method, target) = exchange.place();
            let Some(path) = target.strip_prefix(&format!("/{}", contract.name)) else {
                continue;
            };
            let place = place_of(contract, method, path);
            shown.insert((method.to_owned(), place, exchange.expected.outcome));
        }
    }
    shown
}

/// The path of the place that a request means, or its own where there is none.
fn place_of(contract: &Contract, method: &str, path: &str) -> String {
    let places = contract
        .routes
        .iter()
        .flat_map(|route| &route.places)
        .filter(|place| place.method == method);
    let paths: Vec<&str> = places.map(|place| place.path.as_str()).collect();
    let literal = paths.iter().find(|known| **known == path);
    let pattern = || paths.iter().find(|known| fits(known, path));
    literal.or_else(pattern).map_or(path, |known| known).to_owned()
}

/// Whether a path fits a place with variable segments.
fn fits(place: &str, path: &str) -> bool {
    let same = |(place, path): (&str, &str)| place == path || (place.starts_with('{') && !path.is_empty());
    place.split('/').count() == path.split('/').count() && place.split('/').zip(path.split('/')).all(same)
}

fn contracts() -> impl Iterator<Item = Contract> {
    builtin::ALL
        .iter()
        .map(|(name, text)| contract::parse(name, text).unwrap_or_else(|fault| panic!("{fault}")))
}

#[test]
fn every_outcome_of_every_route_has_a_transcript() {
    let mut missing = Vec::new();
    for contract in contracts() {
        let shown = shown(&contract);
        for route in &contract.routes {
            let outcomes = route.action.table().outcomes.iter().map(|outcome| outcome.kind);
            let kinds = outcomes.filter(|kind| route.answer(*kind, &[]).is_some());
            for kind in kinds.filter(|kind| !ONLY_IN_A_RACE.contains(&(route.action, *kind))) {
                let is_shown = route.places.iter().any(|place| {
                    shown.contains(&(place.method.to_string(), place.path.clone(), kind.name().to_owned()))
                });
                if !is_shown {
                    let place = &route.places[0];
                    missing.push(format!(
                        "{}: {} {} {}",
                        contract.name,
                        place.method,
                        place.path,
                        kind.name()
                    ));
                }
            }
        }
    }
    super::none(&missing, "outcomes that no transcript shows");
}

#[test]
fn every_place_of_every_route_has_a_transcript() {
    let mut missing = Vec::new();
    for contract in contracts() {
        let shown = shown(&contract);
        for place in contract.routes.iter().flat_map(|route| &route.places) {
            if !shown
                .iter()
                .any(|(method, path, _)| place.method == **method && place.path == *path)
            {
                missing.push(format!("{}: {} {}", contract.name, place.method, place.path));
            }
        }
    }
    super::none(&missing, "places that no transcript asks");
}

#[test]
fn every_contract_wide_answer_has_a_transcript() {
    let mut missing = Vec::new();
    for contract in contracts() {
        let outcomes: BTreeSet<String> = shown(&contract).into_iter().map(|(_, _, outcome)| outcome).collect();
        for (wide, name, ..) in WIDE.iter().filter(|row| !NOT_IN_TRANSCRIPTS.contains(&row.0)) {
            // Without words of its own, a body that is no object is one without members.
            let is_answered = *wide != Wide::NotObject || contract.answers.exact(*wide).is_some();
            if is_answered && !outcomes.contains(*name) {
                missing.push(format!("{}: {name}", contract.name));
            }
        }
    }
    super::none(&missing, "contract-wide answers that no transcript shows");
}
