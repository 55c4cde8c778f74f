//! Asks the server over HTTP/1.1, with TLS where the address says `https`.
//!
//! The surprise: each request has a connection of its own. There are few of them while the feed is well, and one that was
//! kept might end in a node that is gone; a new one lets whatever balances the load choose again.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::header::{
    ACCEPT, AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, HOST, HeaderName, HeaderValue, LOCATION, USER_AGENT,
};
use hyper::http::uri::Scheme;
use hyper::{Method, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use crate::clock::{Clock, Moment};
use crate::settings::{Settings, SettingsError};

mod connect;
mod tls;

/// How long it takes at most until the head of an answer is here, with the connection and TLS.
const HEAD: Duration = Duration::from_secs(5);
/// How long the body of a short answer takes at most.
const BODY: Duration = Duration::from_secs(5);
/// How long a check waits for what the server is asked. Longer than that, whoever presented the token has gone.
pub(crate) const CHECK: Duration = Duration::from_secs(3);

const AGENT: &str = concat!("doorward-verify/", env!("CARGO_PKG_VERSION"));

/// Why the server could not be asked, for the log.
#[derive(Clone, Debug)]
pub(crate) struct Trouble(String);

impl Trouble {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where the server is and who asks.
pub(crate) struct Client {
    tls: Option<(TlsConnector, ServerName<'static>)>,
    host: String,
    port: u16,
    /// What the `Host` header says.
    authority: HeaderValue,
    /// What every path begins with, without a slash at its end.
    prefix: String,
    authorization: HeaderValue,
    clock: Clock,
}

/// An answer whose body is still to come.
pub(crate) struct Answer {
    /// When the request was about to go out: before the server knew of it.
    pub(crate) sent: Moment,
    pub(crate) response: Response<Incoming>,
    _connection: Connection,
}

/// Drives a connection; whoever drops it closes the connection.
struct Connection(AbortHandle);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A request without its host and its credentials.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) headers: &'a [(HeaderName, &'a str)],
    pub(crate) body: String,
    /// Whether it says who asks.
    pub(crate) as_client: bool,
}

impl Client {
    /// # Errors
    /// When the settings make no sense, or TLS cannot be set up.
    pub(crate) fn new(settings: &Settings, clock: Clock) -> Result<Self, SettingsError> {
        let uri = settings.check()?;
        let is_tls = uri.scheme() == Some(&Scheme::HTTPS);
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let text = |value: &str| {
            HeaderValue::from_str(value).map_err(|error| SettingsError {
                what: format!("the URL or the client id: {error}"),
                hint: "give them as they were printed",
            })
        };
        // RFC 6749 section 2.3.1: both as in a form, then RFC 7617.
        let encoded = |part: &str| form_urlencoded::byte_serialize(part.as_bytes()).collect::<String>();
        let credentials = [&settings.client_id, settings.client_secret.expose()]
            .map(encoded)
            .join(":");
        let mut authorization = text(&format!("Basic {}", STANDARD.encode(credentials)))?;
        authorization.set_sensitive(true);
        let is_local = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        if !is_tls && !is_local {
            tracing::warn!("the server is asked without TLS: whoever is in between reads the client's secret");
        }
        Ok(Self {
            tls: if is_tls {
                Some(tls::connector(&host, settings.roots.as_deref())?)
            } else {
                None
            },
            port: uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 }),
            authority: text(uri.authority().map_or("", |authority| authority.as_str()))?,
            prefix: uri.path().trim_end_matches('/').to_owned(),
            host,
            authorization,
            clock,
        })
    }

    /// Asks, and waits for the head of the answer.
    pub(crate) async fn ask(&self, ask: Ask<'_>) -> Result<Answer, Trouble> {
        let asked = timeout(HEAD, self.ask_patiently(&ask)).await;
        let answer = asked.unwrap_or_else(|_| Err(Trouble::new(format!("no answer in {} s", HEAD.as_secs()))));
        answer.map_err(|Trouble(what)| Trouble(format!("{} {}{}: {what}", ask.method, self.prefix, ask.path)))
    }

    async fn ask_patiently(&self, ask: &Ask<'_>) -> Result<Answer, Trouble> {
        let request = self.request(ask)?;
        let stream = connect::connect(&self.host, self.port).await;
        let stream = stream.map_err(|error| Trouble(format!("no connection to {}: {error}", self.host)))?;
        // What is late here makes every proof older.
        stream.set_nodelay(true).map_err(|error| Trouble(error.to_string()))?;
        match &self.tls {
            Some((connector, name)) => {
                let stream = connector.connect(name.clone(), stream).await;
                exchange(
                    stream.map_err(|error| Trouble(format!("TLS: {error}")))?,
                    request,
                    self.clock,
                )
                .await
            }
            None => exchange(stream, request, self.clock).await,
        }
    }

    fn request(&self, ask: &Ask<'_>) -> Result<Request<Full<Bytes>>, Trouble> {
        let uri: Uri = format!("{}{}", self.prefix, ask.path)
            .parse()
            .map_err(|error| Trouble(format!("{error}")))?;
        let mut request = Request::new(Full::new(Bytes::from(ask.body.clone())));
        *request.method_mut() = ask.method.clone();
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        headers.insert(HOST, self.authority.clone());
        headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
        for (name, value) in ask.headers {
            let value = HeaderValue::from_str(value).map_err(|error| Trouble(error.to_string()))?;
            headers.insert(name, value);
        }
        if ask.as_client {
            headers.insert(AUTHORIZATION, self.authorization.clone());
        }
        Ok(request)
    }

    /// A public document, whole.
    pub(crate) async fn document(&self, path: &str, limit: usize) -> Result<Bytes, Trouble> {
        let ask = Ask {
            method: Method::GET,
            path,
            headers: &[
                (ACCEPT, "application/jwk-set+json, application/json"),
                // What a cache on the way has may be older than a key.
                (CACHE_CONTROL, "no-cache"),
            ],
            body: String::new(),
            as_client: false,
        };
        self.ask(ask).await?.whole(limit).await
    }

    /// The answer to a form, whole.
    pub(crate) async fn submit(&self, path: &str, form: String, limit: usize) -> Result<Bytes, Trouble> {
        let ask = Ask {
            method: Method::POST,
            path,
            headers: &[
                (CONTENT_TYPE, "application/x-www-form-urlencoded"),
                (ACCEPT, "application/json"),
            ],
            body: form,
            as_client: true,
        };
        self.ask(ask).await?.whole(limit).await
    }
}

