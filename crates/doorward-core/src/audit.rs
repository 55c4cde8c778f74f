//! What happened to accounts and sessions, as log events under the target `audit`.
//!
//! The surprise: an event names accounts and sessions by id only. What a person typed never gets here.

use std::net::IpAddr;

use crate::account::AccountId;
use crate::client::ClientId;
use crate::key::KeyId;
use crate::realm::Realm;
use crate::session::{Client, SessionId};

/// Something that happened.
#[derive(Clone, Copy, Debug)]
pub enum Event {
    /// An account was made.
    Registered,
    /// A session was opened.
    LoggedIn,
    /// A password was wrong, or the account unknown or disabled.
    LoginRefused,
    /// The current password that goes with a good token was wrong: somebody may be guessing with a borrowed one.
    PasswordRefused,
    /// A password was not looked at, because too many were tried before.
    AttemptThrottled,
    /// A session was ended by its own token.
    LoggedOut,
    /// Sessions were ended by another session of the account, by an operator, or by a login to an account that had too
    /// many.
    SessionsEnded,
    /// An operator has ended the sessions of everybody.
    AllSessionsEnded,
    /// An old refresh token was presented; its session has been ended.
    RefreshTokenReused,
    /// The password was replaced.
    PasswordChanged,
    /// Names, identifiers or attributes were changed.
    AccountUpdated,
    /// The account may not sign in any more.
    AccountDisabled,
    /// The account may sign in again.
    AccountEnabled,
    /// The account was deleted.
    AccountDeleted,
    /// A new signing key was made.
    KeyRotated,
    /// A signing key was removed before its tokens were dead by age.
    KeyRemoved,
    /// A service has ended the session of a token.
    TokenRevoked,
    /// A service may ask from now on.
    ClientAdded,
    /// A service may not ask any more.
    ClientRemoved,
}

impl Event {
    fn name(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::LoggedIn => "logged_in",
            Self::LoginRefused => "login_refused",
            Self::PasswordRefused => "password_refused",
            Self::AttemptThrottled => "attempt_throttled",
            Self::LoggedOut => "logged_out",
            Self::SessionsEnded => "sessions_ended",
            Self::AllSessionsEnded => "all_sessions_ended",
            Self::RefreshTokenReused => "refresh_token_reused",
            Self::PasswordChanged => "password_changed",
            Self::AccountUpdated => "account_updated",
            Self::AccountDisabled => "account_disabled",
            Self::AccountEnabled => "account_enabled",
            Self::AccountDeleted => "account_deleted",
            Self::KeyRotated => "key_rotated",
            Self::KeyRemoved => "key_removed",
            Self::TokenRevoked => "token_revoked",
            Self::ClientAdded => "client_added",
            Self::ClientRemoved => "client_removed",
        }
    }
}

/// Writes an event to the log.
pub fn record(event: Event, account: Option<AccountId>, session: Option<SessionId>, client: Option<&Client>) {
    let account = account.map(tracing::field::display);
    let session = session.map(tracing::field::display);
    let address: Option<IpAddr> = client.and_then(|client| client.address);
    let address = address.map(tracing::field::display);
    match event {
        Event::RefreshTokenReused => {
            tracing::warn!(target: "audit", account, session, address, "{}", event.name());
        }
        _ => tracing::info!(target: "audit", account, session, address, "{}", event.name()),
    }
}

/// Writes to the log that sessions of everybody have ended, or of everybody in a realm, and how many.
pub fn record_all(event: Event, realm: Option<&Realm>, ended: usize) {
    let realm = realm.map(|realm| &*realm.name);
    tracing::info!(target: "audit", realm, ended, "{}", event.name());
}

/// Writes to the log what happened to a signing key.
pub fn record_key(event: Event, key: &KeyId) {
    tracing::info!(target: "audit", %key, "{}", event.name());
}

/// Writes to the log what happened to a client, or what one did to a session.
pub fn record_client(event: Event, client: ClientId, account: Option<AccountId>, session: Option<SessionId>) {
    let account = account.map(tracing::field::display);
    let session = session.map(tracing::field::display);
    tracing::info!(target: "audit", %client, account, session, "{}", event.name());
}
