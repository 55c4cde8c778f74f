//! Finds out what a request asks for: the route that is meant, and what its action takes.
//!
//! The surprise: this is a function of its own so that the body ends with it. A login waits for its hash for seconds,
//! among hundreds of others, and all that somebody sent along with it would wait as well.

use axum::body::Body;
use axum::http::request::Parts;
use doorward_core::action::Inputs;
use serde_json::Value;

use super::Engine;
use super::body;
use super::field;
use super::refused::Refused;
use super::table::Candidate;
use crate::contract::render::WordedFault;
use crate::contract::wide::Wide;
use crate::contract::{Contract, Place, Route};

/// What a request asks for.
pub(super) struct Meant<'c> {
    pub(super) route: &'c Route,
    pub(super) inputs: Inputs,
}

/// Why nothing is run.
pub(super) enum Unmet<'c> {
    /// The request cannot be read.
    Refused(Option<&'c Route>, Refused),
    /// It breaks rules of the route.
    Invalid(&'c Route, Vec<WordedFault>),
}

/// Reads a request that one of these routes of the contract is for, with the variable segments of its path.
pub(super) async fn read<'c>(
    engine: &Engine,
    contract: &'c Contract,
    (candidates, variables): (&[Candidate], &[String]),
    is_foreign: bool,
    (parts, stream): (&Parts, Body),
) -> Result<Meant<'c>, Unmet<'c>> {
    let with_place = |of: &Candidate| {
        let route = contract.routes.get(of.route)?;
        Some((route, route.places.get(of.place)?))
    };
    let candidates: Vec<(&Route, &Place)> = candidates.iter().filter_map(with_place).collect();
    let first = candidates.first().map(|(route, _)| *route);
    let mut body = Value::Null;
    if candidates.iter().any(|(route, _)| route.reads_body()) {
        if is_foreign && body::is_form(&parts.headers) {
            return Err(Unmet::Refused(first, Wide::Forbidden.into()));
        }
        body = engine
            .bodies
            .read(contract, &parts.headers, stream)
            .await
            .map_err(|refused| Unmet::Refused(first, refused))?;
    }
    let requests = candidates.into_iter().map(|(route, place)| {
        let variables: Vec<_> = place.variables().zip(variables.iter().map(String::as_str)).collect();
        let request = field::Request {
            parts,
            body: &body,
            variables,
        };
        (route, request)
    });
    let mut meant = requests.filter(|(route, request)| request.meets(route, contract));
    let (route, request) = meant.next().ok_or(Unmet::Refused(None, Wide::NotFound.into()))?;
    match request.inputs(route, contract, &engine.auth) {
        Ok(inputs) => Ok(Meant { route, inputs }),
        Err(faults) => Err(Unmet::Invalid(route, faults)),
    }
}
