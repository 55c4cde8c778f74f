//! Change password: sets a new one and ends every other session.

use super::{Call, HasOutcome, Input, Need, Outcome, OutcomeKind, Table, TakesInput};
use crate::audit::{Event, record};
use crate::{Auth, Error, Result};

pub(super) static TABLE: Table = Table {
    name: "change_password",
    about: "Sets a new password and ends all other sessions.",
    safe: false,
    token: true,
    inputs: &[
        TakesInput {
            input: Input::CurrentPassword,
            need: Need::Required,
        },
        TakesInput {
            input: Input::NewPassword,
            need: Need::Required,
        },
    ],
    outcomes: &[
        HasOutcome {
            kind: OutcomeKind::Ok,
            when: "The password is set and the other sessions have ended.",
            carries: &[],
        },
        HasOutcome {
            kind: OutcomeKind::WrongPassword,
            when: "The current password is not the account's.",
            carries: &[],
        },
        super::INVALID,
        super::NO_TOKEN,
        super::BAD_TOKEN,
        super::GONE,
    ],
};

pub(super) async fn run(auth: &Auth, call: Call<'_>) -> Result<Outcome> {
    let (verified, _) = match super::living(auth, &call).await? {
        Ok(living) => living,
        Err(refused) => return Ok(Outcome::of(refused)),
    };
    let Some(new) = call.inputs.password(Input::NewPassword) else {
        return Err(Error::internal(
            "a change of password without a new one passed the contract",
        ));
    };
    for _ in 0..super::TRIES {
        let (account, hash) = match super::confirm_password(auth, &call, &verified).await? {
            Ok(confirmed) => confirmed,
            Err(refused) => return Ok(Outcome::of(refused)),
        };
        let caller = call.in_line_as(auth, account.id);
        if let Some(fault) = call
            .inputs
            .weakness(auth, &caller, Input::NewPassword, Some(&account.profile))
            .await?
        {
            return Ok(Outcome::invalid(vec![fault]));
        }
        let new = auth.hasher.hash(&caller, &new).await?;
        let keep = Some(verified.session);
        let replaced = auth.store.replace_password(account.id, Some(&hash), new, keep).await?;
        if let Some(ended) = replaced {
            auth.ended(&ended);
            record(
                Event::PasswordChanged,
                Some(account.id),
                Some(verified.session),
                Some(&call.client),
            );
            return Ok(Outcome::of(OutcomeKind::Ok));
        }
        // The account was deleted or given another hash since it was read, perhaps of the same password: look again.
    }
    Err(Error::unavailable("the account changed at every look"))
}
