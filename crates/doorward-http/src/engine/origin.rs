//! Origins: which pages may read answers (CORS, Fetch standard section 3.3), and whether a browser sent a
//! request on behalf of a page of another site.
//!
//! The surprise: a foreign request is not refused. Its cookies do not count and its forms are not read; what
//! is left is what any program could send.

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{Method, Response, StatusCode};
use doorward_core::SetupError;

use super::cookie::{host_name, is_loopback};
use crate::settings::{LOOPBACK, ORIGINS_HINT, is_origin};

/// For how long a browser may remember a preflight, in seconds.
const PREFLIGHT_MAX_AGE: &str = "600";

/// The origins whose pages may read answers.
#[derive(Debug)]
pub(crate) struct Origins {
    allowed: Vec<String>,
    loopback: bool,
}

/// What the headers of a request say about where it comes from.
pub(super) struct Judged {
    /// The origin, if its pages may read the answer.
    allowed: Option<HeaderValue>,
    /// The headers that a preflight asks for.
    requested_headers: Option<HeaderValue>,
    /// Whether it is a preflight.
    pub(super) is_preflight: bool,
    /// Whether a page of another site had the browser send it.
    pub(super) is_foreign: bool,
}

impl Origins {
    pub(super) fn new<'a>(origins: impl Iterator<Item = &'a String>) -> Result<Self, SetupError> {
        let mut allowed = Vec::new();
        let mut loopback = false;
        for origin in origins {
            if origin == LOOPBACK {
                loopback = true;
                continue;
            }
            if !is_origin(origin) {
                let what = format!("origins: `{origin}` is no origin");
                return Err(SetupError::new(what, ORIGINS_HINT));
            }
            allowed.push(origin.to_ascii_lowercase());
        }
        Ok(Self { allowed, loopback })
    }

    /// Whether pages of this origin may read answers.
    pub(crate) fn allows(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.allowed.contains(&origin)
            || self.loopback
                && origin
                    .split_once("://")
                    .is_some_and(|(_, host)| is_loopback(host_name(host)))
    }

    /// Whether a page of another site, which is not listed, had the browser send a request with these headers.
    pub(super) fn is_foreign(&self, headers: &HeaderMap, over_tls: bool) -> bool {
        self.judge(headers, &Method::GET, over_tls).is_foreign
    }

    /// `over_tls` is whether the browser is known to speak TLS; if it is not, it still may.
    pub(super) fn judge(&self, headers: &HeaderMap, method: &Method, over_tls: bool) -> Judged {
        let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
        let origin = text(header::ORIGIN);
        let allowed = origin.is_some_and(|origin| self.allows(origin));
        // Sec-Fetch-Site is the browser's own word; without it, an origin that is not this host is another. So is this
        // host without TLS where it has TLS: who is in the network writes such pages (RFC 6265 section 8.6).
        let elsewhere = match text(header::HeaderName::from_static("sec-fetch-site")) {
            Some(site) => !matches!(site, "same-origin" | "none"),
            None => origin.is_some_and(|origin| {
                let host = text(header::HOST).unwrap_or_default();
                origin.split_once("://").is_none_or(|(scheme, of)| {
                    !of.eq_ignore_ascii_case(host) || over_tls && !scheme.eq_ignore_ascii_case("https")
                })
            }),
        };
        Judged {
            allowed: allowed.then(|| headers.get(header::ORIGIN).cloned()).flatten(),
            requested_headers: headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned(),
            is_preflight: is_preflight(method, headers),
            is_foreign: elsewhere && !allowed,
        }
    }
}

/// The method by which the route of a request is found: a preflight is judged as what it asks for will be.
pub(super) fn wanted_method(method: &Method, headers: &HeaderMap) -> Method {
    let asked = headers.get(header::ACCESS_CONTROL_REQUEST_METHOD);
    let asked = asked.and_then(|asked| Method::from_bytes(asked.as_bytes()).ok());
    asked
        .filter(|_| is_preflight(method, headers))
        .unwrap_or_else(|| method.clone())
}

fn is_preflight(method: &Method, headers: &HeaderMap) -> bool {
    let has = |name| headers.contains_key(name);
    *method == Method::OPTIONS && has(header::ORIGIN) && has(header::ACCESS_CONTROL_REQUEST_METHOD)
}

impl Judged {
    /// Whether it comes from a page that may read the answer.
    pub(super) fn is_allowed(&self) -> bool {
        self.allowed.is_some()
    }

