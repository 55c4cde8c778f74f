//! `GET /v1/ended-sessions`: the sessions that have ended, for services that verify tokens by themselves; a page at a
//! time as JSON, or as a stream of events (Server-Sent Events, HTML standard section 9.2).
//!
//! The surprise: a stream has no queue. It is a place in the order of endings, and its next event is made when the
//! connection has room for it; so a slow reader costs no memory, and nobody has to be told that it fell behind.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{ACCEPT, CACHE_CONTROL, HeaderName, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use axum::routing::get;
use doorward_core::Error;
use doorward_core::session::{EndedSession, Place};
use serde_json::json;
use tokio::sync::{Semaphore, watch};

use self::stream::Stream;
use crate::client;
use crate::engine::Engine;
use crate::operations::response;
use crate::own;
use crate::refusal::{Refusal, finish};

mod stream;

/// The most streams at once; each is a connection of a service, not of a person.
const MAX_STREAMS: usize = 1_024;

/// The most endings of a page.
const MAX_PAGE: usize = 10_000;

/// Says to streams that the server stops. Whoever serves the router can put one into the extensions of a request;
/// without it a stream ends with its connection.
#[derive(Clone, Debug)]
pub struct Stop(Arc<watch::Receiver<bool>>);

impl Stop {
    /// One that is told by a `true` in the channel, or by the end of its sender.
    pub fn new(told: watch::Receiver<bool>) -> Self {
        // Each request takes a copy, and a receiver is counted where all connections count.
        Self(Arc::new(told))
    }

    /// Whether the server stops.
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until the server stops.
    async fn told(&self) {
        // Whoever could tell is gone: so is the server.
        drop(watch::Receiver::clone(&self.0).wait_for(|stops| *stops).await);
    }
}

pub(crate) fn routes() -> Router<Arc<Engine>> {
    let places = Arc::new(Semaphore::new(MAX_STREAMS));
    let handler = move |State(engine): State<Arc<Engine>>, request: Request<Body>| async move {
        let started = engine.auth.clock().instant();
        let facts = engine.facts(&request);
        let (parts, _) = request.into_parts();
        let answered = answer(&engine, &parts, &places).await;
        finish(&engine, &facts, "ended_sessions", answered, started)
    };
    Router::new().route(own::ENDED_SESSIONS, get(handler))
}

async fn answer(engine: &Arc<Engine>, parts: &Parts, places: &Arc<Semaphore>) -> Result<Response<Body>, Refusal> {
    let client = client::authenticate(&engine.auth, &parts.headers, None).await?;
    let asked = Asked::read(parts)?;
    if !wants_events(&parts.headers) {
        return page(engine, &asked).await;
    }
    let stop = parts.extensions.get::<Stop>().cloned();
    if stop.as_ref().is_some_and(Stop::is_told) {
        return Err(Refusal::Full);
    }
    let place = Arc::clone(places).try_acquire_owned().map_err(|_| {
        tracing::warn!("no stream of ended sessions is left: {MAX_STREAMS} are open");
        Refusal::Full
    })?;
    let timeline = engine.auth.ended_sessions().recent().progress().timeline;
    let known = engine.auth.knows(asked.after).await?;
    let auth = Arc::clone(&engine.auth);
    let from = known.then_some((timeline, asked.after));
    let stream = Stream::new(auth, client, from, stop, place);
    let mut response = Response::new(Body::new(stream));
    let headers = response.headers_mut();
    for (name, value) in [
        ("content-type", "text/event-stream"),
        // nginx would collect events to a buffer's worth.
        ("x-accel-buffering", "no"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    // No cache keeps it, and nobody on the way compresses it: both would hold events back.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store, no-transform"));
    Ok(response)
}

/// The page after a place, and up to which moment it is everything, if no more is to come.
async fn page(engine: &Engine, asked: &Asked) -> Result<Response<Body>, Refusal> {
    let recent = engine.auth.ended_sessions().recent();
    let timeline = recent.progress().timeline;
    // Known before it is read: what is read may be more, and not less.
    let asked_at = engine.auth.ended_until().await?;
    let known = engine.auth.knows(asked.after).await?;
    let after = if known { asked.after } else { Place::BEGINNING };
    let ended = engine.auth.ended_after(after.sequence, asked.limit).await?;
    if recent.progress().timeline != timeline {
        return Err(Error::unavailable("the database went back in time meanwhile").into());
    }
    let list: Vec<_> = ended.iter().map(told).collect();
    let cursor = ended.last().map_or(after, EndedSession::place);
    let now = millis(engine.auth.clock().running());
    let mut body = json!({
        "ended": list,
        "cursor": cursor.to_string(),
        "more": ended.len() == asked.limit,
        "now": now,
        "asked": millis(asked_at),
    });
    if let (false, Some(members)) = (known, body.as_object_mut()) {
        members.insert("reset".to_owned(), true.into());
    }
    Ok(response(StatusCode::OK, "application/json", body.to_string()))
}

/// What a verifier has to know of an ending: the session, and when the last of its tokens is dead by age.
fn told(ended: &EndedSession) -> serde_json::Value {
    json!({"sid": ended.session.to_string(), "exp": forget_at(ended)})
}

/// In whole seconds, and not too early.
fn forget_at(ended: &EndedSession) -> i64 {
    ended.expires_at.0.saturating_add(999).div_euclid(1000)
}

fn millis(running: std::time::Duration) -> u64 {
    u64::try_from(running.as_millis()).unwrap_or(u64::MAX)
}

/// What a reader asks for.
struct Asked {
    /// The place up to which it knows everything.
    after: Place,
    limit: usize,
}

impl Asked {
    fn read(parts: &Parts) -> Result<Self, Refusal> {
        let query = parts.uri.query().unwrap_or_default();
        let mut asked = Self {
            after: Place::BEGINNING,
            limit: MAX_PAGE,
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "after" => asked.after = cursor(&value)?,
                "limit" => asked.limit = limit(&value)?,
                _ => {}
            }
        }
        // What a reader says that was cut off is newer than the address it began with.
        if let Some(last) = parts.headers.get("last-event-id") {
            asked.after = cursor(last.to_str().unwrap_or_default())?;
        }
        Ok(asked)
    }
}

fn cursor(text: &str) -> Result<Place, Refusal> {
    Place::parse(text).ok_or(Refusal::InvalidRequest("this is no cursor of ours"))
}

fn limit(text: &str) -> Result<usize, Refusal> {
    let limit = text.parse().ok().filter(|limit| (1..=MAX_PAGE).contains(limit));
    limit.ok_or(Refusal::InvalidRequest("`limit` is a number from 1 to 10000"))
}

fn wants_events(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|range| range.split(';').next())
        .any(|range| range.trim().eq_ignore_ascii_case("text/event-stream"))
}
