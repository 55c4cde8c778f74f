//! The verifier for Node (`clients/node`): its Express example beside the real server.
//!
//! The surprise: a moment counts where a check begins. An answer that says yes is held against the last moment at which
//! yes was allowed to be thought, however long the answer then took.

use std::fs;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::feed::{log_out, register};
use crate::http::{Answer, Request};
use crate::server::{Folder, Server, Setup, lines_of};
use crate::service::Service;
use crate::transcript::ROOT;

/// How old what a verifier knows may be, as its manual says.
const BOUND: Duration = Duration::from_secs(1);
/// How long a test waits for what has to come. Never reached when all is well.
const PATIENCE: Duration = Duration::from_secs(60);
/// Sessions that are ended one after the other.
const LOGOUTS: usize = 20;

/// The package and its example in a folder of their own, with what the lock file says installed.
struct Package(Folder);

impl Package {
    fn installed() -> Self {
        let folder = Folder::new();
        copy(&PathBuf::from(ROOT).join("clients/node"), folder.path());
        // What npm has fetched once it need not ask for again; the lock file says whether it is the right thing.
        let npm = Command::new("npm")
            .args(["ci", "--prefer-offline", "--no-audit", "--no-fund"])
            .current_dir(folder.join("example"))
            .output()
            .expect("npm runs");
        assert!(npm.status.success(), "{}", String::from_utf8_lossy(&npm.stderr));
        Self(folder)
    }

    /// Starts the example with a policy.
    fn serve(&self, doorward: SocketAddr, service: &Service, on_stale: &str) -> Example {
        let mut child = Command::new("node")
            .args(["service.js", &format!("http://{doorward}"), &service.id, on_stale])
            .env("SERVICE_CLIENT_SECRET", &service.secret)
            .current_dir(self.0.join("example"))
            .stdout(Stdio::piped())
            .spawn()
            .expect("node runs");
        let lines = lines_of(child.stdout.take().expect("stdout is piped"));
        let mut example = Example {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let line = lines.recv_timeout(PATIENCE).expect("the example says where it is");
        let address = line.strip_prefix("listening on http://").expect("an address");
        example.address = address.parse().expect("an address");
        example
    }
}

fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).expect("the package can be read") {
        let entry = entry.expect("the package can be read");
        let target = to.join(entry.file_name());
        if entry.file_name() == "node_modules" {
            continue;
        }
        if entry.path().is_dir() {
            fs::create_dir(&target).expect("a folder can be made");
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("a file can be copied");
        }
    }
}

/// A running example.
struct Example {
    child: Child,
    address: SocketAddr,
}

impl Example {
    fn me(&self, token: &str) -> Answer {
        Request::get("/me").bearer(token).send(self.address)
    }

    /// Waits until the verifier says itself that it cannot tell.
    fn wait_until_stale(&self) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ready = Request::get("/readyz").send(self.address);
            if (ready.status, &ready.json()["fresh"]) == (503, &json!(false)) {
                return;
            }
            assert!(Instant::now() < deadline, "{ready}");
        }
    }

    /// Asks until the status is this one. No check that began after `until` may be accepted.
    fn wait_for(&self, token: &str, status: u16, until: Option<Instant>) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let begun = Instant::now();
            let answer = self.me(token);
            let is_late = until.is_some_and(|until| begun >= until);
            assert!(!(is_late && answer.status == 200), "accepted after the bound: {answer}");
            if answer.status == status {
                return answer;
            }
            assert!(begun < deadline, "not {status} but {answer}");
        }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A way to the server on which no feed comes through: a connection that asks for it is cut, whatever it asked before.
fn way_without_feed(to: SocketAddr) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it has an address");
    thread::spawn(move || {
        for near in listener.incoming().map_while(Result::ok) {
            // Whoever is cut off, or comes while the server is gone, is the one to complain.
            thread::spawn(move || drop(pass(near, to)));
        }
    });
    address
}

fn pass(mut near: TcpStream, to: SocketAddr) -> io::Result<()> {
    let mut far = TcpStream::connect(to)?;
    let (mut back_from, mut back_to) = (far.try_clone()?, near.try_clone()?);
    thread::spawn(move || io::copy(&mut back_from, &mut back_to));
    let mut bytes = [0; 16 * 1024];
    loop {
        let count = near.read(&mut bytes)?;
        let asked = &bytes[..count];
        if count == 0 || asked.windows(17).any(|word| word == b"/v1/ended-session") {
            near.shutdown(Shutdown::Both)?;
            return far.shutdown(Shutdown::Both);
        }
        far.write_all(asked)?;
    }
}

