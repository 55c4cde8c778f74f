//! `POST /v1/introspect`: what a token is worth now (RFC 7662), and `POST /v1/revoke`: its end before its time
//! (RFC 7009). A client sends the token in a form.
//!
//! The surprise: a hint about the kind of the token is read by nobody. The two kinds cannot be taken for each other.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Request, Response, StatusCode};
use axum::routing::post;
use doorward_core::client::ClientId;
use doorward_core::introspection::Active;
use doorward_core::secret::Secret;
use doorward_core::{Auth, Error};
use serde_json::{Value, json};

use crate::client;
use crate::engine::Engine;
use crate::operations::response;
use crate::own;
use crate::refusal::{Refusal, finish};

/// The most bytes of a form: the longest token that is read (8 KiB), credentials and a hint, encoded with some waste.
const MAX_FORM: usize = 16 * 1024;

pub(crate) fn routes() -> Router<Arc<Engine>> {
    Router::new()
        .route(own::INTROSPECT, post(introspect))
        .route(own::REVOKE, post(revoke))
}

async fn introspect(State(engine): State<Arc<Engine>>, request: Request<Body>) -> Response<Body> {
    let started = engine.auth.clock().instant();
    let facts = engine.facts(&request);
    let answered = async {
        let (token, _) = read(&engine, request).await?;
        let active = engine.auth.introspect(&token).await?;
        Ok(json_response(&active.map_or_else(
            // Nothing else: why a token is not accepted is nobody's business (section 2.2).
            || json!({"active": false}),
            |active| worded(&engine.auth, &active),
        )))
    };
    let answered = answered.await;
    finish(&engine, &facts, "introspect", answered, started)
}

async fn revoke(State(engine): State<Arc<Engine>>, request: Request<Body>) -> Response<Body> {
    let started = engine.auth.clock().instant();
    let facts = engine.facts(&request);
    let answered = async {
        let (token, client) = read(&engine, request).await?;
        let auth = Arc::clone(&engine.auth);
        // In a task of its own: a client that hangs up leaves nothing half done.
        let revoked = tokio::spawn(async move { auth.revoke(&token, client).await });
        revoked.await.unwrap_or_else(|panic| Err(Error::internal(panic)))?;
        // The same for a token that was never alive (section 2.2).
        Ok(response(StatusCode::OK, "text/plain; charset=utf-8", String::new()))
    };
    let answered = answered.await;
    finish(&engine, &facts, "revoke", answered, started)
}

/// The token in question, and who asks.
async fn read(engine: &Engine, request: Request<Body>) -> Result<(Secret, ClientId), Refusal> {
    let (parts, body) = request.into_parts();
    let form = engine.bodies.form(MAX_FORM, &parts.headers, body).await?;
    let client = client::authenticate(&engine.auth, &parts.headers, Some(&form)).await?;
    let token = form.get("token").and_then(Value::as_str).unwrap_or_default();
    if token.is_empty() {
        return Err(Refusal::InvalidRequest("the form needs a `token`"));
    }
    Ok((Secret::new(token.to_owned()), client))
}

fn worded(auth: &Auth, active: &Active) -> Value {
    let mut members = json!({
        "active": true,
        "iss": auth.issuer(),
        "sub": active.account.to_string(),
        "sid": active.session.to_string(),
        "aud": active.realm,
        "iat": active.issued_at.seconds(),
        "exp": active.expires_at.seconds(),
    });
    if let Some(members) = members.as_object_mut() {
        match &active.jti {
            Some(jti) => {
                members.insert("jti".to_owned(), jti.as_str().into());
                members.insert("token_type".to_owned(), "Bearer".into());
            }
            // Without a `token_type`: it opens nothing, and a service must not take it for a token that does.
            None => {
                members.insert("token_use".to_owned(), "refresh_token".into());
            }
        }
    }
    members
}

fn json_response(body: &Value) -> Response<Body> {
    response(StatusCode::OK, "application/json", body.to_string())
}
