//! Every kind of hostile input at every route of every built-in contract: always JSON in the contract's own manner,
//! never a 5xx, nothing half-written. The exact words are in the transcripts `hostile-*.http`.

use doorward_http::contract::{self, Contract, builtin};
use serde_json::{Value, json};

use crate::http::{self, Request};
use crate::server::{Server, Setup};

/// The address that every hostile body would register.
const EMAIL: &str = "hostile@example.com";

/// Bodies that are not what they should be, each with its media type.
fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let json = "application/json";
    let form = "application/x-www-form-urlencoded";
    let good = good().to_string();
    let open = good.strip_suffix('}').unwrap_or_default();
    let mut bodies = vec![
        (json, Vec::new()),
        (json, b"\xff\xfe\x00".to_vec()),
        (json, good.replace("hostile", "h\u{0}").into_bytes()),
        (json, [good.as_bytes(), b"\xc3"].concat()),
        (json, b"[".repeat(200_000)),
        (json, b"{\"a\":".repeat(50_000)),
        (json, format!("{open}, \"email\": \"{EMAIL}\"}}").into_bytes()),
        (json, format!("{good}{good}").into_bytes()),
        (json, open.as_bytes().to_vec()),
        (json, format!("{open}, \"x\": 1e999999}}").into_bytes()),
        (json, format!("{open}, \"x\": {}}}", "9".repeat(5000)).into_bytes()),
        (form, b"%".to_vec()),
        (form, b"%ff=%ff".to_vec()),
        (form, b"a[b[c=1&a=2&[]=3&=4&&&".to_vec()),
        (form, b"email[]=x&email[__proto__]=y&password[toString]=z".to_vec()),
        (form, "a=1&".repeat(10_000).into_bytes()),
        ("text/plain", good.clone().into_bytes()),
        ("multipart/form-data; boundary=b", b"--b\r\n\r\n--b--".to_vec()),
        ("nonsense", good.clone().into_bytes()),
        ("", good.into_bytes()),
    ];
    for value in [
        json!(null),
        json!(true),
        json!(0),
        json!(-1.5e300),
        json!([]),
        json!({}),
        json!(""),
        json!("\u{0}"),
        json!("\u{202e}\u{feff}"),
        json!("x".repeat(1_000_000)),
        json!({"$gt": ""}),
        json!(["a", {"b": []}]),
        json!("' OR 1=1 --"),
        json!("{account.email} {token} {{"),
    ] {
        for member in [
            "email",
            "username",
            "password",
            "fullname",
            "refresh_token",
            "current_password",
        ] {
            let mut body = self::good();
            body[member] = value.clone();
            bodies.push((json, body.to_string().into_bytes()));
        }
    }
    bodies
}

/// A body that registers with every contract.
fn good() -> Value {
    json!({
        "email": EMAIL, "username": "hostile", "password": "hostile-pass-phrase-1",
        "fullname": {"firstname": "Hostile", "lastname": "Person"},
        "current_password": "hostile-pass-phrase-1", "new_password": "hostile-pass-phrase-2", "refresh_token": "x",
    })
}

fn server() -> Server {
    Setup::new().setting("throttle", "false").start()
}

/// Whether an answer is in the contract's own manner: JSON, or the plain text that a route of it answers with.
fn is_own(contract: &Contract, answer: &http::Answer) -> bool {
    let media_type = answer.header("content-type").unwrap_or_default();
    let has_text = contract.source.contains("text = ");
    match media_type {
        "" => answer.body.is_empty() && answer.status == 204,
        "application/json; charset=utf-8" | "application/problem+json" => answer.json().is_object(),
        "text/plain; charset=utf-8" => has_text,
        _ => false,
    }
}

