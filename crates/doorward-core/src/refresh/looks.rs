//! Who looks for the descendants of an old refresh token: one at a time, one for a session, and few that wait.
//!
//! The surprise: whoever finds no place is told to come back, and never that the token is not an old one. The session
//! of a stolen token would live on.

use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::MutexGuard;

use crate::session::SessionId;
use crate::{Error, Result};

/// Sessions that are looked through at a time: one, and the others wait for that. The last of them waits for some tens
/// of milliseconds. A request that waits goes on when its caller hangs up, so that without a limit who knows the id of
/// a session could have any number of them wait.
pub(super) const MAX_LOOKS: usize = 16;

/// When to come back. There is a place much sooner, but `Retry-After` knows whole seconds (RFC 9110 section 10.2.3).
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The places, and whose turn it is.
#[derive(Default)]
pub(super) struct Looks {
    /// Those that have a place, at most [`MAX_LOOKS`].
    sessions: Mutex<Vec<SessionId>>,
    looking: tokio::sync::Mutex<()>,
}

/// The right to look, until it is dropped.
pub(super) struct Look<'a> {
    _looking: MutexGuard<'a, ()>,
    _place: Place<'a>,
}

struct Place<'a> {
    looks: &'a Looks,
    session: SessionId,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.looks.sessions.lock().retain(|session| *session != self.session);
    }
}

impl Looks {
    /// Waits for the turn of this session.
    ///
    /// # Errors
    /// [`Error::Busy`] when somebody looks for this session already, or there is no place.
    pub(super) async fn turn(&self, session: SessionId) -> Result<Look<'_>> {
        let place = self.place(session)?;
        Ok(Look {
            _looking: self.looking.lock().await,
            _place: place,
        })
    }

    fn place(&self, session: SessionId) -> Result<Place<'_>> {
        let mut sessions = self.sessions.lock();
        if sessions.len() >= MAX_LOOKS || sessions.contains(&session) {
            let retry_after = RETRY_AFTER;
            return Err(Error::Busy { retry_after });
        }
        sessions.push(session);
        Ok(Place { looks: self, session })
    }
}
