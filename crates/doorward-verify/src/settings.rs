//! What a verifier has to be told.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use hyper::Uri;
use hyper::http::uri::Scheme;

/// The bounds that make sense: a node tells four times a second that nothing is new, and after a minute nobody calls
/// it a log-out.
const BOUNDS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));
/// How many endings are kept by default, at 50 to 100 bytes each.
const ENDED: usize = 16 * 1024 * 1024;
/// How many bytes the tokens that verified lately may take by default.
const REMEMBERED: u64 = 64 * 1024 * 1024;
/// How many introspections may be under way at once by default.
const INTROSPECTIONS: usize = 64;

/// A text that nobody is shown.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Hides it.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(..)")
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// What to do with a good token while the feed has been silent for longer than the bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum OnStale {
    /// Answer 503. Nothing is accepted that may have ended; while the feed is down, nobody gets in.
    #[default]
    Refuse,
    /// Ask the server about each token (RFC 7662). As safe with a bound of one second or more: a node answers from what
    /// it has known for a second at most, so a shorter bound is not kept meanwhile. Each check looks up the host,
    /// makes a connection, with TLS if there is any, and asks on it: some round trips more for a request. Refused like
    /// [`OnStale::Refuse`] where the server cannot say it either.
    Introspect,
    /// Accept it until it expires. *A risk:* whoever has logged out or was disabled meanwhile stays in, for as long
    /// as the token lives and the feed is down; and who can cut the feed can bring that about.
    Accept,
}

/// What a verifier has to be told. [`Settings::new`] takes what has no default.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Hidden until it was found to have no password in it.
    url: Secret,
    pub(crate) client_id: String,
    pub(crate) client_secret: Secret,
    pub(crate) issuer: String,
    pub(crate) realm: String,
    pub(crate) bound: Duration,
    pub(crate) on_stale: OnStale,
    pub(crate) ended: usize,
    pub(crate) remembered: u64,
    pub(crate) introspections: usize,
    pub(crate) roots: Option<PathBuf>,
}

impl Settings {
    /// `url` is where doorward is, as in `https://auth.example.com`; the id and the secret are what
    /// `doorward client add` printed.
    pub fn new(url: impl Into<String>, client_id: impl Into<String>, client_secret: impl Into<Secret>) -> Self {
        Self {
            url: Secret::new(url),
            client_id: client_id.into(),
            client_secret: client_secret.into(),
            issuer: "doorward".to_owned(),
            realm: "main".to_owned(),
            bound: Duration::from_secs(1),
            on_stale: OnStale::default(),
            ended: ENDED,
            remembered: REMEMBERED,
            introspections: INTROSPECTIONS,
            roots: None,
        }
    }

