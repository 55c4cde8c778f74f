//! Writes cookies (RFC 6265 section 4.1). Clearing repeats the attributes: browsers take another path or
//! another flag for another cookie.

use std::time::Duration;

use axum::http::header::{FORWARDED, HOST};
use axum::http::{HeaderMap, HeaderName, Uri};

use crate::contract::render::Filling;
use crate::contract::{Cookie, SameSite};
use crate::settings::SecureCookies;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

/// A cookie with its value. `token_lifetime` is for one that is set where there is no token.
pub(super) fn set(cookie: &Cookie, filling: &Filling<'_>, token_lifetime: Duration) -> String {
    let value = cookie.value.rendered(filling);
    let max_age = cookie.max_age.or_else(|| left_of_token(cookie, filling));
    let max_age = max_age.unwrap_or(token_lifetime).as_secs();
    format!(
        "{}={}; Max-Age={max_age}{}",
        cookie.name,
        encoded(&value),
        attributes(cookie, filling)
    )
}

/// What is left of the life of the token that a cookie holds: less than the contract gives where the session ends before.
fn left_of_token(cookie: &Cookie, filling: &Filling<'_>) -> Option<Duration> {
    let token = filling.carried?.token.as_ref()?;
    let of_refresh = token.refresh_expires_in.filter(|_| cookie.holds_refresh);
    Some(of_refresh.unwrap_or(token.expires_in))
}

/// The same cookie with no value and an expiry in the past.
pub(super) fn clear(cookie: &Cookie, filling: &Filling<'_>) -> String {
    let past = "Max-Age=0; Expires=Thu, 01 Jan 1970 00:00:00 GMT";
    format!("{}=; {past}{}", cookie.name, attributes(cookie, filling))
}

fn attributes(cookie: &Cookie, filling: &Filling<'_>) -> String {
    let same_site = match cookie.same_site {
        SameSite::Lax => "Lax",
        SameSite::Strict => "Strict",
        SameSite::None => "None",
    };
    let secure = cookie.has_to_be_secure() || filling.request.is_none_or(|request| request.secure);
    let http_only = if cookie.http_only { "; HttpOnly" } else { "" };
    let secure = if secure { "; Secure" } else { "" };
    format!("; Path={}{http_only}; SameSite={same_site}{secure}", cookie.path)
}

