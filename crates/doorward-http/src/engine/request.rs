//! What is known of a request before anything is decided: its facts, and who calls.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT};
use axum::http::request::Parts;
use axum::http::{Method, Request};
use doorward_core::session::{Client, MAX_USER_AGENT};

use super::cookie;
use crate::settings::{Network, SecureCookies};

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// What is known of a request before anything is decided.
#[derive(Debug)]
pub struct RequestFacts {
    /// The method.
    pub method: Method,
    /// The path, as it came, without the query.
    pub path: String,
    /// The media type of the body, as it came; `undefined` when there is none.
    pub content_type: Cow<'static, str>,
    /// Names the request in the log and in the `x-request-id` header.
    pub id: String,
    /// Whether cookies for this client have to be `Secure`.
    pub(super) secure: bool,
    /// Whether it is said that the browser speaks TLS.
    pub(crate) over_tls: bool,
}

impl RequestFacts {
    pub(crate) fn new(request: &Request<Body>, id: String, secure_cookies: SecureCookies) -> Self {
        Self {
            method: request.method().clone(),
            path: request.uri().path().to_owned(),
            content_type: content_type(request.headers()),
            id,
            secure: cookie::secure(secure_cookies, request.headers(), request.uri()),
            over_tls: cookie::is_over_tls(secure_cookies, request.headers()),
        }
    }
}

/// Names requests: 64 bits in hex, enough to find a line in a log. They are a count, hashed with a key of this process
/// (`SipHash`), so that nobody reads from them how much is asked here; and they cost no call of the system.
#[derive(Default)]
pub(crate) struct RequestIds {
    next: AtomicU64,
    key: RandomState,
}

impl RequestIds {
    pub(crate) fn next(&self) -> String {
        format!("{:016x}", self.key.hash_one(self.next.fetch_add(1, Ordering::Relaxed)))
    }
}

/// Whether the peer is a proxy that is believed.
pub(crate) fn is_from_proxy(parts: &Parts, proxies: &[Network]) -> bool {
    let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
    peer.is_some_and(|peer| proxies.iter().any(|network| network.contains(peer.0.ip())))
}

/// Who calls: the peer, or whom the trusted proxies before it name.
pub(super) fn client(parts: &Parts, proxies: &[Network]) -> Client {
    let peer = parts
        .extensions
        .get::<ConnectInfo<SocketAddr>>()
        .map(|info| info.0.ip());
    let is_proxy = |address: IpAddr| proxies.iter().any(|network| network.contains(address));
    let mut address = peer;
    if peer.is_some_and(is_proxy) {
        let forwarded = parts.headers.get_all(X_FORWARDED_FOR);
        let hops = forwarded
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','));
        let hops: Vec<&str> = hops.map(str::trim).collect();
        // From the right: each hop was written by the one after it. What is no address ends the chain.
        for hop in hops.into_iter().rev() {
            let Ok(hop) = hop.parse::<IpAddr>() else { break };
            address = Some(hop);
            if !is_proxy(hop) {
                break;
            }
        }
    }
    let agent = parts
        .headers
        .get(USER_AGENT)
        .map(|value| String::from_utf8_lossy(value.as_bytes()));
    let mut user_agent = agent.unwrap_or_default().into_owned();
    user_agent.truncate(
        (0..=MAX_USER_AGENT.min(user_agent.len()))
            .rev()
            .find(|at| user_agent.is_char_boundary(*at))
            .unwrap_or(0),
    );
    Client {
        address: address.map(|address| address.to_canonical()),
        user_agent,
    }
}

fn content_type(headers: &HeaderMap) -> Cow<'static, str> {
    let value = headers
        .get(CONTENT_TYPE)
        .and_then(|value: &HeaderValue| value.to_str().ok());
    value.map_or("undefined".into(), |value| value.to_owned().into())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_request_has_an_id_of_its_own() {
        let (ids, elsewhere) = (RequestIds::default(), RequestIds::default());
        let made: HashSet<String> = (0..10_000).flat_map(|_| [ids.next(), elsewhere.next()]).collect();
        assert_eq!(made.len(), 20_000);
        assert!(
            made.iter()
                .all(|id| id.len() == 16 && id.bytes().all(|b| b.is_ascii_hexdigit()))
        );
    }
}
