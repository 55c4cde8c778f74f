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
async fn healthz() -> Response<Body> {
    json_response(StatusCode::OK, &json!({"status": "ok"}))
}

/// The store answers.
async fn readyz(State(engine): State<Arc<Engine>>) -> Response<Body> {
    match engine.auth.store().ready().await {
        Ok(()) => json_response(StatusCode::OK, &json!({"status": "ready"})),
        Err(error) => {
            tracing::warn!(%error, "not ready");
            json_response(
                StatusCode::SERVICE_UNAVAILABLE,
                &json!({"status": "the store cannot answer"}),
            )
        }
    }
}

async fn metrics(State(engine): State<Arc<Engine>>) -> Response<Body> {
    let page = engine.metrics.page(&engine.auth, engine.settings.connections.as_ref());
    response(
        StatusCode::OK,
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        page,
    )
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
pub(crate) fn response(status: StatusCode, media_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
    crate::engine::add_common_headers(&mut response);
    response
}
