//! More than the machine can do: every contract says so in its own words, with the time to come back, and whoever
//! was let in is served.

use std::collections::VecDeque;
use std::io::Write;
use std::time::Duration;

use doorward_http::contract::builtin;
use serde_json::{Value, json};

use crate::http::{Answer, Line, Request, at_once, connect, exchange};
use crate::server::{Server, Setup, wait_until};

/// How often somebody comes back who was turned away. Once does, but on a machine that others keep busy.
const MAX_TRIES: usize = 10_000;

/// Where each contract registers.
const REGISTER: [(&str, &str); 6] = [
    ("auth-cookie", "/auth-cookie/auth/register"),
    ("auth", "/auth/auth/register"),
    ("username", "/username/user/register"),
    ("users", "/users/users/register"),
    ("users-strict", "/users-strict/users/register"),
    ("v1", "/v1/accounts"),
];

fn register(server: &Server, path: &str, name: &str) -> Answer {
    let body = json!({
        "email": format!("{name}@example.com"), "username": name, "password": "some-pass-phrase-1",
        "fullname": {"firstname": "Ann", "lastname": "Lee"},
    });
    Request::post(path, &body).send(server.address)
}

/// The answer of a contract that cannot serve somebody now.
fn expected(contract: &str, problem: &str, reason: &str) -> Value {
    match contract {
        "auth-cookie" | "auth" => {
            json!({"statusCode": 503, "error": "Service Unavailable", "message": "Service Unavailable"})
        }
        "v1" => json!({
            "type": format!("urn:doorward:problem:{problem}"), "title": "Service Unavailable", "status": 503,
            "detail": reason,
        }),
        _ => json!({"message": reason}),
    }
}

/// Checks an answer of 503, but for the seconds that `v1` repeats in its body.
fn assert_unavailable(contract: &str, answer: &Answer, problem: &str, reason: &str) {
    let seconds: u64 = answer
        .header("retry-after")
        .and_then(|text| text.parse().ok())
        .unwrap_or_default();
    assert!(seconds > 0, "{contract}: {answer}");
    let mut body = answer.json();
    if let Some(repeated) = body.as_object_mut().and_then(|body| body.shift_remove("retry_after")) {
        assert_eq!(repeated, json!(seconds), "{contract}");
    }
    assert_eq!(body, expected(contract, problem, reason), "{contract}");
}

#[test]
fn whoever_would_wait_too_long_is_answered_busy_and_nobody_else_suffers() {
    assert_eq!(REGISTER.map(|(name, _)| name), builtin::ALL.map(|(name, _)| name));
    // One thread, nobody shall wait for it, and hashes take long enough for many to come meanwhile.
    let server = Setup::new()
        .setting("hash_threads", "1")
        .setting("hash_wait", "0s")
        .setting("hash_memory_kib", "16384")
        .setting("hash_passes", "2")
        .start();
    for (contract, path) in REGISTER {
        let answers = at_once(8, |number| register(&server, path, &format!("{contract}-{number}")));
        let busy: Vec<&Answer> = answers.iter().filter(|answer| answer.status == 503).collect();
        let made = answers
            .iter()
            .filter(|answer| [201, 202].contains(&answer.status))
            .count();
        assert!(!busy.is_empty(), "{contract}: {answers:?}");
        assert_eq!(made + busy.len(), answers.len(), "{contract}: {answers:?}");
        for answer in busy {
            assert_unavailable(contract, answer, "busy", "the server is busy");
        }
        assert_eq!(Request::get("/healthz").send(server.address).status, 200);
    }
    // Whoever was turned away comes back and is let in, as soon as the thread has noted that it is done.
    let mut tries = (0..MAX_TRIES).map(|_| register(&server, REGISTER[0].1, "later"));
    let again = tries.find(|answer| answer.status != 503).expect("a place");
    assert_eq!(again.status, 201, "{again}");
}

/// On Linux each thread has a scheduling policy of its own (proc(5), field 41 of `stat`; 0 is that of everybody, 5 is
/// `SCHED_IDLE`).
#[cfg(target_os = "linux")]
#[test]
fn threads_that_hash_yield_to_those_that_answer() {
    let server = Setup::new().setting("hash_threads", "1").start();
    // The thread has set its policy before its first hash.
    assert_eq!(register(&server, REGISTER[0].1, "first").status, 201);
    let threads = std::fs::read_dir(format!("/proc/{}/task", server.process_id())).unwrap();
    let mut policies: Vec<(bool, u32)> = threads
        .map(|thread| {
            let stat = std::fs::read_to_string(thread.unwrap().path().join("stat")).unwrap();
            let (name, fields) = stat.rsplit_once(')').unwrap();
            let policy = fields.split_whitespace().nth(38).unwrap();
            (name.contains("(hash-"), policy.parse().unwrap())
        })
        .collect();
    policies.sort_unstable();
    let (answering, hashing) = policies.split_at(policies.len() - 1);
    assert_eq!(hashing, [(true, 5)]);
    assert!(
        answering.len() > 1 && answering.iter().all(|of| *of == (false, 0)),
        "{policies:?}"
    );
}

