//! Reads the body of a request: not more than the contract takes, not longer than the operator waits, and only
//! of a media type that the contract reads.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use serde_json::{Map, Value};

use super::{form, strict_json};
use crate::contract::Contract;
use crate::contract::wide::Wide;

/// Why a body could not be read, with a sentence where there is more to say than the kind.
type Refused = (Wide, Option<String>);

#[derive(Clone, Copy, PartialEq, Eq)]
enum MediaType {
    None,
    Json,
    Form,
    Other,
}

/// The body as an object; one without members if there is none.
pub(super) async fn read(
    contract: &Contract,
    headers: &HeaderMap,
    body: Body,
    patience: Duration,
) -> Result<Value, Refused> {
    let bytes = collect(contract.bodies.limit, headers, body, patience).await?;
    // What is no object has no members: the rules say which are missing, unless the contract has words for that.
    let no_object = || match contract.answers.exact(Wide::NotObject) {
        Some(_) => Err((Wide::NotObject, None)),
        None => Ok(Value::Object(Map::new())),
    };
    match media_type(headers) {
        MediaType::None if bytes.is_empty() => no_object(),
        MediaType::Json if contract.bodies.json => {
            if bytes.is_empty() {
                return Err((Wide::EmptyBody, None));
            }
            let value = strict_json::parse(&bytes).map_err(|why| (Wide::Malformed, Some(why)))?;
            if value.is_object() { Ok(value) } else { no_object() }
        }
        MediaType::Form if contract.bodies.form => form::parse(&bytes).map_err(|why| (Wide::Malformed, Some(why))),
        _ => Err((Wide::MediaType, None)),
    }
}

/// A form as an object, for routes that no contract describes.
pub(crate) async fn form(limit: usize, headers: &HeaderMap, body: Body, patience: Duration) -> Result<Value, Wide> {
    if media_type(headers) != MediaType::Form {
        return Err(Wide::MediaType);
    }
    let bytes = collect(limit, headers, body, patience)
        .await
        .map_err(|(wide, _)| wide)?;
    form::parse(&bytes).map_err(|_| Wide::Malformed)
}

/// Whether the body is of a kind that a page of any site can have a browser send without asking first.
pub(super) fn is_form(headers: &HeaderMap) -> bool {
    media_type(headers) == MediaType::Form
}

fn media_type(headers: &HeaderMap) -> MediaType {
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return MediaType::None;
    };
    let essence = value
        .to_str()
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => MediaType::Json,
        "application/x-www-form-urlencoded" => MediaType::Form,
        other if other.starts_with("application/") && other.ends_with("+json") => MediaType::Json,
        _ => MediaType::Other,
    }
}

async fn collect(limit: usize, headers: &HeaderMap, body: Body, patience: Duration) -> Result<Bytes, Refused> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err((Wide::TooLarge, None));
    }
    match tokio::time::timeout(patience, Limited::new(body, limit).collect()).await {
        Err(_) => Err((Wide::Timeout, None)),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.downcast_ref::<LengthLimitError>().is_some() => Err((Wide::TooLarge, None)),
        Ok(Err(_)) => Err((Wide::Malformed, Some("the body ended too early".to_owned()))),
    }
}