/// The value with every byte that a cookie cannot hold as `%XX`.
fn encoded(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for byte in value.bytes() {
        if byte.is_ascii_graphic() && !b"\"%,;\\".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// Whether it is said that the browser speaks TLS, by the operator or by the request. Whoever sends it is believed: to
/// say so takes rights away, and a page cannot say so of what it makes a browser send to another site.
pub(super) fn is_over_tls(setting: SecureCookies, headers: &HeaderMap) -> bool {
    matches!(setting, SecureCookies::Always)
        || text(headers, X_FORWARDED_PROTO)
            .split(',')
            .any(|proto| proto.trim().eq_ignore_ascii_case("https"))
        || text(headers, FORWARDED).split([',', ';']).any(is_proto_https)
}

/// Whether a pair of `Forwarded` is `proto=https`, in quotes or without (RFC 7239 section 4).
fn is_proto_https(pair: &str) -> bool {
    pair.split_once('=').is_some_and(|(name, value)| {
        let value = value.trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("proto") && value.eq_ignore_ascii_case("https")
    })
}

/// Whether cookies for this request have to be `Secure`.
pub(super) fn secure(setting: SecureCookies, headers: &HeaderMap, uri: &Uri) -> bool {
    match setting {
        SecureCookies::Always => true,
        SecureCookies::Never => false,
        SecureCookies::Auto => {
            let host = uri
                .authority()
                .map_or_else(|| text(headers, HOST), |authority| authority.as_str());
            is_over_tls(setting, headers) || !is_loopback(host_name(host))
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> &str {
    let value = headers.get(name).and_then(|value| value.to_str().ok());
    value.unwrap_or_default()
}

/// The host without its port.
pub(super) fn host_name(host: &str) -> &str {
    match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, _)) => address,
        None => host.split_once(':').map_or(host, |(name, _)| name),
    }
}

/// Whether a host is a name of this machine.
pub(super) fn is_loopback(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "localhost"
        || name.ends_with(".localhost")
        || name
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use doorward_core::action::{Carried, IssuedToken};
    use doorward_core::clock::Clock;
    use doorward_core::secret::Secret;

    use super::*;
    use crate::contract::{builtin, parse};

    fn is_secure(headers: &[(&'static str, &'static str)]) -> bool {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        secure(SecureCookies::Auto, &map, &Uri::from_static("/login"))
    }

    #[test]
    fn cookies_are_secure_but_on_this_machine() {
        for host in [
            "localhost",
            "localhost:3000",
            "127.0.0.1:8080",
            "[::1]:8080",
            "app.localhost",
        ] {
            assert!(!is_secure(&[("host", host)]), "{host}");
        }
        for host in ["login.example.com", "localhost.example.com", "10.0.0.1", "[fe80::1]"] {
            assert!(is_secure(&[("host", host)]), "{host}");
        }
        assert!(is_secure(&[]), "no host");
        assert!(is_secure(&[("host", "localhost"), ("x-forwarded-proto", "https")]));
        for forwarded in [
            "for=1.2.3.4;proto=HTTPS",
            "for=1.2.3.4;proto=\"https\"",
            "For=\"[2001:db8::1]:80\";Proto=\"HTTPS\";by=_x",
            "for=1.2.3.4;proto=http, for=10.0.0.1; proto=https",
        ] {
            assert!(
                is_secure(&[("host", "localhost"), ("forwarded", forwarded)]),
                "{forwarded}"
            );
        }
        for forwarded in [
            "for=1.2.3.4;proto=http",
            "for=_proto;proto=\"http\"",
            "https",
            "by=https",
        ] {
            assert!(
                !is_secure(&[("host", "localhost"), ("forwarded", forwarded)]),
                "{forwarded}"
            );
        }
    }

    /// What a login, or whatever else carries a token, makes of two cookies, one for each token.
    fn max_ages(token: Option<IssuedToken>) -> Vec<String> {
        let cookies = "[cookie.access]\n[cookie.refresh]\nvalue = \"{refresh_token}\"\n\n[token.refresh]";
        let text = builtin::find("v1").unwrap().replace("[token.refresh]", cookies);
        let text = text.replacen(
            "{ status = 201,",
            "{ status = 201, set_cookies = [\"access\", \"refresh\"],",
            1,
        );
        let contract = parse("mine.toml", &text).unwrap_or_else(|e| panic!("{e}"));
        let carried = Carried {
            token,
            ..Carried::default()
        };
        let filling = Filling {
            carried: Some(&carried),
            ..Filling::default()
        };
        let set = contract
            .cookies
            .iter()
            .map(|cookie| set(cookie, &filling, contract.token.lifetime));
        let age = |set: String| {
            set.split("Max-Age=")
                .nth(1)
                .and_then(|age| age.split(';').next())
                .unwrap()
                .to_owned()
        };
        set.map(age).collect()
    }

    #[test]
    fn a_cookie_lives_as_long_as_the_token_that_it_holds() {
        let token = |refresh_expires_in| IssuedToken {
            access: Secret::new("a".to_owned()),
            expires_in: Duration::from_mins(1),
            expires_at: Clock::system().now(),
            refresh: None,
            refresh_expires_in,
        };
        assert_eq!(max_ages(Some(token(Some(Duration::from_hours(1))))), ["60", "3600"]);
        assert_eq!(max_ages(Some(token(None))), ["60", "60"]);
        assert_eq!(max_ages(None), ["900", "900"]);
    }

    #[test]
    fn a_value_cannot_leave_its_place() {
        assert_eq!(encoded("a.b-c_d=="), "a.b-c_d==");
        assert_eq!(encoded("a; Path=/x\r\n\"é"), "a%3B%20Path=/x%0D%0A%22%C3%A9");
    }
}
