//! Token Status Lists (draft-ietf-oauth-status-list-21), as a service reads them that trusts nothing but the draft.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use doorward_core::status_list::encoded;
use serde_json::{Value, json};

use crate::http::{Answer, Request};
use crate::server::{Server, Setup, wait_until};
use crate::transcript::ROOT;

mod inflate;

/// Where the lists have their addresses; nobody resolves it here.
const PUBLIC: &str = "https://login.example.com/door";

fn setup() -> Setup {
    // With the slash that people leave at the end.
    Setup::new()
        .setting("public_url", &format!("{PUBLIC}/"))
        .setting("status_list", "true")
}

fn claims(token: &str) -> Value {
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    serde_json::from_slice(&payload).unwrap()
}

fn register(server: &Server, email: &str) -> String {
    let body = json!({"fullname": {"firstname": "Ann"}, "email": email, "password": "ann-pass-1"});
    Request::post("/users/users/register", &body)
        .send(server.address)
        .member("token")
}

fn list(server: &Server, path: &str) -> Answer {
    Request::get(path).send(server.address)
}

/// The list that the token names and its place in it.
fn reference(token: &str) -> (String, usize) {
    let claims = claims(token);
    let reference = claims["status"]["status_list"].as_object().unwrap();
    assert_eq!(reference.len(), 2);
    let uri = reference["uri"].as_str().unwrap();
    let path = uri.strip_prefix(PUBLIC).unwrap();
    (
        path.to_owned(),
        usize::try_from(reference["idx"].as_u64().unwrap()).unwrap(),
    )
}

/// The bit of a token.
fn status(server: &Server, token: &str) -> u8 {
    let (path, index) = reference(token);
    let answer = list(server, &path);
    assert_eq!(answer.status, 200, "{answer}");
    let list = claims(&answer.text());
    assert_eq!(list["sub"], format!("{PUBLIC}{path}"));
    assert_eq!(list["status_list"]["bits"], 1);
    let bits = inflate::bytes(
        &URL_SAFE_NO_PAD
            .decode(list["status_list"]["lst"].as_str().unwrap())
            .unwrap(),
    );
    assert_eq!(bits.len(), 1 << 14);
    bits[index / 8] >> (index % 8) & 1
}

fn logout(server: &Server, token: &str) {
    let answer = Request::new("DELETE", "/auth-cookie/auth/logout")
        .bearer(token)
        .send(server.address);
    assert_eq!(answer.status, 200, "{answer}");
}

/// Section 4.1, and the first of the appendix "Test vectors for Status List encoding".
#[test]
fn the_vectors_of_the_draft_are_read_and_written() {
    let long = "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogEAAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAA\
                AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAAA7KpLAAAAAAAAAAAAAA\
                AAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAAACAZC8L2AEb";
    let vectors = [
        ("eNrbuRgAAhcBXQ", 16, vec![0, 3, 4, 5, 7, 8, 9, 13, 15]),
        (
            long,
            1 << 20,
            vec![
                0, 1993, 25460, 159_495, 495_669, 554_353, 645_645, 723_232, 854_545, 934_534, 1_000_345,
            ],
        ),
    ];
    for (lst, size, set) in vectors {
        let theirs = inflate::bytes(&URL_SAFE_NO_PAD.decode(lst).unwrap());
        assert_eq!(theirs.len(), size / 8);
        let bits: Vec<usize> = (0..size).filter(|at| theirs[at / 8] >> (at % 8) & 1 == 1).collect();
        assert_eq!(bits, set);
        let ours = encoded(set.into_iter(), size);
        assert!(inflate::bytes(&URL_SAFE_NO_PAD.decode(ours).unwrap()) == theirs);
    }
    // What compresses badly goes through other codes.
    let mixed: Vec<usize> = (0..1 << 17).filter(|at| (at * at + at / 7) % 5 < 2).collect();
    let bytes = inflate::bytes(&URL_SAFE_NO_PAD.decode(encoded(mixed.iter().copied(), 1 << 17)).unwrap());
    let bits: Vec<usize> = (0..1 << 17).filter(|at| bytes[at / 8] >> (at % 8) & 1 == 1).collect();
    assert!(bits == mixed);
}

#[test]
fn a_bit_is_set_after_the_logout_and_no_other() {
    let server = setup().start();
    let (ann, bob) = (
        register(&server, "ann@example.com"),
        register(&server, "bob@example.com"),
    );
    assert_ne!(reference(&ann), reference(&bob));
    assert_eq!((status(&server, &ann), status(&server, &bob)), (0, 0));
    logout(&server, &ann);
    // A list is remembered for a second.
    wait_until("the bit of ann is set", || status(&server, &ann) != 0);
    assert_eq!(status(&server, &bob), 0);
    // Not given to anybody else, and not forgotten, after a start without a stop.
    let server = server.kill_and_restart();
    assert_eq!((status(&server, &ann), status(&server, &bob)), (1, 0));
    let cid = register(&server, "cid@example.com");
    assert!(reference(&cid) != reference(&ann) && reference(&cid) != reference(&bob));
    server.setup().succeed(&["user", "disable", "bob@example.com"]);
    wait_until("the bit of bob is set", || status(&server, &bob) != 0);
    assert_eq!(status(&server, &cid), 0);
}

