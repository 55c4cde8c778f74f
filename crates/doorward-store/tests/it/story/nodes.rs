//! What nodes on one database answer while another of them has just done something, and while their clocks are set.
//!
//! The surprise: a clock stands still until a test moves it, so the memory of a node stays fresh until it is read anew.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use doorward_core::account::AccountId;
use doorward_core::action::{Action, Call, Given, Input, Inputs, IssuedToken, Outcome, OutcomeKind};
use doorward_core::auth::{Grant, Parts, RefreshGrant, SLACK};
use doorward_core::hasher::{Hasher, HasherConfig, Scheme};
use doorward_core::password::PasswordPolicy;
use doorward_core::presence::Presence;
use doorward_core::realm::Realm;
use doorward_core::secret::Secret;
use doorward_core::session::Client;
use doorward_core::store::Store;
use doorward_core::throttle::{Throttle, ThrottleConfig};
use doorward_core::token::Presented;
use doorward_core::{Auth, Clock, Policy, Timestamp};

use super::super::engine::{Fresh, fresh};
use crate::people::{HOUR, NOW, later};

/// A node, and what tokens its contract has: of an hour, and refresh tokens of a day at most.
struct Node {
    auth: Auth,
    realm: Realm,
    grant: Grant,
}

/// The rules and the memory of a node that has just started, with this clock.
pub(super) async fn started(store: Arc<dyn Store>, at: Timestamp) -> Auth {
    let clock = Clock::manual(at);
    let config = HasherConfig {
        scheme: Scheme::Argon2id { m_kib: 8, t: 1, p: 1 },
        threads: 1,
        ..HasherConfig::default()
    };
    let parts = Parts {
        store,
        hasher: Hasher::start(config, clock.clone()).unwrap(),
        throttle: Throttle::new(ThrottleConfig::default(), clock.clone()),
        clock,
    };
    let policy = Policy {
        issuer: "story".into(),
        shared_secret: None,
        hide_accounts: false,
        sessions_per_account: 100,
        passwords: Arc::new(PasswordPolicy::default()),
        key_overlap: Duration::from_hours(24 * 365),
        status_lists: None,
    };
    Auth::open(parts, policy).await.unwrap()
}

/// A node that has just started, with this clock.
async fn node_at(db: &Fresh, store: Arc<dyn Store>, at: Timestamp) -> Node {
    let refresh = RefreshGrant {
        idle: Duration::from_hours(12),
        lifetime: Duration::from_hours(24),
        grace: Duration::from_secs(10),
    };
    Node {
        auth: started(store, at).await,
        realm: db.realm.clone(),
        grant: Grant {
            lifetime: Duration::from_hours(1),
            refresh: Some(refresh),
            claims: Box::new(|_| serde_json::Map::new()),
        },
    }
}

/// A node of this time.
async fn node(db: &Fresh) -> Node {
    node_at(db, db.again().await, NOW).await
}

impl Node {
    async fn run(&self, action: Action, token: Option<&IssuedToken>, fields: &[(Input, &str)]) -> Outcome {
        let mut inputs = Inputs::new(false);
        for (input, text) in fields {
            inputs.push(*input, "", Given::Text(Secret::new((*text).to_owned())));
        }
        let call = Call {
            realm: &self.realm,
            grant: &self.grant,
            wants_token: true,
            reauthenticate: false,
            presented: Presented(token.map(|token| token.access.clone()).into_iter().collect()),
            inputs,
            client: Client::default(),
            presence: Presence::ALWAYS,
        };
        action.run(&self.auth, call).await.unwrap()
    }

    /// Somebody new, who is logged in.
    async fn register(&self, email: &str) -> (AccountId, IssuedToken) {
        let fields = [(Input::Email, email), (Input::Password, "pass-phrase-1")];
        let carried = self.run(Action::Register, None, &fields).await.carried;
        (carried.account.unwrap().id, carried.token.unwrap())
    }

