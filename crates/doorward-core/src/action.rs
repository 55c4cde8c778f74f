//! Actions: what the server can do for a caller. Contracts only name them.
//!
//! Each action is one file with the same two parts: its [`Table`] (what it takes, how it can end) and `run`.
//! The loader, the OpenAPI document and the manual derive from the tables. The surprise: an outcome is a
//! *name* and a bag of what it carries, so that a contract can say everything about it in a file.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};

use crate::account::{Account, AccountId};
use crate::audit::{Event, record};
use crate::auth::{Auth, Authentication, Grant};
use crate::hasher::Caller;
use crate::identifier::IdentifierKind;
use crate::presence::Presence;
use crate::realm::Realm;
use crate::secret::{PasswordHash, Secret};
use crate::session::{Client, Session};
use crate::throttle::Subject;
use crate::token::{Presented, Verified};
use crate::{Error, Result, Timestamp};

mod change_password;
mod delete_account;
mod end_other_sessions;
mod end_session;
mod input;
mod list_sessions;
mod login;
mod logout;
mod profile;
mod refresh;
mod register;
mod renew;
mod table;
mod update_account;

use table::{BAD_TOKEN, GONE, INVALID, NO_TOKEN, NOT_CONFIRMED};

pub use input::{Fault, FaultKind, Given, Input, Inputs, MAX_ATTRIBUTE, MAX_NAME, MAX_PASSWORD};
pub use table::{Carries, HasOutcome, Need, OutcomeKind, Table, TakesInput};

/// How often an action looks at an account again when its password hash was replaced under its hands.
const TRIES: usize = 3;

/// Something the server can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Action {
    /// Make an account.
    Register,
    /// Open a session.
    Login,
    /// Show the current account.
    Profile,
    /// End the current session.
    Logout,
    /// Take a living token for a new one of the same session.
    Renew,
    /// Take a refresh token for its successor and a new token.
    Refresh,
    /// List the account's living sessions.
    ListSessions,
    /// End one of the account's sessions.
    EndSession,
    /// End all of the account's sessions but the current one.
    EndOtherSessions,
    /// Set a new password and end all other sessions.
    ChangePassword,
    /// Change names, identifiers or attributes.
    UpdateAccount,
    /// Delete the account.
    DeleteAccount,
}

impl Action {
    /// Every action.
    pub const ALL: [Self; 12] = [
        Self::Register,
        Self::Login,
        Self::Profile,
        Self::Logout,
        Self::Renew,
        Self::Refresh,
        Self::ListSessions,
        Self::EndSession,
        Self::EndOtherSessions,
        Self::ChangePassword,
        Self::UpdateAccount,
        Self::DeleteAccount,
    ];

    /// What it takes and how it can end.
    pub fn table(self) -> &'static Table {
        match self {
            Self::Register => &register::TABLE,
            Self::Login => &login::TABLE,
            Self::Profile => &profile::TABLE,
            Self::Logout => &logout::TABLE,
            Self::Renew => &renew::TABLE,
            Self::Refresh => &refresh::TABLE,
            Self::ListSessions => &list_sessions::TABLE,
            Self::EndSession => &end_session::TABLE,
            Self::EndOtherSessions => &end_other_sessions::TABLE,
            Self::ChangePassword => &change_password::TABLE,
            Self::UpdateAccount => &update_account::TABLE,
            Self::DeleteAccount => &delete_account::TABLE,
        }
    }

    /// The action of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.table().name == name)
    }

    /// Runs to one of the outcomes in the table.
    ///
    /// # Errors
    /// When it could not run to any of them; nothing has been changed then.
    pub async fn run(self, auth: &Auth, call: Call<'_>) -> Result<Outcome> {
        let faults = call.inputs.faults(auth, self);
        if !faults.is_empty() {
            return Ok(Outcome::invalid(faults));
        }
        let outcome = match self {
            Self::Register => register::run(auth, call).await,
            Self::Login => login::run(auth, call).await,
            Self::Profile => profile::run(auth, call).await,
            Self::Logout => logout::run(auth, call).await,
            Self::Renew => renew::run(auth, call).await,
            Self::Refresh => refresh::run(auth, call).await,
            Self::ListSessions => list_sessions::run(auth, call).await,
            Self::EndSession => end_session::run(auth, call).await,
            Self::EndOtherSessions => end_other_sessions::run(auth, call).await,
            Self::ChangePassword => change_password::run(auth, call).await,
            Self::UpdateAccount => update_account::run(auth, call).await,
            Self::DeleteAccount => delete_account::run(auth, call).await,
        }?;
        if self.table().outcome(outcome.kind).is_none() {
            return Err(Error::internal(format!(
                "{self:?} ended as {:?}, which is not in its table",
                outcome.kind
            )));
        }
        Ok(outcome)
    }
}

