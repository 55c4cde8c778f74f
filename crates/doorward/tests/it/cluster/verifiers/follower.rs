//! A verifier in a service, in Rust or for Node, that can be asked what it knows.
//!
//! The surprise: both are asked in the same words, so that a test does not know which one it asks.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use doorward_verify::{Refusal, Settings, Verifier};
use tokio::runtime::{Builder, Runtime};

use super::super::{BOUND, PATIENCE};
use crate::http::Request;
use crate::server::lines_of;
use crate::service::Service;
use crate::transcript::ROOT;

/// How long to wait before the next question, so that the nodes have something of the machine, too.
const PAUSE: Duration = Duration::from_millis(1);

/// What a verifier says of a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Its session lives.
    Good,
    /// Its session has ended.
    Ended,
    /// It cannot say whether its session lives.
    Stale,
}

/// A verifier that follows the feed.
pub(super) enum Follower {
    Rust { verifier: Verifier, runtime: Runtime },
    Node { child: Child, address: SocketAddr },
}

impl Follower {
    /// One for Rust.
    pub(super) fn rust(doorward: SocketAddr, service: &Service) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let entered = runtime.enter();
        let settings = Settings::new(format!("http://{doorward}"), &service.id, service.secret.as_str());
        let verifier = Verifier::connect(settings).unwrap();
        drop(entered);
        Self::Rust { verifier, runtime }
    }

    /// One for Node.
    pub(super) fn node(doorward: SocketAddr, service: &Service) -> Self {
        let mut child = Command::new("node")
            .arg(format!("{ROOT}/crates/doorward/tests/it/cluster/service.mjs"))
            .arg(format!("{ROOT}/clients/node/src/index.js"))
            .args([&format!("http://{doorward}"), &service.id])
            .env("SERVICE_CLIENT_SECRET", &service.secret)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let line = lines_of(child.stdout.take().unwrap()).recv_timeout(PATIENCE);
        let line = line.expect("the service says where it is");
        let address = line.strip_prefix("listening on http://").expect("an address");
        let address = address.parse().unwrap();
        Self::Node { child, address }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Rust { .. } => "the verifier in Rust",
            Self::Node { .. } => "the verifier for Node",
        }
    }

    /// What it says of a token now.
    pub(super) fn says(&self, token: &str) -> Said {
        match self {
            Self::Rust { verifier, runtime } => match runtime.block_on(verifier.verify(token)) {
                Ok(_) => Said::Good,
                Err(Refusal::Ended) => Said::Ended,
                Err(Refusal::Stale) => Said::Stale,
                Err(refusal) => panic!("{refusal}"),
            },
            Self::Node { address, .. } => {
                let answer = Request::get("/").bearer(token).send(*address).text();
                match answer.as_str() {
                    "good" => Said::Good,
                    "ended" => Said::Ended,
                    "stale" => Said::Stale,
                    _ => panic!("{answer}"),
                }
            }
        }
    }

    /// Asks until it says this, and answers when. It fails if a check says that the token is good that began later than
    /// the bound after `since`.
    pub(super) fn until(&self, wanted: Said, token: &str, since: Option<Instant>) -> Instant {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let begun = Instant::now();
            let said = self.says(token);
            let late = since.map_or(Duration::ZERO, |since| begun.saturating_duration_since(since));
            assert!(
                said != Said::Good || late <= BOUND,
                "{}: accepted {late:?} later",
                self.name()
            );
            if said == wanted {
                return Instant::now();
            }
            assert!(begun < deadline, "{}: not {wanted:?} but {said:?}", self.name());
            std::thread::park_timeout(PAUSE);
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Self::Node { child, .. } = self {
            // It may have ended by itself.
            drop(child.kill());
            drop(child.wait());
        }
    }
}