    async fn login(&self, email: &str) -> IssuedToken {
        let fields = [(Input::Email, email), (Input::Password, "pass-phrase-1")];
        self.run(Action::Login, None, &fields).await.carried.token.unwrap()
    }

    async fn logout(&self, token: &IssuedToken) -> OutcomeKind {
        self.run(Action::Logout, Some(token), &[]).await.kind
    }

    /// Whether it accepts a token.
    async fn accepts(&self, token: &IssuedToken) -> bool {
        self.run(Action::Profile, Some(token), &[]).await.kind == OutcomeKind::Ok
    }

    async fn session(&self, token: &IssuedToken) -> String {
        let active = self.auth.introspect(&token.access).await.unwrap().unwrap();
        active.session.to_string()
    }

    fn set(&self, hours: i64) {
        self.auth.clock().set(later(hours * HOUR));
    }

    /// Forgets all that can be forgotten: of endings a purge takes what had been read at the one before.
    async fn purge(&self) {
        self.auth.catch_up().await.unwrap();
        for _ in 0..2 {
            self.auth.purge().await.unwrap();
        }
    }
}

/// A contract may answer "you are logged out" to it.
#[tokio::test]
async fn who_is_told_that_a_session_had_ended_finds_it_ended() {
    let db = fresh().await;
    let (here, there) = (node(&db).await, node(&db).await);
    let (_, first) = here.register("ann@example.com").await;
    let (second, third) = (here.login("ann@example.com").await, here.login("ann@example.com").await);
    assert_eq!(there.logout(&first).await, OutcomeKind::Ok);
    assert!(here.accepts(&first).await, "nobody has told it yet");
    assert_eq!(here.logout(&first).await, OutcomeKind::BadToken);
    assert!(!here.accepts(&first).await);

    let named = here.session(&second).await;
    assert_eq!(there.logout(&second).await, OutcomeKind::Ok);
    assert!(here.accepts(&second).await);
    let fields = [(Input::SessionId, &*named)];
    let outcome = here.run(Action::EndSession, Some(&third), &fields).await;
    assert_eq!(outcome.kind, OutcomeKind::UnknownSession);
    assert!(!here.accepts(&second).await);
}

/// The same for a refresh token that was used before: one so old that others have their turn while it is looked for.
#[tokio::test]
async fn who_is_told_that_a_refresh_token_was_used_before_finds_its_session_ended() {
    let db = fresh().await;
    let (here, there) = (node(&db).await, node(&db).await);
    let (_, mut token) = here.register("ann@example.com").await;
    // So many times it pauses before the session ends elsewhere: also between the look at the token and the ending.
    for pauses in 1..8 {
        let stolen = token.refresh.clone().unwrap();
        for _ in 0..66 {
            let current = token.refresh.clone().unwrap();
            let fields = [(Input::RefreshToken, current.expose())];
            token = here.run(Action::Refresh, None, &fields).await.carried.token.unwrap();
        }
        let fields = [(Input::RefreshToken, stolen.expose())];
        let mut refreshing = pin!(here.run(Action::Refresh, None, &fields));
        let mut paused = 0;
        let early = poll_fn(|context| {
            if paused == pauses {
                return Poll::Ready(None);
            }
            paused += 1;
            refreshing.as_mut().poll(context).map(Some)
        });
        let early = early.await;
        there.logout(&token).await;
        let outcome = match early {
            Some(outcome) => outcome,
            None => refreshing.await,
        };
        if outcome.kind == OutcomeKind::Reused {
            assert!(!here.accepts(&token).await, "{pauses} pauses");
        }
        token = here.login("ann@example.com").await;
    }
}