    /// The `iss` of the tokens: the server's setting `issuer`. By default `doorward`.
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// The realm of the tokens, which is their `aud`. By default `main`.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = realm.into();
        self
    }

    /// How old what is known of a session may be. By default one second; from half a second to a minute.
    /// [`OnStale::Introspect`] keeps none that is shorter than a second.
    pub fn bound(mut self, bound: Duration) -> Self {
        self.bound = bound;
        self
    }

    /// What to do with a good token while that cannot be kept. By default it is refused.
    pub fn on_stale(mut self, on_stale: OnStale) -> Self {
        self.on_stale = on_stale;
        self
    }

    /// How many endings are kept at most, at 50 to 100 bytes each. When there are more, the verifier is stale until
    /// old ones may be forgotten. By default 16 Mi.
    pub fn max_ended(mut self, count: usize) -> Self {
        self.ended = count;
        self
    }

    /// How many bytes the tokens that verified lately may take, about. By default 64 MiB.
    pub fn max_remembered_bytes(mut self, bytes: u64) -> Self {
        self.remembered = bytes;
        self
    }

    /// How many introspections may be under way at once; who comes later waits. By default 64.
    pub fn max_introspections(mut self, count: usize) -> Self {
        self.introspections = count;
        self
    }

    /// A file of certificates in PEM to know the server by, instead of those of the system.
    pub fn root_certificates(mut self, path: impl Into<PathBuf>) -> Self {
        self.roots = Some(path.into());
        self
    }

    /// The address, if everything makes sense.
    pub(crate) fn check(&self) -> Result<Uri, SettingsError> {
        let fault = |what: String, hint| Err(SettingsError { what, hint });
        // Without its text, which may have a secret in it.
        let uri = match self.url.expose().parse::<Uri>() {
            Ok(uri) => uri,
            Err(error) => return fault(format!("the URL is none: {error}"), URL_HINT),
        };
        let is_http = uri.scheme() == Some(&Scheme::HTTP) || uri.scheme() == Some(&Scheme::HTTPS);
        let authority = uri.authority().map_or("", |authority| authority.as_str());
        if !is_http || uri.host().is_none_or(str::is_empty) || authority.contains('@') || uri.query().is_some() {
            return fault("the URL is no address of a server".to_owned(), URL_HINT);
        }
        for (name, value) in [
            ("client id", self.client_id.as_str()),
            ("client secret", self.client_secret.expose()),
        ] {
            if value.is_empty() {
                return fault(format!("the {name} is empty"), "`doorward client add NAME` prints both");
            }
        }
        for (name, value) in [("issuer", &self.issuer), ("realm", &self.realm)] {
            if value.is_empty() {
                return fault(format!("the {name} is empty"), "`doorward config` shows it");
            }
        }
        if self.bound < BOUNDS.0 || self.bound > BOUNDS.1 {
            return fault(
                format!("the bound {:?} is none", self.bound),
                "take half a second to a minute; a node tells four times a second that nothing is new",
            );
        }
        if self.introspections == 0 && self.on_stale == OnStale::Introspect {
            return fault(
                "no introspection is allowed".to_owned(),
                "allow one, or take `OnStale::Refuse`",
            );
        }
        Ok(uri)
    }
}

const URL_HINT: &str = "give it as in https://auth.example.com";

/// Settings that make no sense, or a machine that cannot do TLS.
#[derive(Clone, Debug)]
pub struct SettingsError {
    pub(crate) what: String,
    pub(crate) hint: &'static str,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}\nhint: {}", self.what, self.hint)
    }
}

impl std::error::Error for SettingsError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(url: &str) -> Settings {
        Settings::new(url, "id", "secret")
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_a_hint() {
        let good = || settings("https://auth.example.com");
        for (what, settings) in [
            ("no scheme", settings("auth.example.com")),
            ("no host", settings("http:///x")),
            ("a secret in it", settings("http://id:hunter2@auth.example.com")),
            (
                "a secret and a space in it",
                settings("http://id:hunter2@auth.example.com /"),
            ),
            ("a secret and no port in it", settings("http://id:hunter2@[::1")),
            ("another scheme", settings("ftp://auth.example.com")),
            ("a query", settings("http://auth.example.com/?x=1")),
            ("no secret", Settings::new("http://localhost", "id", "")),
            ("no issuer", good().issuer("")),
            ("a bound too short", good().bound(Duration::from_millis(499))),
            ("a bound too long", good().bound(Duration::from_secs(61))),
            (
                "no introspection",
                good().on_stale(OnStale::Introspect).max_introspections(0),
            ),
        ] {
            let error = settings.check().expect_err(what).to_string();
            assert!(error.contains("\nhint: "), "{what}: {error}");
            assert!(!error.contains("hunter2"), "{what}: {error}");
        }
        for url in [
            "http://127.0.0.1:8080",
            "https://auth.example.com/auth/",
            "http://[::1]:80",
        ] {
            assert!(settings(url).check().is_ok(), "{url}");
        }
    }

    #[test]
    fn nobody_is_shown_the_secret() {
        let shown = format!("{:?}", settings("http://id:hunter2@localhost"));
        assert!(!shown.contains("\"secret\"") && !shown.contains("hunter2"), "{shown}");
    }
}
