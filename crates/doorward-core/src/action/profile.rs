//! Profile: shows the account of the token.
//!
//! The surprise: deleting an account ends its sessions, so a token of a deleted account is an ended one; only
//! here is it looked up once more, because some contracts answer it in other words.

use super::{Call, Carries, HasOutcome, Outcome, OutcomeKind, Table};
use crate::auth::Authentication;
use crate::{Auth, Result};

pub(super) static TABLE: Table = Table {
    name: "profile",
    about: "Shows the account of the token.",
    safe: true,
    token: true,
    inputs: &[],
    outcomes: &[
        HasOutcome {
            kind: OutcomeKind::Ok,
            when: "The token is good.",
            carries: &[Carries::Account, Carries::PresentedToken],
        },
        super::NO_TOKEN,
        super::BAD_TOKEN,
        super::GONE,
    ],
};

pub(super) async fn run(auth: &Auth, call: Call<'_>) -> Result<Outcome> {
    let (verified, living) = match auth.authenticate(call.realm, &call.presented).await? {
        Authentication::None => return Ok(Outcome::of(OutcomeKind::NoToken)),
        Authentication::Bad => return Ok(Outcome::of(OutcomeKind::BadToken)),
        Authentication::Ended(verified) => (verified, None),
        Authentication::Living(verified, token) => (verified, Some(token)),
    };
    let account = auth.store.account(verified.account).await?;
    Ok(match (account, living) {
        (None, _) => Outcome::of(OutcomeKind::Gone),
        (Some(_), None) => Outcome::of(OutcomeKind::BadToken),
        (Some(account), Some(token)) => {
            let token = auth.presented(token, &verified);
            Outcome::of(OutcomeKind::Ok).account(account).token(Some(token))
        }
    })
}
