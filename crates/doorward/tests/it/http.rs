//! A small HTTP/1.1 client that sends exactly the bytes it is given, hostile ones too.
//!
//! The surprise: a failed write is no failure. A server that refuses a large body answers before it has read all of
//! it, and the answer is what counts.

use std::fmt;
use std::io::{self, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Barrier;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;

/// How long a test waits for bytes before it calls the server dead. Never reached when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// The most bytes of an answer; the largest there are is the documentation page.
const MAX_ANSWER: u64 = 16 << 20;

/// What a server answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Every value of a header, in order.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> + 'a {
        let same = move |(is, _): &&(String, String)| is.eq_ignore_ascii_case(name);
        self.headers.iter().filter(same).map(|(_, value)| value.as_str())
    }

    /// The only value of a header, or the first.
    pub(crate) fn header<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON, which it has to be.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("no JSON ({error}): {self}"))
    }

    /// A text member of the JSON body, which has to be there.
    pub(crate) fn member(&self, name: &str) -> String {
        let json = self.json();
        let member = json.get(name).and_then(Value::as_str);
        member
            .unwrap_or_else(|| panic!("no text `{name}` in {self}"))
            .to_owned()
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown: String = self.text().chars().take(600).collect();
        write!(f, "{} {shown}", self.status)
    }
}

/// A request to build where a transcript will not do.
#[derive(Clone)]
pub(crate) struct Request {
    method: String,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Vec<u8>>,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn post(path: &str, body: &Value) -> Self {
        Self::new("POST", path).json(body)
    }

    pub(crate) fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string().into_bytes())
    }

    pub(crate) fn body(mut self, content_type: &str, body: Vec<u8>) -> Self {
        self.body = Some(body);
        self.header("Content-Type", content_type)
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {token}"))
    }

    /// With the credentials of a client (RFC 7617 section 2).
    pub(crate) fn basic(self, id: &str, secret: &str) -> Self {
        let credentials = STANDARD.encode(format!("{id}:{secret}"));
        self.header("Authorization", &format!("Basic {credentials}"))
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The bytes on the wire, with the wish that the server close the connection.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.clone().header("Connection", "close").kept()
    }

    /// The bytes on the wire, for a connection that is used again.
    pub(crate) fn kept(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: 127.0.0.1\r\n", self.method, self.path);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        if let Some(body) = &self.body {
            head.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(self.body.as_deref().unwrap_or_default());
        bytes
    }

    /// Sends it and reads the answer, on a connection of its own.
    pub(crate) fn send(&self, to: SocketAddr) -> Answer {
        exchange(to, &self.bytes()).unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.path))
    }
}

/// Sends bytes on a connection of their own and reads one answer.
pub(crate) fn exchange(to: SocketAddr, bytes: &[u8]) -> io::Result<Answer> {
    let mut connection = connect(to)?;
    let written = connection.write_all(bytes);
    let is_head = bytes.starts_with(b"HEAD ");
    match read_answer(&mut connection, is_head) {
        Ok(answer) => Ok(answer),
        Err(error) => Err(written.err().unwrap_or(error)),
    }
}

/// Sends all of the bytes, which has to succeed, and only then reads one answer.
pub(crate) fn write_first(to: SocketAddr, bytes: &[u8]) -> io::Result<Answer> {
    let mut connection = connect(to)?;
    connection.write_all(bytes)?;
    read_answer(&mut connection, false)
}

/// A connection that is used for one request after another.
pub(crate) struct Line(BufReader<TcpStream>);

impl Line {
    /// Opens one on which nobody waits longer than `patience` for bytes.
    pub(crate) fn open(to: SocketAddr, patience: Duration) -> io::Result<Self> {
        let connection = TcpStream::connect_timeout(&to, patience)?;
        connection.set_read_timeout(Some(patience))?;
        connection.set_write_timeout(Some(patience))?;
        connection.set_nodelay(true)?;
        Ok(Self(BufReader::new(connection)))
    }

