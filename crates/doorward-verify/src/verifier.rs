//! The verifier: everything that is known, and what follows from it for a token.
//!
//! The surprise: nothing is decided once. That a signature was good is remembered; whether the session lives, and how
//! fresh that is, is looked up at every check.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::AbortHandle;

use crate::claims::Claims;
use crate::client::Client;
use crate::clock::{Clock, duration, micros};
use crate::feed;
use crate::introspection::Introspection;
use crate::keys::Keys;
use crate::mirror::{Known, Mirror};
use crate::refusal::{Fault, Refusal};
use crate::settings::{OnStale, Settings, SettingsError};
use crate::token::{Fingerprint, MAX_TOKEN, Parts, Remembered, in_time};

/// Whether the verifier can say that a session lives.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum State {
    /// It can.
    Fresh {
        /// How old what it knows is; not more than the bound.
        age: Duration,
    },
    /// It cannot: the feed has been silent for longer than the bound.
    Stale {
        /// For how long it has not been able to.
        since: Duration,
        /// What went wrong last, for people; empty when nothing did yet.
        reason: String,
    },
}

impl State {
    /// Whether it is [`State::Fresh`].
    pub fn is_fresh(&self) -> bool {
        matches!(self, Self::Fresh { .. })
    }
}

/// Verifies access tokens. Clones are the same verifier; when the last one goes, so does its connection.
#[derive(Clone)]
pub struct Verifier(Arc<Owner>);

struct Owner {
    shared: Arc<Shared>,
    tasks: [AbortHandle; 2],
}

impl Drop for Owner {
    fn drop(&mut self) {
        self.tasks.iter().for_each(AbortHandle::abort);
    }
}

/// What the tasks and the checks share.
pub(crate) struct Shared {
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) client: Client,
    /// Another one whenever another database begins to tell.
    pub(crate) mirror: ArcSwap<Mirror>,
    /// Moves whenever something is proven.
    pub(crate) proven: watch::Sender<()>,
    /// What went wrong last.
    pub(crate) trouble: Mutex<String>,
    keys: Keys,
    remembered: Remembered,
    introspection: Introspection,
}

impl Verifier {
    /// Starts to follow the feed, in the background. Until the server has answered, the verifier is stale: a service
    /// can start before doorward does. [`Verifier::until_fresh`] waits for it.
    ///
    /// # Errors
    /// When the settings make no sense, the machine cannot do TLS, or there is no tokio runtime.
    pub fn connect(settings: Settings) -> Result<Self, SettingsError> {
        let runtime = Handle::try_current().map_err(|error| SettingsError {
            what: format!("the feed cannot be followed in the background: {error}"),
            hint: "call it in a tokio runtime",
        })?;
        let clock = Clock::start();
        let (keys, told) = Keys::new();
        let shared = Arc::new(Shared {
            clock,
            client: Client::new(&settings, clock)?,
            mirror: ArcSwap::from_pointee(Mirror::new(settings.ended)),
            proven: watch::Sender::new(()),
            trouble: Mutex::default(),
            keys,
            remembered: Remembered::new(settings.remembered),
            introspection: Introspection::new(settings.introspections),
            settings,
        });
        let (follower, keeper) = (Arc::clone(&shared), Arc::clone(&shared));
        let tasks = [
            runtime
                .spawn(async move { feed::follow(&follower).await })
                .abort_handle(),
            runtime
                .spawn(async move { keeper.keys.keep(told, &keeper.client, &keeper.clock).await })
                .abort_handle(),
        ];
        Ok(Self(Arc::new(Owner { shared, tasks })))
    }

    /// What the token says, if it is good and its session lives.
    ///
    /// # Errors
    /// Why it is not accepted.
    pub async fn verify(&self, token: &str) -> Result<Arc<Claims>, Refusal> {
        let shared = &*self.0.shared;
        let claims = shared.signed(token).await?;
        shared.lives(token, &claims).await?;
        Ok(claims)
    }

