//! One connection on which requests are asked one after the other, and the bytes of requests.
//!
//! The surprise: it blocks. What is measured one by one is measured without anybody's scheduler in between.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::answer::{Answer, MAX_ANSWER, Parsed, parse};
use crate::error::{Error, Result};

/// How long to wait for an answer before calling the server dead.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The bytes of a request with a token, with a body of JSON, with both or neither.
pub(crate) fn request(method: &str, path: &str, token: Option<&str>, body: Option<&str>) -> Vec<u8> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}"));
    request_with(method, path, authorization.as_deref(), body)
}

/// The same with a header of one's own.
pub(crate) fn request_with(method: &str, path: &str, header: Option<&str>, body: Option<&str>) -> Vec<u8> {
    let mut text = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
    if let Some(header) = header {
        text.push_str(&format!("{header}\r\n"));
    }
    if let Some(body) = body {
        let length = body.len();
        text.push_str(&format!(
            "Content-Type: application/json\r\nContent-Length: {length}\r\n"
        ));
    }
    text.push_str("\r\n");
    text.push_str(body.unwrap_or_default());
    text.into_bytes()
}

/// An open connection.
pub(crate) struct Wire {
    stream: TcpStream,
    /// What has come.
    bytes: Vec<u8>,
    /// How many of the bytes belong to the last answer.
    used: usize,
}

impl Wire {
    pub(crate) fn open(to: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&to, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream,
            bytes: Vec::with_capacity(8 << 10),
            used: 0,
        })
    }

    /// Sends a request and waits for its answer.
    pub(crate) fn ask(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.bytes.drain(..self.used);
        self.used = 0;
        self.stream.write_all(request)?;
        let mut buffer = [0; 8 << 10];
        loop {
            match self.stream.read(&mut buffer)? {
                0 => return Err(Error::new("the server hung up instead of answering")),
                count => self.bytes.extend_from_slice(buffer.get(..count).unwrap_or_default()),
            }
            match parse(&self.bytes) {
                Parsed::Part if self.bytes.len() < MAX_ANSWER => {}
                Parsed::Whole(answer) => {
                    self.used = answer.length;
                    break;
                }
                Parsed::Part | Parsed::Nonsense => return Err(nonsense(&self.bytes)),
            }
        }
        match parse(&self.bytes) {
            Parsed::Whole(answer) => Ok(answer),
            Parsed::Part | Parsed::Nonsense => Err(Error::new("an answer fell apart")),
        }
    }

    /// The same, when only one status will do.
    pub(crate) fn ask_for(&mut self, status: u16, request: &[u8]) -> Result<Answer<'_>> {
        let answer = self.ask(request)?;
        if answer.status == status {
            return Ok(answer);
        }
        let line = String::from_utf8_lossy(request)
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned();
        let body = String::from_utf8_lossy(&answer.body).into_owned();
        Err(Error::new(format!(
            "{line}: {} and not {status}: {body}",
            answer.status
        )))
    }
}

/// What came instead of an answer.
pub(crate) fn nonsense(bytes: &[u8]) -> Error {
    let start: Vec<u8> = bytes.iter().copied().take(200).collect();
    Error::new(format!("this is no answer: {:?}", String::from_utf8_lossy(&start)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_as_they_go_out() {
        let bytes = request("POST", "/a", Some("t"), Some("{}"));
        let text = "POST /a HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer t\r\n\
                    Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
        let text = "GET /b HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
        assert_eq!(String::from_utf8(request("GET", "/b", None, None)).unwrap(), text);
    }
}
