//! How a request of another service is refused: the error answers of OAuth (RFC 6749 section 5.2), for all routes
//! that no contract words.
//!
//! The surprise: what the store could not say is never answered as a no. It is a 503, and the caller has to ask again.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::extract::State;
use axum::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Request, Response, StatusCode};
use doorward_core::Error;
use serde_json::json;

use crate::contract::wide::Wide;
use crate::engine::{Engine, Refused, RequestFacts};
use crate::operations::response;

/// When to try again, in seconds, while the store cannot answer or every place is taken.
const RETRY: HeaderValue = HeaderValue::from_static("1");

/// Why a request of a service is refused.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The client is unknown, its secret is wrong, or it showed none.
    InvalidClient,
    /// The request is not what the route reads; what is wrong with it.
    InvalidRequest(&'static str),
    /// The path has no route of this method.
    WrongMethod,
    /// The body was not read to its end.
    Unread(Refused),
    /// There is no place for one more.
    Full,
    /// It could not be done.
    Failed(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            // Nothing has failed.
            Error::Busy { .. } => Self::Full,
            error => Self::Failed(error),
        }
    }
}

impl From<Refused> for Refusal {
    fn from(refused: Refused) -> Self {
        match refused.wide {
            Wide::TooLarge | Wide::Timeout | Wide::Busy => Self::Unread(refused),
            Wide::MediaType => Self::InvalidRequest("the body must be application/x-www-form-urlencoded"),
            _ => Self::InvalidRequest("the body is malformed"),
        }
    }
}

impl Refusal {
    /// Its name in the log and the answer. The cause of a failure goes to the log, and no further.
    pub(crate) fn told(&self, facts: &RequestFacts) -> (&'static str, Response<Body>) {
        if let Self::Failed(error) = self {
            tracing::error!(id = facts.id, %error, "a request failed");
        }
        (self.outcome(), self.response())
    }

    /// The answer. Of a failure it shows nothing.
    fn response(&self) -> Response<Body> {
        let (status, error, why) = match self {
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client", None),
            Self::InvalidRequest(why) => (StatusCode::BAD_REQUEST, "invalid_request", Some(*why)),
            Self::WrongMethod => (
                StatusCode::METHOD_NOT_ALLOWED,
                "invalid_request",
                Some("the path has no such method"),
            ),
            Self::Unread(refused) if refused.wide != Wide::Busy => {
                let (_, _, status, _) = refused.wide.row();
                (*status, "invalid_request", Some(refused.reason()))
            }
            Self::Failed(Error::Internal(_)) => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", None),
            Self::Unread(_) | Self::Full | Self::Failed(_) => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", None)
            }
        };
        let mut body = json!({"error": error});
        if let (Some(why), Some(members)) = (why, body.as_object_mut()) {
            members.insert("error_description".to_owned(), why.into());
        }
        let mut response = response(status, "application/json", body.to_string());
        match self {
            Self::InvalidClient => {
                let basic = HeaderValue::from_static("Basic realm=\"doorward\"");
                response.headers_mut().insert(WWW_AUTHENTICATE, basic);
            }
            Self::Full | Self::Failed(Error::Unavailable(_) | Error::Busy { .. } | Error::Throttled { .. }) => {
                response.headers_mut().insert(RETRY_AFTER, RETRY);
            }
            Self::Unread(refused) => refused.decorate(&mut response),
            // Which methods it has is added by the router.
            Self::InvalidRequest(_) | Self::WrongMethod | Self::Failed(Error::Internal(_)) => {}
        }
        response
    }

    /// Its name in the log.
    fn outcome(&self) -> &'static str {
        match self {
            Self::InvalidClient => "invalid_client",
            Self::InvalidRequest(_) => "invalid_request",
            Self::WrongMethod => "method_not_allowed",
            Self::Unread(refused) if refused.wide != Wide::Busy => {
                let (_, name, ..) = refused.wide.row();
                name
            }
            Self::Unread(_) | Self::Full => "full",
            Self::Failed(Error::Internal(_)) => "internal",
            Self::Failed(_) => "unavailable",
        }
    }
}

/// Answers for the server's own paths where they have no such method.
pub(crate) async fn wrong_method(State(engine): State<Arc<Engine>>, request: Request<Body>) -> Response<Body> {
    let started = engine.auth.clock().instant();
    let facts = engine.facts(&request);
    finish(&engine, &facts, "none", Err(Refusal::WrongMethod), started)
}

/// Words what a service is answered, and does what is the same for every answer.
pub(crate) fn finish(
    engine: &Engine,
    facts: &RequestFacts,
    action: &'static str,
    answered: Result<Response<Body>, Refusal>,
    started: Instant,
) -> Response<Body> {
    let (outcome, response) = match answered {
        Ok(response) => ("ok", response),
        Err(refusal) => refusal.told(facts),
    };
    engine.finish(facts, ("none", action, outcome), response, started)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::http::header::CONNECTION;

    use super::*;

    /// `/v1/revoke` with an old refresh token, while as many are looked for as may be.
    #[test]
    fn where_there_is_no_place_nothing_has_failed() {
        let retry_after = Duration::from_secs(1);
        let busy = Refusal::from(Error::Busy { retry_after });
        assert_eq!(busy.outcome(), "full");
        let response = busy.response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
    }

    /// `/v1/introspect` with a long form, while bodies take all the room that there is for them.
    #[test]
    fn where_there_is_no_room_for_a_body_the_connection_ends() {
        let refusal = Refusal::from(Refused::from(Wide::Busy));
        assert_eq!(refusal.outcome(), "full");
        let response = refusal.response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[RETRY_AFTER], "1");
        assert_eq!(response.headers()[CONNECTION], "close");
    }
}
