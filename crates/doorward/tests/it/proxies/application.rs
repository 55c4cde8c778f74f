//! An application behind a proxy: it answers each request with the head that it got.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::http;

/// It ends with the tests: its thread waits for connections that nobody makes.
pub(super) struct Application {
    pub(super) address: SocketAddr,
    requests: Arc<AtomicUsize>,
}

impl Application {
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        std::thread::spawn(move || {
            for connection in listener.incoming() {
                counted.fetch_add(1, Ordering::SeqCst);
                // A proxy that hangs up early fails where its client looks.
                drop(connection.and_then(answer));
            }
        });
        Self { address, requests }
    }

    /// How many requests have reached it.
    pub(super) fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn answer(mut connection: TcpStream) -> std::io::Result<()> {
    let head = http::read_head(&mut connection)?;
    let length = headers(&head)
        .into_iter()
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, length)| length.parse().ok())
        .unwrap_or(0);
    (&connection).take(length).read_to_end(&mut Vec::new())?;
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{head}",
        head.len()
    );
    connection.write_all(answer.as_bytes())?;
    connection.shutdown(Shutdown::Write)
}

/// The headers of a head.
pub(super) fn headers(head: &str) -> Vec<(String, String)> {
    let lines = head.split("\r\n").skip(1).filter_map(|line| line.split_once(':'));
    lines
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}
