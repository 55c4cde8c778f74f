//! What tokens a contract issues, and the sessions that they are of.
//!
//! The surprise: a session lives a little longer than its tokens. It is written down first, and they are made a moment
//! later.

use std::time::Duration;

use serde_json::{Map, Value};

use super::Auth;
use crate::account::{Account, AccountId};
use crate::action::{Claims, IssuedToken};
use crate::realm::Realm;
use crate::refresh::RefreshToken;
use crate::secret::Secret;
use crate::session::{Client, NewSession, Session, SessionId};
use crate::token::{NewToken, STATUS_CLAIM, Verified};
use crate::{Result, Timestamp, random};

/// How much longer a session lives than what it is opened for: its tokens are made a moment after it.
pub const SLACK: Duration = Duration::from_secs(60);

/// The longest life of a session where a contract does not say it, however often its token is renewed: as long as one
/// with refresh tokens has in the contract of our own. Whoever holds a stolen token holds it no longer than that.
pub const RENEWED_FOR: Duration = Duration::from_hours(90 * 24);

/// What tokens a contract issues.
pub struct Grant {
    /// The life of an access token.
    pub lifetime: Duration,
    /// The refresh tokens, if it has them.
    pub refresh: Option<RefreshGrant>,
    /// The contract's own claims.
    pub claims: Box<Claims>,
}

/// What refresh tokens a contract issues.
#[derive(Clone, Copy, Debug)]
pub struct RefreshGrant {
    /// The life of a refresh token that is not used.
    pub idle: Duration,
    /// The longest life of a session, however often it is refreshed or its token is renewed.
    pub lifetime: Duration,
    /// For how long the same client may use a refresh token twice.
    pub grace: Duration,
}

impl Grant {
    /// The longest life of a session from its opening on: at least that of its first token.
    pub(crate) fn longest_session(&self) -> Duration {
        self.refresh
            .map_or(self.lifetime.max(RENEWED_FOR), |refresh| refresh.lifetime)
    }
}

impl Auth {
    /// A session to open for this account, with its first refresh token if the contract has them.
    pub(crate) async fn new_session(
        &self,
        account: AccountId,
        realm: &Realm,
        grant: &Grant,
        client: Client,
    ) -> Result<(NewSession, Option<RefreshToken>)> {
        let now = self.clock.now();
        let id = SessionId(random::uuid(now)?);
        let refresh = grant.refresh.map(|_| RefreshToken::first(id, realm.id)).transpose()?;
        let life = grant
            .refresh
            .map_or(grant.lifetime, |refresh| refresh.idle.max(grant.lifetime));
        let session = Session {
            id,
            account,
            client,
            created_at: now,
            used_at: now,
            expires_at: now.plus(life).plus(SLACK),
            access_until: access_until(grant, now),
            status_index: self.next_status_index().await?,
        };
        let refresh_hash = refresh.as_ref().map(RefreshToken::hash);
        Ok((NewSession { session, refresh_hash }, refresh))
    }

    /// Signs an access token for a session, and hands over the refresh token that goes with it.
    ///
    /// The token outlives neither the session nor what was written down with it before: the ending of a session is
    /// forgotten after that, and so would be what keeps the token out.
    pub(crate) fn issue(
        &self,
        realm: &Realm,
        grant: &Grant,
        account: &Account,
        session: &Session,
        refresh: Option<&RefreshToken>,
    ) -> Result<IssuedToken> {
        let at = self.clock.now();
        let left = session.expires_at.since(at);
        let lifetime = grant.lifetime.min(left).min(session.access_until.since(at));
        let mut claims: Map<String, Value> = (grant.claims)(account);
        let place = self.status_lists.as_ref().zip(session.status_index);
        if let Some(status) = place.and_then(|(lists, index)| lists.claim(index)) {
            claims.insert(STATUS_CLAIM.to_owned(), status);
        }
        let access = self.tokens.sign(NewToken {
            realm,
            account: account.id,
            session: session.id,
            at,
            lifetime,
            claims,
        })?;
        Ok(IssuedToken {
            access,
            expires_in: lifetime,
            expires_at: at.plus(lifetime),
            refresh: refresh.map(RefreshToken::reveal),
            refresh_expires_in: refresh.and(grant.refresh).map(|refresh| refresh.idle.min(left)),
        })
    }

    /// The token of a request, for an answer that shows it again.
    pub(crate) fn presented(&self, token: Secret, verified: &Verified) -> IssuedToken {
        IssuedToken {
            access: token,
            expires_in: verified.expires_at.since(self.clock.now()),
            expires_at: verified.expires_at,
            refresh: None,
            refresh_expires_in: None,
        }
    }
}

/// Until when an access token may live that is asked for now, for the session to know before there is one.
pub(crate) fn access_until(grant: &Grant, now: Timestamp) -> Timestamp {
    now.plus(grant.lifetime).plus(SLACK)
}