    /// Whether it can say that a session lives, for a `/readyz` of the service.
    pub fn state(&self) -> State {
        let shared = &*self.0.shared;
        let (now, bound) = (shared.clock.now(), micros(shared.settings.bound));
        let mirror = shared.mirror.load();
        // First whether it is fresh: a proof that comes in between makes it younger and not older.
        let is_fresh = mirror.is_fresh(now, bound);
        match mirror.age(now) {
            Some(age) if is_fresh => State::Fresh { age: duration(age) },
            age => State::Stale {
                since: duration(age.map_or(now.running, |age| age.saturating_sub(bound))),
                reason: shared.trouble.lock().clone(),
            },
        }
    }

    /// How many endings are kept, for a metric of the service. At [`Settings::max_ended`] the verifier becomes stale.
    pub fn ended(&self) -> usize {
        self.0.shared.mirror.load().kept()
    }

    /// Waits until it can say that a session lives; for ever, if it never can.
    pub async fn until_fresh(&self) {
        let mut proven = self.0.shared.proven.subscribe();
        while !self.state().is_fresh() {
            if proven.changed().await.is_err() {
                return;
            }
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Verifier").field(&self.0.shared.settings).finish()
    }
}

impl Shared {
    /// What the token says, if it is well signed and it is its time.
    async fn signed(&self, token: &str) -> Result<Arc<Claims>, Refusal> {
        if token.is_empty() {
            return Err(Refusal::Missing);
        }
        if token.len() > MAX_TOKEN {
            return Err(Refusal::Invalid(Fault::TooLong));
        }
        let fingerprint = Fingerprint::of(token);
        let known = self.remembered.get(&fingerprint);
        let known = known.filter(|known| self.keys.has(&known.key_name, &known.key));
        let claims = match known {
            Some(known) => known.claims,
            None => self.verify_signature(token, &fingerprint).await?,
        };
        let in_time = in_time(&claims, self.clock.now().seconds());
        in_time.map_err(|fault| {
            self.remembered.forget(&fingerprint);
            Refusal::Invalid(fault)
        })?;
        Ok(claims)
    }

    async fn verify_signature(&self, token: &str, fingerprint: &Fingerprint) -> Result<Arc<Claims>, Refusal> {
        let parts = Parts::of(token).map_err(Refusal::Invalid)?;
        let key = self.keys.find(&parts.key, &self.clock).await;
        let key = key.map_err(|trouble| {
            tracing::debug!(%trouble, "a token names a key that is not known, and the server cannot be asked");
            Refusal::Stale
        })?;
        let key = key.ok_or(Refusal::Invalid(Fault::UnknownKey))?;
        let claims = parts.verify(&key, &self.settings.issuer, &self.settings.realm);
        let claims = Arc::new(claims.map_err(Refusal::Invalid)?);
        self.remembered.keep(fingerprint, token, &claims, &parts.key, &key);
        Ok(claims)
    }

    /// Whether the session lives.
    async fn lives(&self, token: &str, claims: &Claims) -> Result<(), Refusal> {
        let (now, bound) = (self.clock.now(), micros(self.settings.bound));
        match self.mirror.load().look_up(claims.sid, now, bound) {
            Known::Lives => return Ok(()),
            Known::Ended => return Err(Refusal::Ended),
            Known::Unsure => (),
        }
        match self.settings.on_stale {
            OnStale::Refuse => Err(Refusal::Stale),
            OnStale::Accept => Ok(()),
            OnStale::Introspect => match self.introspection.ask(&self.client, token, claims).await {
                Ok(true) => Ok(()),
                Ok(false) => Err(Refusal::Ended),
                Err(trouble) => {
                    tracing::debug!(%trouble, "stale, and the server cannot be asked");
                    Err(Refusal::Stale)
                }
            },
        }
    }
}
