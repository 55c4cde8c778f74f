//! What operators and other services look at: health, metrics, and the public keys of tokens.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::http::{HeaderValue, Request, Response, StatusCode};
use axum::routing::get;
use serde_json::{Value, json};

use crate::engine::Engine;
use crate::own;
use crate::refusal::{Refusal, finish};

/// For how long whoever asks may keep the public keys. A new key signs sooner, so a verifier that meets an unknown
/// `kid` asks again; no cache on the way may give it what was before.
const JWKS_MAX_AGE: &str = "private, max-age=300";

/// What machines ask for all the time, by the names of their actions. Their lines are for whoever looks for them.
pub(crate) const PROBES: [&str; 3] = [HEALTHZ, READYZ, METRICS];
const HEALTHZ: &str = "healthz";
const READYZ: &str = "readyz";
const METRICS: &str = "metrics";

pub(crate) fn routes(engine: &Engine) -> Router<Arc<Engine>> {
    let router = Router::new()
        .route(own::HEALTHZ, get(healthz))
        .route(own::READYZ, get(readyz))
        .route(own::JWKS, get(jwks));
    if engine.settings.metrics {
        router.route(own::METRICS, get(metrics))
    } else {
        router
    }
}

/// The process lives.
async fn healthz(State(engine): State<Arc<Engine>>, request: Request<Body>) -> Response<Body> {
    let (started, facts) = (engine.auth.clock().instant(), engine.facts(&request));
    let response = json_response(StatusCode::OK, &json!({"status": "ok"}));
    engine.finish(&facts, ("none", HEALTHZ, "ok"), response, started)
}

/// The store can be read and written.
async fn readyz(State(engine): State<Arc<Engine>>, request: Request<Body>) -> Response<Body> {
    let (started, facts) = (engine.auth.clock().instant(), engine.facts(&request));
    let (outcome, status, says) = match engine.auth.ready().await {
        Ok(()) => ("ok", StatusCode::OK, "ready"),
        Err(error) => {
            tracing::warn!(id = facts.id, %error, "not ready");
            (
                "unavailable",
                StatusCode::SERVICE_UNAVAILABLE,
                "the store cannot answer",
            )
        }
    };
    let response = json_response(status, &json!({"status": says}));
    engine.finish(&facts, ("none", READYZ, outcome), response, started)
}

async fn metrics(State(engine): State<Arc<Engine>>, request: Request<Body>) -> Response<Body> {
    let (started, facts) = (engine.auth.clock().instant(), engine.facts(&request));
    let page = engine.metrics.page(&engine.auth, engine.settings.connections.as_ref());
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let response = response(StatusCode::OK, media_type, page);
    engine.finish(&facts, ("none", METRICS, "ok"), response, started)
}

/// The public keys of tokens (RFC 7517 section 5).
async fn jwks(State(engine): State<Arc<Engine>>, request: Request<Body>) -> Response<Body> {
    let started = engine.auth.clock().instant();
    let facts = engine.facts(&request);
    let answered = keys(&engine).await;
    finish(&engine, &facts, "jwks", answered, started)
}

async fn keys(engine: &Engine) -> Result<Response<Body>, Refusal> {
    let keys = engine.auth.public_keys().await?;
    let keys: Vec<Value> = keys
        .into_iter()
        .map(|key| {
            json!({
                "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
                "kid": key.id.0, "x": key.x, "y": key.y,
            })
        })
        .collect();
    let mut response = response(
        StatusCode::OK,
        "application/jwk-set+json",
        json!({"keys": keys}).to_string(),
    );
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static(JWKS_MAX_AGE));
    Ok(response)
}

fn json_response(status: StatusCode, body: &Value) -> Response<Body> {
    response(status, "application/json; charset=utf-8", body.to_string())
}

/// A response with the headers that all have.
pub(crate) fn response(status: StatusCode, media_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    crate::engine::add_common_headers(&mut response);
    response
}
