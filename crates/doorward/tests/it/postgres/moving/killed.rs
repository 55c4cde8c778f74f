//! `doorward move` on a terminal, killed (SIGKILL) in the middle, and begun again.
//!
//! The surprise: it does not matter how fast anything is. The way to the database swallows what comes after so many
//! bytes, so that a move stands in the middle of a page when it is killed.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::*;
use crate::postgres::SERVER;
use crate::postgres::server::PASSWORD;

/// Endings of long ago, of 48 bytes each on the way.
const HISTORY: usize = 20_000;

/// How many bytes of a move arrive before it is killed: the first is making its tables then, and the others copy.
const CUTS: [u64; 3] = [2_000, 300_000, 300_000];

/// How long a step may take. Never reached when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// A way to the database on which only so many bytes arrive once the move has its connection: by the two before it finds
/// out whether there is a pooler. Answers its port, and says when they have.
fn way(bytes: u64) -> (u16, Receiver<()>) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, told) = sync_channel(1);
    std::thread::spawn(move || {
        for _ in 0..2 {
            let (mut near, mut far) = passed(&listener)?;
            std::thread::spawn(move || {
                io::copy(&mut near, &mut far)?;
                far.shutdown(Shutdown::Both)
            });
        }
        let (mut near, mut far) = passed(&listener)?;
        let arrived = io::copy(&mut (&mut near).take(bytes), &mut far)?;
        if arrived == bytes {
            tell.send(()).map_err(io::Error::other)?;
        }
        // Until the move is dead. The database learns of it then.
        io::copy(&mut near, &mut io::sink())?;
        far.shutdown(Shutdown::Both)
    });
    (port, told)
}

/// The next connection, and the one to the database whose answers it is given.
fn passed(listener: &TcpListener) -> io::Result<(TcpStream, TcpStream)> {
    let (near, _) = listener.accept()?;
    let far = TcpStream::connect((Ipv4Addr::LOCALHOST, SERVER.port))?;
    let (mut back, mut front) = (far.try_clone()?, near.try_clone()?);
    std::thread::spawn(move || io::copy(&mut back, &mut front));
    Ok((near, far))
}

/// A move that somebody watches on a terminal.
struct Watched {
    terminal: Child,
    process: String,
    shown: JoinHandle<String>,
}

impl Watched {
    fn start(from: &Setup, to: &str) -> Self {
        let mut terminal = Command::new("script")
            .args(["--quiet", "--return", "--command"])
            .args([
                r#"echo $$ && exec "$DOORWARD" move --from "$FROM" --to "$TO""#,
                "/dev/null",
            ])
            .env("DOORWARD", env!("CARGO_BIN_EXE_doorward"))
            .envs([("FROM", sqlite(from).as_str()), ("TO", to), ("SHELL", "/bin/sh")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(terminal.stdout.take().unwrap());
        let mut process = String::new();
        output.read_line(&mut process).unwrap();
        let shown = std::thread::spawn(move || {
            let mut text = String::new();
            output.read_to_string(&mut text).unwrap();
            text
        });
        Self {
            terminal,
            process: process.trim().to_owned(),
            shown,
        }
    }

    fn kill(&self) {
        // When it has ended by itself, what it has shown says why.
        drop(Command::new("kill").args(["-9", &self.process]).status());
    }

    /// How it ended, and what was shown.
    fn end(mut self) -> (Option<i32>, String) {
        let status = self.terminal.wait().unwrap();
        (status.code(), self.shown.join().unwrap())
    }
}

/// Nobody is connected to the database any more.
fn until_left(database: &Database) {
    let count = format!("SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'", database.0);
    let deadline = Instant::now() + PATIENCE;
    while SERVER.sql("postgres", &count) != "0" {
        assert!(Instant::now() < deadline, "the killed move is still connected");
    }
}

fn copied(database: &Database) -> usize {
    let count = SERVER.sql(&database.0, "SELECT count(*) FROM ended_sessions");
    count.parse().unwrap()
}

/// Kills moves to the database in the middle, one after the other.
fn cut(old: &Setup, database: &Database) {
    for (before, bytes) in CUTS.into_iter().enumerate() {
        let (port, arrived) = way(bytes);
        let place = format!("127.0.0.1:{port}/{}?sslmode=disable", database.0);
        let watched = Watched::start(old, &format!("postgres://doorward:{PASSWORD}@{place}"));
        let is_cut = arrived.recv_timeout(PATIENCE).is_ok();
        watched.kill();
        let (code, shown) = watched.end();
        assert!(is_cut, "it has more to say: {shown}");
        assert_eq!(code, Some(128 + 9), "{shown}");
        until_left(database);
        if before == 0 {
            continue;
        }
        let bars: Vec<&str> = shown
            .split('\r')
            .filter(|bar| bar.starts_with("copying   ended_sessions"))
            .collect();
        let last = bars.last().copied().unwrap_or_default();
        assert!(bars.len() > 2 && last.contains("#.") && last.contains(" % "), "{shown}");
        let copied = copied(database);
        // Half a page is no page: what was on its way is not there.
        assert!(copied > 0 && copied < HISTORY && copied.is_multiple_of(500), "{copied}");
        assert!(last.trim_end().ends_with(&format!(" {copied}")), "{copied}: {last}");
    }
}

#[test]
fn a_move_that_is_killed_goes_on_when_it_is_run_again() {
    let (database, other) = (Database::new(), Database::new());
    let server = Setup::new().start();
    let mut held = fill(&server);
    let old = server.killed();
    Connection::open(old.database())
        .unwrap()
        .execute_batch(&format!(
            "WITH RECURSIVE past (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM past WHERE n < {HISTORY} - 1) \
             INSERT INTO ended_sessions (session, expires_at) SELECT randomblob(16), 9000000000000 FROM past"
        ))
        .unwrap();
    cut(&old, &database);
    let found = copied(&database);

    // Where nobody watches there are lines, and no bar.
    let again = old.run(&["move", "--from", &sqlite(&old), "--to", &database.url()]);
    let lines = said(&again);
    assert!(again.status.success() && !lines.contains('\r'), "{lines}");
    let line = format!("\ncopying ended_sessions: {HISTORY} of {HISTORY} rows\n");
    assert!(lines.contains(&line), "{lines}");
    let table = String::from_utf8(again.stdout).unwrap();
    let words: Vec<&str> = table
        .lines()
        .find(|line| line.starts_with("ended_sessions "))
        .map(|line| line.split_whitespace().collect())
        .unwrap_or_default();
    assert_eq!(
        words.get(1..3),
        Some(&[HISTORY.to_string().as_str(), &(HISTORY - found).to_string()][..]),
        "{table}"
    );

    // One that nobody has cut ends with the same digests, and with full bars.
    let watched = Watched::start(&old, &other.url());
    let (code, shown) = watched.end();
    assert_eq!(code, Some(0), "{shown}");
    let full = format!(
        "\rcomparing ended_sessions [{}] 100 % {HISTORY:>11}\r\n",
        "#".repeat(30)
    );
    assert!(shown.contains(&full), "{shown}");
    let (_, whole) = shown.split_at(shown.find("TABLE ").unwrap());
    assert_eq!(tables(&table), tables(whole));

    goes_on(&database.setup().start(), &mut held, 5);
}
