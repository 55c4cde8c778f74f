//! Rotation of refresh tokens.
//!
//! The surprise: who loses a race for a token is not told so. The loser's write waits for the winner's, finds
//! that the token has become the predecessor, and a loser that is the same client is given what the winner was
//! given.

use doorward_core::introspection::Refreshable;
use doorward_core::realm::{Realm, RealmId};
use doorward_core::refresh::{LastRotation, Rotation, RotationOutcome};
use doorward_core::session::SessionId;
use doorward_core::{Result, Timestamp};
use tokio_postgres::Row;

use super::fault::Fault;
use super::link::Link;
use super::readers::Readers;
use super::row;
use super::session::{client, session};

// The condition on the hash decides a race. The end of the session moves to what is asked for ($5) or to the
// end of its longest life ($6), and never back: tokens that may live until the old one are out.
const ROTATE: &str = "UPDATE sessions SET refresh_hash = $1, refresh_previous = refresh_hash, \
     refresh_rotated_at = $2, refresh_address = $3, refresh_user_agent = $4, used_at = $2, \
     expires_at = CASE WHEN expires_at >= $5 THEN expires_at WHEN created_at + $6 >= $5 THEN $5 \
     WHEN created_at + $6 >= expires_at THEN created_at + $6 ELSE expires_at END, \
     access_until = GREATEST(COALESCE(access_until, expires_at), $7) \
     WHERE id = $8 AND refresh_hash = $9 AND expires_at > $2 AND created_at + $6 > $2 \
     RETURNING id, account, address, user_agent, created_at, used_at, expires_at, status_index, access_until";
const CURRENT: &str = "SELECT id, account, address, user_agent, created_at, used_at, expires_at, status_index, \
     COALESCE(access_until, expires_at), refresh_hash, refresh_previous, refresh_rotated_at, refresh_address, \
     refresh_user_agent FROM sessions \
     WHERE id = $1 AND refresh_hash IS NOT NULL AND expires_at > $2 AND created_at + $3 > $2";
const REFRESHABLE: &str = "SELECT s.id, s.account, s.address, s.user_agent, s.created_at, s.used_at, s.expires_at, \
     s.status_index, COALESCE(s.access_until, s.expires_at), s.refresh_hash, r.id, r.name FROM sessions s \
     JOIN accounts a ON a.id = s.account JOIN realms r ON r.id = a.realm \
     WHERE s.id = $1 AND s.refresh_hash IS NOT NULL AND s.expires_at > $2";

/// Two statements and no transaction around them: the second runs only if the first has changed nothing.
pub(super) async fn rotate(link: &Link, rotation: &Rotation) -> Result<RotationOutcome, Fault> {
    let lifetime = rotation.lifetime_ms();
    let rotated = link
        .maybe(
            ROTATE,
            &[
                &rotation.successor.as_slice(),
                &rotation.at.0,
                &rotation.client.address.map(|address| address.to_string()),
                &rotation.client.user_agent,
                &rotation.expires_at.0,
                &lifetime,
                &rotation.access_until.0,
                &rotation.session.0,
                &rotation.presented.as_slice(),
            ],
        )
        .await?;
    if let Some(row) = rotated {
        return Ok(RotationOutcome::Rotated(session(&row)?));
    }
    let found = link
        .maybe(CURRENT, &[&rotation.session.0, &rotation.at.0, &lifetime])
        .await?;
    let Some(row) = found else {
        return Ok(RotationOutcome::Unknown);
    };
    let (session, current) = (session(&row)?, row::bytes(&row, 9)?);
    Ok(rotation.not_current(session, current, last_rotation(&row)?.as_ref()))
}

/// The living session of that id with what tells its refresh token from others.
pub(super) async fn refreshable(readers: &Readers, id: SessionId, now: Timestamp) -> Result<Option<Refreshable>> {
    let rows = readers.rows(REFRESHABLE, &[&id.0, &now.0]).await?;
    Ok(row::maybe(rows.first(), |row| {
        Ok(Refreshable {
            session: session(row)?,
            current: row::bytes(row, 9)?,
            realm: Realm {
                id: RealmId(row.try_get(10)?),
                name: row.try_get(11)?,
            },
        })
    })?)
}

fn last_rotation(row: &Row) -> Result<Option<LastRotation>, Fault> {
    let (Some(previous), Some(at)) = (row::maybe_bytes(row, 10)?, row.try_get::<_, Option<i64>>(11)?) else {
        return Ok(None);
    };
    Ok(Some(LastRotation {
        previous,
        at: Timestamp(at),
        client: client(row, 12)?,
    }))
}