/// A server that lets one address log in as often as it likes.
fn start() -> Server {
    Setup::new().setting("throttle", "false").start()
}

fn log_in(server: &Server) -> String {
    let body = json!({"email": "ann@example.com", "password": "ann-pass-phrase-1"});
    let answer = Request::post("/v1/sessions", &body).send(server.address);
    answer.member("access_token")
}

/// Logs in until the header of the token, which names the key, is another one than that of `before`.
fn log_in_with_another_key(server: &Server, before: &str) -> String {
    let header = |token: &str| token.split('.').next().map(str::to_owned);
    let deadline = Instant::now() + PATIENCE;
    loop {
        let token = log_in(server);
        if header(&token) != header(before) {
            return token;
        }
        assert!(Instant::now() < deadline, "the new key does not sign");
    }
}

#[test]
fn the_express_example_knows_who_has_logged_out() {
    let package = Package::installed();
    let server = start();
    let service = Service::add(server.setup());
    let refuse = package.serve(server.address, &service, "refuse");
    let accept = package.serve(server.address, &service, "accept");
    let token = register(&server, "ann@example.com");
    lets_in_only_with_a_token(&refuse, &token);
    lets_in_only_with_a_token(&accept, &token);
    log_outs_hold(&server, &refuse);
    let ended = log_in(&server);
    log_out(&server, &ended);
    accept.wait_for(&ended, 401, None);

    server.signal("STOP");
    let until = Instant::now() + BOUND;
    let answer = refuse.wait_for(&token, 503, Some(until));
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer}");
    accept.wait_until_stale();
    assert_eq!(accept.me(&token).status, 200, "who chose to accept, accepts");
    assert_eq!(accept.me(&ended).status, 401, "what is known to have ended stays ended");
    server.signal("CONT");
    for example in [&refuse, &accept] {
        example.wait_for(&token, 200, None);
        assert_eq!(example.me(&ended).status, 401);
    }

    // What a new key signs is accepted, and what an operator ends in another process ends here, too.
    server.setup().succeed(&["key", "rotate"]);
    let rotated = log_in_with_another_key(&server, &token);
    refuse.wait_for(&rotated, 200, None);
    server.setup().succeed(&["user", "end-sessions", "ann@example.com"]);
    let until = Some(Instant::now() + BOUND);
    refuse.wait_for(&rotated, 401, until);
    refuse.wait_for(&token, 401, until);
}

#[test]
fn who_cannot_follow_the_feed_asks_about_each_token() {
    let package = Package::installed();
    let server = start();
    let service = Service::add(server.setup());
    let introspect = package.serve(way_without_feed(server.address), &service, "introspect");
    let token = register(&server, "ann@example.com");
    lets_in_only_with_a_token(&introspect, &token);
    introspect.wait_until_stale();
    log_outs_hold(&server, &introspect);
    server.signal("STOP");
    let answer = introspect.wait_for(&token, 503, Some(Instant::now() + BOUND));
    assert_eq!(answer.header("retry-after"), Some("1"), "{answer}");
    server.signal("CONT");
    introspect.wait_for(&token, 200, None);
}

fn lets_in_only_with_a_token(example: &Example, token: &str) {
    let answer = example.wait_for(token, 200, None);
    assert!(answer.text().starts_with("account "), "{answer}");
    let without = Request::get("/me").send(example.address);
    assert_eq!(
        (without.status, without.header("www-authenticate")),
        (401, Some("Bearer"))
    );
    let wrong = example.me(&format!("{token}x"));
    assert_eq!(wrong.header("www-authenticate"), Some("Bearer error=\"invalid_token\""));
    assert_eq!(wrong.json(), json!({"title": "Unauthorized", "status": 401}));
    let twice = Request::get("/me").bearer(token).bearer("other").send(example.address);
    assert_eq!(twice.status, 401, "which one counts would be a guess");
    assert_eq!(
        Request::get("/").send(example.address).status,
        200,
        "the rest is for everybody"
    );
}

/// Logs out again and again, and asks each time until the example knows.
fn log_outs_hold(server: &Server, example: &Example) {
    let mut longest = Duration::ZERO;
    for _ in 0..LOGOUTS {
        let token = log_in(server);
        example.wait_for(&token, 200, None);
        log_out(server, &token);
        let acknowledged = Instant::now();
        example.wait_for(&token, 401, Some(acknowledged + BOUND));
        longest = longest.max(acknowledged.elapsed());
    }
    eprintln!("{LOGOUTS} log-outs: refused after {longest:?} at the latest");
}
