//! Bodies that nobody reads: whoever sends one gets the answer all the same. The surprise: no client here reads before it
//! has written everything, since many real ones do not either.

use serde_json::{Value, json};

use crate::http::{self, Request};
use crate::server::{Server, Setup};

/// Most are more than a connection and both systems keep for somebody who does not read.
const SIZES: [usize; 5] = [1_100_000, 3_000_000, 5_000_000, 20_000_000, 50_000_000];

/// How often each is sent: whether an answer gets through is a race.
const TIMES: usize = 3;

/// Sends large bodies, on connections that the client would keep and on others, and compares the answers.
fn expect(server: &Server, (method, path): (&str, &str), status: u16, words: &Value) {
    for size in SIZES {
        let what = format!("{method} {path} with {size} bytes");
        let request = Request::new(method, path).body("application/json", vec![b' '; size]);
        for bytes in [request.kept(), request.bytes()] {
            for _ in 0..TIMES {
                let answer = http::write_first(server.address, &bytes).unwrap_or_else(|e| panic!("{what}: {e}"));
                assert_eq!(answer.status, status, "{what}: {answer}");
                assert_eq!(answer.json(), *words, "{what}");
                assert_eq!(answer.header("connection"), Some("close"), "{what}");
            }
        }
    }
}

#[test]
fn whoever_sends_too_large_a_body_is_told_so() {
    let server = Setup::new().start();
    let words = json!({
        "statusCode": 413, "code": "FST_ERR_CTP_BODY_TOO_LARGE", "error": "Payload Too Large",
        "message": "Request body is too large",
    });
    expect(&server, ("POST", "/auth-cookie/auth/login"), 413, &words);
}

#[test]
fn whoever_sends_a_large_body_where_none_is_read_is_answered_as_without() {
    let server = Setup::new().start();
    for (method, path) in [
        ("POST", "/users/nowhere"),
        ("PUT", "/users/users/login"),
        ("GET", "/users/users/profile"),
        ("POST", "/healthz"),
    ] {
        let without = Request::new(method, path).send(server.address);
        assert!(without.status >= 400, "{without}");
        expect(&server, (method, path), without.status, &without.json());
    }
}