#[test]
fn a_database_that_somebody_holds_is_answered_unavailable_and_serves_again_after_it() {
    let server = Setup::new().start();
    let token = register(&server, "/users/users/register", "first").member("token");
    let holder = rusqlite::Connection::open(server.setup().database()).unwrap();
    holder.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answers = at_once(REGISTER.len(), |number| {
        let (contract, path) = REGISTER[number];
        (contract, register(&server, path, contract))
    });
    for (contract, answer) in &answers {
        assert_eq!(answer.status, 503, "{contract}: {answer}");
        assert_unavailable(contract, answer, "unavailable", "the server cannot answer now");
    }
    // Who only reads is served all the time.
    assert_eq!(
        Request::get("/users/users/profile")
            .bearer(&token)
            .send(server.address)
            .status,
        200
    );
    holder.execute_batch("ROLLBACK").unwrap();
    for (contract, path) in REGISTER {
        // `auth` and its sisters share the realm, so each has a name of its own.
        let answer = register(&server, path, contract);
        assert!(
            [201, 202].contains(&answer.status),
            "{contract}: nothing was written before: {answer}"
        );
    }
}

#[test]
fn the_log_says_once_that_every_place_for_a_connection_is_taken() {
    const PLACES: usize = 20;
    let server = Setup::new().setting("max_connections", &PLACES.to_string()).start();
    let told = |line: &str| server.log().matches(line).count();
    let (none, again) = (
        "every place for a connection is taken",
        "there are places for connections again",
    );
    let open = || {
        let mut line = Line::open(server.address, Duration::from_secs(60)).unwrap();
        assert_eq!(line.ask(&Request::get("/healthz")).unwrap().status, 200);
        line
    };
    let mut lines: VecDeque<Line> = (1..PLACES).map(|_| open()).collect();
    assert_eq!(server.counted("doorward_connections_max"), PLACES as u64);
    // With the one that asks.
    let wait_for = |count: usize| {
        wait_until(&format!("{count} connections are open"), || {
            server.counted("doorward_connections") == count as u64
        });
    };
    wait_for(PLACES);
    lines.push_back(open());
    wait_until(none, || told(none) > 0);
    // Whoever goes makes room for the next one, and nobody is told each time.
    for _ in 0..PLACES {
        lines.pop_front();
        lines.push_back(open());
    }
    assert_eq!((told(none), told(again)), (1, 0));
    drop(lines);
    wait_until(again, || told(again) > 0);
    wait_for(1);
    assert_eq!((told(none), told(again)), (1, 1));
}

/// The sockets that the server has open.
#[cfg(target_os = "linux")]
fn sockets(server: &Server) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", server.process_id())).unwrap();
    let link = |entry: std::io::Result<std::fs::DirEntry>| std::fs::read_link(entry.unwrap().path()).ok();
    open.filter_map(link)
        .filter(|link| link.to_string_lossy().starts_with("socket:"))
        .count()
}

/// Clients that give up and try again must not keep the pool busy for nobody, nor open sessions that nobody has.
#[cfg(target_os = "linux")]
#[test]
fn a_login_whose_client_hung_up_in_the_line_costs_no_hash_and_opens_no_session() {
    // A hash takes long enough for others to come and go.
    let server = Setup::new()
        .setting("hash_threads", "1")
        .setting("hash_wait", "10m")
        .setting("hash_memory_kib", "262144")
        .setting("hash_passes", "4")
        .start();
    let calm = sockets(&server);
    assert_eq!(register(&server, "/v1/accounts", "ann").status, 202);
    let login = Request::post(
        "/v1/sessions",
        &json!({"email": "ann@example.com", "password": "some-pass-phrase-1"}),
    );
    let waited = || server.counted("doorward_hash_wait_seconds_count");
    let before = waited();
    let answer = std::thread::scope(|scope| {
        let first = scope.spawn(|| login.send(server.address));
        wait_until("the first login is being hashed", || waited() > before);
        let impatient: Vec<_> = (0..5)
            .map(|_| {
                let mut connection = connect(server.address).unwrap();
                connection.write_all(&login.bytes()).unwrap();
                connection
            })
            .collect();
        let wait_meanwhile = |what: &str, is_so: &dyn Fn() -> bool| {
            wait_until(what, || {
                assert!(!first.is_finished(), "the first hash took no time");
                is_so()
            });
        };
        wait_meanwhile("all stand in the line", &|| server.counted("doorward_hash_queue") >= 5);
        drop(impatient);
        wait_meanwhile("their sockets are closed", &|| sockets(&server) <= calm + 1);
        first.join().unwrap()
    });
    assert_eq!(answer.status, 201, "{answer}");
    let token = login.send(server.address).member("access_token");
    assert_eq!(
        server.counted("doorward_hashes_total"),
        3,
        "one to register and two to log in"
    );
    let sessions = Request::get("/v1/sessions").bearer(&token).send(server.address).json();
    assert_eq!(sessions["sessions"].as_array().map(Vec::len), Some(2), "{sessions}");
}

