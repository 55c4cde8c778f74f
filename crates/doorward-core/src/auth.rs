//! The façade: one `Auth` per server holds every rule of sign-in and the parts they need.
//!
//! What each action does is in `action/*.rs`; here is what several of them share. The surprise: there is one
//! way from a typed password to a yes, `Auth::check_password`, and it passes the throttle.

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::client::Clients;
use crate::hasher::{Caller, Hasher, Verdict};
use crate::key::{KeyId, KeyRing, StoredKey};
use crate::password::PasswordPolicy;
use crate::realm::Realm;
use crate::refresh::RotationSecret;
use crate::revocations::{Freshness, Known, Progress, Revocations};
use crate::secret::{PasswordHash, Secret};
use crate::session::{Client, EndedSession, SessionId};
use crate::status_list::{StatusListPolicy, StatusLists};
use crate::store::Store;
use crate::throttle::{Subject, Throttle};
use crate::token::{MAX_PRESENTED, Presented, Tokens, Verified};
use crate::{Clock, Error, Result, SetupError, Timestamp, audit, random};

mod grant;
mod keys;
mod turns;

use self::turns::Turns;

pub(crate) use self::grant::access_until;
pub use self::grant::{Grant, RENEWED_FOR, RefreshGrant, SLACK};

/// How many dead sessions are forgotten at a time, so that the writer is not held up.
const PURGE_PAGE: usize = 1_000;

/// The rules an operator can set.
pub struct Policy {
    /// The `iss` of every token.
    pub issuer: String,
    /// A secret shared with other services: tokens are HS256 with it. Without one they are ES256.
    pub shared_secret: Option<Secret>,
    /// Whether an unknown account is answered like a wrong password, also where a contract tells them apart.
    pub hide_accounts: bool,
    /// How many sessions an account may have; 1 at least. A login beyond that ends those that were used last the longest
    /// ago.
    pub sessions_per_account: usize,
    /// What a new password must be where a contract asks for a strong one.
    pub passwords: Arc<PasswordPolicy>,
    /// For how long a rotated signing key goes on verifying: the longest life of a token.
    pub key_overlap: Duration,
    /// Status lists, if there are any.
    pub status_lists: Option<StatusListPolicy>,
}

/// What the tokens of a request prove.
pub(crate) enum Authentication {
    /// There was none.
    None,
    /// None of them verified.
    Bad,
    /// One verified, and its session has ended.
    Ended(Arc<Verified>),
    /// One verified and its session lives.
    Living(Arc<Verified>, Secret),
}

/// The parts that `Auth` is made of.
pub struct Parts {
    /// Remembers.
    pub store: Arc<dyn Store>,
    /// Hashes.
    pub hasher: Hasher,
    /// Counts attempts.
    pub throttle: Throttle,
    /// Tells the time.
    pub clock: Clock,
}

/// Every rule of sign-in.
pub struct Auth {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) hasher: Hasher,
    pub(crate) throttle: Throttle,
    pub(crate) clock: Clock,
    pub(crate) policy: Policy,
    pub(crate) rotation: RotationSecret,
    pub(crate) clients: Clients,
    pub(crate) status_lists: Option<StatusLists>,
    tokens: Tokens,
    /// Whether a key that is not known is one that there is not.
    learned: Freshness,
    learning: Turns,
    asking_ready: Turns,
    ended: Revocations,
    ended_here: Arc<Notify>,
    pub(crate) catching_up: Turns,
    /// How far the endings were known at the last purge.
    purged_at: Mutex<Progress>,
}

