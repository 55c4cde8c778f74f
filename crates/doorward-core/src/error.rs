//! How things go wrong. The surprise: expected endings (taken, wrong password, …) are no errors, they are
//! outcomes of an action; what is here either passes by itself or is a fault of the machine.

use std::fmt;
use std::time::Duration;

/// The result of everything that can fail in the domain.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why an action could not run to one of its outcomes.
///
/// A new variant is justified only when some caller must act differently on it.
#[derive(Clone, Debug)]
pub enum Error {
    /// Too many attempts; try again after this long (RFC 6585 section 4 for the wire).
    Throttled {
        /// How long the caller has to wait.
        retry_after: Duration,
    },
    /// Too many wait already for the same: a hash thread, or a look for what became of an old refresh token.
    Busy {
        /// When a place is likely to be free again.
        retry_after: Duration,
    },
    /// The store cannot answer now; nothing is known to have happened.
    Unavailable(Cause),
    /// A fault of ours.
    Internal(Cause),
}

impl Error {
    /// A fault of ours, with its cause in words for the log.
    pub fn internal(cause: impl Into<Cause>) -> Self {
        Self::Internal(cause.into())
    }

    /// The store did not answer, with the cause in words for the log.
    pub fn unavailable(cause: impl Into<Cause>) -> Self {
        Self::Unavailable(cause.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Throttled { retry_after } => {
                write!(f, "too many attempts, retry after {} s", retry_after.as_secs())
            }
            Self::Busy { retry_after } => {
                write!(f, "too many wait already, retry after {} s", retry_after.as_secs())
            }
            Self::Unavailable(cause) => write!(f, "the store cannot answer: {}", cause.0),
            Self::Internal(cause) => write!(f, "internal: {}", cause.0),
        }
    }
}

impl std::error::Error for Error {}

/// What lies behind an error. It is logged once, where the request ends, and never rendered to a caller.
#[derive(Clone, Debug)]
pub struct Cause(String);

impl<T: fmt::Display> From<T> for Cause {
    fn from(cause: T) -> Self {
        Self(cause.to_string())
    }
}

/// Why the server (or a command) cannot start, in words for a person.
#[derive(Debug)]
pub struct SetupError {
    what: String,
    hint: String,
}

impl SetupError {
    /// `what` says what is wrong and where; `hint` what would be right.
    pub fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: hint.into(),
        }
    }

    /// What is wrong.
    pub fn what(&self) -> &str {
        &self.what
    }

    /// What would be right.
    pub fn hint(&self) -> &str {
        &self.hint
    }
}

/// A hint that names the nearest of the words that would have been right, or all of them.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    let nearest = known
        .iter()
        .map(|other| (strsim::damerau_levenshtein(word, other), *other))
        .min();
    match nearest {
        Some((distance, other)) if distance <= word.chars().count().div_ceil(3) => format!("did you mean `{other}`?"),
        _ if known.is_empty() => "remove it".to_owned(),
        _ => format!("there are: {}", known.join(", ")),
    }
}

impl fmt::Display for SetupError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}\nhint: {}", self.what, self.hint)
    }
}

impl std::error::Error for SetupError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_word_that_was_meant() {
        assert_eq!(did_you_mean("staus", ["status", "json"]), "did you mean `status`?");
        assert_eq!(did_you_mean("zebra", ["status", "json"]), "there are: status, json");
        assert_eq!(did_you_mean("zebra", []), "remove it");
    }
}
