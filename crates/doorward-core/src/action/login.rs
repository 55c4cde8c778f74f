//! Log in: decides whether somebody may open a session.
//!
//! The surprise: an unknown account goes through the throttle, the queue and a hash like a known one, and
//! what tells them apart is only the name of the outcome.

use super::{Call, Carries, HasOutcome, Input, IssuedToken, Need, Outcome, OutcomeKind, Table, TakesInput};
use crate::account::Account;
use crate::audit::{Event, record};
use crate::hasher::Caller;
use crate::identifier::Canonical;
use crate::secret::{PasswordHash, Secret};
use crate::session::{Client, Session};
use crate::store::Opened;
use crate::throttle::Subject;
use crate::{Auth, Error, Result};

pub(super) static TABLE: Table = Table {
    name: "login",
    about: "Opens a session for an account and its password.",
    safe: false,
    token: false,
    inputs: &[
        TakesInput {
            input: Input::Email,
            need: Need::OneOf,
        },
        TakesInput {
            input: Input::Username,
            need: Need::OneOf,
        },
        TakesInput {
            input: Input::Identifier,
            need: Need::OneOf,
        },
        TakesInput {
            input: Input::Password,
            need: Need::Required,
        },
    ],
    outcomes: &[
        HasOutcome {
            kind: OutcomeKind::Ok,
            when: "The password is the account's: a session is open.",
            carries: &[Carries::Account, Carries::NewToken],
        },
        HasOutcome {
            kind: OutcomeKind::UnknownAccount,
            when: "No account has this identifier (with `hide_accounts` this is `wrong_password`).",
            carries: &[],
        },
        HasOutcome {
            kind: OutcomeKind::WrongPassword,
            when: "The password is not the account's.",
            carries: &[],
        },
        HasOutcome {
            kind: OutcomeKind::Disabled,
            when: "The password is right and the account has been disabled.",
            carries: &[],
        },
        super::INVALID,
    ],
};

pub(super) async fn run(auth: &Auth, call: Call<'_>) -> Result<Outcome> {
    let (Some(identifier), Some(password)) = (call.inputs.identifier(), call.inputs.password(Input::Password)) else {
        return Err(Error::internal(
            "a login without identifier or password passed the contract",
        ));
    };
    let canonical = Canonical::of(identifier);
    let caller = call.in_line(auth, canonical.as_str());
    for _ in 0..super::TRIES {
        let found = auth.store.account_by_identifier(call.realm.id, &canonical).await?;
        let subject = match &found {
            Some((account, _)) => Subject::Account(account.id),
            None => Subject::Unknown(call.realm.id, canonical.clone()),
        };
        let hash = found.as_ref().map(|(_, hash)| hash);
        let verdict = auth
            .check_password(subject, &caller, &password, hash, (&call.client, None))
            .await?;
        let Some((account, hash)) = found else {
            verdict.permit.failed();
            record(Event::LoginRefused, None, None, Some(&call.client));
            let hidden = auth.policy.hide_accounts;
            return Ok(Outcome::of(if hidden {
                OutcomeKind::WrongPassword
            } else {
                OutcomeKind::UnknownAccount
            }));
        };
        if !verdict.matches {
            verdict.permit.failed();
            record(Event::LoginRefused, Some(account.id), None, Some(&call.client));
            return Ok(Outcome::of(OutcomeKind::WrongPassword));
        }
        verdict.permit.succeeded();
        if account.disabled_at.is_some() {
            record(Event::LoginRefused, Some(account.id), None, Some(&call.client));
            return Ok(Outcome::of(OutcomeKind::Disabled));
        }
        if call.presence.is_gone() {
            // A session that nobody has the token of would stand in the way of others.
            return Err(Error::unavailable("the caller has hung up"));
        }
        if let Some(token) = open_session(auth, &call, &account, &hash).await? {
            if verdict.outdated {
                upgrade(auth, &caller, &account, &password, &hash).await;
            }
            return Ok(Outcome::of(OutcomeKind::Ok).account(account).token(Some(token)));
        }
        // The account was disabled, deleted or given another hash since it was read: look again.
    }
    Err(Error::unavailable("the account changed at every look"))
}

async fn open_session(
    auth: &Auth,
    call: &Call<'_>,
    account: &Account,
    hash: &PasswordHash,
) -> Result<Option<IssuedToken>> {
    let (new, refresh) = auth
        .new_session(account.id, call.realm, call.grant, call.client.clone())
        .await?;
    let session = new.session.clone();
    let opened = auth
        .store
        .open_session(new, hash, auth.policy.sessions_per_account)
        .await?;
    if opened == Opened::Refused {
        return Ok(None);
    }
    record(Event::LoggedIn, Some(account.id), Some(session.id), Some(&call.client));
    if opened == Opened::OverLimit {
        end_excess(auth, &session, &call.client).await;
    }
    auth.issue(call.realm, call.grant, account, &session, refresh.as_ref())
        .map(Some)
}

/// Ends what the account has too many of, and a tenth of what it may have on top: looking for those that were used last
/// the longest ago reads all sessions of the account, which not every further login is to do. The login has succeeded: no
/// failure here may undo it, and the next login tries again.
async fn end_excess(auth: &Auth, newest: &Session, client: &Client) {
    let most = auth.policy.sessions_per_account;
    let kept = most - most / 10;
    let ended = auth
        .store
        .end_excess_sessions(newest.account, newest.id, kept, auth.clock.now())
        .await;
    match ended {
        // Another login may have ended them.
        Ok(ended) if ended.is_empty() => {}
        Ok(ended) => {
            auth.ended(&ended);
            record(Event::SessionsEnded, Some(newest.account), None, Some(client));
        }
        Err(error) => tracing::warn!(account = %newest.account, %error, "the sessions that are too many go on"),
    }
}

/// Replaces a hash whose algorithm or cost is behind. The login has succeeded: no failure here may undo it, and the
/// next login tries again. It is left to the next login also while others wait: of all those who log in after the cost
/// was raised each would have two hashes made.
async fn upgrade(auth: &Auth, caller: &Caller, account: &Account, password: &Secret, old: &PasswordHash) {
    if auth.hasher.refuses(password).is_some() || auth.hasher.has_a_line() {
        return;
    }
    let upgraded = match auth.hasher.hash(caller, password).await {
        Ok(new) => auth.store.upgrade_password_hash(account.id, old, new).await,
        Err(error) => Err(error),
    };
    if let Err(error) = upgraded {
        tracing::debug!(account = %account.id, %error, "the password hash was not upgraded this time");
    }
}
