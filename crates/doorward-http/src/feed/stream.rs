//! One stream of ended sessions: the body of an answer that ends when the server stops, its client is removed, or
//! nobody reads it any more.

use std::convert::Infallible;
use std::fmt::Write;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use doorward_core::Auth;
use doorward_core::client::ClientId;
use doorward_core::revocations::Progress;
use doorward_core::session::{EndedSession, Place};
use http_body::Frame;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::{Stop, millis, told};

/// The most endings that are made into text at once, about 100 bytes each: what a connection buffers.
const PAGE: usize = 500;

/// How soon after another a reader is told that it knows everything. Each ending of a busy second would be followed
/// by such a word otherwise.
const FRESH_EVERY: Duration = Duration::from_millis(100);

/// Says to a reader that it has to drop what it knew: all endings follow from the beginning.
const RESET: &str = "id: 0\nevent: reset\ndata: {}\n\n";

/// The body of the answer.
pub(super) struct Stream(Option<Next>);

/// The next event, and the follower that will make the one after it; `None` at the end.
type Next = Pin<Box<dyn Future<Output = Option<(Bytes, Follower)>> + Send>>;

impl Stream {
    /// A stream of what ended after a place in a timeline; without them, of everything from the beginning, after saying
    /// so.
    pub(super) fn new(
        auth: Arc<Auth>,
        client: ClientId,
        from: Option<(u64, Place)>,
        stop: Option<Stop>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let now = auth.clock().running();
        let mut opening = format!("event: hello\ndata: {{\"now\":{}}}\n\n", millis(now));
        let progress = auth.ended_sessions().recent().follow();
        let (timeline, cursor) = from.unwrap_or_else(|| {
            opening.push_str(RESET);
            (progress.borrow().timeline, Place::BEGINNING)
        });
        let follower = Follower {
            auth,
            client,
            cursor,
            timeline,
            progress,
            told: None,
            stop,
            _permit: permit,
        };
        Self(Some(Box::pin(std::future::ready(Some((opening.into(), follower))))))
    }
}

impl http_body::Body for Stream {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let Some(next) = &mut this.0 else {
            return Poll::Ready(None);
        };
        let made = ready!(next.as_mut().poll(cx));
        let (frame, next) = made
            .map(|(bytes, follower)| -> (_, Next) { (Ok(Frame::data(bytes)), Box::pin(follower.next())) })
            .unzip();
        this.0 = next;
        Poll::Ready(frame)
    }
}

/// A reader's place in the order of endings.
struct Follower {
    auth: Arc<Auth>,
    client: ClientId,
    /// The place up to which the reader has been told everything.
    cursor: Place,
    /// The timeline of that place.
    timeline: u64,
    /// Up to which moment it was told that it knows everything.
    told: Option<Duration>,
    progress: watch::Receiver<Progress>,
    stop: Option<Stop>,
    /// Its place among the streams that there may be.
    _permit: OwnedSemaphorePermit,
}

impl Follower {
    async fn next(mut self) -> Option<(Bytes, Self)> {
        let stop = self.stop.clone();
        let stopped = async {
            match stop {
                Some(stop) => stop.told().await,
                None => std::future::pending().await,
            }
        };
        let text = tokio::select! {
            biased;
            () = stopped => None,
            text = self.event() => text,
        };
        text.map(|text| (text.into(), self))
    }

    /// What there is to tell, once there is something. `None` when nothing is told any more.
    async fn event(&mut self) -> Option<String> {
        loop {
            // Known before the endings are read: what is read may be more, and not less.
            let progress = *self.progress.borrow_and_update();
            match self.look(progress).await {
                Ok(Some(text)) => return Some(text),
                Ok(None) => {}
                Err(Gone) => return None,
            }
            // While the store cannot answer it does not move: nothing is told, least of all that nothing ended.
            self.progress.changed().await.ok()?;
        }
    }

    async fn look(&mut self, progress: Progress) -> Result<Option<String>, Gone> {
        match self.auth.is_client(self.client).await {
            Ok(true) => {}
            Ok(false) => return Err(Gone),
            // The task that catches up tells of it.
            Err(_) => return Ok(None),
        }
        if progress.timeline != self.timeline {
            (self.timeline, self.cursor, self.told) = (progress.timeline, Place::BEGINNING, None);
            return Ok(Some(RESET.to_owned()));
        }
        let Ok(ended) = self.auth.ended_after(self.cursor.sequence, PAGE).await else {
            return Ok(None);
        };
        if self.progress.borrow().timeline != self.timeline {
            // What was read may be of either; the next look says so.
            return Ok(None);
        }
        if let Some(last) = ended.last() {
            self.cursor = last.place();
            return Ok(Some(events(&ended)));
        }
        // Before the first time there is nothing to claim.
        let is_news = |asked: &Duration| self.told.is_none_or(|told| *asked >= told + FRESH_EVERY);
        let news = progress.asked.filter(is_news);
        Ok(news.map(|asked| {
            self.told = Some(asked);
            let asked = millis(asked);
            format!("id: {}\nevent: fresh\ndata: {{\"asked\":{asked}}}\n\n", self.cursor)
        }))
    }
}

/// The client has been removed.
struct Gone;

fn events(ended: &[EndedSession]) -> String {
    let mut text = String::with_capacity(ended.len() * 100);
    for ended in ended {
        // Writing to a `String` cannot fail.
        let _ = write!(text, "id: {}\nevent: ended\ndata: {}\n\n", ended.place(), told(ended));
    }
    text
}
