//! Which keys verify: those of the store, as this process has learned of them.
//!
//! The surprise: an unknown key is no proof of a forged token. A process that was stopped, or cut off from its
//! database, has missed the rotation; it asks before it says no, as it does for sessions that it cannot vouch for.

use std::sync::Arc;

use super::Auth;
use crate::key::{KeyRing, PublicKey};
use crate::realm::Realm;
use crate::secret::Secret;
use crate::token::Verified;
use crate::{Result, Timestamp};

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
            let asked = self.clock.running();
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

    /// The keys that may be published, with every one that may sign: a service that does not find a token's key among
    /// them says that the token is forged.
    ///
    /// # Errors
    /// When the store has to be asked for its keys and cannot answer.
    pub async fn public_keys(&self) -> Result<Vec<PublicKey>> {
        if !self.learned.holds(self.clock.running()) {
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

    /// Verifies a token, and learns of new keys first if it could be signed by one.
    ///
    /// # Errors
    /// When the store has to be asked for its keys and cannot answer.
    pub(crate) async fn verify_of_any_realm(&self, token: &Secret, now: Timestamp) -> Result<Option<Arc<Verified>>> {
        let verified = self.tokens.verify(token, now);
        let is_sure = verified.is_some()
            || self.policy.shared_secret.is_some()
            || self.learned.holds(self.clock.running())
            || !self.tokens.lacks_key_of(token);
        if is_sure {
            return Ok(verified);
        }
        self.learn_keys().await?;
        Ok(self.tokens.verify(token, now))
    }
}
