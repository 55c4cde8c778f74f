//! Follows the feed of ended sessions, for ever.
//!
//! The surprise: a stream is replaced before anything is wrong with it. Two clocks drift apart, so that each minute
//! ties them together anew; and one that has gone silent is kept while another one is opened, which may lead to a
//! node that still hears from its database.

use std::future::pending;
use std::hash::{BuildHasher, RandomState};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::Method;
use hyper::header::{ACCEPT, CACHE_CONTROL, HeaderName};
use tokio::time::sleep;
use uuid::Uuid;

use crate::client::{Answer, Ask, Trouble};
use crate::clock::{Moment, duration, micros};
use crate::event::{Cursor, Said};
use crate::freshness::{Anchor, Proof};
use crate::mirror::{Full, Mirror};
use crate::sse::{Event, Parser};
use crate::verifier::Shared;

const PATH: &str = "/v1/ended-sessions";
const EVENTS: &str = "text/event-stream";
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// How old a stream gets at most. What drift may cost is a thousandth of it, taken from the bound.
const RENEW: Duration = Duration::from_secs(60);
/// How long a stream may be silent before another one is opened beside it. A node tells four times a second.
const SILENCE: Duration = Duration::from_secs(2);
/// The first pause after a failure; each failure after it doubles the pause.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How often what is dead by age is forgotten.
const PURGE: Duration = Duration::from_secs(30);

/// How long to wait before the next attempt.
#[derive(Default)]
struct Pause {
    failures: u32,
}

impl Pause {
    /// Longer each time, and not the same for everybody: a thousand services must not come back in one moment.
    fn next(&mut self) -> Duration {
        let longest = FIRST_PAUSE
            .saturating_mul(1 << self.failures.min(10))
            .min(LONGEST_PAUSE);
        self.failures = self.failures.saturating_add(1);
        between(longest / 2, longest)
    }
}

/// Somewhere between the two.
fn between(shortest: Duration, longest: Duration) -> Duration {
    let spread = u64::try_from((longest - shortest).as_micros())
        .unwrap_or(u64::MAX)
        .max(1);
    // No two of them have the same keys, and the first ones of two processes have nothing in common.
    shortest + Duration::from_micros(RandomState::new().hash_one(spread) % spread)
}

/// A stream that is read.
struct Stream {
    answer: Answer,
    parser: Parser,
    /// What it tells of. It told of all that the mirror does not know, when it was opened.
    mirror: Arc<Mirror>,
    anchor: Option<Anchor>,
    /// When another one is to take its place, by the monotonic clock.
    renew: i64,
    /// When something came last.
    heard: i64,
}

/// An attempt to open a stream, after a pause.
type Opening<'a> = Pin<Box<dyn Future<Output = Result<Stream, Trouble>> + Send + 'a>>;

/// Where the feed is.
struct Follower<'a> {
    shared: &'a Shared,
    /// Up to where the mirror is complete.
    cursor: Option<Cursor>,
    stream: Option<Stream>,
    opening: Option<Opening<'a>>,
    pause: Pause,
    /// Something is wrong, and it has been said.
    troubled: bool,
    /// When it was last forgotten what is dead by age.
    purged: i64,
}

/// Follows the feed for ever.
pub(crate) async fn follow(shared: &Shared) {
    let mut follower = Follower {
        shared,
        cursor: None,
        stream: None,
        opening: None,
        pause: Pause::default(),
        troubled: false,
        purged: shared.clock.now().running,
    };
    follower.open(Duration::ZERO);
    loop {
        let wait = follower.patience();
        tokio::select! {
            opened = attempt(&mut follower.opening) => follower.opened(opened),
            bytes = next(&mut follower.stream) => follower.read(bytes),
            () = sleep(wait) => (),
        }
        follower.tend();
    }
}

async fn attempt(opening: &mut Option<Opening<'_>>) -> Result<Stream, Trouble> {
    match opening {
        Some(opening) => opening.await,
        None => pending().await,
    }
}

/// The next bytes of the stream. Whoever stops waiting loses none.
async fn next(stream: &mut Option<Stream>) -> Result<Bytes, Trouble> {
    let Some(stream) = stream else {
        return pending().await;
    };
    match stream.answer.response.frame().await {
        // A frame that is no data is the trailers, which nobody sends.
        Some(Ok(frame)) => Ok(frame.into_data().unwrap_or_default()),
        Some(Err(error)) => Err(Trouble::new(format!("the feed breaks off: {error}"))),
        None => Err(Trouble::new("the feed has ended")),
    }
}

