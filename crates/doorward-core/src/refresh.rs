//! Refresh tokens: 256 random bits, stored hashed, rotated at each use (RFC 9700 section 4.14.2).
//!
//! The surprise: only the first token of a session is drawn at random; each successor is an HMAC of its
//! predecessor under a secret of the server. So the same successor can be given twice to a client whose
//! answer was lost, an old token can be recognised as an ancestor of today's, and neither needs a row.

use aws_lc_rs::{digest, hmac};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use std::time::Duration;
use tokio::task::yield_now;
use uuid::Uuid;
use zeroize::Zeroizing;

use self::looks::Looks;
use crate::realm::RealmId;
use crate::secret::Secret;
use crate::session::{Client, Session, SessionId, lifetime_ms};
use crate::{Result, Timestamp, random};

mod looks;

/// How many generations back an old token is still recognised as stolen or replayed. At one refresh in five
/// minutes that is two weeks; an older one is refused like a forged one.
pub const MAX_ANCESTORS: usize = 4096;

/// How many generations are looked through without a pause: some tens of microseconds. The first so many are looked
/// through without a turn as well, so that a token stolen lately is recognised also while others have thousands looked
/// through.
const GENERATIONS_AT_ONCE: usize = 64;

/// A refresh token: the session it belongs to and 256 secret bits.
pub struct RefreshToken {
    /// The session, in the clear, to find it by.
    pub session: SessionId,
    /// Not in the text: it enters the hash, so that a token presented in another realm is not found there.
    realm: RealmId,
    bits: Zeroizing<[u8; 32]>,
}

impl RefreshToken {
    /// The first token of a session.
    ///
    /// # Errors
    /// When there are no random bytes.
    pub fn first(session: SessionId, realm: RealmId) -> Result<Self> {
        let bits = Zeroizing::new(random::bytes()?);
        Ok(Self { session, realm, bits })
    }