/// One call of an action.
pub struct Call<'a> {
    /// The realm of the contract.
    pub realm: &'a Realm,
    /// What tokens the contract issues.
    pub grant: &'a Grant,
    /// Whether the answer to a success carries a token, so that one has to be issued.
    pub wants_token: bool,
    /// Whether changing identifiers or the password takes the current password.
    pub reauthenticate: bool,
    /// The tokens that came with the request, in the contract's order.
    pub presented: Presented,
    /// The inputs, after the contract's rules.
    pub inputs: Inputs,
    /// Who calls.
    pub client: Client,
    /// Whether they still wait for the answer.
    pub presence: Presence,
}

impl Call<'_> {
    /// Whose turn in the line before the hash threads a password of this call is.
    pub(crate) fn in_line(&self, auth: &Auth, name: &str) -> Caller {
        auth.hasher.caller(self.client.address, name, &self.presence)
    }

    /// The same for a caller with a good token, who has typed no name.
    fn in_line_as(&self, auth: &Auth, account: AccountId) -> Caller {
        self.in_line(auth, &account.to_string())
    }
}

/// How an action ended.
#[derive(Debug)]
pub struct Outcome {
    /// Which way.
    pub kind: OutcomeKind,
    /// What the answer can show.
    pub carried: Box<Carried>,
}

/// What an outcome can carry; each kind fills what its row names.
#[derive(Debug, Default)]
pub struct Carried {
    /// The account.
    pub account: Option<Account>,
    /// A token, new or as presented.
    pub token: Option<IssuedToken>,
    /// Living sessions, the one used last first.
    pub sessions: Vec<Session>,
    /// The session of the request's token.
    pub current: Option<crate::session::SessionId>,
    /// What is wrong with the inputs.
    pub faults: Vec<Fault>,
}

/// A token for the caller.
#[derive(Clone, Debug)]
pub struct IssuedToken {
    /// The JWT.
    pub access: Secret,
    /// For how long it lives from now.
    pub expires_in: Duration,
    /// When it dies.
    pub expires_at: Timestamp,
    /// The refresh token, where the contract has them.
    pub refresh: Option<Secret>,
    /// For how long the refresh token lives from now, if it is not used.
    pub refresh_expires_in: Option<Duration>,
}

impl Outcome {
    fn of(kind: OutcomeKind) -> Self {
        Self {
            kind,
            carried: Box::default(),
        }
    }

    /// Inputs break a rule: these of core's, or those that the contract itself found before.
    pub fn invalid(faults: Vec<Fault>) -> Self {
        let mut outcome = Self::of(OutcomeKind::Invalid);
        outcome.carried.faults = faults;
        outcome
    }

    /// The identifier of this kind belongs to another account.
    fn taken(kind: IdentifierKind) -> Self {
        let mut outcome = Self::of(OutcomeKind::Taken);
        outcome.carried.faults.push(Fault {
            input: match kind {
                IdentifierKind::Email => Input::Email,
                IdentifierKind::Username => Input::Username,
            },
            attribute: Box::default(),
            kind: FaultKind::Taken,
        });
        outcome
    }

    fn account(mut self, account: Account) -> Self {
        self.carried.account = Some(account);
        self
    }

    fn token(mut self, token: Option<IssuedToken>) -> Self {
        self.carried.token = token;
        self
    }
}

/// The contract's own claims for a token of this account.
pub type Claims = dyn Fn(&Account) -> Map<String, Value> + Send + Sync;

/// The living token of a call, or the outcome that says why there is none.
async fn living(auth: &Auth, call: &Call<'_>) -> Result<Result<(Arc<Verified>, Secret), OutcomeKind>> {
    Ok(match auth.authenticate(call.realm, &call.presented).await? {
        Authentication::Living(verified, token) => Ok((verified, token)),
        Authentication::None => Err(OutcomeKind::NoToken),
        Authentication::Bad | Authentication::Ended(_) => Err(OutcomeKind::BadToken),
    })
}

/// Checks the current password of an account whose token is good, before something that a borrowed device
/// must not be able to do.
async fn confirm_password(
    auth: &Auth,
    call: &Call<'_>,
    verified: &Verified,
) -> Result<Result<(Account, PasswordHash), OutcomeKind>> {
    let Some((account, hash)) = auth.store.account_with_password(verified.account).await? else {
        return Ok(Err(OutcomeKind::Gone));
    };
    let Some(password) = call.inputs.password(Input::CurrentPassword) else {
        return Ok(Err(OutcomeKind::WrongPassword));
    };
    let (subject, caller) = (Subject::Account(account.id), call.in_line_as(auth, account.id));
    let (by, session) = (&call.client, Some(verified.session));
    let verdict = auth
        .check_password(subject, &caller, &password, Some(&hash), (by, session))
        .await?;
    if !verdict.matches {
        verdict.permit.failed();
        record(Event::PasswordRefused, Some(account.id), session, Some(by));
        return Ok(Err(OutcomeKind::WrongPassword));
    }
    verdict.permit.succeeded();
    Ok(Ok((account, hash)))
}