impl Follower<'_> {
    fn open_later(&mut self) {
        let pause = self.pause.next();
        self.open(pause);
    }

    fn open(&mut self, pause: Duration) {
        let (shared, cursor, mirror) = (self.shared, self.cursor.clone(), self.shared.mirror.load_full());
        self.opening = Some(Box::pin(async move {
            sleep(pause).await;
            open(shared, cursor, mirror).await
        }));
    }

    fn opened(&mut self, opened: Result<Stream, Trouble>) {
        self.opening = None;
        match opened {
            // One that was asked for before everything began anew may leave out what the new mirror lacks.
            Ok(stream) if !Arc::ptr_eq(&stream.mirror, &self.shared.mirror.load()) => self.open_later(),
            Ok(stream) => self.stream = Some(stream),
            Err(trouble) => {
                if self.stream.is_some() {
                    tracing::debug!(%trouble, "the feed goes on, but it cannot be opened anew");
                } else {
                    self.failed(&trouble);
                }
                self.open_later();
            }
        }
    }

    fn read(&mut self, bytes: Result<Bytes, Trouble>) {
        let Some(mut stream) = self.stream.take() else { return };
        match bytes.and_then(|bytes| self.take(&mut stream, &bytes)) {
            Ok(()) => self.stream = Some(stream),
            Err(trouble) => {
                self.failed(&trouble);
                if self.opening.is_none() {
                    self.open_later();
                }
            }
        }
    }

    /// How long nothing may happen.
    fn patience(&self) -> Duration {
        let Some(stream) = self.stream.as_ref().filter(|_| self.opening.is_none()) else {
            return PURGE;
        };
        let until = stream.renew.min(stream.heard.saturating_add(micros(SILENCE)));
        duration(until.saturating_sub(self.shared.clock.now().running))
    }

    /// What the bytes say. After an error, nothing more of this stream is to be believed.
    fn take(&mut self, stream: &mut Stream, bytes: &[u8]) -> Result<(), Trouble> {
        let arrived = self.shared.clock.now();
        stream.heard = arrived.running;
        let events = stream.parser.push(bytes);
        let events = events.map_err(|error| Trouble::new(format!("the feed cannot be read: {error:?}")))?;
        for event in &events {
            let said = Said::read(event)
                .map_err(|_| Trouble::new(format!("the feed says {:?} without meaning", event.name)))?;
            match (said, &mut stream.anchor) {
                (Said::Hello(now), None) => self.greeted(stream, now, arrived),
                (Said::Hello(_), Some(_)) => return Err(Trouble::new("the feed says hello twice")),
                (Said::Unknown, _) => (),
                (_, None) => return Err(Trouble::new("the feed does not begin with a hello")),
                (Said::Reset, Some(_)) => stream.mirror = self.begin_anew(arrived)?,
                (Said::Ended { sid, exp }, Some(_)) => {
                    self.keep(&stream.mirror, sid, exp)?;
                    self.move_to(event);
                }
                (Said::Fresh(asked), Some(anchor)) => {
                    let proof = anchor.proof(asked, arrived);
                    if anchor.parted(arrived) > self.tolerance() {
                        // The machine slept, or its clock was set: the clocks have to be tied together anew.
                        stream.renew = arrived.running;
                    }
                    stream.mirror.prove(proof, arrived);
                    self.move_to(event);
                    self.proven(stream, proof, arrived);
                }
            }
        }
        Ok(())
    }

    fn greeted(&self, stream: &mut Stream, now: u64, arrived: Moment) {
        let sent = stream.answer.sent;
        stream.anchor = Some(Anchor::new(sent, now));
        if arrived.running.saturating_sub(sent.running) > self.tolerance() {
            // Every proof of this stream will be older than it is by as long as this took.
            stream.renew = arrived.running;
        }
    }

    /// What may be lost of the bound before the clocks are tied together anew, in microseconds.
    fn tolerance(&self) -> i64 {
        micros(self.shared.settings.bound) / 4
    }

    fn keep(&self, mirror: &Mirror, sid: Uuid, exp: i64) -> Result<(), Trouble> {
        mirror
            .add(sid, exp)
            .or_else(|Full| {
                mirror.purge(self.shared.clock.now());
                mirror.add(sid, exp)
            })
            .map_err(|Full| self.too_many())
    }

    fn too_many(&self) -> Trouble {
        let limit = self.shared.settings.ended;
        Trouble::new(format!(
            "more than {limit} ended sessions\nhint: `Settings::max_ended` allows more"
        ))
    }

    fn move_to(&mut self, event: &Event) {
        if let Some(cursor) = Cursor::of(event) {
            self.cursor = Some(cursor);
        }
    }

    fn proven(&mut self, stream: &Stream, proof: Proof, arrived: Moment) {
        // Nobody has to be waiting.
        self.shared.proven.send_replace(());
        // While another stream is wanted, the pauses between the attempts go on growing.
        if self.opening.is_none() && arrived.running < stream.renew {
            self.pause.failures = 0;
        }
        if proof.age(arrived) > micros(self.shared.settings.bound) {
            self.failed(&Trouble::new("what comes is older than the bound"));
        } else if std::mem::take(&mut self.troubled) {
            tracing::info!("the feed of ended sessions is back");
            self.shared.trouble.lock().clear();
        }
    }

    /// Another database tells, or what was forgotten is needed again: what is known proves nothing of other sessions.
    fn begin_anew(&mut self, now: Moment) -> Result<Arc<Mirror>, Trouble> {
        let mirror = self.shared.mirror.load().successor(now);
        let mirror = Arc::new(mirror.map_err(|Full| self.too_many())?);
        tracing::warn!(
            "the feed begins anew: what was known of ended sessions counts until all of them have been told"
        );
        self.shared.mirror.store(Arc::clone(&mirror));
        self.cursor = None;
        Ok(mirror)
    }

    fn failed(&mut self, trouble: &Trouble) {
        *self.shared.trouble.lock() = trouble.to_string();
        // Said once: what fails again every few seconds would fill the log.
        if !std::mem::replace(&mut self.troubled, true) {
            tracing::warn!(%trouble, "the feed of ended sessions is lost");
        }
    }

    /// What has to be looked after whatever happened.
    fn tend(&mut self) {
        let now = self.shared.clock.now();
        if self.shared.mirror.load().outlived(now) {
            // The clock was set back to when endings still counted that are forgotten. The stream does not repeat them;
            // a new one does, if the clock had been fast, and the server has not forgotten them.
            self.stream = None;
            if let Err(trouble) = self.begin_anew(now) {
                self.failed(&trouble);
            }
            self.open_later();
        } else if now.running.saturating_sub(self.purged) >= micros(PURGE) {
            self.purged = now.running;
            self.shared.mirror.load().purge(now);
        }
        let Some(stream) = self.stream.as_ref().filter(|_| self.opening.is_none()) else {
            return;
        };
        let is_silent = now.running.saturating_sub(stream.heard) >= micros(SILENCE);
        let is_old = now.running >= stream.renew;
        if is_silent {
            self.failed(&Trouble::new("the feed is silent"));
        }
        if is_silent || is_old {
            self.open_later();
        }
    }
}

