//! The same program on PostgreSQL: what it answers does not depend on where it remembers, so every transcript is run
//! here, too.
//!
//! The surprise: the server is that of the store's own tests, and its source is there.

use doorward_core::{Timestamp, random};
use serde_json::json;

use crate::http::Request;
use crate::server::{Server, Setup, wait_until};
use crate::transcript;

mod moving;
mod rewound;
mod services;

#[path = "transcripts.rs"]
#[expect(clippy::duplicate_mod, reason = "one list, run on two engines")]
mod transcripts;

#[path = "../../../doorward-store/tests/it/postgres/server.rs"]
#[expect(dead_code, unreachable_pub, reason = "the tests of the store use all of it")]
pub(crate) mod server;

#[expect(clippy::disallowed_types, reason = "what many tests share has no other place")]
static SERVER: std::sync::LazyLock<server::Server> = std::sync::LazyLock::new(server::Server::start);

/// An empty database on the one server, which is removed when dropped.
pub(crate) struct Database(String);

impl Database {
    pub(crate) fn new() -> Self {
        let name = format!("test_{}", random::uuid(Timestamp(0)).unwrap().simple());
        SERVER.sql("postgres", &format!("CREATE DATABASE {name}"));
        Self(name)
    }

    pub(crate) fn url(&self) -> String {
        SERVER.url(&self.0).to_string()
    }

    /// A node on it, not yet started.
    pub(crate) fn setup(&self) -> Setup {
        Setup::new().setting("database", &self.url())
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        SERVER.drop_database(&self.0);
    }
}

fn run(name: &str) {
    let database = Database::new();
    let (setup, name_of_it) = (database.setup(), database.0.clone());
    let damage = move |statement: &str| {
        SERVER.sql(&name_of_it, statement);
        Ok(())
    };
    transcript::run(name, setup, Box::new(damage));
}

fn register(server: &Server, email: &str) -> String {
    let body = json!({"fullname": {"firstname": "Ann"}, "email": email, "password": "ann-pass-1"});
    Request::post("/users/users/register", &body)
        .send(server.address)
        .member("token")
}

fn profile(server: &Server, token: &str) -> u16 {
    Request::get("/users/users/profile")
        .bearer(token)
        .send(server.address)
        .status
}

fn logout(server: &Server, token: &str) -> String {
    let request = Request::new("DELETE", "/auth-cookie/auth/logout").bearer(token);
    request.send(server.address).text().clone()
}

#[test]
fn accounts_sessions_and_endings_outlive_the_process() {
    let database = Database::new();
    let server = database.setup().start();
    let (lives, ended) = (
        register(&server, "ann@example.com"),
        register(&server, "bob@example.com"),
    );
    assert_eq!(logout(&server, &ended), "User has been logged out.");
    let server = server.kill_and_restart();
    assert_eq!(profile(&server, &lives), 200);
    assert_eq!(profile(&server, &ended), 401);
}

/// What cannot be answered safely is refused, in the contract's words and with a time to try again.
#[test]
fn a_node_without_its_database_refuses_and_comes_back() {
    let server = server::Server::start();
    server.sql("postgres", "CREATE DATABASE main");
    let node = Setup::new()
        .setting("database", &server.url("main").to_string())
        .setting("public_url", "https://login.example.com")
        .start();
    let token = register(&node, "ann@example.com");
    server.control("stop");
    for (path, method) in [("/users/users/profile", "GET"), ("/users/users/logout", "GET")] {
        let answer = Request::new(method, path).bearer(&token).send(node.address);
        assert_eq!(answer.status, 503, "{answer}");
        assert_eq!(answer.json(), json!({"message": "the server cannot answer now"}));
        assert!(answer.header("retry-after").is_some(), "{answer}");
    }
    for path in ["/readyz", "/v1/verify", "/v1/status-lists/0"] {
        let answer = Request::get(path).bearer(&token).send(node.address);
        assert_eq!(answer.status, 503, "{answer}");
        assert_eq!(answer.header("retry-after").is_some(), path != "/readyz", "{answer}");
    }
    assert_eq!(Request::get("/healthz").send(node.address).status, 200);
    server.control("start");
    wait_until("the node comes back by itself", || profile(&node, &token) == 200);
}

#[test]
fn an_operator_works_on_it_and_sees_no_password() {
    let database = Database::new();
    let setup = database.setup();
    setup.succeed(&["user", "add", "--email", "ann@example.com"]);
    assert!(setup.succeed(&["user", "list"]).contains("ann@example.com"));
    let secret = SERVER.tcp_text("hunter2-wrong", &database.0);
    let setup = Setup::new().setting("database", &secret);
    assert!(!setup.succeed(&["config"]).contains("hunter2"));
    let refused = setup.run(&["user", "list"]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(
        said.contains("does not accept the password") && said.contains("hint: "),
        "{said}"
    );
    assert!(!said.contains("hunter2"), "{said}");
}
