//! What an operator sets about HTTP, for all contracts.

use std::net::IpAddr;
use std::time::Duration;

use axum::http::Uri;
use doorward_core::SetupError;
use tokio::runtime::Handle;

use crate::connections::Connections;

/// The word for every origin on this machine.
pub(crate) const LOOPBACK: &str = "loopback";

/// What can stand in a list of origins.
pub(crate) const ORIGINS_HINT: &str = "write a scheme and a host, as in `https://app.example.com`, with a port only if \
                                       it is not the usual one; or `loopback`";

/// What can stand in a list of proxies.
const PROXIES_HINT: &str = "write an address or a network, as in `127.0.0.1` or `10.0.0.0/8`";

/// Looks at one of [`Settings::origins`].
///
/// # Errors
/// With what would be right.
pub fn check_origin(text: &str) -> Result<(), &'static str> {
    if is_origin(text) { Ok(()) } else { Err(ORIGINS_HINT) }
}

/// Looks at one of [`Settings::trusted_proxies`].
///
/// # Errors
/// With what would be right.
pub fn check_trusted_proxy(text: &str) -> Result<(), &'static str> {
    Network::read(text).map(drop).ok_or(PROXIES_HINT)
}

/// The most bytes of a host (RFC 1035 section 2.3.4), with a port.
const MAX_HOST: usize = 255 + 6;

/// Whether this can stand in a list of origins: the word for this machine, or what a browser says, in any case.
pub(crate) fn is_origin(text: &str) -> bool {
    let told = |uri: Uri| origin(&uri).is_some_and(|origin| origin.eq_ignore_ascii_case(text));
    text == LOOPBACK || text.parse().is_ok_and(told)
}

/// The origin of an address as browsers write it (RFC 6454 section 6.2): without the port that is the usual one, and
/// without what may stand before an `@`.
pub(crate) fn origin(uri: &Uri) -> Option<String> {
    let scheme = uri.scheme_str()?;
    let usual = match scheme {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let authority = uri.authority()?;
    let host = Some(authority.host()).filter(|host| is_host(host))?;
    Some(match authority.port_u16().filter(|port| *port != usual) {
        Some(port) => format!("{scheme}://{host}:{port}"),
        None => format!("{scheme}://{host}"),
    })
}

/// A host name or address, with a port or without. Browsers take a `_` as well.
pub(crate) fn is_host(host: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-:[]".contains(&b);
    (1..=MAX_HOST).contains(&host.len()) && host.bytes().all(plain)
}

/// Settings of the HTTP side.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Origins whose pages may read answers, for every contract; `loopback` stands for every origin on a
    /// loopback name.
    pub origins: Vec<String>,
    /// Addresses or networks (CIDR) of proxies that are believed about the requests that they pass on.
    pub trusted_proxies: Vec<String>,
    /// The sign-in pages that a proxy may have a browser sent to.
    pub sign_in: Vec<String>,
    /// Whether cookies are `Secure`, and with `Always` that browsers speak TLS.
    pub secure_cookies: SecureCookies,
    /// How long a body may take to arrive.
    pub body_timeout: Duration,
    /// Switches of contracts that are on, as `contract.switch`.
    pub switches: Vec<String>,
    /// Whether `/metrics` is served.
    pub metrics: bool,
    /// The connections of whoever serves the router, for `/metrics`; none where nobody counts them.
    pub connections: Option<Connections>,
    /// Where actions that take a password run; none for where their requests are served. With a runtime of its own a
    /// burst of log-ins, whose hashes were ready at once, does not stand before requests that need none.
    pub password_runtime: Option<Handle>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            origins: vec![LOOPBACK.to_owned()],
            trusted_proxies: Vec::new(),
            sign_in: Vec::new(),
            secure_cookies: SecureCookies::Auto,
            body_timeout: Duration::from_secs(10),
            switches: Vec::new(),
            metrics: true,
            connections: None,
            password_runtime: None,
        }
    }
}

/// When cookies are `Secure`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecureCookies {
    /// Always, except when the request's own host is a loopback name and nothing says that it came over TLS.
    Auto,
    /// Always.
    Always,
    /// Never: only for a network without TLS.
    Never,
}

/// A network whose addresses are believed.
#[derive(Clone, Copy, Debug)]
pub struct Network {
    address: u128,
    /// How many leading bits have to agree; IPv4 counts as `::ffff:0:0/96`.
    bits: u32,
}

impl Network {
    /// Reads an item of [`Settings::trusted_proxies`].
    ///
    /// # Errors
    /// When it is neither an address nor a network.
    pub fn parse(text: &str) -> Result<Self, SetupError> {
        let bad = || SetupError::new(format!("trusted_proxies: `{text}` is no address"), PROXIES_HINT);
        Self::read(text).ok_or_else(bad)
    }

    /// Reads `10.0.0.0/8`, `::1`, ….
    fn read(text: &str) -> Option<Self> {
        let (address, bits) = text
            .split_once('/')
            .map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().ok()?;
        let (width, offset) = if address.is_ipv4() { (32, 96) } else { (128, 0) };
        let bits: u32 = bits.map_or(Ok(width), str::parse).ok()?;
        (bits <= width).then(|| Self {
            address: number(address),
            bits: bits + offset,
        })
    }

    /// Whether the address belongs to it.
    pub fn contains(&self, address: IpAddr) -> bool {
        let differing = self.address ^ number(address);
        self.bits == 0 || differing.leading_zeros() >= self.bits
    }
}

fn number(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().into(),
        IpAddr::V6(v6) => v6.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, address: &str) -> bool {
        Network::parse(network).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn networks_contain_their_addresses() {
        assert!(contains("127.0.0.1", "127.0.0.1"));
        assert!(contains("127.0.0.1", "::ffff:127.0.0.1"));
        assert!(!contains("127.0.0.1", "127.0.0.2"));
        assert!(contains("10.0.0.0/8", "10.255.0.1"));
        assert!(!contains("10.0.0.0/8", "11.0.0.1"));
        assert!(contains("fd00::/8", "fd12::1"));
        assert!(contains("0.0.0.0/0", "8.8.8.8"));
        assert!(!contains("0.0.0.0/0", "2001:db8::1"));
        assert!(contains("::/0", "8.8.8.8"));
        for bad in ["", "x", "10.0.0.0/33", "10.0.0.0/-1", "::/129"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }
}
