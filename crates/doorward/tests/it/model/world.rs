//! The server's rules over a real database, and beside them a model of what they must answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use doorward_core::account::AccountId;
use doorward_core::action::{Action, Call, Given, Input, Inputs, Outcome, OutcomeKind};
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
use doorward_core::{Auth, Clock, Policy, Timestamp, random};

mod acts;

/// The life of an access token in each of two contracts, of an unused refresh token, of a session, and the time for
/// using one twice.
const TOKENS: [Duration; 2] = [Duration::from_mins(15), Duration::from_mins(40)];
const IDLE: Duration = Duration::from_secs(30 * 60);
const SESSION: Duration = Duration::from_secs(2 * 60 * 60);
const GRACE: Duration = Duration::from_secs(10);

const EMAILS: [&str; 2] = ["ann@example.com", "bob@example.com"];

struct Person {
    id: AccountId,
    /// Changes with each new account and each new password.
    password: usize,
    disabled: bool,
}

struct Session {
    account: AccountId,
    alive: bool,
    created: Timestamp,
    expires: Timestamp,
    /// Every refresh token there was, the current one last.
    refresh: Vec<Secret>,
    rotated: Option<Timestamp>,
}

struct Token {
    text: Secret,
    session: usize,
    /// In whole seconds, as tokens say it.
    expires: i64,
}

pub(super) struct World {
    pub(super) auth: Arc<Auth>,
    store: Arc<dyn Store>,
    realm: Realm,
    grants: [Grant; 2],
    people: [Option<Person>; 2],
    sessions: Vec<Session>,
    tokens: Vec<Token>,
    passwords: usize,
    folder: PathBuf,
}

impl Drop for World {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.folder).unwrap();
    }
}

/// The rules over a store, as a server has them that has just started.
async fn open(store: Arc<dyn Store>, clock: Clock) -> Arc<Auth> {
    let scheme = Scheme::Argon2id { m_kib: 8, t: 1, p: 1 };
    let config = HasherConfig {
        scheme,
        threads: 1,
        ..HasherConfig::default()
    };
    let throttle = ThrottleConfig {
        enabled: false,
        ..ThrottleConfig::default()
    };
    let parts = Parts {
        store,
        hasher: Hasher::start(config, clock.clone()).unwrap(),
        throttle: Throttle::new(throttle, clock.clone()),
        clock,
    };
    let policy = Policy {
        status_lists: None,
        issuer: "model".into(),
        shared_secret: None,
        hide_accounts: false,
        sessions_per_account: 10_000,
        passwords: Arc::new(PasswordPolicy::default()),
        key_overlap: SESSION,
    };
    Arc::new(Auth::open(parts, policy).await.unwrap())
}

