//! Rotation of refresh tokens.
//!
//! The surprise: who loses a race for a token is not told so. The winner's write makes the token the
//! predecessor, and a loser that is the same client is given what the winner was given.

use doorward_core::Timestamp;
use doorward_core::introspection::Refreshable;
use doorward_core::realm::{Realm, RealmId};
use doorward_core::refresh::{LastRotation, Rotation, RotationOutcome};
use doorward_core::session::SessionId;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::session::{client, session};

// The condition on the hash decides a race. The end of the session moves to what is asked for ($5) or to the
// end of its longest life ($6), and never back: tokens that may live until the old one are out.
const ROTATE: &str = "UPDATE sessions SET refresh_hash = $1, refresh_previous = refresh_hash, \
     refresh_rotated_at = $2, refresh_address = $3, refresh_user_agent = $4, used_at = $2, \
     expires_at = CASE WHEN expires_at >= $5 THEN expires_at WHEN created_at + $6 >= $5 THEN $5 \
     WHEN created_at + $6 >= expires_at THEN created_at + $6 ELSE expires_at END, \
     access_until = max(COALESCE(access_until, expires_at), $7) \
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

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[ROTATE, CURRENT, REFRESHABLE];

pub(super) fn rotate(connection: &Connection, rotation: &Rotation) -> rusqlite::Result<RotationOutcome> {
    let lifetime = rotation.lifetime_ms();
    let rotated = connection.prepare_cached(ROTATE)?.query_row(
        params![
            rotation.successor,
            rotation.at.0,
            rotation.client.address.map(|address| address.to_string()),
            rotation.client.user_agent,
            rotation.expires_at.0,
            lifetime,
            rotation.access_until.0,
            rotation.session.0.as_bytes(),
            rotation.presented,
        ],
        session,
    );
    if let Some(session) = rotated.optional()? {
        return Ok(RotationOutcome::Rotated(session));
    }
    let row = params![rotation.session.0.as_bytes(), rotation.at.0, lifetime];
    let found = connection.prepare_cached(CURRENT)?.query_row(row, |row| {
        Ok((session(row)?, row.get::<_, [u8; 32]>(9)?, last_rotation(row)?))
    });
    let Some((session, current, last)) = found.optional()? else {
        return Ok(RotationOutcome::Unknown);
    };
    Ok(rotation.not_current(session, current, last.as_ref()))
}

/// The living session of that id with what tells its refresh token from others.
pub(super) fn refreshable(
    connection: &Connection,
    id: SessionId,
    now: Timestamp,
) -> rusqlite::Result<Option<Refreshable>> {
    let row = params![id.0.as_bytes(), now.0];
    let found = connection.prepare_cached(REFRESHABLE)?.query_row(row, |row| {
        Ok(Refreshable {
            session: session(row)?,
            current: row.get(9)?,
            realm: Realm {
                id: RealmId(row.get(10)?),
                name: row.get(11)?,
            },
        })
    });
    found.optional()
}

fn last_rotation(row: &Row<'_>) -> rusqlite::Result<Option<LastRotation>> {
    let Some(at) = row.get::<_, Option<i64>>(11)? else {
        return Ok(None);
    };
    Ok(Some(LastRotation {
        previous: row.get(10)?,
        at: Timestamp(at),
        client: client(row, 12)?,
    }))
}
