//! Somebody who registers, logs in, looks, refreshes and logs out, at one node after the other, and writes down what
//! was answered.
//!
//! The surprise: what came of a request that was not answered is never found out here. The client goes on as people
//! do, and whoever judges the history knows what may have happened.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use serde_json::json;

use super::dice::Dice;
use super::history::{Account, Act, Operation, Outcome, Session};
use crate::cluster::PASSWORD;
use crate::http::{Answer, Line, Request};

/// For how long an access token is used: a little less than it lives.
const TOKEN_LIFE: Duration = Duration::from_mins(12);

/// The most sessions that a client has open. Then it logs out.
const MAX_SESSIONS: usize = 12;

/// The most accounts of a client; it registers no more.
const MAX_ACCOUNTS: usize = 200;

/// The time between two things that a client does: more would only be more of the same.
const PACE: Duration = Duration::from_millis(8);

/// How many of the sessions that ended last are the ones whose tokens are tried again most.
const JUST_ENDED: usize = 20;

/// The access token of a session.
#[derive(Clone)]
pub(super) struct Token {
    pub(super) session: Session,
    pub(super) access: String,
    since: Instant,
}

impl Token {
    pub(super) fn is_usable(&self) -> bool {
        self.since.elapsed() < TOKEN_LIFE
    }

    pub(super) fn request(&self) -> Request {
        Request::get("/v1/account").bearer(&self.access)
    }
}

/// What all clients have in common.
pub(super) struct World {
    pub(super) start: Instant,
    /// Where the nodes are. One that was killed comes back elsewhere.
    pub(super) nodes: Vec<Mutex<SocketAddr>>,
    accounts: AtomicUsize,
    sessions: AtomicUsize,
    /// The tokens whose logout was acknowledged, and those whose logout nobody knows about.
    pub(super) ended: Mutex<Vec<Token>>,
    pub(super) unknown: Mutex<Vec<Token>>,
    stopped: Mutex<bool>,
    stop: Condvar,
}

impl World {
    pub(super) fn new(nodes: Vec<SocketAddr>) -> Self {
        Self {
            start: Instant::now(),
            nodes: nodes.into_iter().map(Mutex::new).collect(),
            accounts: AtomicUsize::new(0),
            sessions: AtomicUsize::new(0),
            ended: Mutex::default(),
            unknown: Mutex::default(),
            stopped: Mutex::new(false),
            stop: Condvar::new(),
        }
    }

    /// Waits for so long, or until the run is over; answers whether it is.
    pub(super) fn wait(&self, time: Duration) -> bool {
        let mut stopped = self.stopped.lock();
        self.stop.wait_while_for(&mut stopped, |stopped| !*stopped, time);
        *stopped
    }

    pub(super) fn stop(&self) {
        *self.stopped.lock() = true;
        self.stop.notify_all();
    }
}

/// A session that the client has open.
struct Open {
    token: Token,
    refresh: String,
}

pub(super) struct Client<'w> {
    world: &'w World,
    dice: Dice,
    /// The node that it asks mostly: when that one hangs, only some of the clients do.
    home: usize,
    /// How long it waits for an answer.
    patience: Duration,
    lines: Vec<Option<Line>>,
    /// Those that were acknowledged.
    accounts: Vec<Account>,
    open: Vec<Open>,
    history: Vec<Operation>,
}

/// What a client leaves behind.
pub(super) struct Left {
    pub(super) history: Vec<Operation>,
    pub(super) accounts: Vec<Account>,
    pub(super) open: Vec<Token>,
}

impl<'w> Client<'w> {
    pub(super) fn new(world: &'w World, seed: u64, home: usize, patience: Duration) -> Self {
        Self {
            world,
            dice: Dice::new(seed),
            home,
            patience,
            lines: world.nodes.iter().map(|_| None).collect(),
            accounts: Vec::new(),
            open: Vec::new(),
            history: Vec::new(),
        }
    }

    /// Acts until the run is over.
    pub(super) fn run(mut self) -> Left {
        while !self.world.wait(PACE) {
            self.act();
        }
        Left {
            history: self.history,
            accounts: self.accounts,
            open: self.open.into_iter().map(|open| open.token).collect(),
        }
    }

    fn act(&mut self) {
        self.open.retain(|open| open.token.is_usable());
        let node = match self.dice.below(10) {
            0..3 => self.dice.pick(self.world.nodes.len()),
            _ => self.home,
        };
        if self.accounts.is_empty() {
            return self.register(node);
        }
        match self.dice.below(100) {
            0..5 if self.accounts.len() < MAX_ACCOUNTS => self.register(node),
            _ if self.open.is_empty() => self.login(node),
            0..25 if self.open.len() < MAX_SESSIONS => self.login(node),
            25..50 => self.check_own(node),
            50..75 => self.check_ended(node),
            75..85 => self.refresh(node),
            _ => self.logout(node),
        }
    }

    fn register(&mut self, node: usize) {
        let account = self.world.accounts.fetch_add(1, Ordering::Relaxed);
        let request = Request::post("/v1/accounts", &credentials(account));
        let (outcome, _) = self.ask(node, Act::Register(account), &request);
        if outcome == Outcome::Done {
            self.accounts.push(account);
        }
    }