/// Clocks are ahead until somebody sets them right. What was forgotten meanwhile was needed.
#[tokio::test]
async fn a_clock_that_was_ahead_brings_no_ended_session_back() {
    let db = fresh().await;
    let (here, there) = (node(&db).await, node(&db).await);
    let (_, token) = here.register("ann@example.com").await;
    let other = here.login("ann@example.com").await;
    assert_eq!(here.logout(&token).await, OutcomeKind::Ok);
    // The last ending is always kept.
    assert_eq!(here.logout(&other).await, OutcomeKind::Ok);
    here.set(5);
    here.purge().await;
    assert_eq!(db.ended_sessions(0, 10).await.unwrap().len(), 1, "it is forgotten");
    here.set(0);
    here.auth.catch_up().await.unwrap();
    assert!(!here.accepts(&token).await);
    there.auth.catch_up().await.unwrap();
    assert!(!there.accepts(&token).await);
    assert!(!node(&db).await.accepts(&token).await, "nor does one that starts now");
    let new = here.login("ann@example.com").await;
    for node in [&here, &there] {
        assert!(node.accepts(&new).await, "whoever logs in now is let in");
    }
    assert_eq!(there.logout(&new).await, OutcomeKind::Ok);
    assert!(!there.accepts(&new).await);
}

/// Nobody could end it any more.
#[tokio::test]
async fn a_session_that_was_forgotten_too_early_is_over() {
    let db = fresh().await;
    let (here, there) = (node(&db).await, node(&db).await);
    let (ann, token) = here.register("ann@example.com").await;
    here.set(24);
    here.purge().await;
    here.set(0);
    assert!(!here.accepts(&token).await);
    assert_eq!(there.logout(&token).await, OutcomeKind::BadToken);
    assert!(!there.accepts(&token).await, "whoever is told so finds it so");
    assert!(here.auth.disable_account(ann).await.unwrap());
    assert!(!node(&db).await.accepts(&token).await);
}

/// By the clock of the node that ends all of an account it had expired, and by that of others not.
#[tokio::test]
async fn what_ends_with_all_others_ends_for_every_clock() {
    let db = fresh().await;
    let here = node(&db).await;
    let ahead = node_at(&db, db.again().await, later(24 * HOUR)).await;
    let (ann, token) = here.register("ann@example.com").await;
    assert!(ahead.auth.disable_account(ann).await.unwrap());
    here.auth.catch_up().await.unwrap();
    assert!(!here.accepts(&token).await);
}

/// A machine that wakes up has missed what others did, and the clock that measures may have slept as well.
#[tokio::test]
async fn memory_is_not_trusted_over_a_sleep() {
    let db = fresh().await;
    let (here, there) = (node(&db).await, node(&db).await);
    let (_, token) = here.register("ann@example.com").await;
    assert_eq!(there.logout(&token).await, OutcomeKind::Ok);
    assert!(here.accepts(&token).await, "nobody has told it yet");
    here.auth.clock().set(later(HOUR / 2));
    assert!(!here.accepts(&token).await);
}

/// Where there are refresh tokens, a session is no longer than their contract says, and 90 days elsewhere, or as long
/// as the life of a token.
#[tokio::test]
async fn a_session_is_renewed_to_the_end_of_its_longest_life() {
    let db = fresh().await;
    let mut node = node(&db).await;
    let day = 24;
    let ways = [
        (node.grant.refresh, 2, day),
        (None, 20 * day, 90 * day),
        (None, 100 * day, 100 * day),
    ];
    for (refresh, life, longest) in ways {
        (node.grant.refresh, node.grant.lifetime) = (refresh, Duration::from_hours(life));
        let clock = node.auth.clock().clone();
        let (hour, end) = (Duration::from_hours(1), clock.now().plus(Duration::from_hours(longest)));
        let (_, mut token) = node.register(&format!("ann{life}@example.com")).await;
        while clock.now().plus(hour) < end {
            clock.advance(node.grant.lifetime.min(end.since(clock.now())) - hour);
            let outcome = node.run(Action::Renew, Some(&token), &[]).await;
            assert_eq!(outcome.kind, OutcomeKind::Ok);
            token = outcome.carried.token.unwrap();
            // What a session has on top, for its tokens to be made in, is not cut off.
            assert!(token.expires_at <= end.plus(SLACK), "{life}");
        }
        clock.advance(hour + SLACK);
        assert_eq!(
            node.run(Action::Renew, Some(&token), &[]).await.kind,
            OutcomeKind::BadToken
        );
    }
}
