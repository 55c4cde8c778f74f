//! A server on a port of its own that answers what it is told to, byte by byte, and tokens that it might have signed.
//!
//! The surprise: its clock is always far ahead. No verifier believes a node that sees into the future, so that what it
//! says counts from when it arrives.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward_verify::{Settings, Verifier};
use parking_lot::{Mutex, MutexGuard};
use serde_json::{Value, json};

/// How long a test waits before it calls something dead. Never reached when all is well, and shorter than the life of
/// a stream that is merely old.
pub(crate) const PATIENCE: Duration = Duration::from_secs(25);
/// An answer that begins a stream of events.
const STREAM: &str = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n";
pub(crate) const HELLO: &str = "event: hello\ndata: {\"now\":1}\n\n";
pub(crate) const FRESH: &str = "id: 7\nevent: fresh\ndata: {\"asked\":9000000000000}\n\n";

/// An answer of one document.
pub(crate) fn document(status: &str, media_type: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\ncontent-type: {media_type}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

/// A stream of these events.
pub(crate) fn stream(events: &[&str]) -> Vec<u8> {
    [STREAM, &events.concat()].concat().into_bytes()
}

/// That a session ended, a long time before its last token is dead by age.
pub(crate) fn ended(id: u32, sid: u8) -> String {
    let sid = uuid::Uuid::from_bytes([sid; 16]);
    format!("id: {id}\nevent: ended\ndata: {{\"sid\":\"{sid}\",\"exp\":4000000000}}\n\n")
}

/// What it answers to a request, by its path and its whole head. When it is over, the connection is closed, unless it
/// is said to stay open.
type Answers = dyn Fn(&str, &str) -> (Vec<u8>, Stays) + Send + Sync;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stays {
    Open,
    Closed,
}

/// The keys that it serves.
struct Keys {
    answer: Mutex<Vec<u8>>,
    /// The heads of the requests for them.
    asked: Mutex<Vec<String>>,
    /// Whoever holds it holds back what is already answered.
    gate: Mutex<()>,
}

/// Answers with keys are held back.
pub(crate) struct Held<'a> {
    _gate: MutexGuard<'a, ()>,
}

/// What the server tells the test. It may be over.
#[derive(Clone)]
struct Tell {
    asked: mpsc::SyncSender<String>,
    open: mpsc::SyncSender<TcpStream>,
    closed: mpsc::SyncSender<()>,
}

/// The server.
pub(crate) struct Stranger {
    pub(crate) address: SocketAddr,
    /// The heads of the requests for the feed, as they come.
    asked: mpsc::Receiver<String>,
    /// The connections that stay open, once they have their answer.
    open: mpsc::Receiver<TcpStream>,
    /// That somebody closed one of them.
    closed: mpsc::Receiver<()>,
    keys: Arc<Keys>,
    pub(crate) signer: Signer,
}

