//! What actions take, and the limits that hold whatever a contract says.
//!
//! The surprise: a contract's own rules (a minimum, a format, their words) are applied before, by the
//! contract engine. Here is only what no contract can lift.

use serde_json::Value;

use super::Action;
use crate::account::{Profile, ProfileChange};
use crate::hasher::{Caller, PasswordLimit};
use crate::identifier::{MAX_IDENTIFIER, is_email};
use crate::password::{MAX_PASSWORD_CODE_POINTS, Weakness, typed};
use crate::secret::Secret;
use crate::{Auth, Result};

/// The most code points of a password.
pub const MAX_PASSWORD: usize = MAX_PASSWORD_CODE_POINTS;
/// The most code points of a first or last name.
pub const MAX_NAME: usize = 200;
/// The most bytes of a free attribute, as JSON.
pub const MAX_ATTRIBUTE: usize = 4096;
/// The most code points of a refresh token or a session id.
const MAX_HANDLE: usize = 256;

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Input {
    /// The e-mail address.
    Email,
    /// The username.
    Username,
    /// Either, to find an account by.
    Identifier,
    /// The password: the account's at login, the new one at registration.
    Password,
    /// The password to set.
    NewPassword,
    /// The password so far, to prove who asks.
    CurrentPassword,
    /// The first name.
    FirstName,
    /// The last name.
    LastName,
    /// A free attribute of the account; the contract names it.
    Attribute,
    /// A refresh token.
    RefreshToken,
    /// The id of a session.
    SessionId,
}

impl Input {
    /// Every input, with its name in contract files.
    pub const ALL: [(Self, &'static str); 11] = [
        (Self::Email, "email"),
        (Self::Username, "username"),
        (Self::Identifier, "identifier"),
        (Self::Password, "password"),
        (Self::NewPassword, "new_password"),
        (Self::CurrentPassword, "current_password"),
        (Self::FirstName, "first_name"),
        (Self::LastName, "last_name"),
        (Self::Attribute, "attribute"),
        (Self::RefreshToken, "refresh_token"),
        (Self::SessionId, "session_id"),
    ];

    /// The name in contract files.
    pub fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(input, _)| *input == self)
            .map_or("", |(_, name)| name)
    }

    /// The most code points it may have (bytes, for an attribute).
    pub fn limit(self) -> usize {
        match self {
            Self::Email | Self::Username | Self::Identifier => MAX_IDENTIFIER,
            Self::Password | Self::NewPassword | Self::CurrentPassword => MAX_PASSWORD,
            Self::FirstName | Self::LastName => MAX_NAME,
            Self::Attribute => MAX_ATTRIBUTE,
            Self::RefreshToken | Self::SessionId => MAX_HANDLE,
        }
    }

    /// Whether its value is a password.
    pub fn is_password(self) -> bool {
        matches!(self, Self::Password | Self::NewPassword | Self::CurrentPassword)
    }

    /// Whether its value is a secret, which no document shows and no browser remembers.
    pub fn is_secret(self) -> bool {
        self.is_password() || self == Self::RefreshToken
    }
}

/// A value that came.
#[derive(Clone, Debug)]
pub enum Given {
    /// `null`: there was something and there shall be nothing.
    Null,
    /// Text.
    Text(Secret),
    /// Anything else, for a free attribute.
    Json(Value),
}

/// The inputs of one call.
#[derive(Debug)]
pub struct Inputs {
    /// Each input with its value; for attributes also the name.
    entries: Vec<(Input, Box<str>, Given)>,
    /// Whether the contract asks for a strong password.
    strong_password: bool,
}

/// An input that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Which input.
    pub input: Input,
    /// The name of the attribute, else empty.
    pub attribute: Box<str>,
    /// Which rule.
    pub kind: FaultKind,
}

/// A rule that holds whatever a contract says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// More than this many code points (bytes for bcrypt and for attributes).
    TooLong(usize),
    /// A NUL or another control character in it.
    Unprintable,
    /// No e-mail address.
    NotAnEmail,
    /// `null`, for what is changed and never taken away.
    Null,
    /// No password that the policy accepts.
    Weak(Weakness),
    /// It belongs to another account of the realm.
    Taken,
}

impl Inputs {
    /// No inputs yet. `strong_password` is whether the contract asks for a new password that the policy accepts.
    pub fn new(strong_password: bool) -> Self {
        Self {
            entries: Vec::new(),
            strong_password,
        }
    }

    /// Adds an input. `attribute` is the name of a free attribute, else empty.
    pub fn push(&mut self, input: Input, attribute: &str, given: Given) {
        self.entries.push((input, attribute.into(), given));
    }

    /// The text of an input, if it came.
    pub fn text(&self, input: Input) -> Option<&str> {
        self.entries.iter().find_map(|(is, _, given)| match given {
            Given::Text(text) if *is == input => Some(text.expose()),
            _ => None,
        })
    }

