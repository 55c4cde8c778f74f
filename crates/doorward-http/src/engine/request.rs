//! What is known of a request before anything is decided: its facts, and who calls.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

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

/// Tells in the log of a proxy that names its clients and is not believed. Its clients would all count as one, with one
/// share of the line for hashes and one count of wrong passwords, and nothing else would show it.
#[derive(Default)]
pub(super) struct Unlisted {
    /// Once is enough, and anybody can send the header.
    is_told: AtomicBool,
}

impl Unlisted {
    pub(super) fn notice(&self, parts: &Parts, proxies: &[Network]) {
        if self.is_told.load(Ordering::Relaxed)
            || !parts.headers.contains_key(X_FORWARDED_FOR)
            || is_from_proxy(parts, proxies)
        {
            return;
        }
        if let Some(peer) = parts.extensions.get::<ConnectInfo<SocketAddr>>()
            && !self.is_told.swap(true, Ordering::Relaxed)
        {
            tracing::warn!(
                peer = %peer.0.ip(),
                "X-Forwarded-For came from an address that is not in trusted_proxies, and is not believed; hint: if it is \
                 your proxy, list it, or all people behind it count as one: they wait behind each other, and the wrong \
                 passwords of one keep out the others"
            );
        }
    }
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
        // From the right: each hop was written by the one after it. What is no address ends the chain, and what stands
        // to the left of it was written by nobody who is believed, whatever its bytes are.
        let lines = parts.headers.get_all(X_FORWARDED_FOR).iter().rev();
        for hop in lines.flat_map(|line| line.as_bytes().rsplit(|byte| *byte == b',')) {
            let Some(hop) = hop_address(hop) else { break };
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

/// The address of a hop. Some gateways write the port as well, and brackets around an address of IPv6.
fn hop_address(hop: &[u8]) -> Option<IpAddr> {
    let hop = str::from_utf8(hop).ok()?.trim();
    let bare = hop
        .strip_prefix('[')
        .and_then(|hop| hop.strip_suffix(']'))
        .unwrap_or(hop);
    let address = bare.parse().ok();
    address.or_else(|| hop.parse().ok().map(|hop: SocketAddr| hop.ip()))
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

    /// Who calls, by the lines of `X-Forwarded-For` that the peer sends.
    fn address(peer: &str, lines: &[u8]) -> String {
        let (mut parts, ()) = Request::new(()).into_parts();
        let peer = SocketAddr::new(peer.parse().unwrap(), 1);
        parts.extensions.insert(ConnectInfo(peer));
        for line in lines.split(|byte| *byte == b'\n') {
            let line = HeaderValue::from_bytes(line).unwrap();
            parts.headers.append(X_FORWARDED_FOR, line);
        }
        let proxies = [Network::parse("10.0.0.0/8").unwrap()];
        client(&parts, &proxies).address.unwrap().to_string()
    }

    #[test]
    fn a_client_is_whom_the_proxies_name() {
        let named = |lines: &[u8]| address("10.0.0.1", lines);
        assert_eq!(named(b""), "10.0.0.1");
        assert_eq!(named(b"203.0.113.9"), "203.0.113.9");
        assert_eq!(named(b"198.51.100.1, 203.0.113.9,10.0.0.2"), "203.0.113.9");
        assert_eq!(named(b"198.51.100.1\n203.0.113.9\n10.0.0.2"), "203.0.113.9");
        assert_eq!(named(b"10.0.0.3, 10.0.0.2"), "10.0.0.3");
        assert_eq!(named(b"203.0.113.9, unknown, 10.0.0.2"), "10.0.0.2");
        assert_eq!(named(b"203.0.113.9, , 10.0.0.2"), "10.0.0.2");
        assert_eq!(named(b"::ffff:203.0.113.9"), "203.0.113.9");
        assert_eq!(address("192.0.2.1", b"203.0.113.9"), "192.0.2.1", "no proxy");
    }

    #[test]
    fn what_a_client_writes_hides_nobody() {
        for bytes in [&b"\xff"[..], b"\xc3\xa9", b"\t", b"x"] {
            let line = [bytes, b", 203.0.113.9, 10.0.0.2"].concat();
            assert_eq!(address("10.0.0.1", &line), "203.0.113.9", "{bytes:?}");
        }
    }

    #[test]
    fn a_hop_may_have_a_port() {
        for (hop, expected) in [
            ("203.0.113.9:51234", "203.0.113.9"),
            ("203.0.113.9:51234, 10.0.0.2:80", "203.0.113.9"),
            ("[2001:db8::1]:443", "2001:db8::1"),
            ("[2001:db8::1]", "2001:db8::1"),
            ("2001:db8::1", "2001:db8::1"),
            ("[203.0.113.9", "10.0.0.1"),
            ("203.0.113.9:x", "10.0.0.1"),
        ] {
            assert_eq!(address("10.0.0.1", hop.as_bytes()), expected, "{hop}");
        }
    }

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
