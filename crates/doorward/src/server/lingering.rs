//! The end of a connection whose client may still be sending: it gets to read its answer (RFC 9112 section 9.6).
//!
//! The surprise: to close a socket with unread bytes in it is to reset it, and a reset takes back what the other side has
//! received and not read yet. So the answer to a body that nobody wants is lost, unless the body is read all the same.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::time::timeout;

/// The most bytes that are read and thrown away: many times what any contract takes. Whoever sends more sees a reset.
pub(super) const MOST: usize = 64 * 1024 * 1024;

/// The bytes that are thrown away at once.
const AT_ONCE: usize = 16 * 1024;

/// How long a closing connection waits for its client.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// For more bytes, or for the end of them.
    pub(super) pause: Duration,
    /// In all.
    pub(super) all: Duration,
}

/// Who sends is heard more often, and who has read the answer closes at once. In all it is as long as anybody may have a
/// connection without asking for anything.
pub(super) const PATIENCE: Patience = Patience {
    pause: Duration::from_secs(2),
    all: Duration::from_secs(10),
};

/// Whether bytes have come on a connection that belong to no request that was read to its end. Then there may be more.
#[derive(Clone, Default)]
pub(super) struct Unread(Arc<AtomicBool>);

impl Unread {
    pub(super) fn is_any(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Only the task of the connection writes it.
    fn set(&self, is_any: bool) {
        self.0.store(is_any, Ordering::Relaxed);
    }
}

/// A stream that is closed only when its client has nothing more to send, within limits.
pub(super) struct Lingering<S> {
    /// None once it is closing.
    stream: Option<S>,
    closing: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    unread: Unread,
    patience: Patience,
}

impl<S> Lingering<S> {
    pub(super) fn new(stream: S, unread: Unread, patience: Patience) -> Self {
        Self {
            stream: Some(stream),
            closing: None,
            unread,
            patience,
        }
    }
}

/// Throws away what comes.
async fn linger(mut stream: impl AsyncRead + Unpin, patience: Patience) {
    let mut scratch = vec![0; AT_ONCE];
    let drain = async {
        let mut left = MOST;
        while left > 0 {
            match timeout(patience.pause, stream.read(&mut scratch)).await {
                Ok(Ok(read @ 1..)) => left = left.saturating_sub(read),
                // Its end, that of its client, or of our patience.
                _ => return,
            }
        }
    };
    if timeout(patience.all, drain).await.is_err() {
        tracing::debug!("a client went on sending after its answer, and was cut");
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Some(stream) = &mut self.stream else {
            return Poll::Ready(Ok(()));
        };
        let before = buf.filled().len();
        ready!(Pin::new(stream).poll_read(cx, buf))?;
        if buf.filled().len() > before {
            self.unread.set(true);
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send + 'static> AsyncWrite for Lingering<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_write(cx, buf),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            None => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.stream {
            Some(stream) => Pin::new(stream).poll_flush(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(stream) = &mut self.stream {
            // Its client reads the end of the answer and has no reason to go on sending.
            ready!(Pin::new(stream).poll_shutdown(cx))?;
            if !self.unread.is_any() {
                return Poll::Ready(Ok(()));
            }
            let patience = self.patience;
            self.closing = self
                .stream
                .take()
                .map(|stream| -> Pin<Box<dyn Future<Output = ()> + Send>> { Box::pin(linger(stream, patience)) });
        }
        if let Some(closing) = &mut self.closing {
            ready!(closing.as_mut().poll(cx));
            self.closing = None;
        }
        Poll::Ready(Ok(()))
    }
}

/// The body of a request. Once it has been read to its end, nothing of the request is unread.
pub(super) struct Tracked {
    body: Incoming,
    unread: Unread,
}

impl Tracked {
    pub(super) fn new(body: Incoming, unread: Unread) -> Self {
        let tracked = Self { body, unread };
        tracked.note_end();
        tracked
    }

    fn note_end(&self) {
        if self.body.is_end_stream() {
            self.unread.set(false);
        }
    }
}

impl HttpBody for Tracked {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        let frame = ready!(Pin::new(&mut self.body).poll_frame(cx));
        if frame.is_none() {
            self.unread.set(false);
        }
        self.note_end();
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
