//! List sessions: where the account is logged in.

use super::{Call, Carries, HasOutcome, Outcome, OutcomeKind, Table};
use crate::{Auth, Result};

/// The most sessions that are listed, the ones used last first.
const MAX_LISTED: usize = 100;

pub(super) static TABLE: Table = Table {
    name: "list_sessions",
    about: "Lists the living sessions of the account.",
    safe: true,
    token: true,
    inputs: &[],
    outcomes: &[
        HasOutcome {
            kind: OutcomeKind::Ok,
            when: "The token is good.",
            carries: &[Carries::Sessions],
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
    let mut outcome = Outcome::of(OutcomeKind::Ok);
    let now = auth.clock.now();
    outcome.carried.sessions = auth.store.list_sessions(verified.account, now, MAX_LISTED).await?;
    outcome.carried.current = Some(verified.session);
    Ok(outcome)
}
