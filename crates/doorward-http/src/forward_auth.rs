//! `GET /v1/verify`: what a reverse proxy asks before it lets a request through (nginx `auth_request`, Caddy
//! `forward_auth`).
//!
//! The surprise: every answer has every `X-Auth-…` header, empty where there is nothing to say. A proxy copies them
//! over what the client sent, so that a client cannot say who it is by itself.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{Method, Request, Response, StatusCode};
use axum::routing::get;
use doorward_core::Error;
use doorward_core::account::Account;
use doorward_core::forward_auth::Caller;
use doorward_core::session::SessionId;
use serde_json::json;

use crate::engine::{Engine, Mounted, RequestFacts, is_from_proxy, tokens_of_realm};
use crate::operations::response;
use crate::own;
use crate::refusal::{self, Refusal};

mod sign_in;

pub(crate) use sign_in::SignInPages;
pub use sign_in::check_sign_in;

/// The realm that is meant when the proxy names none.
const DEFAULT_REALM: &str = "main";

/// Whom a request comes from.
const HEADERS: [HeaderName; 6] = [
    HeaderName::from_static("x-auth-account"),
    HeaderName::from_static("x-auth-number"),
    HeaderName::from_static("x-auth-session"),
    HeaderName::from_static("x-auth-realm"),
    HeaderName::from_static("x-auth-email"),
    HeaderName::from_static("x-auth-username"),
];

pub(crate) fn routes() -> Router<Arc<Engine>> {
    Router::new().route(own::VERIFY, get(verify).fallback(wrong_method))
}

/// What the proxy asks for, by its query.
#[derive(Default)]
struct Question {
    realm: Option<String>,
    sign_in: Option<String>,
}

impl Question {
    /// Strict: with a name that is misspelt, another question would be answered.
    fn read(query: &str) -> Result<Self, String> {
        let mut question = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "realm" => &mut question.realm,
                "sign_in" => &mut question.sign_in,
                _ => return Err(format!("there is no parameter `{name}`, only `realm` and `sign_in`")),
            };
            if place.replace(value.into_owned()).is_some() {
                return Err(format!("`{name}` comes twice"));
            }
        }
        Ok(question)
    }
}

/// What is answered.
enum Verdict {
    /// Let it through, as this account.
    Pass(Box<Account>, SessionId, String),
    /// Send the browser there.
    SignIn(HeaderValue),
    /// Refuse it. Whether a token came.
    Refuse(bool),
    /// The question makes no sense.
    Wrong(String),
    /// Nobody can say.
    Unknown(Error),
}

async fn verify(State(engine): State<Arc<Engine>>, request: Request<Body>) -> Response<Body> {
    let started = engine.auth.clock().instant();
    let facts = engine.facts(&request);
    let (parts, _) = request.into_parts();
    let verdict = judge(&engine, &parts, &facts).await;
    let (outcome, response) = worded(verdict, &facts);
    engine.finish(&facts, ("none", "verify", outcome), response, started)
}

async fn wrong_method(state: State<Arc<Engine>>, request: Request<Body>) -> Response<Body> {
    let mut response = refusal::wrong_method(state, request).await;
    add_every_header(&mut response);
    response
}

