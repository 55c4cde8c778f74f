//! Reads the body of a request: not more than the contract takes, not longer than the operator waits, and only
//! of a media type that the contract reads.
//!
//! The surprise: its bytes are copied as they come. A piece that is kept holds the whole buffer of the connection that it
//! was read into, and a client that sends single bytes makes a piece of each.

use std::time::Duration;

use axum::body::Body;
use axum::http::HeaderMap;
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http_body_util::BodyExt;
use serde_json::{Map, Value};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::refused::Refused;
use super::{form, strict_json};
use crate::contract::Contract;
use crate::contract::wide::Wide;

/// The most bytes of all bodies together that are being read, but for the first [`FREE`] of each: 64 times what the
/// largest built-in contract takes.
const ROOM: usize = 64 * 1024 * 1024;

/// The bytes of a body that take no room: not more than the connection keeps a buffer for by itself. No log-in needs
/// more, so that none is refused because others send large bodies.
const FREE: usize = 8 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum MediaType {
    None,
    Json,
    Form,
    Other,
}

/// Reads bodies.
pub(crate) struct Bodies {
    /// How long one may take to arrive.
    patience: Duration,
    room: Semaphore,
}

impl Bodies {
    /// Waits so long for each.
    pub(super) fn new(patience: Duration) -> Self {
        Self {
            patience,
            room: Semaphore::new(ROOM),
        }
    }

    /// The body as an object; one without members if there is none.
    pub(super) async fn read(&self, contract: &Contract, headers: &HeaderMap, body: Body) -> Result<Value, Refused> {
        let gathered = self.gather(contract.bodies.limit, headers, body).await?;
        let bytes = &gathered.bytes;
        // What is no object has no members: the rules say which are missing, unless the contract has words for that.
        let no_object = || match contract.answers.exact(Wide::NotObject) {
            Some(_) => Err(Wide::NotObject.into()),
            None => Ok(Value::Object(Map::new())),
        };
        match media_type(headers) {
            MediaType::None if bytes.is_empty() => no_object(),
            MediaType::Json if contract.bodies.json => {
                if bytes.is_empty() {
                    return Err(Wide::EmptyBody.into());
                }
                let value = strict_json::parse(bytes).map_err(malformed)?;
                if value.is_object() { Ok(value) } else { no_object() }
            }
            MediaType::Form if contract.bodies.form => form::parse(bytes).map_err(malformed),
            _ => Err(Wide::MediaType.into()),
        }
    }

    /// A form as an object, for routes that no contract describes.
    pub(crate) async fn form(&self, limit: usize, headers: &HeaderMap, body: Body) -> Result<Value, Refused> {
        if media_type(headers) != MediaType::Form {
            return Err(Wide::MediaType.into());
        }
        let gathered = self.gather(limit, headers, body).await?;
        form::parse(&gathered.bytes).map_err(malformed)
    }

    async fn gather(&self, limit: usize, headers: &HeaderMap, mut body: Body) -> Result<Gathered<'_>, Refused> {
        let announced = headers
            .get(CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        if announced.is_some_and(|length| length > limit) {
            return Err(Wide::TooLarge.into());
        }
        let gather = async {
            let mut gathered = Gathered::new(&self.room, announced, limit);
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|_| malformed("the body ended too early".to_owned()))?;
                if let Some(data) = frame.data_ref() {
                    gathered.push(data)?;
                }
            }
            Ok(gathered)
        };
        match tokio::time::timeout(self.patience, gather).await {
            Ok(gathered) => gathered,
            Err(_) => Err(Wide::Timeout.into()),
        }
    }
}

/// A body as far as it has come.
struct Gathered<'b> {
    bytes: Vec<u8>,
    /// The most bytes that it may have.
    limit: usize,
    room: &'b Semaphore,
    /// What it takes of the room, for as long as its bytes are there.
    held: Option<SemaphorePermit<'b>>,
}

impl<'b> Gathered<'b> {
    /// Of what is announced no more is set aside than takes no room: it need not come.
    fn new(room: &'b Semaphore, announced: Option<usize>, limit: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(announced.unwrap_or_default().min(FREE)),
            limit: announced.unwrap_or(limit),
            room,
            held: None,
        }
    }

    fn push(&mut self, data: &[u8]) -> Result<(), Wide> {
        let length = self.bytes.len() + data.len();
        if length > self.limit {
            return Err(Wide::TooLarge);
        }
        if length > self.bytes.capacity() {
            self.grow(length)?;
        }
        self.bytes.extend_from_slice(data);
        Ok(())
    }

    /// Sets aside at least so many bytes, and twice as many as before if it may have them: a body that comes in many
    /// pieces is not to be copied for each.
    fn grow(&mut self, least: usize) -> Result<(), Wide> {
        let before = self.bytes.capacity();
        let after = least.max(before * 2).min(self.limit);
        let more = after.saturating_sub(before.max(FREE));
        if more > 0 {
            let more = u32::try_from(more).map_err(|_| Wide::TooLarge)?;
            let more = self.room.try_acquire_many(more).map_err(|_| Wide::Busy)?;
            match &mut self.held {
                Some(held) => held.merge(more),
                None => self.held = Some(more),
            }
        }
        self.bytes.reserve_exact(after - self.bytes.len());
        Ok(())
    }
}

fn malformed(why: String) -> Refused {
    Refused::because(Wide::Malformed, why)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_what_came_in_pieces() {
        let room = Semaphore::new(ROOM);
        let sent: Vec<u8> = (0..u8::MAX).cycle().take(5 * FREE).collect();
        for (announced, limit) in [(Some(sent.len()), 6 * FREE), (None, 6 * FREE), (None, sent.len())] {
            for size in [1, 7, FREE, sent.len()] {
                let mut gathered = Gathered::new(&room, announced, limit);
                for piece in sent.chunks(size) {
                    assert_eq!(gathered.push(piece), Ok(()));
                }
                assert!(gathered.bytes == sent, "{announced:?} {limit} {size}");
                assert!(gathered.bytes.capacity() <= limit, "{announced:?} {limit} {size}");
                let more = vec![0; limit - sent.len() + 1];
                assert_eq!(gathered.push(&more), Err(Wide::TooLarge));
            }
        }
        assert_eq!(room.available_permits(), ROOM);
    }

    #[test]
    fn all_bodies_together_have_so_much_room() {
        const LIMIT: usize = 1024 * 1024;
        let room = Semaphore::new(ROOM);
        let large = |size| {
            let mut gathered = Gathered::new(&room, None, LIMIT);
            gathered.push(&vec![0; size]).map(|()| gathered)
        };
        let mut held: Vec<_> = (0..ROOM / LIMIT).map(|_| large(LIMIT).unwrap()).collect();
        // What each has for nothing is left of the room.
        assert_eq!(room.available_permits(), ROOM / LIMIT * FREE);
        assert_eq!(large(LIMIT).err(), Some(Wide::Busy));
        assert!(large(FREE).is_ok(), "no log-in is refused for that");
        held.pop();
        assert!(large(LIMIT).is_ok(), "and no body once another one has been read");
    }
}
