//! Log out: ends the session of the token, and with it every token of the session.
//!
//! The surprise: it answers only when the ending is durable and known to every check of this process.

use super::{Call, HasOutcome, Outcome, OutcomeKind, Table};
use crate::audit::{Event, record};
use crate::{Auth, Result};

pub(super) static TABLE: Table = Table {
    name: "logout",
    about: "Ends the session of the token.",
    safe: false,
    token: true,
    inputs: &[],
    outcomes: &[
        HasOutcome {
            kind: OutcomeKind::Ok,
            when: "The session has ended.",
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
    let at = auth.clock.now();
    let Some(ended) = auth.store.end_session(verified.session, verified.account, at).await? else {
        // Somebody else ended it a moment ago, perhaps on another machine: it is dead here, too, when this is answered.
        auth.catch_up_endings().await?;
        return Ok(Outcome::of(OutcomeKind::BadToken));
    };
    auth.ended(&[ended]);
    record(
        Event::LoggedOut,
        Some(verified.account),
        Some(verified.session),
        Some(&call.client),
    );
    Ok(Outcome::of(OutcomeKind::Ok))
}