async fn open(shared: &Shared, cursor: Option<Cursor>, mirror: Arc<Mirror>) -> Result<Stream, Trouble> {
    let mut headers = vec![(ACCEPT, EVENTS), (CACHE_CONTROL, "no-store")];
    headers.extend(cursor.iter().map(|cursor| (LAST_EVENT_ID, cursor.0.as_str())));
    let ask = Ask {
        method: Method::GET,
        path: PATH,
        headers: &headers,
        body: String::new(),
        as_client: true,
    };
    let answer = shared.client.ask(ask).await?.good()?;
    if !answer.is_of_type(EVENTS) {
        return Err(Trouble::new(format!("GET {PATH} answers something else than {EVENTS}")));
    }
    let now = shared.clock.now().running;
    let age = between(RENEW / 2, RENEW);
    Ok(Stream {
        answer,
        parser: Parser::default(),
        mirror,
        anchor: None,
        renew: now.saturating_add(micros(age)),
        heard: now,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit_and_differ() {
        let mut pause = Pause::default();
        let pauses: Vec<Duration> = (0..40).map(|_| pause.next()).collect();
        for (at, pause) in pauses.iter().enumerate() {
            let longest = (FIRST_PAUSE * (1 << at.min(10))).min(LONGEST_PAUSE);
            assert!((longest / 2..=longest).contains(pause), "{at}: {pause:?}");
        }
        let last: std::collections::HashSet<_> = pauses.iter().skip(20).collect();
        assert!(last.len() > 10, "{last:?}");
    }
}
