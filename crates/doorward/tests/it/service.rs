//! A service that asks the server about tokens and sessions, with credentials of its own.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::io::Write;

use crate::http::{self, Answer, Request};
use crate::server::Setup;

/// Its credentials.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) id: String,
    pub(crate) secret: String,
}

impl Service {
    /// Made by the operator's command.
    pub(crate) fn add(setup: &Setup) -> Self {
        let printed = setup.succeed(&["client", "add", "shop"]);
        let word = |name: &str| {
            let line = printed.lines().find_map(|line| line.strip_prefix(name));
            line.unwrap_or_else(|| panic!("no {name} in {printed}"))
                .trim()
                .to_owned()
        };
        Self {
            id: word("client_id "),
            secret: word("client_secret "),
        }
    }

    /// A request with its credentials.
    pub(crate) fn asks(&self, request: Request) -> Request {
        request.basic(&self.id, &self.secret)
    }

    /// A page of the feed.
    pub(crate) fn page(&self, to: SocketAddr, query: &str) -> Answer {
        self.asks(Request::get(&format!("/v1/ended-sessions{query}"))).send(to)
    }

    /// The feed as a stream, after `last`.
    pub(crate) fn follow(&self, to: SocketAddr, last: Option<&str>) -> Events {
        let mut request = self.asks_for_a_stream();
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        Events::open(to, &request).unwrap_or_else(|head| panic!("{head}"))
    }

    /// The feed as a stream, or the head of another answer.
    pub(crate) fn try_to_follow(&self, to: SocketAddr) -> Result<Events, String> {
        Events::open(to, &self.asks_for_a_stream())
    }

    /// The request for the feed as a stream.
    fn asks_for_a_stream(&self) -> Request {
        self.asks(Request::get("/v1/ended-sessions"))
            .header("Accept", "text/event-stream")
    }
}

/// An event of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Event {
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) data: Value,
}

impl Event {
    fn parse(text: &str) -> Self {
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
        Self {
            id: field("id: ").map(str::to_owned),
            name: field("event: ").unwrap_or_default().to_owned(),
            data: serde_json::from_str(field("data: ").unwrap_or_default()).unwrap(),
        }
    }
}

/// A stream that is read as slowly as its owner likes.
pub(crate) struct Events {
    connection: TcpStream,
    pub(crate) head: String,
    text: String,
    read: VecDeque<Event>,
    /// The cursor that came last.
    pub(crate) last: Option<String>,
}

impl Events {
    fn open(to: SocketAddr, request: &Request) -> Result<Self, String> {
        let mut connection = http::connect(to).unwrap();
        connection.write_all(&request.bytes()).unwrap();
        let head = http::read_head(&mut connection).unwrap();
        if !head.starts_with("HTTP/1.1 200 ") {
            return Err(head);
        }
        Ok(Self {
            connection,
            head,
            text: String::new(),
            read: VecDeque::new(),
            last: None,
        })
    }

    /// The next event; `None` at a proper end.
    pub(crate) fn next(&mut self) -> Option<Event> {
        while self.read.is_empty() {
            let chunk = self.chunk().unwrap()?;
            self.text.push_str(&chunk);
            while let Some((event, rest)) = self.text.split_once("\n\n") {
                self.read.push_back(Event::parse(event));
                self.text = rest.to_owned();
            }
        }
        let event = self.read.pop_front();
        if let Some(id) = event.as_ref().and_then(|event| event.id.clone()) {
            self.last = Some(id);
        }
        event
    }

    /// The next event of this name; others are passed over.
    pub(crate) fn wait_for(&mut self, name: &str) -> Event {
        loop {
            let event = self.next().expect("the stream goes on");
            if event.name == name {
                return event;
            }
        }
    }

    /// The sessions of the next `count` endings, and their positions.
    pub(crate) fn ended(&mut self, count: usize) -> Vec<(String, i64)> {
        let event = |_| {
            let event = self.wait_for("ended");
            (sid(&event.data), position(&event.id.unwrap()))
        };
        (0..count).map(event).collect()
    }

    fn chunk(&mut self) -> io::Result<Option<String>> {
        let size = http::read_line(&mut self.connection)?;
        let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
        let bytes = http::read_exactly(&mut self.connection, size)?;
        http::read_line(&mut self.connection)?;
        Ok((size > 0).then(|| String::from_utf8(bytes).unwrap()))
    }
}

/// The position in a cursor.
pub(crate) fn position(cursor: &str) -> i64 {
    cursor.split('-').next().unwrap().parse().unwrap()
}

/// The `sid` member.
pub(crate) fn sid(value: &Value) -> String {
    value["sid"].as_str().unwrap().to_owned()
}

/// The claims of a token, unverified.
pub(crate) fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}