impl Answer {
    /// The same, if it is a 200.
    pub(crate) fn good(self) -> Result<Self, Trouble> {
        let (status, headers) = (self.response.status(), self.response.headers());
        let header = |name| {
            headers
                .get(name)
                .and_then(|value: &HeaderValue| value.to_str().ok())
                .unwrap_or_default()
        };
        match status {
            StatusCode::OK => Ok(self),
            StatusCode::UNAUTHORIZED => Err(Trouble::new(
                "the server does not know this client\nhint: `doorward client list` shows those that it knows",
            )),
            StatusCode::NOT_FOUND => Err(Trouble::new(
                "the server has no such page\nhint: is the URL doorward's?",
            )),
            _ if status.is_redirection() => Err(Trouble(format!(
                "the server sends on to {:?}, which is not followed\nhint: give the right URL",
                header(LOCATION)
            ))),
            _ => Err(Trouble(format!("the server answers {status}"))),
        }
    }

    /// What kind of body it has.
    pub(crate) fn is_of_type(&self, media_type: &str) -> bool {
        let is = self
            .response
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok());
        let is = is.and_then(|value| value.split(';').next());
        is.is_some_and(|is| is.trim().eq_ignore_ascii_case(media_type))
    }

    async fn whole(self, limit: usize) -> Result<Bytes, Trouble> {
        let Self {
            response, _connection, ..
        } = self.good()?;
        match timeout(BODY, Limited::new(response.into_body(), limit).collect()).await {
            Ok(Ok(body)) => Ok(body.to_bytes()),
            Ok(Err(error)) => Err(Trouble(format!("the answer breaks off: {error}"))),
            Err(_) => Err(Trouble(format!("the answer is not over in {} s", BODY.as_secs()))),
        }
    }
}

async fn exchange<S>(stream: S, request: Request<Full<Bytes>>, clock: Clock) -> Result<Answer, Trouble>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let shaken = http1::handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(|error| Trouble(error.to_string()))?;
    // It ends with the connection, and that with its owner; what it ends with shows in the answer's body.
    let driver = tokio::spawn(async move { drop(connection.await) });
    let connection = Connection(driver.abort_handle());
    let sent = clock.now();
    let response = sender.send_request(request).await;
    Ok(Answer {
        sent,
        response: response.map_err(|error| Trouble(format!("no answer: {error}")))?,
        _connection: connection,
    })
}
