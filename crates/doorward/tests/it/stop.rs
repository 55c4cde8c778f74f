//! A stop cuts nobody off: requests in flight are answered, then the process ends as a success.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::http::{self, Line, Request};
use crate::server::{Server, Setup, wait_until};

/// How long somebody waits for bytes. Never reached when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// Sends the head of a registration and waits until the server has begun to read its body.
fn in_flight(server: &Server, body: &str) -> TcpStream {
    let mut connection = http::connect(server.address).unwrap();
    let head = format!(
        "POST /auth-cookie/auth/register HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes()).unwrap();
    let mut answer = [0; 25];
    connection.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"HTTP/1.1 100 Continue\r\n\r\n");
    connection
}

#[test]
fn a_request_in_flight_is_answered_and_its_write_is_kept() {
    let server = Setup::new().setting("body_timeout", "1m").start();
    let body = json!({"email": "ann@example.com", "password": "ann-pass-1"}).to_string();
    let mut connection = in_flight(&server, &body);
    server.ask_to_stop();
    // Its own word for it, because the port may be somebody else's by then.
    wait_until("it accepts nobody any more", || {
        server.log().contains("stopping; requests in flight are answered first")
    });
    connection.write_all(body.as_bytes()).unwrap();
    let answer = http::read_answer(&mut connection, false).unwrap();
    assert_eq!(answer.status, 201, "{answer}");
    let (success, setup) = server.wait();
    assert!(success);
    let server = setup.start();
    let body = json!({"email": "ann@example.com", "password": "ann-pass-1"});
    assert_eq!(
        Request::post("/auth-cookie/auth/login", &body)
            .send(server.address)
            .status,
        200
    );
}

#[test]
fn an_idle_connection_does_not_hold_up_a_stop() {
    let server = Setup::new().start();
    let mut idle = http::connect(server.address).unwrap();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    assert_eq!(http::read_answer(&mut idle, false).unwrap().status, 200);
    server.ask_to_stop();
    let (success, _) = server.wait();
    assert!(success);
    // The connection is closed and not reset.
    assert_eq!(idle.read_to_end(&mut Vec::new()).unwrap(), 0);
}

#[test]
fn who_takes_longer_than_the_limit_is_cut() {
    let server = Setup::new().setting("stop_timeout", "0s").start();
    let _stalled = in_flight(
        &server,
        "{\"email\": \"ann@example.com\", \"password\": \"ann-pass-1\"}",
    );
    server.ask_to_stop();
    let (success, setup) = server.wait();
    assert!(!success);
    let server = setup.start();
    let body = json!({"email": "ann@example.com", "password": "ann-pass-1"});
    let answer = Request::post("/auth-cookie/auth/register", &body).send(server.address);
    assert_eq!(
        answer.json(),
        json!({"id": 1, "email": "ann@example.com"}),
        "nothing of it was written"
    );
}

#[test]
fn a_second_signal_right_after_the_first_one_waits_for_nobody() {
    let server = Setup::new()
        .setting("body_timeout", "1m")
        .setting("stop_timeout", "1h")
        .start();
    let _stalled = in_flight(&server, "{}");
    // A connection from before, because the port may be somebody else's once the server has closed it.
    let mut line = Line::open(server.address, PATIENCE).unwrap();
    server.signal("INT");
    wait_until("it closes a connection that its client would keep", || {
        let answer = line.ask(&Request::get("/healthz"));
        answer.map_or(true, |answer| answer.header("connection") == Some("close"))
    });
    server.signal("INT");
    let (success, _) = server.wait();
    assert!(!success, "a request was in flight");
}

#[test]
fn requests_follow_each_other_on_one_connection() {
    let server = Setup::new().start();
    let mut connection = http::connect(server.address).unwrap();
    for _ in 0..3 {
        // A refusal that did not read the body must not take it for the next request.
        let request = "POST /users/nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 34\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n";
        connection.write_all(request.as_bytes()).unwrap();
        assert_eq!(http::read_answer(&mut connection, false).unwrap().status, 404);
    }
    connection
        .write_all(b"GET /v1/account HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        .unwrap();
    assert_eq!(http::read_answer(&mut connection, false).unwrap().status, 401);
    assert_eq!(connection.read_to_end(&mut Vec::new()).unwrap(), 0);
}

/// A terminal that is closed says so; a server that was started with `nohup` is not to hear of it.
#[test]
fn a_terminal_that_goes_away_is_a_stop_unless_it_was_to_be_ignored() {
    let server = Setup::new().start();
    server.signal("HUP");
    let (success, _) = server.wait();
    assert!(success);
    let server = Setup::new().after("trap '' HUP").start();
    server.signal("HUP");
    assert_eq!(Request::get("/healthz").send(server.address).status, 200);
    server.ask_to_stop();
    wait_until("it stops", || server.log().contains("stopping; requests in flight"));
    let (success, _) = server.wait();
    assert!(success);
}
