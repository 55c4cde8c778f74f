//! Serves a router over plain HTTP/1.1 until it is told to stop, and then finishes what it has begun.
//!
//! The surprise: one connection more than the limit is not refused. It is not accepted either, and waits with
//! the kernel until another one closes.

use std::cell::Cell;
use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::ConnectInfo;
use axum::http::header::{CONNECTION, HOST, HeaderValue};
use axum::http::{StatusCode, Version};
use axum::response::Response;
use doorward_http::{Connections, Network, Stop};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{oneshot, watch};
use tokio::time::{sleep, timeout};
use tokio_io_timeout::TimeoutWriter;
use tower::Service;

use self::lingering::{Lingering, Tracked, Unread};
use self::places::{Place, Places};

mod lingering;
mod places;

/// How long the head of a request may take to arrive, and how long a connection may wait for its next request.
///
/// Longer than the minute for which proxies keep an idle connection: whoever closes first must not be us, or the
/// proxy sends a request into a connection that is gone.
const HEAD_TIMEOUT: Duration = Duration::from_secs(75);

/// How long the head of the first request of a connection may take: whoever connects has something to ask. Proxies keep
/// connections on which they have asked before.
const FIRST_HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a client may take nothing of an answer that it was sent. Whoever reads at all takes some of it sooner; without
/// an end, who does not would keep a place among the connections, and the answer, for ever.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

/// The most bytes of the head of a request: a long token, sent in a header and in three cookies, fits in.
const MAX_HEAD: usize = 32 * 1024;

/// The most header fields of a request; browsers send about twenty.
const MAX_HEADERS: usize = 100;

/// The most bytes that a connection buffers.
const BUFFER: usize = 64 * 1024;

/// For how long a server that was told to stop goes on as before, but for asking its clients to come back on
/// another connection. What was sent before the end is then read and answered; an idle connection that is closed
/// after that has been silent for as long.
const LINGER: Duration = Duration::from_millis(200);

/// How long to wait when the system has no more files to give, which only time mends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The limits of a server.
pub(crate) struct Limits {
    /// Connections at once.
    connections: Connections,
    /// Who stands for many clients.
    proxies: Vec<Network>,
    /// How long a stop waits for requests in flight.
    stop_timeout: Duration,
    patience: Patience,
}

/// How long a connection waits for its client.
#[derive(Clone, Copy)]
struct Patience {
    /// For the head of its first request.
    first_head: Duration,
    /// For it to take something of an answer.
    write: Duration,
    /// For it to stop sending, when it has been answered for the last time.
    close: lingering::Patience,
}

impl Limits {
    /// With those that an operator can set.
    pub(crate) fn new(connections: Connections, proxies: Vec<Network>, stop_timeout: Duration) -> Self {
        Self {
            connections,
            proxies,
            stop_timeout,
            patience: Patience {
                first_head: FIRST_HEAD_TIMEOUT,
                write: WRITE_TIMEOUT,
                close: lingering::PATIENCE,
            },
        }
    }
}

/// What became of requests in flight when the server stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stopped {
    /// All were answered.
    Finished,
    /// This many connections had to be cut.
    Cut(usize),
}

type Answer = Result<Response<Body>, Infallible>;

/// Serves until `stop` is ready; then accepts nothing more and waits for requests in flight, until they are
/// answered, the limit is reached, or `hurry` is ready. Connections that are left then die with the runtime.
pub(crate) async fn serve(
    listener: TcpListener,
    router: Router,
    limits: Limits,
    stop: impl Future<Output = ()>,
    hurry: impl Future<Output = ()>,
) -> Stopped {
    let server = Server {
        listener: Some(listener),
        router,
        patience: limits.patience,
        places: Places::new(limits.connections, limits.proxies),
        stopping: watch::Sender::new(false),
        graceful: GracefulShutdown::new(),
    };
    server.accept_until(stop).await;
    // Streams end now: their readers are to go on elsewhere, and nobody could wait for their end.
    server.stopping.send_replace(true);
    server.accept_until(sleep(LINGER)).await;
    let Server {
        places,
        graceful,
        stopping: _stopping,
        ..
    } = server.close_door();
    let open = || places.taken();
    if open() > 0 {
        // Whoever came last has to be read before a connection that has said nothing counts as idle.
        sleep(LINGER).await;
    }
    tracing::info!(connections = open(), "stopping; requests in flight are answered first");
    tokio::select! {
        () = graceful.shutdown() => Stopped::Finished,
        () = sleep(limits.stop_timeout) => Stopped::Cut(open()),
        () = hurry => Stopped::Cut(open()),
    }
}

/// A server that accepts.
struct Server {
    /// None once nothing more is accepted.
    listener: Option<TcpListener>,
    router: Router,
    patience: Patience,
    places: Arc<Places>,
    /// Whether answers ask the client to close.
    stopping: watch::Sender<bool>,
    graceful: GracefulShutdown,
}

impl Server {
    async fn accept_until(&self, end: impl Future<Output = ()>) {
        tokio::pin!(end);
        loop {
            let accepted = tokio::select! {
                biased;
                () = &mut end => return,
                accepted = accept(self.listener.as_ref(), &self.places) => accepted,
            };
            let Some((stream, peer, place)) = accepted else { return };
            self.attend(stream, peer, place);
        }
    }