    /// Reads a token as a client sends it: 48 bytes in unpadded base64url, nothing around it.
    pub fn parse(text: &str, realm: RealmId) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
        let (session, bits) = bytes.split_first_chunk::<16>()?;
        let bits: [u8; 32] = bits.try_into().ok()?;
        Some(Self {
            session: SessionId(Uuid::from_bytes(*session)),
            realm,
            bits: Zeroizing::new(bits),
        })
    }

    /// The session that a text names, if it has the form of a refresh token. Proves nothing.
    pub fn session_named_in(text: &str) -> Option<SessionId> {
        // The realm enters the hash alone.
        Self::parse(text, RealmId(0)).map(|token| token.session)
    }

    /// The token as a client keeps it.
    pub fn reveal(&self) -> Secret {
        let mut bytes = Zeroizing::new([0; 48]);
        let (session, bits) = bytes.split_at_mut(16);
        session.copy_from_slice(self.session.0.as_bytes());
        bits.copy_from_slice(self.bits.as_slice());
        Secret::new(URL_SAFE_NO_PAD.encode(bytes.as_slice()))
    }

    /// What the store keeps of it.
    pub fn hash(&self) -> [u8; 32] {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&self.realm.0.to_be_bytes());
        context.update(self.bits.as_slice());
        let mut hash = [0; 32];
        hash.copy_from_slice(context.finish().as_ref());
        hash
    }

    /// The one token that may follow this one.
    pub fn successor(&self, secret: &RotationSecret) -> Self {
        let mut context = hmac::Context::with_key(&secret.key);
        context.update(self.session.0.as_bytes());
        context.update(self.bits.as_slice());
        let mut bits = Zeroizing::new([0; 32]);
        bits.copy_from_slice(context.sign().as_ref());
        Self {
            session: self.session,
            realm: self.realm,
            bits,
        }
    }

    /// Whether the token that the store has as `current` descends from this one.
    ///
    /// Anybody who knows the id of a session can have all generations looked through, which takes some milliseconds. So
    /// this is done for one token at a time, and others who are answered by this thread have their turn in between.
    ///
    /// # Errors
    /// [`crate::Error::Busy`] when it is none of the last generations and too many others are looked for. The token may
    /// be a stolen one all the same.
    pub async fn is_ancestor_of(&self, current: &[u8; 32], secret: &RotationSecret) -> Result<bool> {
        let mut token = self.successor(secret);
        if token.comes_to(current, secret) {
            return Ok(true);
        }
        let _turn = secret.looks.turn(self.session).await?;
        for _ in 1..MAX_ANCESTORS / GENERATIONS_AT_ONCE {
            yield_now().await;
            if token.comes_to(current, secret) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether this token, or one of the few that follow it, is the `current` one. If not, it becomes the one after
    /// those.
    fn comes_to(&mut self, current: &[u8; 32], secret: &RotationSecret) -> bool {
        for _ in 0..GENERATIONS_AT_ONCE {
            if self.hash() == *current {
                return true;
            }
            *self = self.successor(secret);
        }
        false
    }
}

/// The server's secret from which successors follow. The same on all nodes.
pub struct RotationSecret {
    key: hmac::Key,
    /// Those who look for a descendant.
    looks: Looks,
}

impl RotationSecret {
    /// The name of the secret in the store.
    pub const NAME: &str = "refresh-rotation";

    /// Takes the stored bytes.
    pub fn new(bytes: &[u8; 32]) -> Self {
        Self {
            key: hmac::Key::new(hmac::HMAC_SHA256, bytes),
            looks: Looks::default(),
        }
    }
}

/// A refresh token presented for its successor.
#[derive(Debug)]
pub struct Rotation {
    /// The session that the token names.
    pub session: SessionId,
    /// SHA-256 of the presented token.
    pub presented: [u8; 32],
    /// SHA-256 of its successor.
    pub successor: [u8; 32],
    /// Who presents it.
    pub client: Client,
    /// Until when the session may live from now on; never later than its birth plus `lifetime`.
    pub expires_at: Timestamp,
    /// Until when the access token may live that comes with the successor.
    pub access_until: Timestamp,
    /// The longest life of a session, from its opening.
    pub lifetime: Duration,
    /// For how long the same client may present the predecessor once more, before and after the rotation.
    pub grace: Duration,
    /// When.
    pub at: Timestamp,
}

/// The last rotation of a session, as the store keeps it.
#[derive(Debug)]
pub struct LastRotation {
    /// SHA-256 of the token that it took.
    pub previous: [u8; 32],
    /// When.
    pub at: Timestamp,
    /// From whom.
    pub client: Client,
}

impl Rotation {
    /// The longest life of the session in milliseconds, small enough that a store can add it to any time.
    pub fn lifetime_ms(&self) -> i64 {
        lifetime_ms(self.lifetime)
    }

    /// What becomes of a token that is not the current one of a living session: a repetition is the last rotation
    /// once more, the same token from the same client a moment later, or a moment earlier: the clocks of two nodes
    /// differ, and one that was set back by hours must not make hours of the moment.
    pub fn not_current(&self, session: Session, current: [u8; 32], last: Option<&LastRotation>) -> RotationOutcome {
        let grace = u64::try_from(self.grace.as_millis()).unwrap_or(u64::MAX);
        let repeats = |last: &LastRotation| {
            last.previous == self.presented
                && current == self.successor
                && last.client == self.client
                && self.at.0.abs_diff(last.at.0) < grace
        };
        if last.is_some_and(repeats) {
            return RotationOutcome::Repeated(session);
        }
        RotationOutcome::NotCurrent {
            account: session.account,
            current,
        }
    }
}

/// What became of a presented refresh token.
#[derive(Debug)]
pub enum RotationOutcome {
    /// It was the current one; the successor is current now. The session as it is after that.
    Rotated(Session),
    /// It was the current one a moment ago, for the same client: give the same successor again.
    Repeated(Session),
    /// The session lives and this is another token's hash; the current hash tells whether it is an old one.
    NotCurrent {
        /// Whose session it is.
        account: crate::account::AccountId,
        /// SHA-256 of the token that is current.
        current: [u8; 32],
    },
    /// No living session of that id has refresh tokens.
    Unknown,
}

#[cfg(test)]
mod tests {
    use std::pin::{Pin, pin};
    use std::sync::Arc;
    use std::task::{Context, Poll, Waker};

    use tokio::task::JoinHandle;

    use super::looks::MAX_LOOKS;
    use super::*;
    use crate::Error;

    fn token() -> RefreshToken {
        token_of(7)
    }

    fn token_of(session: u8) -> RefreshToken {
        RefreshToken::first(SessionId(Uuid::from_bytes([session; 16])), RealmId(1)).unwrap()
    }

    #[test]
    fn reads_only_what_it_wrote() {
        let token = token();
        let text = token.reveal();
        let again = RefreshToken::parse(text.expose(), RealmId(1)).unwrap();
        assert_eq!(again.hash(), token.hash());
        assert_eq!(again.session, token.session);
        let elsewhere = RefreshToken::parse(text.expose(), RealmId(2)).unwrap();
        assert_ne!(
            elsewhere.hash(),
            token.hash(),
            "a token of one realm means nothing in another"
        );
        for end in 0..text.expose().len() {
            let prefix = text.expose().get(..end).unwrap();
            assert!(RefreshToken::parse(prefix, RealmId(1)).is_none(), "a prefix of {end}");
        }
        assert!(RefreshToken::parse(&format!("{}A", text.expose()), RealmId(1)).is_none());
        assert!(RefreshToken::parse(&format!("{}=", text.expose()), RealmId(1)).is_none());
    }

    #[tokio::test]
    async fn knows_its_descendants_and_no_others() {
        let secret = RotationSecret::new(&[1; 32]);
        let (first, other) = (token(), token());
        let third = first.successor(&secret).successor(&secret);
        assert!(first.is_ancestor_of(&third.hash(), &secret).await.unwrap());
        assert!(!third.is_ancestor_of(&first.hash(), &secret).await.unwrap());
        assert!(!other.is_ancestor_of(&third.hash(), &secret).await.unwrap());
        assert!(!first.is_ancestor_of(&first.hash(), &secret).await.unwrap());
        assert_ne!(
            first.successor(&secret).hash(),
            first.successor(&RotationSecret::new(&[2; 32])).hash()
        );
    }

    #[tokio::test]
    async fn knows_them_as_far_as_it_says() {
        let secret = RotationSecret::new(&[1; 32]);
        let first = token();
        let mut descendant = first.successor(&secret);
        for _ in 1..MAX_ANCESTORS {
            descendant = descendant.successor(&secret);
        }
        assert!(first.is_ancestor_of(&descendant.hash(), &secret).await.unwrap());
        let one_more = descendant.successor(&secret).hash();
        assert!(!first.is_ancestor_of(&one_more, &secret).await.unwrap());
    }

    #[tokio::test]
    async fn others_have_their_turn_while_it_looks_for_a_descendant() {
        let secret = Arc::new(RotationSecret::new(&[1; 32]));
        let forgers: Vec<_> = (0..2)
            .map(|session| {
                let (token, secret) = (token_of(session), Arc::clone(&secret));
                tokio::spawn(async move { token.is_ancestor_of(&[0; 32], &secret).await })
            })
            .collect();
        let mut turns = 0;
        while !forgers.iter().all(JoinHandle::is_finished) {
            yield_now().await;
            turns += 1;
        }
        let each = MAX_ANCESTORS / GENERATIONS_AT_ONCE - 1;
        assert!(
            turns >= 2 * each,
            "{turns} turns: one after the other, and with a pause after each piece"
        );
    }

    fn begin<F: Future>(look: Pin<&mut F>) -> Poll<F::Output> {
        look.poll(&mut Context::from_waker(Waker::noop()))
    }

    fn is_refused(look: Pin<&mut impl Future<Output = Result<bool>>>) -> bool {
        matches!(begin(look), Poll::Ready(Err(Error::Busy { .. })))
    }

    /// Whoever forges tokens and hangs up leaves the looks for them behind.
    #[tokio::test]
    async fn one_session_has_one_look_and_all_together_have_few() {
        let secret = RotationSecret::new(&[1; 32]);
        let (none, old) = ([0; 32], token_of(200));
        let mut current = old.successor(&secret);
        let recent = current.hash();
        for _ in 0..GENERATIONS_AT_ONCE {
            current = current.successor(&secret);
        }
        let current = current.hash();
        let forged: Vec<_> = (0..).map(token_of).take(MAX_LOOKS).collect();
        let mut looks: Vec<_> = forged
            .iter()
            .map(|forged| Box::pin(forged.is_ancestor_of(&none, &secret)))
            .collect();
        for look in &mut looks {
            assert!(begin(look.as_mut()).is_pending());
            assert!(is_refused(pin!(token_of(0).is_ancestor_of(&none, &secret))));
        }
        let look = pin!(old.is_ancestor_of(&current, &secret));
        assert!(is_refused(look), "not taken for a forged one");
        assert!(old.is_ancestor_of(&recent, &secret).await.unwrap(), "it needs no place");
        drop(looks.swap_remove(0));
        let mut waits = Box::pin(old.is_ancestor_of(&current, &secret));
        assert!(begin(waits.as_mut()).is_pending(), "there is a place again");
        drop(looks);
        assert!(waits.await.unwrap());
        assert!(!token_of(0).is_ancestor_of(&none, &secret).await.unwrap());
    }
}
