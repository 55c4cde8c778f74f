//! `GET /v1/status-lists/N`: a Token Status List as a signed JWT (draft-ietf-oauth-status-list-21 section 8).
//!
//! The surprise: it is served wherever this server has a public address, also when new tokens name no list any more:
//! those that do may be alive for a while.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::{self, HeaderValue};
use axum::http::{Request, Response, StatusCode};
use axum::routing::get;
use doorward_core::SetupError;
use doorward_core::status_list::TTL;
use doorward_core::token::STATUS_CLAIM;
use serde_json::json;

use crate::contract::Contract;
use crate::engine::Engine;
use crate::operations::response;
use crate::own;
use crate::refusal::Refusal;

pub(crate) fn routes(engine: &Engine) -> Router<Arc<Engine>> {
    if engine.auth.has_status_lists() {
        Router::new().route(own::STATUS_LIST, get(status_list))
    } else {
        Router::new()
    }
}

/// Refuses a contract that has a claim of its own where tokens name their places.
pub(crate) fn check(contract: &Contract) -> Result<(), SetupError> {
    if contract.token.claim_names.iter().all(|name| name != STATUS_CLAIM) {
        return Ok(());
    }
    Err(SetupError::new(
        format!(
            "the contract `{}` has a claim `{STATUS_CLAIM}` of its own, where tokens name their status list",
            contract.name
        ),
        "turn `status_list` off, or give the claim another name in the contract",
    ))
}

async fn status_list(
    State(engine): State<Arc<Engine>>,
    list: Result<Path<String>, PathRejection>,
    request: Request<Body>,
) -> Response<Body> {
    let started = engine.auth.clock().instant();
    let facts = engine.facts(&request);
    // What is no text is no number either.
    let found = match list.ok().and_then(|Path(list)| number(&list)) {
        Some(list) => engine.auth.status_list(list).await,
        None => Ok(None),
    };
    let (outcome, response) = match found {
        Ok(Some(token)) => ("ok", given(&token)),
        Ok(None) => ("not_found", missing()),
        Err(error) => Refusal::from(error).told(&facts),
    };
    engine.finish(&facts, ("none", "status_list", outcome), response, started)
}

fn missing() -> Response<Body> {
    let body = json!({"error": "not_found", "error_description": "nobody has a place in such a list"});
    response(StatusCode::NOT_FOUND, "application/json", body.to_string())
}

/// Anybody may have it: it names nobody.
fn given(token: &str) -> Response<Body> {
    let mut response = response(StatusCode::OK, "application/statuslist+jwt", token.to_owned());
    let headers = response.headers_mut();
    if let Ok(kept) = HeaderValue::from_str(&format!("public, max-age={}", TTL.as_secs())) {
        headers.insert(header::CACHE_CONTROL, kept);
    }
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    response
}

/// The number of a list, written in the one way that there is.
fn number(text: &str) -> Option<i64> {
    let number = text.parse::<i64>().ok().filter(|number| *number >= 0)?;
    (number.to_string() == text).then_some(number)
}
