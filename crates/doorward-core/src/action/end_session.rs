//! End session: logs one device of the account out, from another one or from itself.

use uuid::Uuid;

use super::{Call, HasOutcome, Input, Need, Outcome, OutcomeKind, Table, TakesInput};
use crate::audit::{Event, record};
use crate::session::SessionId;
use crate::{Auth, Result};

pub(super) static TABLE: Table = Table {
    name: "end_session",
    about: "Ends one session of the account.",
    safe: false,
    token: true,
    inputs: &[TakesInput {
        input: Input::SessionId,
        need: Need::Required,
    }],
    outcomes: &[
        HasOutcome {
            kind: OutcomeKind::Ok,
            when: "The session has ended.",
            carries: &[],
        },
        HasOutcome {
            kind: OutcomeKind::UnknownSession,
            when: "The account has no living session of this id.",
            carries: &[],
        },
        super::NO_TOKEN,
        super::BAD_TOKEN,
        super::INVALID,
    ],
};

pub(super) async fn run(auth: &Auth, call: Call<'_>) -> Result<Outcome> {
    let (verified, _) = match super::living(auth, &call).await? {
        Ok(living) => living,
        Err(refused) => return Ok(Outcome::of(refused)),
    };
    let text = call.inputs.text(Input::SessionId).unwrap_or_default();
    let Ok(id) = Uuid::parse_str(text).map(SessionId) else {
        return Ok(Outcome::of(OutcomeKind::UnknownSession));
    };
    // Named together with the account: somebody else's session is as unknown as none.
    let Some(ended) = auth.store.end_session(id, verified.account, auth.clock.now()).await? else {
        // It may have been ended a moment ago, perhaps on another machine: it is dead here, too, when this is answered.
        auth.catch_up_endings().await?;
        return Ok(Outcome::of(OutcomeKind::UnknownSession));
    };
    auth.ended(&[ended]);
    record(
        Event::SessionsEnded,
        Some(verified.account),
        Some(id),
        Some(&call.client),
    );
    Ok(Outcome::of(OutcomeKind::Ok))
}
