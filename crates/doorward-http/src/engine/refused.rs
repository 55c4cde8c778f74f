//! Why a request came to nothing, and what its client is to do about it beside reading that: when to come back, and whether
//! on another connection.
//!
//! The surprise: "busy" is said of two things. A line before the hash threads has read its request and measured the wait; a
//! body for which there is no room has neither.

use std::time::Duration;

use axum::body::Body;
use axum::http::Response;
use axum::http::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use doorward_core::Error;

use crate::contract::wide::Wide;

/// When to try again while the store cannot answer, or bodies take all the room for them: they are read soon.
const RETRY: Duration = Duration::from_secs(1);

/// Why a request came to nothing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refused {
    pub(crate) wide: Wide,
    /// A sentence, where there is more to say than the kind.
    why: Option<String>,
    retry_after: Option<Duration>,
    /// Whether some of its body is left, which nobody is going to read.
    body_is_left: bool,
}

/// Before an action was run.
impl From<Wide> for Refused {
    fn from(wide: Wide) -> Self {
        Self {
            wide,
            why: None,
            retry_after: (wide == Wide::Busy).then_some(RETRY),
            body_is_left: matches!(wide, Wide::TooLarge | Wide::Timeout | Wide::Busy),
        }
    }
}

/// By an action, whose request has been read.
impl From<&Error> for Refused {
    fn from(error: &Error) -> Self {
        let (wide, retry_after) = match error {
            Error::Throttled { retry_after } => (Wide::Throttled, Some(*retry_after)),
            Error::Busy { retry_after } => (Wide::Busy, Some(*retry_after)),
            Error::Unavailable(_) => (Wide::Unavailable, Some(RETRY)),
            Error::Internal(_) => (Wide::Internal, None),
        };
        Self {
            wide,
            why: None,
            retry_after,
            body_is_left: false,
        }
    }
}

impl Refused {
    /// With a sentence.
    pub(super) fn because(wide: Wide, why: String) -> Self {
        Self {
            why: Some(why),
            ..Self::from(wide)
        }
    }

    /// What `{reason}` says.
    pub(crate) fn reason(&self) -> &str {
        let (.., reason) = self.wide.row();
        self.why.as_deref().unwrap_or(reason)
    }

    /// In whole seconds, never less than it is.
    pub(super) fn retry_after(&self) -> Option<u64> {
        self.retry_after
            .map(|wait| wait.as_secs() + u64::from(wait.subsec_nanos() > 0))
    }

    /// Adds the headers that say what to do.
    pub(crate) fn decorate(&self, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after() {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        if self.body_is_left {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}