    /// The answer to a preflight; without the origin's headers, which [`Judged::decorate`] adds, it allows nothing.
    pub(super) fn preflight(&self, methods: &[Method]) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        if self.allowed.is_none() {
            return response;
        }
        let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
        let headers = response.headers_mut();
        if let Ok(methods) = HeaderValue::from_str(&names.join(", ")) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods);
        }
        if let Some(requested) = &self.requested_headers {
            headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, requested.clone());
        }
        headers.insert(
            header::ACCESS_CONTROL_MAX_AGE,
            HeaderValue::from_static(PREFLIGHT_MAX_AGE),
        );
        response
    }

    /// Lets the page read the answer, if it may. Answers differ by origin, and caches have to know.
    pub(super) fn decorate(&self, response: &mut Response<Body>) {
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static("Origin"));
        if let Some(origin) = &self.allowed {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            headers.insert(
                header::ACCESS_CONTROL_ALLOW_CREDENTIALS,
                HeaderValue::from_static("true"),
            );
            // A contract may show more.
            headers.append(
                header::ACCESS_CONTROL_EXPOSE_HEADERS,
                HeaderValue::from_static("x-request-id, retry-after"),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(pairs: &[(&'static str, &str)]) -> Judged {
        judged_with(pairs, false)
    }

    fn judged_with(pairs: &[(&'static str, &str)], over_tls: bool) -> Judged {
        let list = ["https://app.example.com".to_owned(), LOOPBACK.to_owned()];
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.insert(*name, value.parse().unwrap());
        }
        Origins::new(list.iter())
            .unwrap()
            .judge(&headers, &Method::POST, over_tls)
    }

    #[test]
    fn only_listed_origins_may_read() {
        for good in [
            "https://app.example.com",
            "https://APP.example.com",
            "http://localhost:5173",
            "http://[::1]:3000",
        ] {
            assert!(judged(&[("origin", good)]).allowed.is_some(), "{good}");
        }
        for bad in [
            "http://app.example.com",
            "https://app.example.com:444",
            "https://app.example.com.evil.example",
            "https://evil.example",
            "http://localhost.evil.example",
            "null",
        ] {
            assert!(judged(&[("origin", bad)]).allowed.is_none(), "{bad}");
        }
    }

    #[test]
    fn what_a_contract_shows_to_pages_is_shown() {
        let mut response = Response::new(Body::empty());
        let own = HeaderValue::from_static("x-expires");
        response
            .headers_mut()
            .insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, own);
        judged(&[("origin", "https://app.example.com")]).decorate(&mut response);
        let shown = response.headers().get_all(header::ACCESS_CONTROL_EXPOSE_HEADERS);
        let shown: Vec<_> = shown.iter().collect();
        assert_eq!(shown, ["x-expires", "x-request-id, retry-after"]);
    }

    #[test]
    fn foreign_is_what_a_page_of_another_site_sends() {
        let host = ("host", "login.example.com");
        assert!(!judged(&[host]).is_foreign, "no browser");
        assert!(!judged(&[host, ("origin", "https://login.example.com")]).is_foreign);
        assert!(judged(&[host, ("origin", "https://evil.example")]).is_foreign);
        assert!(judged(&[host, ("origin", "null")]).is_foreign);
        let without_tls = [host, ("origin", "http://login.example.com")];
        assert!(!judged(&without_tls).is_foreign, "nobody says that there is TLS");
        assert!(judged_with(&without_tls, true).is_foreign);
        assert!(!judged_with(&[host, ("origin", "https://login.example.com")], true).is_foreign);
        assert!(judged(&[host, ("sec-fetch-site", "cross-site")]).is_foreign);
        assert!(judged(&[host, ("sec-fetch-site", "same-site")]).is_foreign);
        assert!(!judged(&[host, ("sec-fetch-site", "none")]).is_foreign);
        let listed = [
            host,
            ("sec-fetch-site", "same-site"),
            ("origin", "https://app.example.com"),
        ];
        assert!(!judged(&listed).is_foreign);
    }

    #[test]
    fn what_is_no_origin_is_refused_at_start() {
        for bad in [
            "*",
            "app.example.com",
            "https://app.example.com/",
            "https://app.example.com/path",
            "ftp://x.y",
            "https://",
            "https://:8443",
            "https://ann@app.example.com",
            "https://ann:secret@app.example.com",
            "https://*.example.com",
            "https://app.example.com#top",
            "https://app.example.com?a=b",
            "https://app.example.com:443",
            "http://app.example.com:80",
            "https://app.example.com:",
            "https://app.example.com:08443",
            "https://app.example.com:99999",
        ] {
            assert!(Origins::new([bad.to_owned()].iter()).is_err(), "{bad}");
        }
        for good in [
            "HTTPS://App.Example.com",
            "http://app.example.com:443",
            "https://app.example.com:80",
            "https://app.example.com:8443",
            "http://192.0.2.1:3000",
            "https://[2001:db8::1]",
            "http://[2001:db8::1]:3000",
            // No name of the DNS, but one that containers have.
            "http://my_app:3000",
        ] {
            assert!(Origins::new([good.to_owned()].iter()).is_ok(), "{good}");
        }
    }
}
