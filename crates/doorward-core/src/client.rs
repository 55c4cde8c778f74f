//! Clients: the services that may ask this server about tokens and sessions, each with a secret (RFC 6749 section 2).
//!
//! A client is a program with an entry in the store. The surprise: it has nothing in common with
//! [`crate::session::Client`], the browser or app in front of which a person sits.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use quick_cache::sync::Cache;
use subtle::ConstantTimeEq;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::revocations::FRESH_FOR;
use crate::secret::Secret;
use crate::{Auth, Moment, Result, Timestamp, random};

/// The most characters of a client's name.
pub const MAX_CLIENT_NAME: usize = 100;

/// How many clients are remembered for the second in which they need not be looked up again.
const REMEMBERED: usize = 1_000;

/// The id of a client: a UUIDv7, by which it is found. No secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientId(pub Uuid);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The secret of a client: 256 random bits, so that a plain hash of it gives nothing away. Prints as `(..)`.
pub struct ClientSecret(Zeroizing<[u8; 32]>);

impl ClientSecret {
    /// A new secret.
    ///
    /// # Errors
    /// When there are no random bytes.
    pub fn generate() -> Result<Self> {
        Ok(Self(Zeroizing::new(random::bytes()?)))
    }

    /// Reads a secret as a client sends it: 32 bytes in unpadded base64url, nothing around it.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let bits: [u8; 32] = bytes.as_slice().try_into().ok()?;
        Some(Self(Zeroizing::new(bits)))
    }

    /// The secret as its client keeps it.
    pub fn reveal(&self) -> Secret {
        Secret::new(URL_SAFE_NO_PAD.encode(self.0.as_slice()))
    }

    /// What the store keeps of it: its SHA-256.
    pub fn hash(&self) -> [u8; 32] {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest::digest(&digest::SHA256, self.0.as_slice()).as_ref());
        hash
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(..)")
    }
}

/// A service that may ask.
#[derive(Clone, Debug)]
pub struct Client {
    /// By which it is found.
    pub id: ClientId,
    /// What the operator calls it.
    pub name: String,
    /// SHA-256 of its secret.
    pub secret_hash: [u8; 32],
    /// When it was made.
    pub created_at: Timestamp,
}

/// Clients that were looked up a moment ago. Only those that there are, so that nobody can fill it with guesses.
pub(crate) struct Clients(Cache<ClientId, (Moment, Arc<Client>)>);

impl Default for Clients {
    fn default() -> Self {
        Self(Cache::new(REMEMBERED))
    }
}

impl Auth {
    /// The client that these credentials belong to. `None` when there is no such client or the secret is not its.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn authenticate_client(&self, id: &str, secret: &str) -> Result<Option<ClientId>> {
        let (Ok(id), Some(secret)) = (Uuid::try_parse(id), ClientSecret::parse(secret)) else {
            return Ok(None);
        };
        let Some(client) = self.find_client(ClientId(id)).await? else {
            return Ok(None);
        };
        let same = client.secret_hash.ct_eq(&secret.hash());
        Ok(bool::from(same).then_some(client.id))
    }

    /// Whether there still is such a client. An answer may be as old as one about a session ([`FRESH_FOR`]).
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn is_client(&self, id: ClientId) -> Result<bool> {
        Ok(self.find_client(id).await?.is_some())
    }

    async fn find_client(&self, id: ClientId) -> Result<Option<Arc<Client>>> {
        // The moment before the question: a client removed while it is answered is in it or gone.
        let asked = self.clock.moment();
        if let Some((then, client)) = self.clients.0.get(&id)
            && asked.is_within(then.plus(FRESH_FOR))
        {
            return Ok(Some(client));
        }
        let Some(client) = self.store.client(id).await?.map(Arc::new) else {
            self.clients.0.remove(&id);
            return Ok(None);
        };
        self.clients.0.insert(id, (asked, Arc::clone(&client)));
        Ok(Some(client))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_only_what_it_wrote() {
        let secret = ClientSecret::generate().unwrap();
        let text = secret.reveal();
        assert_eq!(text.expose().len(), 43);
        assert_eq!(ClientSecret::parse(text.expose()).unwrap().hash(), secret.hash());
        for bad in [
            String::new(),
            format!("{}A", text.expose()),
            format!("{}=", text.expose()),
        ] {
            assert!(ClientSecret::parse(&bad).is_none(), "{bad}");
        }
        assert_ne!(ClientSecret::generate().unwrap().hash(), secret.hash());
        assert_eq!(format!("{secret:?}"), "(..)");
    }
}
