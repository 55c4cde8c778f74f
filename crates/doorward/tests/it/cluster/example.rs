//! A server on SQLite, whose users move into `examples/cluster/run`, started as its README says, and then each of its
//! parts killed in turn.
//!
//! The surprise: the script makes its own folder, which PostgreSQL's user can get at wherever this project is.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::json;

use super::{BOUND, check, credentials, login, logout};
use crate::http::{Answer, Line, Request};
use crate::server::{Folder, Server, Setup};
use crate::transcript::ROOT;

/// The ports that the script takes, one after the other: HAProxy, three nodes, two servers of PostgreSQL.
const PORTS: u16 = 6;

/// Starts the script, and ends it when the pipe to the standard input closes, which also happens when a test dies.
const SCRIPT: &str = r#""$0" & pid=$!; exec >/dev/null; cat; kill -TERM "$pid"; wait "$pid""#;

/// A program that writes down its arguments, which everybody on the machine can read, and then is doorward, or the next
/// program of its name in the path.
const PROGRAM: &str = concat!(
    "#!/bin/sh\nname=${0##*/} here=${0%/*}\nprintf '%s\\n' \"$name $*\" >>\"$here/arguments\"\n",
    "[ $name != doorward ] || exec '",
    env!("CARGO_BIN_EXE_doorward"),
    "' \"$@\"\nPATH=${PATH#\"$here:\"}\nexec $name \"$@\"\n"
);

/// How long a request may take: longer than a node, or HAProxy, waits for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the promise may need to be kept again after a fault was put right. Never reached when all is well.
const RECOVERY: Duration = Duration::from_secs(60);

struct Example {
    shell: Child,
    folder: PathBuf,
    port: u16,
    /// With the program, and the arguments with which it was started.
    program: Folder,
}