impl Stranger {
    /// Serves the keys of its signer; everything else is up to the test.
    pub(crate) fn new(answers: impl Fn(&str, &str) -> (Vec<u8>, Stays) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (tell_asked, asked) = mpsc::sync_channel(1000);
        let (tell_open, open) = mpsc::sync_channel(1000);
        let (tell_closed, closed) = mpsc::sync_channel(1000);
        let tell = Tell {
            asked: tell_asked,
            open: tell_open,
            closed: tell_closed,
        };
        let signer = Signer::new("first");
        let keys = Arc::new(Keys {
            answer: Mutex::new(signer.jwks()),
            asked: Mutex::default(),
            gate: Mutex::default(),
        });
        let (answers, served): (Arc<Answers>, _) = (Arc::new(answers), Arc::clone(&keys));
        std::thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (answers, served, tell) = (Arc::clone(&answers), Arc::clone(&served), tell.clone());
                std::thread::spawn(move || serve(connection, &*answers, &served, &tell));
            }
        });
        Self {
            address,
            asked,
            open,
            closed,
            keys,
            signer,
        }
    }

    /// Answers the same to every request for the feed, and 404 to everything else.
    pub(crate) fn with_feed(feed: Vec<u8>, stays: Stays) -> Self {
        Self::new(move |path, _| match path {
            "/v1/ended-sessions" => (feed.clone(), stays),
            _ => (document("404 Not Found", "text/plain", ""), Stays::Closed),
        })
    }

    /// With a bound that no test outlives, so that none depends on how fast the machine is.
    pub(crate) fn settings(&self) -> Settings {
        Settings::new(format!("http://{}", self.address), "id", "a secret").bound(Duration::from_secs(60))
    }

    pub(crate) fn verifier(&self) -> Verifier {
        Verifier::connect(self.settings()).unwrap()
    }

    /// Waits until somebody asks for the feed, and answers the head of the request.
    pub(crate) fn feed_asked(&self) -> String {
        self.asked.recv_timeout(PATIENCE).expect("somebody asks for the feed")
    }

    /// Waits for a connection that stays open, and goes on on it.
    pub(crate) fn open(&self) -> TcpStream {
        self.open.recv_timeout(PATIENCE).expect("a connection stays open")
    }

    /// Waits until somebody closes a connection that was to stay open.
    pub(crate) fn closed(&self) {
        self.closed.recv_timeout(PATIENCE).expect("somebody closes");
    }

    /// What is served as keys from now on.
    pub(crate) fn serve_keys(&self, answer: Vec<u8>) {
        *self.keys.answer.lock() = answer;
    }

    /// The heads of the requests for the keys.
    pub(crate) fn keys_asked(&self) -> Vec<String> {
        self.keys.asked.lock().clone()
    }

    /// Holds back every answer with keys until it is dropped.
    pub(crate) fn hold_keys(&self) -> Held<'_> {
        Held {
            _gate: self.keys.gate.lock(),
        }
    }
}

fn serve(mut connection: TcpStream, answers: &Answers, keys: &Keys, tell: &Tell) {
    let Some(head) = head_of(&mut connection) else { return };
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    let (answer, stays) = if path == "/.well-known/jwks.json" {
        let answer = keys.answer.lock().clone();
        keys.asked.lock().push(head.clone());
        drop(keys.gate.lock());
        (answer, Stays::Closed)
    } else {
        answers(&path, &head)
    };
    if path == "/v1/ended-sessions" {
        drop(tell.asked.try_send(head));
    }
    // Whoever has read enough of a long answer closes.
    if connection.write_all(&answer).is_ok() && stays == Stays::Open {
        drop(tell.open.try_send(connection.try_clone().unwrap()));
        // Until the other side closes.
        drop(connection.read(&mut [0; 16]));
        let _ = tell.closed.try_send(());
    }
}

/// The head of a request with its body, if that came in the same breath.
fn head_of(connection: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let read = connection.read(&mut buffer).ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&bytes);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text.into_owned());
            }
        }
    }
}

/// Signs tokens.
pub(crate) struct Signer {
    name: &'static str,
    pair: EcdsaKeyPair,
}

impl Signer {
    pub(crate) fn new(name: &'static str) -> Self {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        Self { name, pair }
    }

    pub(crate) fn jwks(&self) -> Vec<u8> {
        let point = self.pair.public_key().as_ref();
        let (x, y) = (
            URL_SAFE_NO_PAD.encode(&point[1..33]),
            URL_SAFE_NO_PAD.encode(&point[33..]),
        );
        let key = json!({"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": self.name, "x": x, "y": y});
        document(
            "200 OK",
            "application/jwk-set+json",
            &json!({"keys": [key]}).to_string(),
        )
    }

    /// A good token of the session.
    pub(crate) fn token(&self, sid: u8) -> String {
        let sid = uuid::Uuid::from_bytes([sid; 16]);
        self.sign(&json!({
            "iss": "doorward", "aud": "main", "sub": sid, "sid": sid, "jti": "j", "iat": 1_700_000_000, "exp": 4_000_000_000_i64,
        }))
    }

    fn sign(&self, claims: &Value) -> String {
        let header = json!({"alg": "ES256", "typ": "at+jwt", "kid": self.name}).to_string();
        let message = [header, claims.to_string()]
            .map(|part| URL_SAFE_NO_PAD.encode(part))
            .join(".");
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature.as_ref()))
    }
}
