//! Sessions: one login on one device. Every token names its session (`sid`); ending the session kills them all.

use std::fmt;
use std::net::IpAddr;

use uuid::Uuid;

use crate::Timestamp;
use crate::account::AccountId;
use crate::status_list::StatusIndex;

/// The id of a session: a UUIDv7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub Uuid);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The most bytes kept of a `User-Agent`.
pub const MAX_USER_AGENT: usize = 256;

/// Who is calling, as far as the server can see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The address of the client, after trusted proxies.
    pub address: Option<IpAddr>,
    /// The `User-Agent`, cut to [`MAX_USER_AGENT`] bytes.
    pub user_agent: String,
}

/// A living session.
#[derive(Clone, Debug)]
pub struct Session {
    /// The `sid` of its tokens.
    pub id: SessionId,
    /// Whose it is.
    pub account: AccountId,
    /// Who opened it.
    pub client: Client,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it was opened, renewed or refreshed last.
    pub used_at: Timestamp,
    /// After this moment no token of it can be alive.
    pub expires_at: Timestamp,
    /// Its place in the status lists, if it took one when it was opened.
    pub status_index: Option<StatusIndex>,
}

/// A session to open.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its id, account, client and times (`used_at` is `created_at`).
    pub session: Session,
    /// SHA-256 of its first refresh token, when it has any.
    pub refresh_hash: Option<[u8; 32]>,
}

/// A session that has ended, as every node has to know it.
#[derive(Clone, Copy, Debug)]
pub struct EndedSession {
    /// Position in the order of endings; grows with every one.
    pub sequence: i64,
    /// Which session.
    pub session: SessionId,
    /// When the last of its tokens is dead by age, so that it need not be remembered any longer.
    pub expires_at: Timestamp,
}
