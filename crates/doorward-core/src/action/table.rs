//! The tables of actions: what each takes, how it can end, and what every ending carries. Data only.

use super::Input;

/// What an action takes and how it can end.
#[derive(Debug)]
pub struct Table {
    /// The name in contract files.
    pub name: &'static str,
    /// One sentence for the manual.
    pub about: &'static str,
    /// Whether it changes nothing, so that a request from elsewhere may use the browser's cookie for it.
    pub safe: bool,
    /// Whether it looks for a token.
    pub token: bool,
    /// The inputs it takes.
    pub inputs: &'static [TakesInput],
    /// The outcomes it can have.
    pub outcomes: &'static [HasOutcome],
}

impl Table {
    /// The row of an outcome, if the action can have it.
    pub fn outcome(&self, kind: OutcomeKind) -> Option<&'static HasOutcome> {
        self.outcomes.iter().find(|row| row.kind == kind)
    }

    /// Whether it takes a password, and so may wait for a hash.
    pub fn takes_password(&self) -> bool {
        self.inputs.iter().any(|row| row.input.is_password())
    }
}

/// One row of a table: an input.
#[derive(Debug)]
pub struct TakesInput {
    /// Which.
    pub input: Input,
    /// Whether the action needs it.
    pub need: Need,
}

/// Whether an action needs an input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Without it there is nothing to do: a contract has to demand it.
    Required,
    /// One at least of those marked so has to be demanded.
    OneOf,
    /// The action can do without.
    Optional,
}

/// One row of a table: an outcome.
#[derive(Debug)]
pub struct HasOutcome {
    /// Which.
    pub kind: OutcomeKind,
    /// When it happens, for the manual.
    pub when: &'static str,
    /// What it carries for the answer.
    pub carries: &'static [Carries],
}

/// One way an action can end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OutcomeKind {
    /// Done as asked.
    Ok,
    /// An account was made.
    Created,
    /// The identifier belongs to somebody else.
    Taken,
    /// Inputs break a rule.
    Invalid,
    /// No account has this identifier.
    UnknownAccount,
    /// The password is not the account's.
    WrongPassword,
    /// The account may not sign in.
    Disabled,
    /// No token came with the request.
    NoToken,
    /// A token came and is forged, expired or of an ended session.
    BadToken,
    /// The account of the token was deleted.
    Gone,
    /// There is no such session of this account.
    UnknownSession,
    /// A refresh token was used a second time; its session has been ended.
    Reused,
}

impl OutcomeKind {
    /// Every kind, with its name in contract files.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Ok, "ok"),
        (Self::Created, "created"),
        (Self::Taken, "taken"),
        (Self::Invalid, "invalid"),
        (Self::UnknownAccount, "unknown_account"),
        (Self::WrongPassword, "wrong_password"),
        (Self::Disabled, "disabled"),
        (Self::NoToken, "no_token"),
        (Self::BadToken, "bad_token"),
        (Self::Gone, "gone"),
        (Self::UnknownSession, "unknown_session"),
        (Self::Reused, "reused"),
    ];

    /// The name in contract files.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(kind, _)| *kind == self)
            .map_or("", |(_, name)| name)
    }
}

/// What an outcome carries for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carries {
    /// The account (`{account.…}`).
    Account,
    /// A new access token (`{token}`, `{token.expires_in}`), and a refresh token if the contract has them.
    NewToken,
    /// A new access token alone: the refresh token that there is goes on.
    NewAccessToken,
    /// The token that came with the request (`{token}`).
    PresentedToken,
    /// The account's sessions (`{sessions}`).
    Sessions,
    /// The faults of the inputs (`{faults}`, `{fault.message}`, `{fault.field}`).
    Faults,
}

pub(super) const NO_TOKEN: HasOutcome = HasOutcome {
    kind: OutcomeKind::NoToken,
    when: "No token came with the request.",
    carries: &[],
};

pub(super) const BAD_TOKEN: HasOutcome = HasOutcome {
    kind: OutcomeKind::BadToken,
    when: "The token is forged or expired, or its session has ended.",
    carries: &[],
};

pub(super) const GONE: HasOutcome = HasOutcome {
    kind: OutcomeKind::Gone,
    when: "The account of the token was deleted.",
    carries: &[],
};

pub(super) const INVALID: HasOutcome = HasOutcome {
    kind: OutcomeKind::Invalid,
    when: "A field breaks a rule.",
    carries: &[Carries::Faults],
};

pub(super) const NOT_CONFIRMED: HasOutcome = HasOutcome {
    kind: OutcomeKind::WrongPassword,
    when: "The current password is needed and is not the account's.",
    carries: &[],
};
