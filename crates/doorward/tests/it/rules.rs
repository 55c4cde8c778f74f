//! The rules over a real database, without HTTP: what no request can be timed to show.
//!
//! The surprise: nothing else runs here but the threads of the hash pool and the store. Whatever is asked for goes on
//! only while its test polls it, so that a test decides what happens in between.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use doorward_core::action::{Action, Call, Given, Input, Inputs, Outcome, OutcomeKind};
use doorward_core::auth::{Grant, Parts};
use doorward_core::hasher::{Hasher, HasherConfig, Scheme};
use doorward_core::key::{KeyRemoval, LEAD};
use doorward_core::password::PasswordPolicy;
use doorward_core::presence::Presence;
use doorward_core::realm::Realm;
use doorward_core::revocations::FRESH_FOR;
use doorward_core::secret::Secret;
use doorward_core::session::Client;
use doorward_core::status_list::StatusListPolicy;
use doorward_core::throttle::{Throttle, ThrottleConfig};
use doorward_core::token::Presented;
use doorward_core::{Auth, Clock, Error, Policy, Result, Timestamp, random};
use rusqlite::Connection;
use tokio::task::yield_now;

use crate::service::claims;

const HOUR: Duration = Duration::from_hours(1);

/// A server with an account, and the folder of its database.
struct World {
    auth: Auth,
    realm: Realm,
    grant: Grant,
    folder: PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

async fn open(folder: &PathBuf) -> Auth {
    std::fs::create_dir_all(folder).unwrap();
    let clock = Clock::manual(Timestamp(1_800_000_000_500));
    let config = HasherConfig {
        scheme: Scheme::Argon2id { m_kib: 8, t: 1, p: 1 },
        threads: 1,
        ..HasherConfig::default()
    };
    let parts = Parts {
        store: doorward_store::open_sqlite(folder.join("rules.db")).await.unwrap(),
        hasher: Hasher::start(config, clock.clone()).unwrap(),
        throttle: Throttle::new(ThrottleConfig::default(), clock.clone()),
        clock,
    };
    let policy = Policy {
        issuer: "rules".into(),
        shared_secret: None,
        hide_accounts: false,
        sessions_per_account: 100,
        passwords: Arc::new(PasswordPolicy::default()),
        key_overlap: HOUR,
        status_lists: Some(StatusListPolicy {
            public_url: "https://login.example.com".into(),
            in_tokens: true,
        }),
    };
    Auth::open(parts, policy).await.unwrap()
}

impl World {
    async fn new() -> Self {
        let name = random::uuid(Timestamp(0)).unwrap();
        let folder = std::env::temp_dir().join(format!("doorward-rules-{name}"));
        let auth = open(&folder).await;
        let world = Self {
            realm: auth.realm("main").await.unwrap(),
            auth,
            grant: Grant {
                lifetime: HOUR,
                refresh: None,
                claims: Box::new(|_| serde_json::Map::new()),
            },
            folder,
        };
        let registered = world.run(Action::Register, Presence::ALWAYS).await.unwrap();
        assert_eq!(registered.kind, OutcomeKind::Created);
        world
    }

    async fn run(&self, action: Action, presence: Presence) -> Result<Outcome> {
        self.present(action, presence, Vec::new()).await
    }

    /// What somebody is answered who asks for the account of a token.
    async fn check(&self, token: &Secret) -> OutcomeKind {
        let presented = vec![token.clone()];
        let outcome = self.present(Action::Profile, Presence::ALWAYS, presented).await;
        outcome.unwrap().kind
    }

    async fn present(&self, action: Action, presence: Presence, presented: Vec<Secret>) -> Result<Outcome> {
        let mut inputs = Inputs::new(false);
        for (input, text) in [
            (Input::Email, "ann@example.com"),
            (Input::Password, "ann-pass-phrase-1"),
        ] {
            inputs.push(input, "", Given::Text(Secret::new(text.into())));
        }
        let call = Call {
            realm: &self.realm,
            grant: &self.grant,
            wants_token: action == Action::Login,
            reauthenticate: true,
            presented: Presented(presented),
            inputs,
            client: Client::default(),
            presence,
        };
        action.run(&self.auth, call).await
    }

    /// The place in the status lists of a session that is opened now.
    async fn next_place(&self) -> u64 {
        let outcome = self.run(Action::Login, Presence::ALWAYS).await.unwrap();
        let token = outcome.carried.token.unwrap();
        claims(token.access.expose())["status"]["status_list"]["idx"]
            .as_u64()
            .unwrap()
    }

