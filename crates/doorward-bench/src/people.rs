//! Accounts to measure with: how they register, log in and ask, in doorward's own API.
//!
//! The surprise: everybody has the same password. A hash takes as long for any other.

use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::error::{Error, Result};
use crate::load::{Crowd, Script};
use crate::wire::request;

/// What everybody types. Strong by its length.
pub(crate) const PASSWORD: &str = "correct horse battery staple";
/// How long setting up may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Clients that set up: enough to fill the pool, and few enough that none waits for long.
const CLIENTS: usize = 8;
/// How often each of them asks again when it is told to come back later, in all.
const TRIES: u32 = 100_000;

/// What a login gives.
pub(crate) struct Grant {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// The address of an account, by its number. Of one length, so that a request for each has one, too.
pub(crate) fn email(number: u64) -> String {
    format!("person{number:08}@example.com")
}

/// Asks for the account of the token.
pub(crate) fn profile(token: &str) -> Vec<u8> {
    request("GET", "/v1/account", Some(token), None)
}

/// Asks for the sessions of the token's account.
pub(crate) fn sessions(token: &str) -> Vec<u8> {
    request("GET", "/v1/sessions", Some(token), None)
}

/// Ends the session of the token.
pub(crate) fn log_out(token: &str) -> Vec<u8> {
    request("DELETE", "/v1/sessions/current", Some(token), None)
}

/// Asks to be let in.
pub(crate) fn log_in(number: u64) -> Vec<u8> {
    log_in_with(&email(number), PASSWORD)
}

/// Asks to be let in with any address and password.
pub(crate) fn log_in_with(email: &str, password: &str) -> Vec<u8> {
    let body = format!(r#"{{"email":"{email}","password":"{password}"}}"#);
    request("POST", "/v1/sessions", None, Some(&body))
}

/// Asks for an account.
pub(crate) fn register(number: u64) -> Vec<u8> {
    let email = email(number);
    let body = format!(r#"{{"email":"{email}","password":"{PASSWORD}","first_name":"Ann","last_name":"Example"}}"#);
    request("POST", "/v1/accounts", None, Some(&body))
}

/// A client that registers one account after the other, from a number of its own on.
pub(crate) fn registering(from: u64) -> Script {
    let mut number = from;
    Box::new(move |_, next| {
        next.extend_from_slice(&register(number));
        number += 1;
        true
    })
}

/// A client that takes its refresh token for the next one, for ever. One that gets none stops.
pub(crate) fn refreshing(grant: Grant) -> Script {
    let mut token = grant.refresh;
    Box::new(move |answer, next| {
        if let Some(answer) = answer {
            let Some(new) = answer.text("refresh_token") else {
                return false;
            };
            new.clone_into(&mut token);
        }
        let body = format!(r#"{{"refresh_token":"{token}"}}"#);
        next.extend_from_slice(&request("POST", "/v1/sessions/current/refresh", None, Some(&body)));
        true
    })
}

/// Registers accounts with these numbers.
pub(crate) fn settle(server: SocketAddr, numbers: Range<u64>) -> Result<()> {
    let requests: Vec<Vec<u8>> = numbers.map(register).collect();
    let scripts = shares(&requests).map(|share| (server, insisting(share)));
    let tally = Crowd::new(scripts)?.run(PATIENCE)?;
    if tally.statuses.get(&202) == Some(&(requests.len() as u64)) {
        return Ok(());
    }
    let answers = format!("{:?}", tally.statuses);
    Err(Error::new(format!(
        "the accounts to measure with were not registered: {answers}"
    )))
}

/// Logs in accounts with these numbers. The order of the answers is not that of the numbers.
pub(crate) fn grants(server: SocketAddr, numbers: impl Iterator<Item = u64>) -> Result<Vec<Grant>> {
    let requests: Vec<Vec<u8>> = numbers.map(log_in).collect();
    let grants = Arc::new(Mutex::new(Vec::with_capacity(requests.len())));
    let collecting = |share: Vec<Vec<u8>>| -> Script {
        let (grants, mut asking) = (Arc::clone(&grants), insisting(share));
        Box::new(move |answer, next| {
            let grant = answer.and_then(|answer| {
                let (access, refresh) = (answer.text("access_token")?, answer.text("refresh_token")?);
                Some(Grant {
                    access: access.to_owned(),
                    refresh: refresh.to_owned(),
                })
            });
            grants.lock().extend(grant);
            asking(answer, next)
        })
    };
    let scripts = shares(&requests).map(|share| (server, collecting(share)));
    let tally = Crowd::new(scripts)?.run(PATIENCE)?;
    let grants = std::mem::take(&mut *grants.lock());
    if grants.len() < requests.len() {
        let answers = format!("{:?}", tally.statuses);
        return Err(Error::new(format!(
            "the accounts to measure with were not logged in: {answers}"
        )));
    }
    Ok(grants)
}

/// A client that asks for each of these once, and again when the server is busy.
fn insisting(requests: Vec<Vec<u8>>) -> Script {
    let mut requests = requests.into_iter();
    let (mut asked, mut left) = (Vec::new(), TRIES);
    Box::new(move |answer, next| {
        if answer.is_some_and(|answer| answer.status == 503) && left > 0 {
            left -= 1;
            next.extend_from_slice(&asked);
            return true;
        }
        let Some(request) = requests.next() else {
            return false;
        };
        asked = request;
        next.extend_from_slice(&asked);
        true
    })
}

/// The requests, dealt out to clients.
fn shares(requests: &[Vec<u8>]) -> impl Iterator<Item = Vec<Vec<u8>>> {
    let size = requests.len().div_ceil(CLIENTS).max(1);
    requests.chunks(size).map(<[Vec<u8>]>::to_vec)
}
