//! Holes: what a template can show. One list; the loader, the renderer and the manual derive from it.

use doorward_core::action::{Carries, HasOutcome};

/// What a template can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hole {
    /// The method of the request.
    RequestMethod,
    /// The path of the request, without the query.
    RequestPath,
    /// The media type of the request's body.
    RequestContentType,
    /// The id of the request, as in the log and the `x-request-id` header.
    RequestId,
    /// Why the request was refused, in a sentence that repeats nothing of it.
    Reason,
    /// The name of the contract-wide answer, with dashes.
    Problem,
    /// The standard phrase of the status.
    Title,
    /// The status.
    Status,
    /// After how many seconds to try again.
    RetryAfter,
    /// The account's UUID.
    AccountId,
    /// The account's number in its realm.
    AccountNumber,
    /// The account's 24-hex id.
    AccountObjectId,
    /// The e-mail address as typed.
    AccountEmail,
    /// The username as typed.
    AccountUsername,
    /// The first name.
    AccountFirstName,
    /// The last name.
    AccountLastName,
    /// When the account was made.
    AccountCreatedAt,
    /// When the account was changed last.
    AccountUpdatedAt,
    /// A free attribute of the account.
    AccountAttribute(String),
    /// The first of these that has something to show: `{account.username|account.email}`.
    FirstOf(Vec<Hole>),
    /// The access token.
    Token,
    /// Its life from now, in seconds.
    TokenExpiresIn,
    /// When it dies.
    TokenExpiresAt,
    /// The refresh token.
    RefreshToken,
    /// Its life from now, in seconds.
    RefreshTokenExpiresIn,
    /// The words for the (first) broken rule.
    FaultMessage,
    /// The field that breaks it.
    FaultField,
    /// The id of a session.
    SessionId,
    /// Whether it is the one of the request's token.
    SessionCurrent,
    /// When it was opened.
    SessionCreatedAt,
    /// When it was opened, renewed or refreshed last.
    SessionUsedAt,
    /// When the last of its tokens dies.
    SessionExpiresAt,
    /// The address it was opened from.
    SessionAddress,
    /// The user agent it was opened by.
    SessionUserAgent,
}

impl Hole {
    /// Whether it, or one of those of which it shows the first, is meant.
    pub(super) fn any(&self, is_meant: &dyn Fn(&Self) -> bool) -> bool {
        match self {
            Self::FirstOf(holes) => holes.iter().any(|hole| hole.any(is_meant)),
            hole => is_meant(hole),
        }
    }

    /// Where it can stand. The first of several has no place of its own: each of them has one.
    fn group(&self) -> Option<Group> {
        match self {
            Self::AccountAttribute(_) => Some(Group::Account),
            hole => HOLES
                .iter()
                .find(|(_, known, ..)| known == hole)
                .map(|(_, _, group, _)| *group),
        }
    }

    /// Whether it has something to show where this group has.
    pub(super) fn is_of(&self, group: Group) -> bool {
        self.group() == Some(group)
    }
}

/// Where a hole has something to show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Group {
    /// In every answer.
    Request,
    /// In contract-wide answers.
    Problem,
    /// Where the outcome carries the account, and in token claims.
    Account,
    /// Where the outcome carries a token.
    Token,
    /// Where the outcome carries a new refresh token, if the contract has them.
    Refresh,
    /// Where the outcome carries faults, and in the shape `fault`.
    Fault,
    /// In the shape `session`.
    Session,
}