async fn judge(engine: &Engine, parts: &Parts, facts: &RequestFacts) -> Verdict {
    let Question { realm, sign_in } = match Question::read(parts.uri.query().unwrap_or_default()) {
        Ok(question) => question,
        Err(why) => return Verdict::Wrong(why),
    };
    let name = realm.as_deref().unwrap_or(DEFAULT_REALM);
    let mounts: Vec<&Arc<Mounted>> = engine.mounts.iter().filter(|m| m.realm.name == name).collect();
    let Some(first) = mounts.first() else {
        return Verdict::Wrong(format!("no contract that is served has the realm `{name}`"));
    };
    let page = match sign_in.map(|url| engine.sign_in.find(&url).ok_or(url)).transpose() {
        Ok(page) => page,
        Err(url) => return Verdict::Wrong(format!("the setting `sign_in` does not list `{url}`")),
    };
    // What a proxy says of a request is believed from proxies only. Nobody knows otherwise what the request does.
    let said = is_from_proxy(parts, &engine.proxies).then_some(&parts.headers);
    let method = said.and_then(method);
    let unsafe_method = method.is_none_or(|method| !method.is_safe()) || opens_socket(&parts.headers);
    let presented = tokens_of_realm(
        mounts.iter().map(|m| &***m),
        &parts.headers,
        unsafe_method,
        facts.over_tls,
    );
    let came = match engine.auth.caller(&first.realm, &presented).await {
        Ok(Caller::Known(account, session)) => return Verdict::Pass(account, session, name.to_owned()),
        Ok(Caller::Anonymous) => false,
        Ok(Caller::Refused) => true,
        Err(error) => return Verdict::Unknown(error),
    };
    let Some(page) = page else {
        return Verdict::Refuse(came);
    };
    let address = said.filter(|_| !unsafe_method).and_then(sign_in::original_address);
    let address = address.filter(|(origin, _)| mounts.iter().any(|m| m.origins.allows(origin)) || page.is_at(origin));
    match HeaderValue::from_str(&page.with_return(address.map(|(_, url)| url).as_deref())) {
        Ok(location) => Verdict::SignIn(location),
        Err(_) => Verdict::Refuse(came),
    }
}

/// The method of the request that the proxy asks about.
fn method(headers: &HeaderMap) -> Option<Method> {
    sign_in::single(headers, "x-forwarded-method").and_then(|method| method.parse().ok())
}

/// A handshake of a WebSocket is a GET, and what it opens takes orders. Browsers send cookies along, from any page.
fn opens_socket(headers: &HeaderMap) -> bool {
    headers.contains_key(header::SEC_WEBSOCKET_KEY) || headers.contains_key(header::UPGRADE)
}

fn worded(verdict: Verdict, facts: &RequestFacts) -> (&'static str, Response<Body>) {
    let refused = |status, why: &str| {
        response(
            status,
            "application/json; charset=utf-8",
            json!({"error": why}).to_string(),
        )
    };
    let (outcome, mut response) = match verdict {
        Verdict::Pass(account, session, realm) => {
            let mut response = response(StatusCode::OK, "text/plain; charset=utf-8", String::new());
            let profile = &account.profile;
            let values = [
                account.id.to_string(),
                account.number.to_string(),
                session.to_string(),
                realm,
                profile.email.clone().unwrap_or_default(),
                profile.username.clone().unwrap_or_default(),
            ];
            for (name, value) in HEADERS.into_iter().zip(values) {
                if let Some(value) = whole(&value) {
                    response.headers_mut().insert(name, value);
                }
            }
            ("ok", response)
        }
        Verdict::SignIn(location) => {
            let mut response = response(StatusCode::FOUND, "text/plain; charset=utf-8", String::new());
            response.headers_mut().insert(header::LOCATION, location);
            ("sign_in", response)
        }
        Verdict::Refuse(came) => {
            let (why, outcome, challenge) = if came {
                ("the token is not good", "bad_token", r#"Bearer error="invalid_token""#)
            } else {
                ("there is no token", "no_token", "Bearer")
            };
            let mut response = refused(StatusCode::UNAUTHORIZED, why);
            let challenge = HeaderValue::from_static(challenge);
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
            (outcome, response)
        }
        Verdict::Wrong(why) => ("invalid", refused(StatusCode::BAD_REQUEST, &why)),
        Verdict::Unknown(error) => Refusal::from(error).told(facts),
    };
    add_every_header(&mut response);
    (outcome, response)
}

/// Adds those that say nothing.
fn add_every_header(response: &mut Response<Body>) {
    for name in HEADERS {
        let empty = HeaderValue::from_static("");
        response.headers_mut().entry(name).or_insert(empty);
    }
}

/// The value as a header that says all of it, if there is one. Names of people have letters of every script: a header
/// holds their UTF-8. White space at the ends is taken away by whoever reads it, and `ann ` is another account than
/// `ann`.
fn whole(value: &str) -> Option<HeaderValue> {
    let told = HeaderValue::from_bytes(value.as_bytes()).ok();
    told.filter(|_| value.trim() == value)
}
