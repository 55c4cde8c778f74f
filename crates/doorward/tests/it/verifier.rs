//! The verifier for other services (`doorward-verify`) beside the real server: what it accepts, what it refuses, and
//! how soon.
//!
//! The surprise: a check counts from when it begins. One that began before the bound may answer after it.

use std::time::{Duration, Instant};

use doorward_verify::{Fault, OnStale, Refusal, Settings, State, Verifier};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::feed::{log_out, register};
use crate::http::Request;
use crate::relay::{Relay, Rule};
use crate::server::{Server, Setup};
use crate::service::{Service, claims};

mod faults;
mod service;

/// The bound that is promised: no check that begins later than this after a log-out accepts.
const BOUND: Duration = Duration::from_secs(1);
/// How long a test waits before it calls something dead. Never reached when all is well.
const PATIENCE: Duration = Duration::from_secs(60);
/// How many log-outs are measured.
const LOG_OUTS: usize = 50;

fn setup() -> Setup {
    Setup::new().setting("throttle", "false")
}

fn settings(address: std::net::SocketAddr, service: &Service) -> Settings {
    Settings::new(format!("http://{address}"), &service.id, service.secret.as_str())
}

/// A verifier that has heard from the server.
async fn connect(settings: Settings) -> Verifier {
    let verifier = Verifier::connect(settings).unwrap();
    verifier.until_fresh().await;
    verifier
}

/// Another session of the account that [`register`] made.
fn log_in(server: &Server, email: &str) -> String {
    let body = json!({"email": email, "password": "ann-pass-phrase-1"});
    let answer = Request::post("/v1/sessions", &body).send(server.address);
    assert!(answer.status < 300, "{answer}");
    answer.member("access_token")
}

/// What became of a token that was checked again and again.
struct History {
    /// When the last check began that accepted it.
    accepted: Option<Instant>,
    /// When it was refused in the way that was waited for.
    refused: Instant,
}

impl History {
    /// Fails if a check accepted that began later than the bound after `since`.
    fn assert_bound(&self, since: Instant, what: &str) {
        let late = self.accepted.map(|accepted| accepted.saturating_duration_since(since));
        assert!(late.is_none_or(|late| late <= BOUND), "{what}: accepted {late:?} later");
    }
}

/// Checks a token until it is refused in this way.
fn check_until(verifier: &Verifier, token: &str, refusal: Refusal) -> JoinHandle<History> {
    let (verifier, token) = (verifier.clone(), token.to_owned());
    tokio::spawn(async move {
        let mut accepted = None;
        let deadline = Instant::now() + PATIENCE;
        loop {
            let begun = Instant::now();
            assert!(begun < deadline, "it is not refused: {refusal}; {:?}", verifier.state());
            match verifier.verify(&token).await {
                Ok(_) => accepted = Some(begun),
                Err(is) if is == refusal => {
                    let refused = Instant::now();
                    return History { accepted, refused };
                }
                Err(_) => (),
            }
            // Not so often that the server has nothing of the machine.
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    })
}

/// Waits until something is so.
async fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::task::yield_now().await;
    }
}