/// What the system says of the memory of the server, in KiB (proc(5), `status`).
#[cfg(target_os = "linux")]
fn memory_kib(server: &Server, name: &str) -> usize {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.process_id())).unwrap();
    let value = status
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    value.unwrap().trim_end_matches("kB").trim().parse().unwrap()
}

/// What nobody reads of a body is gone before its password waits (`RssAnon`: memory that is no file's).
#[cfg(target_os = "linux")]
#[test]
fn what_came_with_a_password_does_not_wait_with_it() {
    const WAITING: usize = 64;
    // One thread, and hashes that take long, so that the line is there when it is looked at.
    let server = Setup::new()
        .setting("hash_threads", "1")
        .setting("hash_wait", "10m")
        .setting("hash_memory_kib", "4096")
        .setting("hash_passes", "64")
        .start();
    let came = || server.counted("doorward_hash_queue") + server.counted("doorward_hashes_total");
    // A few bytes of text each, hundreds in memory: a megabyte for each login.
    let unread = vec![json!({"a": 1}); 2000];
    let mut connections = Vec::new();
    let mut at_first = 0;
    for number in 0..WAITING as u64 {
        let body =
            json!({"email": format!("{number}@example.com"), "password": "some-pass-phrase-1", "unread": unread});
        let mut connection = connect(server.address).unwrap();
        connection
            .write_all(&Request::post("/auth-cookie/auth/login", &body).bytes())
            .unwrap();
        connections.push(connection);
        // One after the other: the body of those before has been read. Two may be in no line, but in their thread.
        wait_until("those before have been read", || came() + 2 >= number);
        if number == 4 {
            at_first = memory_kib(&server, "RssAnon");
        }
    }
    let taken = memory_kib(&server, "RssAnon").saturating_sub(at_first);
    assert!(
        taken < WAITING * 1024 / 2,
        "{WAITING} logins that wait take {taken} KiB"
    );
}

/// A body may take as much memory as it has bytes, however small the pieces are in which it comes (`VmHWM`: the most that
/// the server ever took).
#[cfg(target_os = "linux")]
#[test]
fn a_body_in_small_pieces_takes_no_more_memory_than_one_in_a_piece() {
    const BYTES: usize = 300_000;
    let server = Setup::new().setting("body_timeout", "10m").start();
    let body = format!("{{\"email\": \"{}\"}}", "a".repeat(BYTES));
    let whole = Request::new("POST", "/auth/auth/login").body("application/json", body.clone().into_bytes());
    let expected = whole.send(server.address);
    let mut pieces = b"POST /auth/auth/login HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n\
        Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        .to_vec();
    for byte in body.bytes() {
        pieces.extend_from_slice(&[b'1', b'\r', b'\n', byte, b'\r', b'\n']);
    }
    pieces.extend_from_slice(b"0\r\n\r\n");

    let before = memory_kib(&server, "VmHWM");
    let answer = exchange(server.address, &pieces).unwrap();
    let taken = memory_kib(&server, "VmHWM") - before;
    assert_eq!((answer.status, answer.text()), (expected.status, expected.text()));
    assert!(taken < 4 * 1024, "a body of {BYTES} pieces of a byte takes {taken} KiB");
}

/// Bodies that do not end take all the room that there is for them: the next one is refused unread, and its connection
/// ends with that.
#[test]
fn a_body_for_which_there_is_no_room_is_refused_with_its_connection() {
    const LIMIT: usize = 1024 * 1024;
    let server = Setup::new().setting("body_timeout", "10m").start();
    let mut held = Vec::new();
    for (contract, path) in REGISTER {
        let whole = Request::new("POST", path).body("text/plain", vec![b'x'; LIMIT]).kept();
        let refused = loop {
            let answer = exchange(server.address, &whole).unwrap();
            if answer.status == 503 {
                break answer;
            }
            assert!(held.len() < MAX_TRIES, "{contract}: {answer}");
            let mut connection = connect(server.address).unwrap();
            // One for which there is no room is cut while writing.
            drop(connection.write_all(&whole[..whole.len() - 1]));
            held.push(connection);
        };
        assert_unavailable(contract, &refused, "busy", "the server is busy");
        assert_eq!(refused.header("connection"), Some("close"), "{contract}");
    }
}