    fn login(&mut self, node: usize) {
        let account = self.accounts[self.dice.pick(self.accounts.len())];
        self.login_to(node, account);
    }

    /// Logs in to an account, and answers whether anything was answered for sure.
    pub(super) fn login_to(&mut self, node: usize, account: Account) -> bool {
        let request = Request::post("/v1/sessions", &credentials(account));
        let (outcome, answer) = self.ask(node, Act::Login(account), &request);
        if let (Outcome::Done, Some(answer)) = (outcome, answer) {
            let token = Token {
                session: self.world.sessions.fetch_add(1, Ordering::Relaxed),
                access: answer.member("access_token"),
                since: Instant::now(),
            };
            let refresh = answer.member("refresh_token");
            self.open.push(Open { token, refresh });
        }
        !outcome.is_unknown()
    }

    fn check_own(&mut self, node: usize) {
        let token = self.open[self.dice.pick(self.open.len())].token.clone();
        self.check(node, &token);
    }

    /// Tries the token of a session that was ended, a moment ago or long ago.
    fn check_ended(&mut self, node: usize) {
        let unknown = self.dice.below(4) == 0;
        let recent = self.dice.below(3) > 0;
        let ended = if unknown {
            &self.world.unknown
        } else {
            &self.world.ended
        };
        let token = {
            let ended = ended.lock();
            let from = if recent {
                ended.len().saturating_sub(JUST_ENDED)
            } else {
                0
            };
            let count = ended.len() - from;
            ended.get(from + self.dice.pick(count)).cloned()
        };
        match token {
            Some(token) if token.is_usable() => drop(self.check(node, &token)),
            _ => self.check_own(node),
        }
    }

    /// Asks whether a token is good, and answers whether anything was answered for sure.
    pub(super) fn check(&mut self, node: usize, token: &Token) -> bool {
        let (outcome, _) = self.ask(node, Act::Check(token.session), &token.request());
        !outcome.is_unknown()
    }

    /// Takes a refresh token for the next one. When no answer comes the same one is used once more, at once and
    /// elsewhere; when none comes then either, the session is left alone: nobody knows which token is current.
    fn refresh(&mut self, node: usize) {
        let place = self.dice.pick(self.open.len());
        let (session, body) = {
            let open = &self.open[place];
            (open.token.session, json!({"refresh_token": open.refresh}))
        };
        let request = Request::post("/v1/sessions/current/refresh", &body);
        for attempt in 0..2 {
            let node = (node + attempt) % self.world.nodes.len();
            let (outcome, answer) = self.ask(node, Act::Refresh(session), &request);
            if let (Outcome::Done, Some(answer)) = (outcome, answer) {
                let open = &mut self.open[place];
                open.refresh = answer.member("refresh_token");
                open.token.access = answer.member("access_token");
                open.token.since = Instant::now();
                return;
            }
            if !outcome.is_unknown() {
                break;
            }
        }
        self.open.swap_remove(place);
    }

    fn logout(&mut self, node: usize) {
        let place = self.dice.pick(self.open.len());
        let Open { token, .. } = self.open.swap_remove(place);
        let request = Request::new("DELETE", "/v1/sessions/current").bearer(&token.access);
        let (outcome, _) = self.ask(node, Act::Logout(token.session), &request);
        match outcome {
            Outcome::Done => self.world.ended.lock().push(token),
            _ if outcome.is_unknown() => self.world.unknown.lock().push(token),
            _ => {}
        }
    }

    fn ask(&mut self, node: usize, act: Act, request: &Request) -> (Outcome, Option<Answer>) {
        let begin = self.world.start.elapsed();
        let answer = self.answer(node, request);
        let outcome = answer.as_ref().map_or(Outcome::Broken, outcome_of);
        self.history.push(Operation {
            node,
            begin,
            end: self.world.start.elapsed(),
            act,
            outcome,
        });
        (outcome, answer)
    }

    fn answer(&mut self, node: usize, request: &Request) -> Option<Answer> {
        let mut line = match self.lines[node].take() {
            Some(line) => line,
            None => {
                let address = *self.world.nodes[node].lock();
                Line::open(address, self.patience).ok()?
            }
        };
        // A line that broke is not used again.
        let answer = line.ask(request).ok()?;
        self.lines[node] = Some(line);
        Some(answer)
    }

    pub(super) fn into_history(self) -> Vec<Operation> {
        self.history
    }
}

fn credentials(account: Account) -> serde_json::Value {
    json!({"email": format!("person{account}@example.com"), "password": PASSWORD})
}

fn outcome_of(answer: &Answer) -> Outcome {
    match answer.status {
        200..300 => Outcome::Done,
        401 => Outcome::Refused,
        503 => Outcome::Unavailable {
            retry_after: answer
                .header("retry-after")
                .is_some_and(|seconds| seconds.parse::<u64>().is_ok_and(|seconds| seconds > 0)),
        },
        other => Outcome::Other(other),
    }
}