fn attack(name: &str) {
    let text = builtin::find(name).unwrap();
    let contract = contract::parse(name, text).unwrap();
    let server = server();
    for place in contract.routes.iter().flat_map(|route| &route.places) {
        let path = format!("/{name}{}", place.path.replace("{id}", "%00%ff"));
        for (media_type, body) in bodies() {
            let what = format!(
                "{} {path} {media_type} {:.80}",
                place.method,
                String::from_utf8_lossy(&body)
            );
            let request = Request::new(place.method.as_str(), &path)
                .body(media_type, body)
                .bearer("x.y.z");
            let answer = http::exchange(server.address, &request.bytes()).unwrap_or_else(|e| panic!("{what}: {e}"));
            assert!(answer.status < 500, "{what}: {answer}");
            assert!(is_own(&contract, &answer), "{what}: {:?} {answer}", answer.headers);
        }
    }
    // Nothing of it is half there: the address either has an account that can log in, or is free.
    let good = good();
    for path in ["/auth-cookie/auth/register", "/username/user/register"] {
        let answer = Request::post(path, &good).send(server.address);
        assert!([201, 409].contains(&answer.status), "{answer}");
    }
    let check: String = rusqlite::Connection::open(server.setup().database())
        .and_then(|database| database.query_row("PRAGMA integrity_check", [], |row| row.get(0)))
        .unwrap();
    assert_eq!(check, "ok");
    assert!(!server.log().contains("hostile-pass-phrase"), "no password in the log");
}

#[test]
fn auth_cookie() {
    attack("auth-cookie");
}

#[test]
fn auth() {
    attack("auth");
}

#[test]
fn username() {
    attack("username");
}

#[test]
fn users() {
    attack("users");
}

#[test]
fn users_strict() {
    attack("users-strict");
}

#[test]
fn v1() {
    attack("v1");
}

#[test]
fn every_contract_is_attacked() {
    let source = include_str!("hostile.rs");
    for (name, _) in builtin::ALL {
        assert!(source.contains(&format!("attack(\"{name}\")")), "{name}");
    }
}

#[test]
fn requests_that_are_hardly_http_stop_nobody() {
    let server = server();
    for bytes in [
        &b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..],
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /users/users/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"POST /users/users/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"POST /users/users/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\nabc",
        &[b"GET / HTTP/1.1\r\nX: ".as_slice(), &b"a".repeat(100_000), b"\r\n\r\n"].concat(),
        &[b"GET / HTTP/1.1\r\n".as_slice(), &b"A: b\r\n".repeat(500), b"\r\n"].concat(),
        &[b"GET /".as_slice(), &b"a".repeat(100_000), b" HTTP/1.1\r\n\r\n"].concat(),
    ] {
        // It may be refused, answered or cut, as long as it is no fault of ours.
        if let Ok(answer) = http::last_words(server.address, bytes) {
            assert!(answer.status < 500, "{answer}: {:.60}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(Request::get("/healthz").send(server.address).status, 200);
    }
}

/// RFC 9112 section 3.2: which of two a proxy has believed, nobody knows.
#[test]
fn a_request_has_one_host() {
    let server = server();
    let ask = |version: &str, headers: &str| {
        let bytes = format!("GET /healthz HTTP/{version}\r\n{headers}\r\n");
        http::exchange(server.address, bytes.as_bytes()).unwrap()
    };
    let mut malformed = ask("1.1", "Host: x\r\nContent-Length: -1\r\n");
    malformed.headers.retain(|(name, _)| name != "date");
    assert_eq!(malformed.status, 400, "{malformed}");
    for (version, headers) in [
        ("1.1", ""),
        ("1.1", "Accept: */*\r\n"),
        ("1.1", "Host: x\r\nHost: y\r\n"),
        ("1.1", "Host: x\r\nhost: x\r\n"),
        ("1.0", "Host: x\r\nHost: y\r\n"),
    ] {
        let mut answer = ask(version, headers);
        assert_eq!(answer.status, 400, "{version} {headers}: {answer}");
        answer.headers.retain(|(name, _)| name != "date");
        assert_eq!(answer.headers, malformed.headers, "{version} {headers}");
        assert_eq!(answer.body, malformed.body, "{version} {headers}");
    }
    for (version, headers) in [
        ("1.1", "Host: x\r\n"),
        ("1.1", "Host:\r\n"),
        ("1.0", ""),
        ("1.0", "Host: x\r\n"),
    ] {
        let answer = ask(version, headers);
        assert_eq!(answer.status, 200, "{version} {headers}: {answer}");
    }
}
