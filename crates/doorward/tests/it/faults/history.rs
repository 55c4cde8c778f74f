//! What the clients of the fault run did, and what they were answered.
//!
//! The surprise: the times are those of one clock, the clients'. What is promised is promised to them.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// An account that some client has tried to register, by its number.
pub(super) type Account = usize;
/// A session that some client has opened, by its number.
pub(super) type Session = usize;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Register(Account),
    Login(Account),
    Check(Session),
    Logout(Session),
    Refresh(Session),
}

impl Act {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Register(_) => "register",
            Self::Login(_) => "login",
            Self::Check(_) => "check",
            Self::Logout(_) => "logout",
            Self::Refresh(_) => "refresh",
        }
    }

    /// The session that it is about.
    pub(super) fn session(self) -> Option<Session> {
        match self {
            Self::Register(_) | Self::Login(_) => None,
            Self::Check(session) | Self::Logout(session) | Self::Refresh(session) => Some(session),
        }
    }
}

/// What was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It was done, or the token is good.
    Done,
    /// 401: the token or the password is no good.
    Refused,
    /// 503, with a time to try again or without.
    Unavailable { retry_after: bool },
    /// No answer: the connection broke, or the client lost patience.
    Broken,
    /// Any other status.
    Other(u16),
}

impl Outcome {
    /// Whether nobody knows if it was done.
    pub(super) fn is_unknown(self) -> bool {
        matches!(self, Self::Unavailable { .. } | Self::Broken)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Unavailable { .. } => "503",
            Self::Broken => "no answer",
            Self::Other(_) => "other",
        }
    }
}

/// One thing that a client asked of a node. The times are since the start of the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    pub(super) node: usize,
    /// Before the first byte was sent.
    pub(super) begin: Duration,
    /// After the last byte was read.
    pub(super) end: Duration,
    pub(super) act: Act,
    pub(super) outcome: Outcome,
}

/// How often which act had which outcome.
pub(super) struct Counts(BTreeMap<(&'static str, &'static str), usize>);

impl Counts {
    pub(super) fn of(history: &[Operation]) -> Self {
        let mut counts = BTreeMap::new();
        for operation in history {
            let key = (operation.act.name(), operation.outcome.name());
            *counts.entry(key).or_default() += 1;
        }
        Self(counts)
    }

    pub(super) fn count(&self, act: &'static str, outcome: &'static str) -> usize {
        self.0.get(&(act, outcome)).copied().unwrap_or_default()
    }

    pub(super) fn with_outcome(&self, outcome: &str) -> usize {
        let these = self.0.iter().filter(|((_, is), _)| *is == outcome);
        these.map(|(_, count)| count).sum()
    }
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = "";
        for ((act, outcome), count) in &self.0 {
            let gap = match last {
                "" => "",
                _ if last == *act => ", ",
                _ => "; ",
            };
            let name = if last == *act { "" } else { act };
            let space = if name.is_empty() { "" } else { " " };
            write!(f, "{gap}{name}{space}{count} {outcome}")?;
            last = act;
        }
        Ok(())
    }
}