impl Auth {
    /// Makes the first signing key if there is none, and loads keys and ended sessions.
    ///
    /// # Errors
    /// When the store cannot answer or the shared secret can be guessed.
    pub async fn open(parts: Parts, policy: Policy) -> Result<Self, SetupError> {
        let Parts {
            store,
            hasher,
            throttle,
            clock,
        } = parts;
        let unavailable = |e: Error| SetupError::new(e.to_string(), "check that the database can be reached");
        let ring = match &policy.shared_secret {
            Some(secret) => KeyRing::hs256(secret)?,
            None => {
                if store.signing_keys().await.map_err(unavailable)?.is_empty() {
                    let first = StoredKey::generate(clock.now()).map_err(unavailable)?;
                    // Another process that was first has made one as good.
                    store.add_signing_key(first, None).await.map_err(unavailable)?;
                }
                KeyRing::es256(&store.signing_keys().await.map_err(unavailable)?).map_err(unavailable)?
            }
        };
        let candidate = random::bytes().map_err(unavailable)?;
        let rotation = store
            .server_secret(RotationSecret::NAME, candidate)
            .await
            .map_err(unavailable)?;
        let auth = Self {
            tokens: Tokens::new(policy.issuer.clone(), ring),
            learned: Freshness::default(),
            learning: Turns::default(),
            asking_ready: Turns::default(),
            ended: Revocations::default(),
            ended_here: Arc::default(),
            catching_up: Turns::default(),
            purged_at: Mutex::default(),
            rotation: RotationSecret::new(&rotation),
            clients: Clients::default(),
            status_lists: policy.status_lists.clone().map(StatusLists::new),
            store,
            hasher,
            throttle,
            clock,
            policy,
        };
        auth.catch_up().await.map_err(unavailable)?;
        Ok(auth)
    }

