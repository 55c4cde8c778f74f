//! How a request of another service is refused: the error answers of OAuth (RFC 6749 section 5.2), for all routes
//! that no contract words.
//!
//! The surprise: what the store could not say is never answered as a no. It is a 503, and the caller has to ask again.

use axum::body::Body;
use axum::http::header::{CONNECTION, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use doorward_core::Error;
use serde_json::json;

use crate::contract::wide::Wide;
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
    /// More bytes than the route reads.
    TooLarge,
    /// The body did not arrive in time.
    Timeout,
    /// Nothing can be said now.
    Unavailable,
    /// A fault of ours.
    Internal,
}

impl From<Error> for Refusal {
    /// Logs the cause, once, and shows nothing of it.
    fn from(error: Error) -> Self {
        tracing::error!(%error, "a request of a service failed");
        match error {
            Error::Internal(_) => Self::Internal,
            Error::Throttled { .. } | Error::Busy { .. } | Error::Unavailable(_) => Self::Unavailable,
        }
    }
}

impl From<Wide> for Refusal {
    fn from(wide: Wide) -> Self {
        match wide {
            Wide::TooLarge => Self::TooLarge,
            Wide::Timeout => Self::Timeout,
            Wide::MediaType => Self::InvalidRequest("the body must be application/x-www-form-urlencoded"),
            _ => Self::InvalidRequest("the body is malformed"),
        }
    }
}

impl Refusal {
    /// The answer.
    pub(crate) fn response(self) -> Response<Body> {
        let (status, error, why) = match self {
            Self::InvalidClient => (StatusCode::UNAUTHORIZED, "invalid_client", None),
            Self::InvalidRequest(why) => (StatusCode::BAD_REQUEST, "invalid_request", Some(why)),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "invalid_request",
                Some("the body is too large"),
            ),
            Self::Timeout => (
                StatusCode::REQUEST_TIMEOUT,
                "invalid_request",
                Some("the body did not arrive in time"),
            ),
            Self::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", None),
            Self::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "server_error", None),
        };
        let mut body = json!({"error": error});
        if let (Some(why), Some(members)) = (why, body.as_object_mut()) {
            members.insert("error_description".to_owned(), why.into());
        }
        let mut response = response(status, "application/json", body.to_string());
        let headers = response.headers_mut();
        match self {
            Self::InvalidClient => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"doorward\""));
            }
            Self::Unavailable => {
                headers.insert(RETRY_AFTER, RETRY);
            }
            // The rest of the body is not going to be read.
            Self::TooLarge | Self::Timeout => {
                headers.insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Self::InvalidRequest(_) | Self::Internal => {}
        }
        response
    }
}
