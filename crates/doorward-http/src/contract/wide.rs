//! Contract-wide answers: what holds for every route, because it happens before or beside the actions.

use axum::http::StatusCode;

/// Why a request is answered without, or in spite of, an action.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wide {
    /// The body is not what its media type says.
    Malformed,
    /// A JSON media type and no body.
    EmptyBody,
    /// JSON, and not an object.
    NotObject,
    /// A media type that the contract does not read.
    MediaType,
    /// More bytes than the contract takes.
    TooLarge,
    /// The body did not arrive in time.
    Timeout,
    /// No route has this path (and method).
    NotFound,
    /// Routes have this path, none has this method.
    MethodNotAllowed,
    /// A form that a page of another origin sent.
    Forbidden,
    /// Too many attempts.
    Throttled,
    /// The hash pool is full, or bodies that are being read take all the room for them.
    Busy,
    /// The store cannot answer.
    Unavailable,
    /// A fault of ours.
    Internal,
}

/// One row of the list: the kind, its name in contract files, the status if the answer names none, and what
/// `{reason}` says.
pub type Row = (Wide, &'static str, StatusCode, &'static str);

/// Every contract-wide answer.
pub const WIDE: [Row; 13] = [
    (
        Wide::Malformed,
        "malformed",
        StatusCode::BAD_REQUEST,
        "the body is malformed",
    ),
    (
        Wide::EmptyBody,
        "empty_body",
        StatusCode::BAD_REQUEST,
        "the body is empty",
    ),
    (
        Wide::NotObject,
        "not_object",
        StatusCode::BAD_REQUEST,
        "the body must be a JSON object",
    ),
    (
        Wide::MediaType,
        "media_type",
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "unsupported media type",
    ),
    (
        Wide::TooLarge,
        "too_large",
        StatusCode::PAYLOAD_TOO_LARGE,
        "the body is too large",
    ),
    (
        Wide::Timeout,
        "timeout",
        StatusCode::REQUEST_TIMEOUT,
        "the body did not arrive in time",
    ),
    (
        Wide::NotFound,
        "not_found",
        StatusCode::NOT_FOUND,
        "there is no such route",
    ),
    (
        Wide::MethodNotAllowed,
        "method_not_allowed",
        StatusCode::METHOD_NOT_ALLOWED,
        "this route has no such method",
    ),
    (
        Wide::Forbidden,
        "forbidden",
        StatusCode::FORBIDDEN,
        "cross-origin request refused",
    ),
    (
        Wide::Throttled,
        "throttled",
        StatusCode::TOO_MANY_REQUESTS,
        "too many attempts",
    ),
    (
        Wide::Busy,
        "busy",
        StatusCode::SERVICE_UNAVAILABLE,
        "the server is busy",
    ),
    (
        Wide::Unavailable,
        "unavailable",
        StatusCode::SERVICE_UNAVAILABLE,
        "the server cannot answer now",
    ),
    (
        Wide::Internal,
        "internal",
        StatusCode::INTERNAL_SERVER_ERROR,
        "internal server error",
    ),
];

impl Wide {
    /// Its row.
    pub fn row(self) -> &'static Row {
        // Every kind has a row; the first is a lesser evil than a panic.
        WIDE.iter().find(|(kind, ..)| *kind == self).unwrap_or(&WIDE[0])
    }

    /// The kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        WIDE.iter()
            .find(|(_, known, ..)| *known == name)
            .map(|(kind, ..)| *kind)
    }

    /// Whether a route can say it differently: not where none was found.
    pub fn has_route(self) -> bool {
        !matches!(self, Self::NotFound | Self::MethodNotAllowed)
    }

    /// Whether it comes of reading a body.
    pub fn is_of_body(self) -> bool {
        matches!(
            self,
            Self::Malformed
                | Self::EmptyBody
                | Self::NotObject
                | Self::MediaType
                | Self::TooLarge
                | Self::Timeout
                | Self::Forbidden
        )
    }

    /// The answer that stands in where a contract has none of its own for this kind.
    pub fn stand_in(self) -> Option<Self> {
        match self {
            Self::EmptyBody => Some(Self::Malformed),
            Self::MethodNotAllowed => Some(Self::NotFound),
            Self::Busy => Some(Self::Unavailable),
            _ => None,
        }
    }
}
