//! Renew: takes a living token for a new one of the same session.
//!
//! The surprise: the old token lives on until its own expiry. Both name one session and die with it, and that ends at
//! its longest life: otherwise a stolen token would be good for ever.

use super::{Call, Carries, HasOutcome, Outcome, OutcomeKind, Table};
use crate::auth::access_until;
use crate::{Auth, Result};

pub(super) static TABLE: Table = Table {
    name: "renew",
    about: "Takes a living token for a new one of the same session. The new one lives no longer than the longest life \
            of the session: `lifetime` of `[token.refresh]`, or 90 days from its opening.",
    safe: false,
    token: true,
    inputs: &[],
    outcomes: &[
        HasOutcome {
            kind: OutcomeKind::Ok,
            when: "The session lives on and has a new token.",
            carries: &[Carries::Account, Carries::NewAccessToken],
        },
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
    let Some(account) = auth.store.account(verified.account).await? else {
        return Ok(Outcome::of(OutcomeKind::Gone));
    };
    let now = auth.clock.now();
    let until = access_until(call.grant, now);
    // The session has to outlive the token before the token exists.
    let extended = auth
        .store
        .extend_session(verified.session, until, until, call.grant.longest_session(), now)
        .await?;
    let Some(session) = extended else {
        return Ok(Outcome::of(OutcomeKind::BadToken));
    };
    let token = auth.issue(call.realm, call.grant, &account, &session, None)?;
    Ok(Outcome::of(OutcomeKind::Ok).account(account).token(Some(token)))
}