    /// Accepts what the kernel has accepted already, and then nothing more. To the clients behind it the
    /// connection is open, and closing the listener would reset it.
    fn close_door(mut self) -> Self {
        let Some(Ok(listener)) = self.listener.take().map(TcpListener::into_std) else {
            return self;
        };
        while self.places.are_free() {
            let Ok((stream, peer)) = listener.accept() else { break };
            match stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream)) {
                Ok(stream) => {
                    if let Some(place) = self.places.take(peer.ip()) {
                        self.attend(stream, peer, place);
                    }
                }
                Err(error) => tracing::debug!(%error, "a connection was gone at once"),
            }
        }
        self
    }

    fn attend(&self, stream: TcpStream, peer: SocketAddr, place: Place) {
        let (router, stopping) = (self.router.clone(), Stop::new(self.stopping.subscribe()));
        let connection = connection((stream, peer), self.patience, router, stopping, self.graceful.watcher());
        tokio::spawn(async move {
            connection.await;
            drop(place);
        });
    }
}

/// The next connection, once there is a place for it. `None` when nothing more is accepted.
async fn accept(listener: Option<&TcpListener>, places: &Arc<Places>) -> Option<(TcpStream, SocketAddr, Place)> {
    let listener = listener?;
    places.wait().await;
    let mut told = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                if let Some(place) = places.take(peer.ip()) {
                    return Some((stream, peer, place));
                }
            }
            // The client was gone before it was its turn; the next one is not worse off for it.
            Err(error) if is_of_the_client(&error) => {}
            Err(error) => {
                if !told {
                    tracing::error!(
                        %error,
                        "no connection can be accepted; a higher limit of open files (`ulimit -n`) may help"
                    );
                    told = true;
                }
                sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused | io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset
    )
}

/// What answers the requests of a connection.
struct Requests {
    router: Router,
    peer: SocketAddr,
    stopping: Stop,
    unread: Unread,
}

impl Requests {
    fn answer(&self, request: hyper::Request<Incoming>) -> impl Future<Output = Answer> + use<> {
        // hyper reads what is left of a small body, and takes the next request; a larger one ends the connection.
        let is_large = request
            .body()
            .size_hint()
            .upper()
            .is_none_or(|most| most > BUFFER as u64);
        let mut request = request.map(|body| Body::new(Tracked::new(body, self.unread.clone())));
        request.extensions_mut().insert(ConnectInfo(self.peer));
        request.extensions_mut().insert(self.stopping.clone());
        // A router is always ready, so nobody has to ask it first.
        let answer = has_its_host(&request).then(|| self.router.clone().call(request));
        let (stopping, unread) = (self.stopping.clone(), self.unread.clone());
        async move {
            let Some(answer) = answer else {
                tracing::debug!("a request did not have exactly one Host");
                return Ok(malformed());
            };
            let mut response = answer.await?;
            if stopping.is_told() || is_large && unread.is_any() {
                response
                    .headers_mut()
                    .insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok(response)
        }
    }
}

/// Whether a request has one `Host`, or none in HTTP/1.0 (RFC 9112 section 3.2). Of two, a proxy may have believed the other.
fn has_its_host(request: &hyper::Request<Body>) -> bool {
    match request.headers().get_all(HOST).iter().count() {
        0 => request.version() < Version::HTTP_11,
        hosts => hosts == 1,
    }
}

/// What hyper answers to other requests that are malformed.
fn malformed() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    response
        .headers_mut()
        .insert(CONNECTION, HeaderValue::from_static("close"));
    response
}

async fn connection(
    (stream, peer): (TcpStream, SocketAddr),
    patience: Patience,
    router: Router,
    stopping: Stop,
    watcher: Watcher,
) {
    // Answers are small and written at once; waiting to fill a packet only delays them.
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%error, "a connection was gone at once");
        return;
    }
    let mut stream = TimeoutWriter::new(stream);
    stream.set_timeout(Some(patience.write));
    let unread = Unread::default();
    let stream = Lingering::new(Box::pin(stream), unread.clone(), patience.close);
    let requests = Requests {
        router,
        peer,
        stopping,
        unread,
    };
    let (tell, asked) = oneshot::channel();
    let tell = Cell::new(Some(tell));
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        if let Some(tell) = tell.take() {
            // Nobody waits for it in a connection that is about to end.
            let _ = tell.send(());
        }
        requests.answer(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        // Head and body in one piece: the answers are small, and one buffer costs less to send than a list of two.
        .writev(false)
        .max_headers(MAX_HEADERS)
        .max_header_size(MAX_HEAD)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(stream), service);
    let connection = watcher.watch(connection);
    tokio::pin!(connection);
    // hyper has one limit for all heads.
    let ended = tokio::select! {
        biased;
        ended = &mut connection => ended,
        asked = timeout(patience.first_head, asked) => match asked {
            Ok(_) => connection.await,
            Err(_) => {
                tracing::debug!("a connection ended that had asked for nothing");
                return;
            }
        },
    };
    if let Err(error) = ended {
        // Clients hang up, stall and speak nonsense all day long.
        tracing::debug!(%error, "a connection ended early");
    }
}

#[cfg(test)]
mod tests;
