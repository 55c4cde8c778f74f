//! Refresh: takes a refresh token for its successor and a new access token (RFC 6749 section 6).
//!
//! The surprise: a token used twice within a short window by the same client gets the same successor, so
//! that a lost answer logs nobody out. Used later it is a stolen one, and the whole session ends.

use super::{Call, Carries, HasOutcome, Input, Need, Outcome, OutcomeKind, Table, TakesInput};
use crate::audit::{Event, record};
use crate::auth::{SLACK, access_until};
use crate::refresh::{RefreshToken, Rotation, RotationOutcome};
use crate::{Auth, Error, Result};

pub(super) static TABLE: Table = Table {
    name: "refresh",
    about: "Takes a refresh token for its successor and a new access token.",
    safe: false,
    token: false,
    inputs: &[TakesInput {
        input: Input::RefreshToken,
        need: Need::Required,
    }],
    outcomes: &[
        HasOutcome {
            kind: OutcomeKind::Ok,
            when: "The refresh token was the current one (or was a moment ago, for the same client).",
            carries: &[Carries::Account, Carries::NewToken],
        },
        HasOutcome {
            kind: OutcomeKind::BadToken,
            when: "The refresh token is forged or expired, or its session has ended.",
            carries: &[],
        },
        HasOutcome {
            kind: OutcomeKind::Reused,
            when: "The refresh token was used before: its session has been ended.",
            carries: &[],
        },
        super::INVALID,
    ],
};

pub(super) async fn run(auth: &Auth, call: Call<'_>) -> Result<Outcome> {
    let Some(grant) = call.grant.refresh else {
        return Err(Error::internal(
            "a contract without refresh tokens has a route for them",
        ));
    };
    let text = call.inputs.text(Input::RefreshToken).unwrap_or_default();
    let Some(presented) = RefreshToken::parse(text, call.realm.id) else {
        return Ok(Outcome::of(OutcomeKind::BadToken));
    };
    let successor = presented.successor(&auth.rotation);
    let now = auth.clock.now();
    let rotation = Rotation {
        session: presented.session,
        presented: presented.hash(),
        successor: successor.hash(),
        client: call.client.clone(),
        expires_at: now.plus(grant.idle.max(call.grant.lifetime)).plus(SLACK),
        access_until: access_until(call.grant, now),
        lifetime: grant.lifetime,
        grace: grant.grace,
        at: now,
    };
    let session = match auth.store.rotate_refresh_token(rotation).await? {
        RotationOutcome::Rotated(session) => session,
        RotationOutcome::Repeated(session) => {
            // Nothing was written this time, and the access token is another one.
            let until = access_until(call.grant, now);
            let id = session.id;
            let extended = auth
                .store
                .extend_session(id, session.expires_at, until, grant.lifetime, now)
                .await?;
            let Some(session) = extended else {
                return Ok(Outcome::of(OutcomeKind::BadToken));
            };
            session
        }
        RotationOutcome::NotCurrent { account, current } => {
            if !presented.is_ancestor_of(&current, &auth.rotation).await? {
                return Ok(Outcome::of(OutcomeKind::BadToken));
            }
            match auth.store.end_session(presented.session, account, now).await? {
                Some(ended) => auth.ended(&[ended]),
                // Somebody else ended it a moment ago: it is dead here, too, when this is answered.
                None => auth.catch_up_endings().await?,
            }
            record(
                Event::RefreshTokenReused,
                Some(account),
                Some(presented.session),
                Some(&call.client),
            );
            return Ok(Outcome::of(OutcomeKind::Reused));
        }
        RotationOutcome::Unknown => return Ok(Outcome::of(OutcomeKind::BadToken)),
    };
    let Some(account) = auth.store.account(session.account).await? else {
        return Ok(Outcome::of(OutcomeKind::BadToken));
    };
    let token = auth.issue(call.realm, call.grant, &account, &session, Some(&successor))?;
    Ok(Outcome::of(OutcomeKind::Ok).account(account).token(Some(token)))
}
