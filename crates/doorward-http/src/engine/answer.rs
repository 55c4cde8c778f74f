//! Builds responses from answers, and the headers that every response has.

use axum::body::Body;
use axum::http::header::{self, HeaderMap, HeaderValue};
use axum::http::{HeaderName, Method, Response, StatusCode};

use super::{Mounted, cookie};
use crate::contract::render::Filling;
use crate::contract::{Answer, Body as Content};

/// Room for the headers of nearly every response: the common ones, the id, the type, and some of the contract.
const USUAL_HEADERS: usize = 12;

/// A response from an answer. `status` is for contract-wide answers, which may leave it to their kind.
pub(super) fn build(
    answer: &Answer,
    status: Option<StatusCode>,
    filling: &Filling<'_>,
    mounted: &Mounted,
    request: &HeaderMap,
) -> Response<Body> {
    let mut bytes = Vec::with_capacity(512);
    let media_type = match &answer.body {
        Content::Empty => None,
        Content::Json(media_type, template) => {
            template.render(filling, &mut bytes);
            HeaderValue::from_str(media_type).ok()
        }
        Content::Text(template) => {
            template.render(filling, &mut bytes);
            Some(HeaderValue::from_static("text/plain; charset=utf-8"))
        }
    };
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status.or(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = response.headers_mut();
    headers.reserve(USUAL_HEADERS);
    if let Some(media_type) = media_type {
        headers.insert(header::CONTENT_TYPE, media_type);
    }
    for (name, template) in &answer.headers {
        if let Ok(value) = HeaderValue::from_str(&template.rendered(filling)) {
            headers.append(name, value);
        }
    }
    let cookies = &mounted.contract.cookies;
    for cookie in answer.set_cookies.iter().filter_map(|index| cookies.get(*index)) {
        append(headers, cookie::set(cookie, filling, mounted.contract.token.lifetime));
    }
    for cookie in answer.clear_cookies.iter().filter_map(|index| cookies.get(*index)) {
        let sent = super::presented::cookies(request).any(|(name, _)| name == cookie.name);
        if sent || !cookie.clear_only_if_sent {
            append(headers, cookie::clear(cookie, filling));
        }
    }
    response
}

fn append(headers: &mut HeaderMap, cookie: String) {
    if let Ok(value) = HeaderValue::from_str(&cookie) {
        headers.append(header::SET_COOKIE, value);
    }
}

/// A response without a body, for the case that no contract is there to word it.
pub(super) fn bare(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

/// Which methods a path has (RFC 9110 section 10.2.1).
pub(super) fn allow(response: &mut Response<Body>, methods: &[Method]) {
    let names: Vec<&str> = methods.iter().map(Method::as_str).collect();
    if let Ok(value) = HeaderValue::from_str(&names.join(", ")) {
        response.headers_mut().insert(header::ALLOW, value);
    }
}

/// The headers of every response: answers of a sign-in server are kept by nobody and are no documents.
const COMMON_HEADERS: [(HeaderName, &str); 4] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (header::REFERRER_POLICY, "no-referrer"),
];

/// Adds them, and the id of the request.
pub(super) fn common_headers(response: &mut Response<Body>, id: &str) {
    const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
    if let Ok(id) = HeaderValue::from_str(id) {
        response.headers_mut().insert(X_REQUEST_ID, id);
    }
    add_common_headers(response);
}

/// Adds them where no header of the name is.
pub(crate) fn add_common_headers(response: &mut Response<Body>) {
    let headers = response.headers_mut();
    for (name, value) in COMMON_HEADERS {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}
