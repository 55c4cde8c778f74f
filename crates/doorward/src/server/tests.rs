//! The server with clients that speak, wait and hang up. The surprise: no test waits for a time; each waits for
//! the thing itself, so that a slow machine only makes them slow.

use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::{Notify, mpsc};
use tokio::task::JoinHandle;

use super::*;

mod closing;
mod feed;

/// Bytes of the answer to `/large`, far more than a system keeps for somebody who does not read.
const LARGE: usize = 16 * 1024 * 1024;

/// A server whose requests to `/slow` end when the test says so.
struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    hurry: oneshot::Sender<()>,
    /// Says that a request to `/slow` has begun.
    begun: mpsc::Receiver<()>,
    /// Lets one end.
    release: Arc<Notify>,
    stopped: JoinHandle<Stopped>,
}

fn limits(connections: usize) -> Limits {
    Limits::new(Connections::new(connections), Vec::new(), Duration::from_secs(3600))
}

async fn run(connections: usize) -> Running {
    run_with(limits(connections)).await
}

async fn run_with(limits: Limits) -> Running {
    let (begin, begun) = mpsc::channel(16);
    let release = Arc::new(Notify::new());
    let held = Arc::clone(&release);
    let slow = move || async move {
        begin.send(()).await.unwrap();
        held.notified().await;
        "done"
    };
    let who = |ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.to_string() };
    let large = || async { vec![b'x'; LARGE] };
    let router = Router::new()
        .route("/slow", get(slow))
        .route("/who", get(who))
        .route("/large", get(large));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopping) = oneshot::channel();
    let (hurry, hurrying) = oneshot::channel();
    let ready = |told: oneshot::Receiver<()>| async {
        // A sender that is dropped tells nothing.
        if told.await.is_err() {
            std::future::pending::<()>().await;
        }
    };
    let stopped = tokio::spawn(serve(listener, router, limits, ready(stopping), ready(hurrying)));
    Running {
        address,
        stop,
        hurry,
        begun,
        release,
        stopped,
    }
}

async fn ask(stream: &mut TcpStream, path: &str) {
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
}

/// Everything until the server closes.
async fn rest(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    text
}

/// An answer whose body ends in `end`.
async fn until(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let byte = stream.read_u8().await.unwrap();
        text.push(char::from(byte));
    }
    text
}

#[tokio::test]
async fn a_request_in_flight_is_answered_before_the_end() {
    let mut server = run(8).await;
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    ask(&mut idle, "/who").await;
    let peer = idle.local_addr().unwrap().to_string();
    until(&mut idle, &peer).await;
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    ask(&mut busy, "/slow").await;
    server.begun.recv().await.unwrap();

    server.stop.send(()).unwrap();
    // The idle one is closed, which says that the stop has come through; the busy one is not.
    assert_eq!(rest(&mut idle).await, "");
    server.release.notify_one();
    let answer = rest(&mut busy).await;
    assert!(
        answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("done"),
        "{answer}"
    );
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(server.stopped.await.unwrap(), Stopped::Finished);
    assert!(TcpStream::connect(server.address).await.is_err());
}

#[tokio::test]
async fn whoever_is_in_a_hurry_cuts_what_is_left() {
    let mut server = run(8).await;
    let mut busy = TcpStream::connect(server.address).await.unwrap();
    ask(&mut busy, "/slow").await;
    server.begun.recv().await.unwrap();
    server.stop.send(()).unwrap();
    server.hurry.send(()).unwrap();
    assert_eq!(server.stopped.await.unwrap(), Stopped::Cut(1));
}

#[tokio::test]
async fn one_connection_more_than_the_limit_waits_for_its_turn() {
    let mut server = run(1).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    ask(&mut first, "/slow").await;
    server.begun.recv().await.unwrap();
    let mut second = TcpStream::connect(server.address).await.unwrap();
    ask(&mut second, "/slow").await;
    assert!(server.begun.try_recv().is_err());
    server.release.notify_one();
    until(&mut first, "done").await;
    drop(first);
    server.begun.recv().await.unwrap();
    server.release.notify_one();
    assert!(until(&mut second, "done").await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn whoever_does_not_read_an_answer_loses_the_connection() {
    let mut limits = limits(1);
    limits.patience.write = Duration::from_millis(100);
    let server = run_with(limits).await;
    let mut first = TcpStream::connect(server.address).await.unwrap();
    ask(&mut first, "/large").await;
    let mut second = TcpStream::connect(server.address).await.unwrap();
    ask(&mut second, "/who").await;
    let peer = second.local_addr().unwrap().to_string();
    assert!(until(&mut second, &peer).await.starts_with("HTTP/1.1 200 "));
    // What is left of the first is what the system had taken.
    let mut taken = Vec::new();
    let _ = first.read_to_end(&mut taken).await;
    assert!(taken.len() < LARGE, "{} bytes", taken.len());
}

#[tokio::test]
async fn whoever_connects_and_asks_for_nothing_loses_the_connection() {
    let mut limits = limits(2);
    limits.patience.first_head = Duration::from_millis(100);
    let server = run_with(limits).await;
    let mut kept = TcpStream::connect(server.address).await.unwrap();
    let peer = kept.local_addr().unwrap().to_string();
    ask(&mut kept, "/who").await;
    until(&mut kept, &peer).await;
    for head in ["", "GET /who HTTP/1.1\r\nHost: loc"] {
        let mut silent = TcpStream::connect(server.address).await.unwrap();
        silent.write_all(head.as_bytes()).await.unwrap();
        assert_eq!(rest(&mut silent).await, "", "{head}");
    }
    // By now it has been silent for as long as they were.
    ask(&mut kept, "/who").await;
    assert!(until(&mut kept, &peer).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn a_head_without_end_is_refused() {
    let server = run(8).await;
    for header in [
        format!("X: {}\r\n", "x".repeat(MAX_HEAD)),
        "X: x\r\n".repeat(MAX_HEADERS + 1),
    ] {
        let mut stream = TcpStream::connect(server.address).await.unwrap();
        let head = format!("GET /who HTTP/1.1\r\nHost: localhost\r\n{header}\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let answer = until(&mut stream, "\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    assert!(!server.stopped.is_finished());
}
