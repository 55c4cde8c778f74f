//! Which keys verify: those of the store, as this process has learned of them.
//!
//! The surprise: an unknown key is no proof of a forged token, and a known one none of a good one. A process that was
//! stopped, or cut off from its database, has missed that a key was made or removed; it asks before it says anything,
//! as it does for sessions that it cannot vouch for.

use std::sync::Arc;

use super::Auth;
use crate::key::{KeyId, KeyRemoval, KeyRing, LEAD, PublicKey};
use crate::realm::Realm;
use crate::secret::Secret;
use crate::token::Verified;
use crate::{Result, Timestamp, audit};

impl Auth {
    /// Takes over the keys that the store has, if they are others than those in use. With a shared secret there is
    /// nothing to learn.
    ///
    /// # Errors
    /// When the store cannot answer, or a key is damaged.
    pub(super) async fn learn_keys(&self) -> Result<()> {
        if self.policy.shared_secret.is_some() {
            return Ok(());
        }
        // In turn: an older answer that came after a newer one would take the newest key away, and pass for fresh.
        let read = async {
            let asked = self.clock.moment();
            let stored = self.store.signing_keys().await?;
            let known = self.tokens.ring();
            let names = known.public().into_iter().map(|key| key.id);
            if !names.eq(stored.iter().map(|key| key.id.clone())) {
                self.tokens.replace_ring(KeyRing::es256(&stored)?);
            }
            self.learned.confirm(asked);
            Ok(())
        };
        self.learning.take(read).await
    }

    /// Removes a key, so that every token of it is dead: no process accepts one in a check that begins later than
    /// [`FRESH_FOR`](crate::revocations::FRESH_FOR) after this. Not the key that signs.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn remove_key(&self, id: &KeyId) -> Result<KeyRemoval> {
        let now = self.clock.now();
        let lead = i64::try_from(LEAD.as_millis()).unwrap_or(i64::MAX);
        if self
            .store
            .remove_signing_key(id, Timestamp(now.0.saturating_sub(lead)))
            .await?
        {
            audit::record_key(audit::Event::KeyRemoved, id);
            self.catch_up().await?;
            return Ok(KeyRemoval::Removed);
        }
        let keys = self.store.signing_keys().await?;
        let Some(place) = keys.iter().position(|key| key.id == *id) else {
            return Ok(KeyRemoval::Unknown);
        };
        let next = keys.iter().take(place).map(|key| key.created_at.plus(LEAD)).min();
        Ok(next.map_or(KeyRemoval::Signs, |next| KeyRemoval::SignsFor(next.since(now))))
    }

    /// The keys that may be published, with every one that may sign: a service that does not find a token's key among
    /// them says that the token is forged.
    ///
    /// # Errors
    /// When the store has to be asked for its keys and cannot answer.
    pub async fn public_keys(&self) -> Result<Vec<PublicKey>> {
        if !self.learned.holds(self.clock.moment()) {
            self.learn_keys().await?;
        }
        Ok(self.tokens.ring().public())
    }

    /// Verifies a token of this realm.
    ///
    /// # Errors
    /// As [`Auth::verify_of_any_realm`].
    pub(super) async fn verify(&self, token: &Secret, realm: &Realm, now: Timestamp) -> Result<Option<Arc<Verified>>> {
        let verified = self.verify_of_any_realm(token, now).await?;
        Ok(verified.filter(|verified| verified.realm() == realm.name))
    }

    /// Verifies a token. Where memory is too old to say which keys there are, learns that first, unless the token is
    /// none by any.
    ///
    /// # Errors
    /// When the store has to be asked for its keys and cannot answer.
    pub(crate) async fn verify_of_any_realm(&self, token: &Secret, now: Timestamp) -> Result<Option<Arc<Verified>>> {
        // Looked up before the token: what is known then is no older when the token is verified.
        let is_sure = self.policy.shared_secret.is_some() || self.learned.holds(self.clock.moment());
        let verified = self.tokens.verify(token, now);
        if is_sure || (verified.is_none() && !self.tokens.lacks_key_of(token)) {
            return Ok(verified);
        }
        self.learn_keys().await?;
        Ok(self.tokens.verify(token, now))
    }
}