    /// Sends a request and reads its answer. After an error the line is of no more use.
    pub(crate) fn ask(&mut self, request: &Request) -> io::Result<Answer> {
        self.0.get_mut().write_all(&request.kept())?;
        read_answer(&mut self.0, false)
    }
}

/// Sends bytes, says that no more will come, and reads what is answered, if anything is.
pub(crate) fn last_words(to: SocketAddr, bytes: &[u8]) -> io::Result<Answer> {
    let mut connection = connect(to)?;
    // Whoever has been refused already is cut while writing.
    drop(connection.write_all(bytes));
    drop(connection.shutdown(Shutdown::Write));
    read_answer(&mut connection, false)
}

/// A connection on which nobody waits for ever.
pub(crate) fn connect(to: SocketAddr) -> io::Result<TcpStream> {
    let connection = TcpStream::connect_timeout(&to, PATIENCE)?;
    connection.set_read_timeout(Some(PATIENCE))?;
    connection.set_write_timeout(Some(PATIENCE))?;
    connection.set_nodelay(true)?;
    Ok(connection)
}

/// Reads one answer. Leaves the connection usable for the next one when the answer has a length.
pub(crate) fn read_answer(connection: &mut impl Read, is_head: bool) -> io::Result<Answer> {
    let head = read_head(connection)?;
    let mut lines = head.split("\r\n");
    let status_line = lines.next().unwrap_or_default();
    let status = status_line.split(' ').nth(1).and_then(|code| code.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no status line: {status_line:?}")))?;
    let headers: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let mut answer = Answer {
        status,
        headers,
        body: Vec::new(),
    };
    if is_head || status == 204 || status == 304 {
        return Ok(answer);
    }
    answer.body = if let Some(length) = answer.header("content-length") {
        let length: u64 = length.parse().map_err(io::Error::other)?;
        read_exactly(connection, length)?
    } else if answer
        .header("transfer-encoding")
        .is_some_and(|coding| coding.contains("chunked"))
    {
        read_chunks(connection)?
    } else {
        let mut rest = Vec::new();
        connection.take(MAX_ANSWER).read_to_end(&mut rest)?;
        rest
    };
    Ok(answer)
}

/// Everything up to the empty line, without it. Byte by byte, so that nothing of the body is taken.
pub(crate) fn read_head(connection: &mut impl Read) -> io::Result<String> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        // `read_exact` goes on after an interruption, as every read here has to.
        connection.read_exact(&mut byte).map_err(|error| {
            let so_far = String::from_utf8_lossy(&head).into_owned();
            io::Error::new(error.kind(), format!("{error} after {so_far:?}"))
        })?;
        head.push(byte[0]);
    }
    head.truncate(head.len() - 4);
    String::from_utf8(head).map_err(io::Error::other)
}

pub(crate) fn read_exactly(connection: &mut impl Read, length: u64) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    connection.take(length.min(MAX_ANSWER)).read_to_end(&mut body)?;
    if body.len() as u64 == length {
        return Ok(body);
    }
    Err(io::Error::other(format!("{} of {length} bytes came", body.len())))
}

fn read_chunks(connection: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = read_line(connection)?;
        let size = u64::from_str_radix(size.trim(), 16).map_err(io::Error::other)?;
        body.extend(read_exactly(connection, size)?);
        read_line(connection)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

pub(crate) fn read_line(connection: &mut impl Read) -> io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    while !line.ends_with(b"\r\n") {
        connection.read_exact(&mut byte)?;
        line.push(byte[0]);
    }
    String::from_utf8(line).map_err(io::Error::other)
}

/// Runs the same thing many times at once and answers every result.
pub(crate) fn at_once<T: Send>(times: usize, each: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(times);
    std::thread::scope(|scope| {
        let run = |number| {
            let (start, each) = (&start, &each);
            scope.spawn(move || {
                start.wait();
                each(number)
            })
        };
        let threads: Vec<_> = (0..times).map(run).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread fails"))
            .collect()
    })
}