    fn database(&self) -> Connection {
        Connection::open(self.folder.join("rules.db")).unwrap()
    }
}

/// An action outlives its caller, and a session that nobody has the token of would stand in the way of others.
#[tokio::test]
async fn a_login_whose_caller_hangs_up_during_the_hash_opens_no_session() {
    let world = World::new().await;
    let (waits, presence) = Presence::of_one_who_waits();
    let hashes = || world.auth.hasher().metrics().done;
    let before = hashes();
    let mut login = Box::pin(world.run(Action::Login, presence));
    // The answer is handed over by a task of this thread, which has its turn only at the end of a round.
    while hashes() == before {
        let begun = tokio::select! {
            biased;
            outcome = &mut login => Some(outcome),
            () = std::future::ready(()) => None,
        };
        assert!(begun.is_none(), "{begun:?}");
        yield_now().await;
    }
    drop(waits);
    let refused = login.await;
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    let sessions: i64 = world
        .database()
        .query_row("SELECT count(*) FROM sessions", [], |row| row.get(0))
        .unwrap();
    assert_eq!(sessions, 0);
}

/// A restore or a promotion begins with an outage, and the database after it may not know who has reserved what.
#[tokio::test]
async fn places_in_status_lists_are_given_up_when_the_endings_cannot_be_read() {
    let world = World::new().await;
    assert_eq!((world.next_place().await, world.next_place().await), (0, 1));
    world.auth.catch_up_endings().await.unwrap();
    assert_eq!(world.next_place().await, 2, "nothing has happened");
    let database = world.database();
    database
        .execute_batch("ALTER TABLE ended_sessions RENAME TO away")
        .unwrap();
    assert!(world.auth.catch_up_endings().await.is_err());
    database
        .execute_batch("ALTER TABLE away RENAME TO ended_sessions")
        .unwrap();
    assert_eq!(world.next_place().await, 1024);
}

/// What an operator sees of a node that is cut off from its database, in the metric of that name.
#[tokio::test]
async fn the_age_of_what_is_known_of_endings_grows_until_they_are_read() {
    let (world, second) = (World::new().await, Duration::from_secs(1));
    let clock = world.auth.clock();
    let caught_up = async || {
        let read = world.auth.catch_up_endings().await.is_ok();
        (read, world.auth.endings_age())
    };
    assert_eq!(caught_up().await, (true, Duration::ZERO));
    clock.advance(2 * second);
    assert_eq!(world.auth.endings_age(), 2 * second);
    assert_eq!(caught_up().await, (true, Duration::ZERO));
    let renamed = "ALTER TABLE ended_sessions RENAME TO away";
    world.database().execute_batch(renamed).unwrap();
    clock.advance(second);
    assert_eq!(caught_up().await, (false, second));
}

/// A node that was stopped, or cut off from its database, may have missed that a key was removed. It asks for the keys
/// before it believes a token of one, also where the session lives.
#[tokio::test]
async fn no_token_of_a_removed_key_is_accepted_later_than_the_bound() {
    let world = World::new().await;
    let token = world.run(Action::Login, Presence::ALWAYS).await.unwrap().carried.token;
    let token = token.unwrap().access;
    world.auth.catch_up().await.unwrap();
    // Another process, whose clock goes on.
    let operator = open(&world.folder).await;
    let old = operator.store().signing_keys().await.unwrap().remove(0).id;
    assert_eq!(operator.remove_key(&old).await.unwrap(), KeyRemoval::Signs);
    operator.rotate_key().await.unwrap();
    assert_eq!(operator.remove_key(&old).await.unwrap(), KeyRemoval::SignsFor(LEAD));
    operator.clock().advance(LEAD);
    assert_eq!(operator.remove_key(&old).await.unwrap(), KeyRemoval::Removed);
    assert_eq!(operator.remove_key(&old).await.unwrap(), KeyRemoval::Unknown);

    world.auth.clock().advance(FRESH_FOR);
    assert_eq!(
        world.check(&token).await,
        OutcomeKind::Ok,
        "within the bound it need not know"
    );
    world.auth.clock().advance(Duration::from_millis(1));
    assert_eq!(world.check(&token).await, OutcomeKind::BadToken);
    assert_eq!(
        world.check(&token).await,
        OutcomeKind::BadToken,
        "nor does it believe what it remembers"
    );
    world.run(Action::Login, Presence::ALWAYS).await.unwrap();
}
