//! What stopped a measurement, for a person: what, where, and what would help.
//!
//! The surprise: every error of a library becomes one of these by itself, so `?` works everywhere and the place that
//! knows more says so with [`Error::new`].

use std::fmt;

/// Why a command ended early.
pub(crate) struct Error {
    what: String,
    hint: Option<String>,
}

/// What a command answers.
pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            hint: None,
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

impl<E: std::error::Error> From<E> for Error {
    fn from(error: E) -> Self {
        let mut what = error.to_string();
        let mut cause = error.source();
        while let Some(under) = cause {
            what.push_str(&format!(": {under}"));
            cause = under.source();
        }
        Self::new(what)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: {}", self.what)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