    /// A password as it is hashed.
    pub(super) fn password(&self, input: Input) -> Option<Secret> {
        self.text(input).map(typed)
    }

    /// What somebody typed to say who they are.
    pub(super) fn identifier(&self) -> Option<&str> {
        [Input::Identifier, Input::Email, Input::Username]
            .into_iter()
            .find_map(|input| self.text(input))
    }

    /// The profile that a registration brings.
    pub(super) fn into_profile(self) -> Profile {
        let mut profile = Profile::default();
        self.change().apply(&mut profile);
        profile
    }

    /// The change of a profile that these inputs ask for.
    pub(super) fn change(&self) -> ProfileChange {
        let mut change = ProfileChange::default();
        for (input, attribute, given) in &self.entries {
            let text = match given {
                Given::Text(text) => Some(text.expose().to_owned()),
                _ => None,
            };
            match input {
                Input::Email => change.email = text,
                Input::Username => change.username = text,
                Input::FirstName => change.first_name = Some(text),
                Input::LastName => change.last_name = Some(text),
                Input::Attribute => {
                    let value = match given {
                        Given::Null => Value::Null,
                        Given::Text(text) => Value::String(text.expose().to_owned()),
                        Given::Json(value) => value.clone(),
                    };
                    change.attributes.insert(attribute.to_string(), value);
                }
                _ => {}
            }
        }
        change
    }

    /// Every input that breaks a limit which no contract can lift.
    pub fn faults(&self, auth: &Auth, action: Action) -> Vec<Fault> {
        let fault = |(input, attribute, given): &(Input, Box<str>, Given)| {
            let new = *input == Input::NewPassword || (*input == Input::Password && action == Action::Register);
            let kept = action == Action::UpdateAccount && matches!(input, Input::Email | Input::Username);
            let kind = match given {
                // What its caller wants cannot be done, and is not to look as if it were.
                Given::Null if kept => Some(FaultKind::Null),
                _ => fault(*input, given).or_else(|| if new { new_password_fault(auth, given) } else { None }),
            };
            kind.map(|kind| Fault {
                input: *input,
                attribute: attribute.clone(),
                kind,
            })
        };
        self.entries.iter().filter_map(fault).collect()
    }

    /// The fault of a new password that the policy does not accept, where the contract asks for a strong one.
    pub(super) async fn weakness(
        &self,
        auth: &Auth,
        caller: &Caller,
        input: Input,
        profile: Option<&Profile>,
    ) -> Result<Option<Fault>> {
        let Some(password) = self.text(input).filter(|_| self.strong_password) else {
            return Ok(None);
        };
        let known = [Input::Email, Input::Username, Input::FirstName, Input::LastName];
        let mut context: Vec<&str> = known.into_iter().filter_map(|input| self.text(input)).collect();
        if let Some(profile) = profile {
            let stored = [
                &profile.email,
                &profile.username,
                &profile.first_name,
                &profile.last_name,
            ];
            context.extend(stored.into_iter().filter_map(Option::as_deref));
        }
        let context = context.into_iter().map(str::to_owned).collect();
        let policy = &auth.policy.passwords;
        let weakness = auth.hasher.weakness(caller, policy, password, context).await?;
        Ok(weakness.map(|weakness| Fault {
            input,
            attribute: Box::default(),
            kind: FaultKind::Weak(weakness),
        }))
    }
}

/// What keeps a password from being hashed: bcrypt reads no more than 72 bytes, and none of them NUL.
fn new_password_fault(auth: &Auth, given: &Given) -> Option<FaultKind> {
    let Given::Text(text) = given else {
        return None;
    };
    auth.hasher.refuses(&typed(text.expose())).map(|limit| match limit {
        PasswordLimit::TooLong { bytes } => FaultKind::TooLong(bytes),
        PasswordLimit::Nul => FaultKind::Unprintable,
        PasswordLimit::Empty => FaultKind::Weak(Weakness::TooShort),
    })
}

fn fault(input: Input, given: &Given) -> Option<FaultKind> {
    let limit = input.limit();
    let text = match given {
        Given::Null => return None,
        Given::Json(value) => return (value.to_string().len() > limit).then_some(FaultKind::TooLong(limit)),
        Given::Text(text) => text.expose(),
    };
    if input == Input::Attribute {
        return (text.len() > limit).then_some(FaultKind::TooLong(limit));
    }
    if text.chars().count() > limit {
        return Some(FaultKind::TooLong(limit));
    }
    match input {
        Input::Password | Input::NewPassword | Input::CurrentPassword => {
            text.contains('\0').then_some(FaultKind::Unprintable)
        }
        _ if text.chars().any(char::is_control) => Some(FaultKind::Unprintable),
        Input::Email if !is_email(text) => Some(FaultKind::NotAnEmail),
        _ => None,
    }
}
