//! The layer and the extractor for axum, and what a refusal looks like over HTTP (RFC 6750 section 3).
//!
//! The surprise: a token is taken from `Authorization: Bearer` alone. A cookie is sent by browsers also when a page of
//! somebody else asks, so a service that wants one has to say first whose pages may.

use std::ops::Deref;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use tower::{Layer, Service};

use crate::claims::Claims;
use crate::refusal::{Fault, Refusal};
use crate::verifier::Verifier;

/// The scheme, in whatever case (RFC 9110 section 11.1).
const SCHEME: &str = "bearer";

impl Verifier {
    /// The layer for routes that only somebody with a living session may ask.
    pub fn layer(&self) -> RequireSessionLayer {
        RequireSessionLayer(self.clone())
    }
}

/// Lets requests with a good token through, with the [`Session`] in their extensions; refuses all others.
#[derive(Clone, Debug)]
pub struct RequireSessionLayer(Verifier);

impl<S> Layer<S> for RequireSessionLayer {
    type Service = RequireSession<S>;

    fn layer(&self, inner: S) -> RequireSession<S> {
        RequireSession {
            verifier: self.0.clone(),
            inner,
        }
    }
}

/// The service that [`RequireSessionLayer`] makes.
#[derive(Clone, Debug)]
pub struct RequireSession<S> {
    verifier: Verifier,
    inner: S,
}

impl<S, B> Service<Request<B>> for RequireSession<S>
where
    S: Service<Request<B>, Response = Response> + Clone + Send + 'static,
    S::Future: Send,
    B: Send + 'static,
{
    type Response = Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let verifier = self.verifier.clone();
        // The one that said it is ready, and not its clone, is the one to call.
        let next = self.inner.clone();
        let mut inner = std::mem::replace(&mut self.inner, next);
        Box::pin(async move {
            let verified = match presented(request.headers()) {
                Ok(token) => verifier.verify(token).await,
                Err(refusal) => Err(refusal),
            };
            match verified {
                Ok(claims) => {
                    request.extensions_mut().insert(Session(claims));
                    inner.call(request).await
                }
                Err(refusal) => Ok(refusal.into_response()),
            }
        })
    }
}

/// The token of the request.
fn presented(headers: &HeaderMap) -> Result<&str, Refusal> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let value = values.next().ok_or(Refusal::Missing)?;
    let value = value.to_str().map_err(|_| Refusal::Invalid(Fault::Form))?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    if values.next().is_some() {
        // Which one counts would be a guess.
        Err(Refusal::Invalid(Fault::Form))
    } else if scheme.eq_ignore_ascii_case(SCHEME) {
        Ok(token.trim_matches(' '))
    } else {
        Err(Refusal::Missing)
    }
}

/// Who asks, in a handler behind the layer. Without the layer it answers 500 and lets nobody in.
#[derive(Clone, Debug)]
pub struct Session(Arc<Claims>);

impl Deref for Session {
    type Target = Claims;

    fn deref(&self) -> &Claims {
        &self.0
    }
}

impl<S: Sync> FromRequestParts<S> for Session {
    type Rejection = StatusCode;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, StatusCode> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| {
            tracing::error!(
                "a handler asks for a session, and its route has no layer; hint: `.layer(verifier.layer())`"
            );
            StatusCode::INTERNAL_SERVER_ERROR
        })
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (status, header, value) = match self {
            Self::Missing => (StatusCode::UNAUTHORIZED, WWW_AUTHENTICATE, "Bearer"),
            Self::Invalid(_) | Self::Ended => (
                StatusCode::UNAUTHORIZED,
                WWW_AUTHENTICATE,
                "Bearer error=\"invalid_token\"",
            ),
            Self::Stale => (StatusCode::SERVICE_UNAVAILABLE, RETRY_AFTER, "1"),
        };
        let title = status.canonical_reason().unwrap_or_default();
        tracing::debug!(refusal = %self, "refused");
        // RFC 9457. Why is nobody's business.
        let body = format!(r#"{{"title":"{title}","status":{}}}"#, status.as_u16());
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        for (name, value) in [
            (header, value),
            (CONTENT_TYPE, "application/problem+json"),
            (CACHE_CONTROL, "no-store"),
        ] {
            response.headers_mut().insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_comes_in_one_header() {
        let of = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(AUTHORIZATION, HeaderValue::from_static(value));
            }
            presented(&headers).map(str::to_owned)
        };
        assert_eq!(of(&["Bearer x.y.z"]), Ok("x.y.z".to_owned()));
        assert_eq!(of(&["bearer  x.y.z"]), Ok("x.y.z".to_owned()));
        assert_eq!(
            of(&["BEARER"]),
            Ok(String::new()),
            "an empty one is missing when it is verified"
        );
        assert_eq!(of(&[]), Err(Refusal::Missing));
        assert_eq!(of(&["Basic x"]), Err(Refusal::Missing));
        assert_eq!(of(&["x.y.z"]), Err(Refusal::Missing));
        assert_eq!(of(&["Bearer a", "Bearer b"]), Err(Refusal::Invalid(Fault::Form)));
    }

    #[test]
    fn a_refusal_says_whose_fault_it_is_and_no_more() {
        for (refusal, status, name, value) in [
            (Refusal::Missing, 401, "www-authenticate", "Bearer"),
            (
                Refusal::Ended,
                401,
                "www-authenticate",
                "Bearer error=\"invalid_token\"",
            ),
            (
                Refusal::Invalid(Fault::Expired),
                401,
                "www-authenticate",
                "Bearer error=\"invalid_token\"",
            ),
            (Refusal::Stale, 503, "retry-after", "1"),
        ] {
            let response = refusal.into_response();
            assert_eq!(response.status(), status, "{refusal}");
            assert_eq!(response.headers()[name], value, "{refusal}");
        }
    }
}
