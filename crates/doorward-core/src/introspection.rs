//! What a token is worth now, for services that ask instead of verifying by themselves (RFC 7662), and its end
//! before its time (RFC 7009).
//!
//! The surprise: asking about a refresh token is not using it. It is neither rotated nor taken for a repetition, also
//! when it is an old one.

use subtle::ConstantTimeEq;

use crate::account::AccountId;
use crate::audit::{Event, record_client};
use crate::client::ClientId;
use crate::realm::Realm;
use crate::refresh::RefreshToken;
use crate::secret::Secret;
use crate::session::{Session, SessionId};
use crate::token::MAX_TOKEN;
use crate::{Auth, Result, Timestamp};

/// A token whose session lives.
#[derive(Clone, Debug)]
pub struct Active {
    /// Whose it is.
    pub account: AccountId,
    /// Of which login.
    pub session: SessionId,
    /// The name of the realm.
    pub realm: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it dies by age.
    pub expires_at: Timestamp,
    /// The `jti` of an access token. A refresh token has none.
    pub jti: Option<String>,
}

/// The living session of a refresh token, and what tells the token from others of the session.
#[derive(Debug)]
pub struct Refreshable {
    /// The session.
    pub session: Session,
    /// The realm of its account.
    pub realm: Realm,
    /// SHA-256 of the token that is current.
    pub current: [u8; 32],
}

impl Auth {
    /// What a token is worth now, of whatever realm. `None` for everything that is not accepted: forged, expired,
    /// ended, rotated, or no token at all.
    ///
    /// # Errors
    /// When nobody can say whether its session lives.
    pub async fn introspect(&self, token: &Secret) -> Result<Option<Active>> {
        if token.expose().len() > MAX_TOKEN {
            return Ok(None);
        }
        if let Some((presented, found)) = self.refreshable(token).await? {
            let is_current = bool::from(presented.hash().ct_eq(&found.current));
            return Ok(is_current.then_some(Active {
                account: found.session.account,
                session: found.session.id,
                realm: found.realm.name,
                issued_at: found.session.used_at,
                expires_at: found.session.expires_at,
                jti: None,
            }));
        }
        let now = self.clock.now();
        let Some(verified) = self.verify_of_any_realm(token, now).await? else {
            return Ok(None);
        };
        if !self.session_lives(&verified, now).await? {
            return Ok(None);
        }
        let Some((jti, issued_at)) = verified.birth(token) else {
            return Ok(None);
        };
        Ok(Some(Active {
            account: verified.account,
            session: verified.session,
            realm: verified.realm().to_owned(),
            issued_at,
            expires_at: verified.expires_at,
            jti: Some(jti),
        }))
    }

    /// Ends the session of a token, access or refresh, of whatever realm. Nothing happens where the token is not
    /// accepted anyway; an old refresh token ends its session, too, as it would if it were used.
    ///
    /// # Errors
    /// When the ending could not be made durable, or too many others are looked for (as
    /// [`RefreshToken::is_ancestor_of`]); the session may live on.
    pub async fn revoke(&self, token: &Secret, client: ClientId) -> Result<()> {
        if token.expose().len() > MAX_TOKEN {
            return Ok(());
        }
        let now = self.clock.now();
        let (session, account) = if let Some((presented, found)) = self.refreshable(token).await? {
            let is_one_of_it = bool::from(presented.hash().ct_eq(&found.current))
                || presented.is_ancestor_of(&found.current, &self.rotation).await?;
            if !is_one_of_it {
                return Ok(());
            }
            (found.session.id, found.session.account)
        } else {
            match self.verify_of_any_realm(token, now).await? {
                Some(verified) => (verified.session, verified.account),
                None => return Ok(()),
            }
        };
        match self.store.end_session(session, account, now).await? {
            Some(ended) => {
                self.ended(&[ended]);
                record_client(Event::TokenRevoked, client, Some(account), Some(session));
            }
            // Somebody else has ended it, perhaps on another machine and a moment ago: it is dead here, too, when
            // this is answered.
            None => self.catch_up_endings().await?,
        }
        Ok(())
    }

    /// The token as a refresh token, and the living session that it names.
    async fn refreshable(&self, token: &Secret) -> Result<Option<(RefreshToken, Refreshable)>> {
        let Some(session) = RefreshToken::session_named_in(token.expose()) else {
            return Ok(None);
        };
        let Some(found) = self.store.refreshable(session, self.clock.now()).await? else {
            return Ok(None);
        };
        Ok(RefreshToken::parse(token.expose(), found.realm.id).map(|presented| (presented, found)))
    }
}