impl World {
    pub(super) async fn new() -> Self {
        let name = random::uuid(Timestamp(0)).unwrap();
        let folder = std::env::temp_dir().join(format!("doorward-model-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        let clock = Clock::manual(Timestamp(1_800_000_000_500));
        let store: Arc<dyn Store> = doorward_store::open_sqlite(folder.join("model.db")).await.unwrap();
        let auth = open(Arc::clone(&store), clock).await;
        let refresh = RefreshGrant {
            idle: IDLE,
            lifetime: SESSION,
            grace: GRACE,
        };
        Self {
            realm: auth.realm("main").await.unwrap(),
            auth,
            store,
            grants: TOKENS.map(|lifetime| Grant {
                lifetime,
                refresh: Some(refresh),
                claims: Box::new(|_| serde_json::Map::new()),
            }),
            people: [None, None],
            sessions: Vec::new(),
            tokens: Vec::new(),
            passwords: 0,
            folder,
        }
    }

    pub(super) fn tokens(&self) -> usize {
        self.tokens.len()
    }

    fn now(&self) -> Timestamp {
        self.auth.clock().now()
    }

    /// All that a server remembers is what the database has.
    pub(super) async fn restart(&mut self) {
        self.auth = open(Arc::clone(&self.store), self.auth.clock().clone()).await;
    }

    /// Forgets all that can be forgotten: of endings a purge takes what had been read at the one before.
    pub(super) async fn purge(&self) {
        self.auth.catch_up().await.unwrap();
        for _ in 0..2 {
            self.auth.purge().await.unwrap();
        }
    }

    /// When the last token dies by age, in whole seconds.
    pub(super) fn last_expiry(&self) -> i64 {
        self.tokens.iter().map(|token| token.expires).max().unwrap()
    }

    /// How many endings the database remembers.
    pub(super) async fn endings(&self) -> usize {
        self.store.ended_sessions(0, usize::MAX).await.unwrap().len()
    }

    async fn run(&self, action: Action, token: Option<usize>, fields: &[(Input, String)], opens: bool) -> Outcome {
        self.run_in(0, action, token, fields, opens).await
    }

    /// Through one of the contracts.
    async fn run_in(
        &self,
        contract: usize,
        action: Action,
        token: Option<usize>,
        fields: &[(Input, String)],
        opens: bool,
    ) -> Outcome {
        let mut inputs = Inputs::new(false);
        for (input, text) in fields {
            inputs.push(*input, "", Given::Text(Secret::new(text.clone())));
        }
        let call = Call {
            realm: &self.realm,
            grant: &self.grants[contract],
            wants_token: opens,
            reauthenticate: true,
            presented: Presented(token.map(|token| self.tokens[token].text.clone()).into_iter().collect()),
            inputs,
            client: Client::default(),
            presence: Presence::ALWAYS,
        };
        action.run(&self.auth, call).await.unwrap()
    }

    /// A session that the server has just opened.
    fn opened(&mut self, account: AccountId, outcome: &Outcome) {
        let now = self.now();
        let issued = outcome.carried.token.as_ref().unwrap();
        self.sessions.push(Session {
            account,
            alive: true,
            created: now,
            expires: now.plus(IDLE).plus(SLACK),
            refresh: vec![issued.refresh.clone().unwrap()],
            rotated: None,
        });
        self.issued(self.sessions.len() - 1, 0, outcome);
    }

    /// A token that the server has just made for a session.
    fn issued(&mut self, session: usize, contract: usize, outcome: &Outcome) {
        let now = self.now();
        let life = TOKENS[contract].min(self.sessions[session].expires.since(now));
        self.tokens.push(Token {
            text: outcome.carried.token.as_ref().unwrap().access.clone(),
            session,
            expires: now.seconds() + i64::try_from(life.as_secs()).unwrap(),
        });
    }

    fn person_of(&self, account: AccountId) -> Option<usize> {
        self.people
            .iter()
            .position(|person| person.as_ref().is_some_and(|person| person.id == account))
    }

    /// The token that a number picks, and what the server must make of it.
    fn pick(&self, number: usize) -> Option<(usize, OutcomeKind)> {
        let token = number.checked_rem(self.tokens.len())?;
        let Token { session, expires, .. } = &self.tokens[token];
        let alive = self.sessions[*session].alive;
        let kind = if alive && *expires > self.now().seconds() {
            OutcomeKind::Ok
        } else {
            OutcomeKind::BadToken
        };
        Some((token, kind))
    }

    fn end(&mut self, of: AccountId, keep: Option<usize>) {
        for (index, session) in self.sessions.iter_mut().enumerate() {
            if session.account == of && Some(index) != keep {
                session.alive = false;
            }
        }
    }

    pub(super) async fn register(&mut self, who: usize, opens: bool) {
        let password = format!("password-{}", self.passwords + 1);
        let fields = [(Input::Email, EMAILS[who].to_owned()), (Input::Password, password)];
        let outcome = self.run(Action::Register, None, &fields, opens).await;
        if self.people[who].is_some() {
            return assert_eq!(outcome.kind, OutcomeKind::Taken);
        }
        assert_eq!(outcome.kind, OutcomeKind::Created);
        self.passwords += 1;
        let id = outcome.carried.account.as_ref().unwrap().id;
        self.people[who] = Some(Person {
            id,
            password: self.passwords,
            disabled: false,
        });
        assert_eq!(outcome.carried.token.is_some(), opens);
        if opens {
            self.opened(id, &outcome);
        }
    }

    pub(super) async fn login(&mut self, who: usize, right: bool) {
        let password = self.people[who].as_ref().map_or(0, |person| person.password);
        let password = format!("password-{}", if right { password } else { usize::MAX });
        let fields = [(Input::Email, EMAILS[who].to_uppercase()), (Input::Password, password)];
        let outcome = self.run(Action::Login, None, &fields, true).await;
        let expected = match &self.people[who] {
            None => OutcomeKind::UnknownAccount,
            Some(_) if !right => OutcomeKind::WrongPassword,
            Some(person) if person.disabled => OutcomeKind::Disabled,
            Some(_) => OutcomeKind::Ok,
        };
        assert_eq!(outcome.kind, expected);
        if expected == OutcomeKind::Ok {
            let id = self.people[who].as_ref().unwrap().id;
            self.opened(id, &outcome);
        }
    }

    /// What the server makes of a token.
    pub(super) async fn shown(&self, token: usize) -> OutcomeKind {
        self.run(Action::Profile, Some(token), &[], false).await.kind
    }

    pub(super) async fn profile(&mut self, number: usize) {
        let Some((token, mut expected)) = self.pick(number) else {
            return;
        };
        let Token { session, expires, .. } = &self.tokens[token];
        let deleted = self.person_of(self.sessions[*session].account).is_none();
        if deleted && *expires > self.now().seconds() {
            expected = OutcomeKind::Gone;
        }
        assert_eq!(self.shown(token).await, expected);
    }

    pub(super) async fn logout(&mut self, number: usize) {
        let Some((token, expected)) = self.pick(number) else {
            return;
        };
        assert_eq!(self.run(Action::Logout, Some(token), &[], false).await.kind, expected);
        if expected == OutcomeKind::Ok {
            let session = self.tokens[token].session;
            self.sessions[session].alive = false;
        }
    }

    pub(super) async fn renew(&mut self, number: usize, contract: usize) {
        let Some((token, expected)) = self.pick(number) else {
            return;
        };
        let outcome = self.run_in(contract, Action::Renew, Some(token), &[], false).await;
        assert_eq!(outcome.kind, expected);
        if expected == OutcomeKind::Ok {
            let session = self.tokens[token].session;
            let asked = self.now().plus(TOKENS[contract]).plus(SLACK);
            let Session { expires, created, .. } = &mut self.sessions[session];
            *expires = (*expires).max(asked.min(created.plus(SESSION)));
            self.issued(session, contract, &outcome);
        }
    }

    pub(super) async fn refresh(&mut self, number: usize, age: usize, contract: usize) {
        let Some(index) = number.checked_rem(self.sessions.len()) else {
            return;
        };
        let (now, session) = (self.now(), &self.sessions[index]);
        let age = age.min(session.refresh.len() - 1);
        let text = session.refresh[session.refresh.len() - 1 - age].expose().to_owned();
        let cap = session.created.plus(SESSION);
        let repeats = age == 1 && session.rotated.is_some_and(|rotated| now < rotated.plus(GRACE));
        let expected = match age {
            _ if !session.alive || session.expires <= now || cap <= now => OutcomeKind::BadToken,
            0 => OutcomeKind::Ok,
            _ if repeats => OutcomeKind::Ok,
            _ => OutcomeKind::Reused,
        };
        let outcome = self
            .run_in(contract, Action::Refresh, None, &[(Input::RefreshToken, text)], false)
            .await;
        assert_eq!(outcome.kind, expected);
        let session = &mut self.sessions[index];
        match expected {
            OutcomeKind::Ok => {
                let successor = outcome.carried.token.as_ref().unwrap().refresh.clone().unwrap();
                if age == 0 {
                    session.refresh.push(successor);
                    session.rotated = Some(now);
                    session.expires = session
                        .expires
                        .max(now.plus(IDLE.max(TOKENS[contract])).plus(SLACK).min(cap));
                } else {
                    assert_eq!(
                        successor.expose(),
                        session.refresh.last().unwrap().expose(),
                        "the same successor"
                    );
                }
                self.issued(index, contract, &outcome);
            }
            OutcomeKind::Reused => session.alive = false,
            _ => {}
        }
    }
}
