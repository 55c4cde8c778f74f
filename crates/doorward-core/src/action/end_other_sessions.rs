//! End other sessions: logs every device of the account out but this one.

use super::{Call, HasOutcome, Outcome, OutcomeKind, Table};
use crate::audit::{Event, record};
use crate::{Auth, Result};

pub(super) static TABLE: Table = Table {
    name: "end_other_sessions",
    about: "Ends all sessions of the account but the current one.",
    safe: false,
    token: true,
    inputs: &[],
    outcomes: &[
        HasOutcome {
            kind: OutcomeKind::Ok,
            when: "The other sessions have ended, if there were any.",
            carries: &[],
        },
        super::NO_TOKEN,
        super::BAD_TOKEN,
    ],
};

pub(super) async fn run(auth: &Auth, call: Call<'_>) -> Result<Outcome> {
    let (verified, _) = match super::living(auth, &call).await? {
        Ok(living) => living,
        Err(refused) => return Ok(Outcome::of(refused)),
    };
    let ended = auth
        .store
        .end_sessions(verified.account, Some(verified.session))
        .await?;
    auth.ended(&ended);
    record(Event::SessionsEnded, Some(verified.account), None, Some(&call.client));
    Ok(Outcome::of(OutcomeKind::Ok))
}