/// Whether the token is accepted, once the verifier can tell.
async fn is_accepted(verifier: &Verifier, token: &str) -> bool {
    let deadline = Instant::now() + PATIENCE;
    loop {
        verifier.until_fresh().await;
        match verifier.verify(token).await {
            Ok(_) => return true,
            // Stale again: this machine is slow.
            Err(Refusal::Stale) => assert!(Instant::now() < deadline, "{:?}", verifier.state()),
            Err(_) => return false,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_token_is_accepted_later_than_the_bound_after_its_log_out() {
    let server = setup().start();
    let verifier = connect(settings(server.address, &Service::add(server.setup()))).await;
    let mut times = Vec::new();
    register(&server, "ann@example.com");
    for _ in 0..LOG_OUTS {
        let token = log_in(&server, "ann@example.com");
        assert!(is_accepted(&verifier, &token).await, "a new token is good");
        let checks = check_until(&verifier, &token, Refusal::Ended);
        log_out(&server, &token);
        let acknowledged = Instant::now();
        let history = checks.await.unwrap();
        history.assert_bound(acknowledged, "a log-out");
        times.push(history.refused.saturating_duration_since(acknowledged));
    }
    times.sort_unstable();
    eprintln!(
        "log-out to refusal at a verifier, {LOG_OUTS} times: median {:?}, longest {:?}",
        times[LOG_OUTS / 2],
        times[LOG_OUTS - 1]
    );
    assert_eq!(verifier.ended(), LOG_OUTS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_verifier_that_comes_later_knows_what_ended_before() {
    let server = setup().start();
    let service = Service::add(server.setup());
    let (ann, bob) = (
        register(&server, "ann@example.com"),
        register(&server, "bob@example.com"),
    );
    log_out(&server, &ann);
    let verifier = connect(settings(server.address, &service).bound(Duration::from_secs(60))).await;
    assert_eq!(verifier.verify(&ann).await, Err(Refusal::Ended));
    let verified = verifier.verify(&bob).await.unwrap();
    assert_eq!(verified.sid.to_string(), claims(&bob)["sid"].as_str().unwrap());
    assert_eq!((verified.iss.as_str(), verified.realm.as_str()), ("doorward", "main"));
    assert!(verified.exp > verified.iat);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_others_are_refused() {
    let server = setup().start();
    let service = Service::add(server.setup());
    let token = register(&server, "ann@example.com");
    for (what, verifier, fault) in [
        (
            "another realm",
            settings(server.address, &service).realm("other"),
            Fault::Realm,
        ),
        (
            "another issuer",
            settings(server.address, &service).issuer("other"),
            Fault::Issuer,
        ),
    ] {
        let verified = connect(verifier).await.verify(&token).await;
        assert_eq!(verified, Err(Refusal::Invalid(fault)), "{what}");
    }
    let verifier = connect(settings(server.address, &service)).await;
    let stranger = setup().start();
    let foreign = register(&stranger, "ann@example.com");
    assert_eq!(
        verifier.verify(&foreign).await,
        Err(Refusal::Invalid(Fault::UnknownKey))
    );
    let secret = setup()
        .setting("jwt_secret", "a secret that two services share")
        .start();
    let shared = register(&secret, "ann@example.com");
    assert_eq!(verifier.verify(&shared).await, Err(Refusal::Invalid(Fault::Header)));
    let login = json!({"email": "ann@example.com", "password": "ann-pass-phrase-1"});
    let refresh = Request::post("/v1/sessions", &login)
        .send(server.address)
        .member("refresh_token");
    assert_eq!(verifier.verify(&refresh).await, Err(Refusal::Invalid(Fault::Form)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_key_is_known_when_it_signs_and_the_old_one_still() {
    let server = setup().start();
    let settings = settings(server.address, &Service::add(server.setup())).bound(Duration::from_secs(60));
    let verifier = connect(settings).await;
    let old = register(&server, "ann@example.com");
    assert!(verifier.verify(&old).await.is_ok());
    server.setup().succeed(&["key", "rotate"]);
    let header = |token: &str| token.split('.').next().unwrap().to_owned();
    let mut tokens = std::iter::repeat_with(|| log_in(&server, "ann@example.com")).take(10_000);
    let new = tokens
        .find(|token| header(token) != header(&old))
        .expect("the new key signs");
    assert!(verifier.verify(&new).await.is_ok());
    assert!(verifier.verify(&old).await.is_ok());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_no_client_any_more_is_told_so() {
    let server = setup().start();
    let service = Service::add(server.setup());
    let verifier = connect(settings(server.address, &service)).await;
    let token = register(&server, "ann@example.com");
    server.setup().succeed(&["client", "remove", &service.id]);
    let told = || format!("{:?}", verifier.state()).contains("does not know this client");
    wait_until("the reason", told).await;
    check_until(&verifier, &token, Refusal::Stale).await.unwrap();
    let wrong = Settings::new(format!("http://{}", server.address), &service.id, "wrong");
    let wrong = Verifier::connect(wrong.on_stale(OnStale::Introspect)).unwrap();
    assert_eq!(wrong.verify(&token).await, Err(Refusal::Stale), "nor may it introspect");
    assert!(matches!(wrong.state(), State::Stale { .. }));
}
