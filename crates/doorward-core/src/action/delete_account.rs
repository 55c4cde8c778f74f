//! Delete account: removes the account of the token and ends all of its sessions.

use super::{Call, HasOutcome, Input, Need, Outcome, OutcomeKind, Table, TakesInput};
use crate::audit::{Event, record};
use crate::{Auth, Error, Result};

pub(super) static TABLE: Table = Table {
    name: "delete_account",
    about: "Deletes the account and ends its sessions.",
    safe: false,
    token: true,
    inputs: &[TakesInput {
        input: Input::CurrentPassword,
        need: Need::Optional,
    }],
    outcomes: &[
        HasOutcome {
            kind: OutcomeKind::Ok,
            when: "The account is deleted and its sessions have ended.",
            carries: &[],
        },
        super::NOT_CONFIRMED,
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
    for _ in 0..super::TRIES {
        let confirmed = if call.reauthenticate {
            match super::confirm_password(auth, &call, &verified).await? {
                Ok((_, hash)) => Some(hash),
                Err(refused) => return Ok(Outcome::of(refused)),
            }
        } else {
            None
        };
        let deleted = auth.store.delete_account(verified.account, confirmed.as_ref()).await?;
        let Some(ended) = deleted else {
            if confirmed.is_none() {
                return Ok(Outcome::of(OutcomeKind::Gone));
            }
            // It was deleted or given another hash since it was read, perhaps of the same password: look again.
            continue;
        };
        auth.ended(&ended);
        record(
            Event::AccountDeleted,
            Some(verified.account),
            Some(verified.session),
            Some(&call.client),
        );
        return Ok(Outcome::of(OutcomeKind::Ok));
    }
    Err(Error::unavailable("the account changed at every look"))
}