impl Example {
    /// With everybody of another database.
    fn start(from: &str) -> Self {
        let port = free_ports();
        let program = Folder::for_all();
        let path = program.join("doorward");
        // PostgreSQL's user runs the second one.
        for (path, mode, text) in [
            (program.join("arguments"), 0o666, ""),
            (path.clone(), 0o755, PROGRAM),
            (program.join("psql"), 0o755, PROGRAM),
        ] {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        }
        let here = path.parent().unwrap().display();
        let search = format!("{here}:{}", std::env::var("PATH").unwrap());
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT])
            .arg(script())
            .env("DOORWARD", &path)
            .env("PATH", search)
            .env("PORT", port.to_string())
            .env("FROM", from)
            .env("DOORWARD_HASH_MEMORY_KIB", "8")
            .env("DOORWARD_HASH_PASSES", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = Vec::new();
        let mut lines = BufReader::new(shell.stdout.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let folder = loop {
            let line = lines.next().unwrap_or_else(|| panic!("the example ends: {said:#?}"));
            let folder = line
                .split_once("Everything is in ")
                .map(|(_, rest)| rest.split(". ").next());
            if let Some(Some(folder)) = folder {
                break PathBuf::from(folder);
            }
            said.push(line);
        };
        // Read to the end, so that the script is never stopped by a pipe that nobody reads.
        std::thread::spawn(move || lines.for_each(drop));
        Self {
            shell,
            folder,
            port,
            program,
        }
    }

    /// HAProxy, and the three nodes.
    fn proxy(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    fn nodes(&self) -> impl Iterator<Item = SocketAddr> {
        (self.port + 1..self.port + 4).map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
    }

    fn command(&self, verb: &str, part: &str) -> Output {
        let mut command = Command::new(script());
        command
            .arg(verb)
            .arg(&self.folder)
            .args((!part.is_empty()).then_some(part));
        command.output().unwrap()
    }

    /// Runs one of its commands, which has to succeed.
    fn run(&self, verb: &str, part: &str) {
        let ran = self.command(verb, part);
        assert!(ran.status.success(), "{verb}: {}", String::from_utf8_lossy(&ran.stderr));
    }

    /// Kills (SIGKILL) the process whose number stands in the first line of a file.
    fn kill(&self, file: &str) {
        let text = fs::read_to_string(self.folder.join(file)).unwrap();
        let killed = Command::new("kill").args(["-9", text.lines().next().unwrap()]).status();
        assert!(killed.unwrap().success(), "{file}");
    }

    /// Asks HAProxy.
    fn ask(&self, request: &Request) -> Answer {
        Line::open(self.proxy(), PATIENCE).unwrap().ask(request).unwrap()
    }

    /// Asks HAProxy until it answers something else than "not now".
    fn until_answered(&self, request: &Request) -> Answer {
        let begin = Instant::now();
        loop {
            let answer = self.ask(request);
            if answer.status != 503 {
                return answer;
            }
            assert!(answer.header("retry-after").is_some(), "{answer}");
            assert!(begin.elapsed() < RECOVERY, "{answer}");
        }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        drop(self.shell.wait());
    }
}

fn script() -> PathBuf {
    Path::new(ROOT).join("examples/cluster/run")
}

/// The first of as many free ports in a row. Free now: who takes one of them before the script does makes the test
/// fail, which nobody has a reason to do.
fn free_ports() -> u16 {
    let is_free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok();
    let mut firsts = (0..100).map(|_| {
        let any = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        // Below what the system gives to those who ask for any.
        10_000 + any.local_addr().unwrap().port() % 20_000
    });
    firsts
        .find(|first| (*first..*first + PORTS).all(is_free))
        .expect("free ports")
}

/// Who is signed in and who is not, whatever was killed.
struct Held {
    lives: String,
    /// Of the session that lives.
    refresh: String,
    /// One ended before the move, and one by the nodes.
    ended: Vec<String>,
}

impl Held {
    /// Made on a server on SQLite.
    fn new(home: &Server) -> Self {
        let ask = |request: Request| request.send(home.address);
        let made = ask(Request::post("/v1/accounts", &credentials("ann")));
        assert_eq!(made.status, 202, "{made}");
        let [lives, ended] = [(), ()].map(|()| ask(login("ann")));
        let done = ask(logout(&ended.member("access_token")));
        assert_eq!(done.status, 204, "{done}");
        Self {
            lives: lives.member("access_token"),
            refresh: lives.member("refresh_token"),
            ended: vec![ended.member("access_token")],
        }
    }

    /// Goes on with the session from before the move, and ends another one through HAProxy, which says who a client is,
    /// whatever the client says.
    fn goes_on(&mut self, example: &Example) {
        let refreshed = json!({ "refresh_token": self.refresh });
        let refreshed = example.ask(&Request::post("/v1/sessions/current/refresh", &refreshed));
        assert_eq!(refreshed.status, 200, "{refreshed}");
        let opened = example.ask(&login("ann").header("X-Forwarded-For", "203.0.113.9"));
        assert_eq!(opened.status, 201, "{opened}");
        let opened = opened.member("access_token");
        let sessions = example.ask(&Request::get("/v1/sessions").bearer(&opened));
        for session in sessions.json()["sessions"].as_array().unwrap() {
            assert_eq!(session["address"], json!("127.0.0.1"));
        }
        let done = example.ask(&logout(&opened));
        assert_eq!(done.status, 204, "{done}");
        self.ended.push(opened);
        let since = Instant::now();
        while since.elapsed() <= BOUND {
            std::thread::yield_now();
        }
    }

    /// Every token, and what its check is answered when all is well.
    fn tokens(&self) -> impl Iterator<Item = (&String, u16)> {
        let ended = self.ended.iter().map(|token| (token, 401));
        ended.chain([(&self.lives, 200)])
    }

    /// While something is down: nobody who is out gets in, and what cannot be said is "not now".
    fn is_safe(&self, example: &Example) {
        for (token, right) in self.tokens() {
            let answer = example.ask(&check(token));
            let not_now = answer.status == 503 && answer.header("retry-after").is_some();
            assert!(answer.status == right || not_now, "{answer}");
        }
    }

    /// Everything works, through HAProxy and at every node: the acknowledged logout holds, the session goes on, the
    /// account is there, and there can be more.
    fn is_kept(&self, example: &Example, newcomer: &str) {
        for (token, right) in self.tokens() {
            assert_eq!(example.until_answered(&check(token)).status, right);
        }
        assert_eq!(example.until_answered(&login("ann")).status, 201);
        let made = example.until_answered(&Request::post("/v1/accounts", &credentials(newcomer)));
        assert_eq!(made.status, 202, "{made}");
        let begin = Instant::now();
        for node in example.nodes() {
            let status = |token: &str| Line::open(node, PATIENCE).unwrap().ask(&check(token)).unwrap().status;
            while status(&self.lives) != 200 {
                assert!(begin.elapsed() < RECOVERY, "{node} does not recover");
            }
            for ended in &self.ended {
                assert_eq!(status(ended), 401, "{node}");
            }
        }
    }
}

#[test]
fn users_of_sqlite_move_into_the_example_of_which_any_part_may_be_killed() {
    let home = Setup::new().start();
    let mut held = Held::new(&home);
    home.ask_to_stop();
    let (_, home) = home.wait();
    let from = format!("sqlite:{}", home.database().display());
    let example = Example::start(&from);
    let arguments = fs::read_to_string(example.program.join("arguments")).unwrap();
    assert!(arguments.contains("move "), "{arguments}");
    assert!(!arguments.contains(&from), "it may have a password: {arguments}");
    assert!(
        arguments.contains("psql ") && !arguments.contains("PASSWORD"),
        "{arguments}"
    );
    held.is_kept(&example, "abe");
    held.goes_on(&example);

    example.kill("node-1.pid");
    held.is_safe(&example);
    example.run("again", "node-1");
    held.is_kept(&example, "bob");

    example.kill("haproxy.pid");
    example.run("again", "haproxy");
    held.is_kept(&example, "cid");

    let refused = example.command("promote", "");
    assert!(!refused.status.success(), "there must not be two primaries");
    example.kill("a/postmaster.pid");
    held.is_safe(&example);
    example.run("promote", "");
    held.is_kept(&example, "dora");

    example.run("rejoin", "");
    held.is_kept(&example, "emil");
    example.kill("a/postmaster.pid");
    // A commit waits for the standby, of which one process may outlive the others by a moment; what is only read does not.
    let register = |name: String| example.ask(&Request::post("/v1/accounts", &credentials(&name)));
    let mut made = (1..=100).map(|number| register(format!("fay{number}")));
    let waits = made
        .find(|answer| answer.status != 202)
        .expect("nobody waits for a standby that is dead");
    assert_eq!(waits.status, 503, "{waits}");
    held.is_safe(&example);
    example.run("alone", "");
    held.is_kept(&example, "gus");
}