/// Every hole but the attributes: its name in contract files, where it can stand, what it is for the OpenAPI
/// document (`string`, `integer`, `boolean`).
pub const HOLES: &[(&str, Hole, Group, &str)] = &[
    ("request.method", Hole::RequestMethod, Group::Request, "string"),
    ("request.path", Hole::RequestPath, Group::Request, "string"),
    (
        "request.content_type",
        Hole::RequestContentType,
        Group::Request,
        "string",
    ),
    ("request.id", Hole::RequestId, Group::Request, "string"),
    ("reason", Hole::Reason, Group::Problem, "string"),
    ("problem", Hole::Problem, Group::Problem, "string"),
    ("title", Hole::Title, Group::Problem, "string"),
    ("status", Hole::Status, Group::Problem, "integer"),
    ("retry_after", Hole::RetryAfter, Group::Problem, "integer"),
    ("account.id", Hole::AccountId, Group::Account, "string"),
    ("account.number", Hole::AccountNumber, Group::Account, "integer"),
    ("account.object_id", Hole::AccountObjectId, Group::Account, "string"),
    ("account.email", Hole::AccountEmail, Group::Account, "string"),
    ("account.username", Hole::AccountUsername, Group::Account, "string"),
    ("account.first_name", Hole::AccountFirstName, Group::Account, "string"),
    ("account.last_name", Hole::AccountLastName, Group::Account, "string"),
    ("account.created_at", Hole::AccountCreatedAt, Group::Account, "string"),
    ("account.updated_at", Hole::AccountUpdatedAt, Group::Account, "string"),
    ("token", Hole::Token, Group::Token, "string"),
    ("token.expires_in", Hole::TokenExpiresIn, Group::Token, "integer"),
    ("token.expires_at", Hole::TokenExpiresAt, Group::Token, "string"),
    ("refresh_token", Hole::RefreshToken, Group::Refresh, "string"),
    (
        "refresh_token.expires_in",
        Hole::RefreshTokenExpiresIn,
        Group::Refresh,
        "integer",
    ),
    ("fault.message", Hole::FaultMessage, Group::Fault, "string"),
    ("fault.field", Hole::FaultField, Group::Fault, "string"),
    ("session.id", Hole::SessionId, Group::Session, "string"),
    ("session.current", Hole::SessionCurrent, Group::Session, "boolean"),
    ("session.created_at", Hole::SessionCreatedAt, Group::Session, "string"),
    ("session.used_at", Hole::SessionUsedAt, Group::Session, "string"),
    ("session.expires_at", Hole::SessionExpiresAt, Group::Session, "string"),
    ("session.address", Hole::SessionAddress, Group::Session, "string"),
    ("session.user_agent", Hole::SessionUserAgent, Group::Session, "string"),
];

/// The beginning of the name of an attribute's hole.
pub const ATTRIBUTE: &str = "account.attribute.";

/// What the templates of one place can show.
#[derive(Clone, Debug, Default)]
pub struct Scope {
    groups: Vec<Group>,
    /// Whether `{sessions}` stands for something.
    pub sessions: bool,
    /// Whether holes of a refresh token would have something to show if the contract had such tokens.
    pub lacks_refresh: bool,
}

impl Scope {
    /// What holes of these groups, and those of the request, can show.
    pub fn of(groups: &[Group]) -> Self {
        let groups = groups.iter().copied().chain([Group::Request]).collect();
        Self {
            groups,
            ..Self::default()
        }
    }

    /// The same with a new refresh token, where a contract has them.
    pub fn with_refresh(mut self, has_refresh: bool) -> Self {
        if has_refresh {
            self.groups.push(Group::Refresh);
        }
        self.lacks_refresh = !has_refresh;
        self
    }

    /// What an outcome's answer can show.
    pub fn outcome(outcome: &HasOutcome, has_refresh: bool) -> Self {
        let mut scope = Self::of(&[]);
        for carries in outcome.carries {
            match carries {
                Carries::Account => scope.groups.push(Group::Account),
                Carries::NewAccessToken | Carries::PresentedToken => scope.groups.push(Group::Token),
                Carries::NewToken => {
                    scope.groups.push(Group::Token);
                    scope = scope.with_refresh(has_refresh);
                }
                Carries::Sessions => scope.sessions = true,
                Carries::Faults => scope.groups.push(Group::Fault),
            }
        }
        scope
    }

    /// Whether holes of this group have something to show.
    pub fn has(&self, group: Group) -> bool {
        self.groups.contains(&group)
    }

    /// The names of every hole that has something to show.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        HOLES
            .iter()
            .filter(|(_, _, group, _)| self.has(*group))
            .map(|(name, ..)| *name)
    }
}

/// The hole of this name, and where it can stand.
pub fn named(name: &str) -> Option<(Hole, Group)> {
    let hole = match name.strip_prefix(ATTRIBUTE) {
        Some(attribute) => Hole::AccountAttribute(attribute.to_owned()),
        None => {
            let (_, hole, ..) = HOLES.iter().find(|(known, ..)| *known == name)?;
            hole.clone()
        }
    };
    let group = hole.group()?;
    Some((hole, group))
}