    /// The realm of this name, made if it is new.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn realm(&self, name: &str) -> Result<Realm> {
        self.store.ensure_realm(name).await
    }

    /// Learns what other processes did: sessions they ended, keys they made or removed. Cheap when there is nothing
    /// new.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn catch_up(&self) -> Result<()> {
        self.catch_up_endings().await?;
        self.learn_keys().await
    }

    /// Forgets what can be forgotten: dead sessions, their endings, keys whose tokens are all dead.
    ///
    /// Of the endings only those before the one that this process had read last when it purged before: some are dead
    /// when they are written, and whoever has read no further than to one of them has to find it again. Any process
    /// that has read since then is past them; one that has not reads everything again.
    ///
    /// The clock may be ahead, and what is forgotten be needed when it is set right. So the moment for which it is done
    /// is written down first, and every process knows it before it trusts its memory again: [`Revocations::look_up`].
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn purge(&self) -> Result<()> {
        let now = self.clock.now();
        let until = self.ended.forgotten_until();
        if now.plus(SLACK) < until {
            tracing::warn!(%now, %until, "the clock of this node or another was ahead when it forgot dead sessions: \
                until then more tokens have to be looked up in the database");
        }
        self.store.forget_until(now).await?;
        self.ended.forget_until(now);
        while self.store.purge_sessions(now, PURGE_PAGE).await? >= PURGE_PAGE {}
        let reached = self.ended.recent().progress();
        let before = std::mem::replace(&mut *self.purged_at.lock(), reached);
        // In another past the same numbers are others.
        let is_same_past = before.timeline == reached.timeline;
        let below = if is_same_past { before.sequence } else { 0 };
        while self.store.purge_ended_sessions(now, below, PURGE_PAGE).await? >= PURGE_PAGE {}
        self.ended.purge(now);
        let overlap = i64::try_from(self.policy.key_overlap.as_millis()).unwrap_or(i64::MAX);
        self.store
            .purge_signing_keys(Timestamp(now.0.saturating_sub(overlap)))
            .await?;
        Ok(())
    }

    /// Makes a new signing key, which signs as soon as every process knows it ([`crate::key::LEAD`]). The others
    /// go on verifying for the overlap.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn rotate_key(&self) -> Result<KeyId> {
        loop {
            let newest = self.store.signing_keys().await?.into_iter().next().map(|key| key.id);
            let key = StoredKey::generate(self.clock.now())?;
            let id = key.id.clone();
            if self.store.add_signing_key(key, newest.as_ref()).await? {
                audit::record_key(audit::Event::KeyRotated, &id);
                self.catch_up().await?;
                return Ok(id);
            }
        }
    }

    /// The keys in use.
    pub fn keys(&self) -> Arc<KeyRing> {
        self.tokens.ring()
    }

    /// The store, for commands that list what it holds.
    pub fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// Whether the store can read and write. One asks it at a time, for all who wait: each time is a write, and whoever
    /// asks may be a stranger.
    ///
    /// # Errors
    /// When it cannot.
    pub async fn ready(&self) -> Result<()> {
        self.asking_ready.take(self.store.ready()).await
    }

    /// The hash pool, for its metrics.
    pub fn hasher(&self) -> &Hasher {
        &self.hasher
    }

    /// The mirror of ended sessions, for its metrics.
    pub fn ended_sessions(&self) -> &Revocations {
        &self.ended
    }

    /// Wakes whoever catches up, when sessions have ended by this process: those who follow the endings in the
    /// order of their sequence hear of them from there.
    pub fn ended_here(&self) -> Arc<Notify> {
        Arc::clone(&self.ended_here)
    }

    /// How many verified tokens are remembered.
    pub fn remembered_tokens(&self) -> usize {
        self.tokens.remembered()
    }

    /// The `iss` of every token.
    pub fn issuer(&self) -> &str {
        &self.policy.issuer
    }

    /// The clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// What the tokens of a request prove. The first that verifies and whose session lives decides, so a
    /// stale cookie does not beat a good header.
    ///
    /// # Errors
    /// When memory is too old to say whether a session lives or a key is known, and the store cannot say it either.
    pub(crate) async fn authenticate(&self, realm: &Realm, presented: &Presented) -> Result<Authentication> {
        let now = self.clock.now();
        let mut answer = Authentication::None;
        for token in presented.0.iter().take(MAX_PRESENTED) {
            let Some(verified) = self.verify(token, realm, now).await? else {
                if matches!(answer, Authentication::None) {
                    answer = Authentication::Bad;
                }
                continue;
            };
            if self.session_lives(&verified, now).await? {
                return Ok(Authentication::Living(verified, token.clone()));
            }
            answer = Authentication::Ended(verified);
        }
        Ok(answer)
    }

    /// Whether the session of a token lives: from memory where that is sure, from the store where it is not.
    ///
    /// # Errors
    /// When memory is not sure and the store cannot say it either.
    pub(crate) async fn session_lives(&self, token: &Verified, now: Timestamp) -> Result<bool> {
        let session = token.session;
        match self.ended.look_up(session, token.expires_at, self.clock.moment()) {
            Known::Lives => Ok(true),
            Known::Ended => Ok(false),
            Known::Unsure => self.store.session_lives(session, now).await,
        }
    }

    /// Checks a typed password. Unknown accounts take the same way through the same queue, where they go by what was
    /// typed, as known ones do. Whose attempt comes too early is in the audit as `by`, where they call from and the
    /// session of their token: otherwise a guesser would fall silent there once the guesses are many.
    pub(crate) async fn check_password(
        &self,
        subject: Subject,
        caller: &Caller,
        password: &Secret,
        against: Option<&PasswordHash>,
        by: (&Client, Option<SessionId>),
    ) -> Result<Verdict> {
        let account = match &subject {
            Subject::Account(account) => Some(*account),
            Subject::Unknown(..) => None,
        };
        let permit = self
            .throttle
            .permit(subject, caller.network())
            .inspect_err(|_| audit::record(audit::Event::AttemptThrottled, account, by.1, Some(by.0)))?;
        self.hasher.verify(caller, permit, password, against).await
    }

    pub(crate) fn sign_status_list(&self, uri: &str, bits: &str, at: Timestamp) -> Result<Secret> {
        self.tokens.sign_status_list(uri, bits, at)
    }

    /// Makes endings known that are committed: from here on no check of this process accepts their tokens.
    pub(crate) fn ended(&self, ended: &[EndedSession]) {
        self.ended.add(ended);
        self.ended_here.notify_one();
    }
}
