//! Update account: changes names, identifiers and attributes, and the password where a contract sends it along.
//!
//! The surprise: a new identifier or password takes the current password, unless the contract says
//! `reauthenticate = false` because its front end does not send one.

use super::{Call, Carries, HasOutcome, Input, Need, Outcome, OutcomeKind, Table, TakesInput};
use crate::audit::{Event, record};
use crate::secret::{PasswordHash, Secret};
use crate::store::{Confirmation, PasswordChange, Written};
use crate::token::Verified;
use crate::{Auth, Error, Result};

pub(super) static TABLE: Table = Table {
    name: "update_account",
    about: "Changes names, identifiers, attributes or the password of the account.",
    safe: false,
    token: true,
    inputs: &[
        TakesInput {
            input: Input::Email,
            need: Need::Optional,
        },
        TakesInput {
            input: Input::Username,
            need: Need::Optional,
        },
        TakesInput {
            input: Input::FirstName,
            need: Need::Optional,
        },
        TakesInput {
            input: Input::LastName,
            need: Need::Optional,
        },
        TakesInput {
            input: Input::Attribute,
            need: Need::Optional,
        },
        TakesInput {
            input: Input::NewPassword,
            need: Need::Optional,
        },
        TakesInput {
            input: Input::CurrentPassword,
            need: Need::Optional,
        },
    ],
    outcomes: &[
        HasOutcome {
            kind: OutcomeKind::Ok,
            when: "The account is changed. With a new password the other sessions have ended.",
            carries: &[Carries::Account, Carries::PresentedToken],
        },
        HasOutcome {
            kind: OutcomeKind::Taken,
            when: "An identifier belongs to another account of the realm; nothing is changed.",
            carries: &[Carries::Faults],
        },
        super::NOT_CONFIRMED,
        super::INVALID,
        super::NO_TOKEN,
        super::BAD_TOKEN,
        super::GONE,
    ],
};

pub(super) async fn run(auth: &Auth, call: Call<'_>) -> Result<Outcome> {
    let (verified, token) = match super::living(auth, &call).await? {
        Ok(living) => living,
        Err(refused) => return Ok(Outcome::of(refused)),
    };
    for _ in 0..super::TRIES {
        if let Some(outcome) = attempt(auth, &call, &verified, &token).await? {
            return Ok(outcome);
        }
        // The account was deleted or given another hash since it was read, perhaps of the same password: look again.
    }
    Err(Error::unavailable("the account changed at every look"))
}

/// Changes the account, or says why not. None when it was changed from elsewhere in this moment: what was confirmed is
/// not the account's any more.
async fn attempt(auth: &Auth, call: &Call<'_>, verified: &Verified, token: &Secret) -> Result<Option<Outcome>> {
    let sensitive = [Input::Email, Input::Username, Input::NewPassword];
    let confirm = call.reauthenticate && sensitive.into_iter().any(|input| call.inputs.text(input).is_some());
    let (account, hash) = if confirm {
        match super::confirm_password(auth, call, verified).await? {
            Ok(confirmed) => confirmed,
            Err(refused) => return Ok(Some(Outcome::of(refused))),
        }
    } else {
        match auth.store.account_with_password(verified.account).await? {
            Some(found) => found,
            None => return Ok(Some(Outcome::of(OutcomeKind::Gone))),
        }
    };
    let caller = call.in_line_as(auth, account.id);
    if let Some(fault) = call
        .inputs
        .weakness(auth, &caller, Input::NewPassword, Some(&account.profile))
        .await?
    {
        return Ok(Some(Outcome::invalid(vec![fault])));
    }
    // Hashed before anything is written, so that a busy pool leaves nothing half done.
    let new: Option<PasswordHash> = match call.inputs.password(Input::NewPassword) {
        Some(new) => Some(auth.hasher.hash(&caller, &new).await?),
        None => None,
    };
    let with_password = new.is_some();
    let confirmed = (confirm || with_password).then(|| Confirmation {
        hash,
        replacement: new.map(|new| PasswordChange {
            new,
            keep: verified.session,
        }),
    });
    let is_confirmed = confirmed.is_some();
    let change = call.inputs.change();
    let (written, ended) = auth
        .store
        .update_account(account.id, change, confirmed, auth.clock.now())
        .await?;
    let account = match written {
        Written::Done(account) => account,
        Written::Taken(kind) => return Ok(Some(Outcome::taken(kind))),
        Written::Gone if is_confirmed => return Ok(None),
        Written::Gone => return Ok(Some(Outcome::of(OutcomeKind::Gone))),
    };
    auth.ended(&ended);
    let events = [
        Some(Event::AccountUpdated),
        with_password.then_some(Event::PasswordChanged),
    ];
    for event in events.into_iter().flatten() {
        record(event, Some(account.id), Some(verified.session), Some(&call.client));
    }
    let token = auth.presented(token.clone(), verified);
    let outcome = Outcome::of(OutcomeKind::Ok).account(account).token(Some(token));
    Ok(Some(outcome))
}