#[test]
fn a_list_is_what_the_draft_asks_for() {
    let server = setup().start();
    let (path, _) = reference(&register(&server, "ann@example.com"));
    assert_eq!(path, "/v1/status-lists/0");
    let answer = list(&server, &path);
    assert_eq!(answer.header("content-type"), Some("application/statuslist+jwt"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=5"));
    let text = answer.text();
    let header = URL_SAFE_NO_PAD.decode(text.split('.').next().unwrap()).unwrap();
    let header: Value = serde_json::from_slice(&header).unwrap();
    assert_eq!(
        (&header["typ"], &header["alg"]),
        (&json!("statuslist+jwt"), &json!("ES256"))
    );
    let keys = Request::get("/.well-known/jwks.json").send(server.address).json();
    assert_eq!(keys["keys"][0]["kid"], header["kid"]);
    let claims = claims(&text);
    assert_eq!((&claims["ttl"], &claims["iss"]), (&json!(5), &json!("doorward")));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 30);
    // A list is no access token.
    let profile = Request::get("/users/users/profile").bearer(&text).send(server.address);
    assert_eq!(profile.status, 401, "{profile}");
    for nobodys in [
        "1",
        "00",
        "+0",
        "-1",
        "x",
        "9223372036854775807",
        "99999999999999999999",
    ] {
        let answer = list(&server, &format!("/v1/status-lists/{nobodys}"));
        assert_eq!(answer.status, 404, "{nobodys}: {answer}");
    }
}

#[test]
fn a_session_keeps_its_place() {
    let shop = format!("{ROOT}/examples/contracts/bookshop.toml@/");
    let server = setup().arguments(["--contract", "v1", "--contract", &shop]).start();
    let body = json!({"email": "ann@example.com", "password": "correct horse battery staple"});
    Request::post("/v1/accounts", &body).send(server.address);
    let opened = Request::post("/v1/sessions", &body).send(server.address).json();
    let texts = |json: &Value| {
        let members = json.as_object().unwrap().values().filter_map(Value::as_str);
        members.map(str::to_owned).collect::<Vec<_>>()
    };
    let access = |json: &Value| {
        texts(json)
            .into_iter()
            .find(|text| text.split('.').count() == 3)
            .unwrap()
    };
    let refresh = opened["refresh_token"].as_str().unwrap();
    let again = Request::post("/v1/sessions/current/refresh", &json!({"refresh_token": refresh})).send(server.address);
    assert_eq!(again.status, 200, "{again}");
    assert_ne!(access(&again.json()), access(&opened));
    assert_eq!(reference(&access(&again.json())), reference(&access(&opened)));
    // The shop has a realm of its own, and a route that takes a token for a new one.
    let body = json!({"mail": "ann@example.com", "secret": "ann-pass-1", "secretAgain": "ann-pass-1"});
    Request::post("/api/signup", &body).send(server.address);
    let opened = Request::post("/api/signin", &body).send(server.address).json()["data"].clone();
    let renewed = Request::post("/api/token?do=renew", &json!({}))
        .header("Authorization", &format!("Shop {}", access(&opened)))
        .send(server.address);
    assert_eq!(renewed.status, 200, "{renewed}");
    assert_eq!(reference(&access(&renewed.json()["data"])), reference(&access(&opened)));
}

#[test]
fn tokens_are_as_they_were_unless_it_is_on() {
    let server = Setup::new().start();
    let token = register(&server, "ann@example.com");
    assert!(claims(&token).get("status").is_none(), "{}", claims(&token));
    assert_eq!(list(&server, "/v1/status-lists/0").status, 404);
    // Turned on and off again: the lists of tokens that name one are there, new tokens name none.
    let on = setup().start();
    let ann = register(&on, "ann@example.com");
    let off = on.killed().setting("status_list", "false").start();
    assert!(claims(&register(&off, "bob@example.com")).get("status").is_none());
    logout(&off, &ann);
    wait_until("the bit of ann is set", || status(&off, &ann) != 0);
}

#[test]
fn a_list_without_an_address_is_refused_at_start() {
    let setup = Setup::new().setting("status_list", "true");
    let output = setup.run(&["serve", "--listen", "127.0.0.1:0"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success());
    assert!(
        said.contains("no `public_url`") && said.contains("hint: set `public_url`"),
        "{said}"
    );
    for wrong in [
        "login.example.com",
        "ftp://login.example.com",
        "https://login.example.com/?a",
        "https://",
    ] {
        let setup = Setup::new().setting("public_url", wrong);
        let output = setup.run(&["config"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(
            said.contains("`public_url` cannot be") && said.contains("hint: "),
            "{wrong}: {said}"
        );
    }
}
