//! What the server shows of itself: OpenAPI documents, the page about them, health, metrics.
//!
//! The surprise: the page is loaded by a real browser, as whoever opens it does.

use std::collections::BTreeSet;
use std::process::Command;

use doorward_http::contract::{self, builtin};
use serde_json::{Value, json};

use crate::http::Request;
use crate::server::{Server, Setup};
use crate::transcript::ROOT;

/// What a browser of this kind is called, on one system or another.
const BROWSERS: [&str; 4] = [
    "chromium",
    "chromium-headless-shell",
    "chromium-browser",
    "google-chrome",
];

/// The OpenAPI document under a prefix.
fn document(server: &Server, prefix: &str) -> Value {
    let answer = Request::get(&format!("{prefix}/openapi.json")).send(server.address);
    assert_eq!(answer.status, 200, "{answer}");
    answer.json()
}

/// Every operation of a document, with its method and path.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut operations = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            operations.push((method.to_uppercase(), path.clone(), operation.clone()));
        }
    }
    operations
}

#[test]
fn every_route_of_every_contract_is_in_its_document() {
    let server = Setup::new().start();
    for (name, text) in builtin::ALL {
        let contract = contract::parse(name, text).unwrap();
        let document = document(&server, &format!("/{name}"));
        assert_eq!(document["openapi"], "3.1.0");
        let operations = operations(&document);
        for place in contract.routes.iter().flat_map(|route| &route.places) {
            let path = format!("/{name}{}", place.path);
            let operation = operations
                .iter()
                .find(|(method, at, _)| place.method == method.as_str() && *at == path);
            assert!(operation.is_some(), "{} {path}", place.method);
        }
    }
}

/// Holds a document against what OpenAPI asks for.
fn check(document: &Value, prefix: &str) {
    for member in ["title", "version"] {
        assert!(document["info"][member].is_string(), "{prefix}: info.{member}");
    }
    let schemes = document["components"]["securitySchemes"].as_object().unwrap();
    let mut ids = BTreeSet::new();
    for (method, path, operation) in operations(document) {
        let place = format!("{method} {path}");
        let id = operation["operationId"].as_str().unwrap().to_owned();
        assert!(ids.insert(id.clone()), "{place}: the operationId {id} comes twice");
        let responses = operation["responses"].as_object().unwrap();
        assert!(!responses.is_empty(), "{place}");
        for (status, response) in responses {
            assert!(status.len() == 3 && status.parse::<u16>().is_ok(), "{place}: {status}");
            assert!(
                response["description"].is_string(),
                "{place} {status}: every response has a description"
            );
        }
        let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
        for variable in path.split('/').filter_map(|segment| segment.strip_prefix('{')) {
            let name = variable.trim_end_matches('}');
            let declared = parameters.iter().filter(|parameter| {
                parameter["name"] == name && parameter["in"] == "path" && parameter["required"] == true
            });
            assert_eq!(declared.count(), 1, "{place}: {name}");
        }
        for alternative in operation["security"].as_array().into_iter().flatten() {
            let known = alternative
                .as_object()
                .unwrap()
                .keys()
                .all(|name| schemes.contains_key(name));
            assert!(known, "{place}: {alternative}");
        }
    }
}

#[test]
fn a_document_is_what_openapi_asks_for() {
    let server = Setup::new().start();
    for (name, _) in builtin::ALL {
        let prefix = format!("/{name}");
        check(&document(&server, &prefix), &prefix);
    }
    check(&document(&server, ""), "/");
    // One with a path that has a variable which no field reads.
    let corners = format!("{ROOT}/crates/doorward/tests/it/contracts/corners.toml");
    let server = Setup::new().arguments(["--contract", &corners]).start();
    check(&document(&server, "/c"), "/c");
}

#[test]
fn a_document_has_the_answers_of_switches_that_are_on() {
    let responses = |setup: Setup| {
        let logout = &document(&setup.start(), "/auth-cookie")["paths"]["/auth-cookie/auth/logout"]["delete"];
        let responses = logout["responses"].as_object().unwrap();
        responses.keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(responses(Setup::new()), ["200"]);
    let switched = Setup::new().setting("switches", "auth-cookie.logout_needs_token");
    assert_eq!(responses(switched), ["200", "401"]);
}

#[test]
fn a_document_says_which_values_null_takes_away() {
    let types = |document: &Value, path: &str, method: &str| {
        let content = &document["paths"][path][method]["requestBody"]["content"]["application/json"];
        let properties = content["schema"]["properties"].as_object().unwrap();
        let type_of = |(name, schema): (&String, &Value)| (name.clone(), schema["type"].clone());
        Value::Object(properties.iter().map(type_of).collect())
    };
    let server = Setup::new().start();
    let expected = json!({
        "email": "string", "username": "string", "current_password": "string",
        "first_name": ["string", "null"], "last_name": ["string", "null"],
    });
    assert_eq!(types(&document(&server, "/v1"), "/v1/account", "patch"), expected);
    let corners = format!("{ROOT}/crates/doorward/tests/it/contracts/corners.toml");
    let server = Setup::new().arguments(["--contract", &corners]).start();
    let expected = json!({"anything": null, "nick": ["string", "null"]});
    assert_eq!(types(&document(&server, "/c"), "/c/me", "patch"), expected);
}

#[test]
fn the_document_of_the_root_shows_what_is_served_there() {
    let server = Setup::new().start();
    let document = document(&server, "");
    let owner = |path: &str, method: &str| document["paths"][path][method]["tags"][0].clone();
    assert_eq!(owner("/login", "post"), "username", "an alias has yielded");
    assert_eq!(owner("/register", "post"), "auth-cookie");
    assert_eq!(owner("/logout", "post"), "username");
    assert_eq!(owner("/logout", "delete"), "auth-cookie");
    assert_eq!(owner("/users/login", "post"), "users");
}

/// The page as a browser has it after it has loaded.
fn loaded(url: &str, profile: &std::path::Path) -> String {
    for browser in BROWSERS {
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--dump-dom",
        ];
        let mut command = Command::new(browser);
        command
            .args(arguments)
            .arg(format!("--user-data-dir={}", profile.display()))
            .arg(url);
        if let Ok(output) = command.output() {
            assert!(
                output.status.success(),
                "{browser}: {}",
                String::from_utf8_lossy(&output.stderr)
            );
            return String::from_utf8(output.stdout).unwrap();
        }
    }
    panic!("error: no browser of {BROWSERS:?}\nhint: run ./test, which installs one");
}

#[test]
fn a_browser_shows_every_route_and_fetches_nothing_from_elsewhere() {
    let server = Setup::new().start();
    let page = Request::get("/docs").send(server.address);
    assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'"), "{policy}");
    assert!(!policy.contains("http") && !policy.contains('*'), "{policy}");
    let html = page.text();
    for fetching in ["<script", "<img", "<link", "<iframe", "@import", "url(", "src="] {
        assert!(!html.contains(fetching), "the page fetches nothing: {fetching}");
    }
    let dom = loaded(
        &format!("http://{}/docs", server.address),
        &server.setup().folder().join("browser"),
    );
    assert!(dom.contains("</html>"), "{dom}");
    for (name, _) in builtin::ALL {
        for (method, path, _) in operations(&document(&server, &format!("/{name}"))) {
            assert!(
                dom.contains(&path) && dom.contains(&format!(">{method}<")),
                "{method} {path}"
            );
        }
    }
}

#[test]
fn health_readiness_and_metrics() {
    let server = Setup::new().start();
    assert_eq!(Request::get("/healthz").send(server.address).status, 200);
    assert_eq!(Request::get("/readyz").send(server.address).status, 200);
    let body = serde_json::json!({"username": "canary-ann", "password": "canary-pass-1"});
    assert_eq!(
        Request::post("/username/user/register", &body)
            .send(server.address)
            .status,
        201
    );
    assert_eq!(Request::get("/users/canary-path").send(server.address).status, 404);
    let metrics = Request::get("/metrics").send(server.address).text();
    let counted = r#"doorward_requests_total{contract="username",action="register",status="201"} 1"#;
    assert!(metrics.lines().any(|line| line == counted), "{metrics}");
    assert!(metrics.ends_with("# EOF\n"), "{metrics}");
    assert!(
        !metrics.contains("canary"),
        "nothing that a caller sends is a label: {metrics}"
    );
}

#[test]
fn whoever_fetches_the_keys_is_counted() {
    let server = Setup::new().start();
    let keys = Request::get("/.well-known/jwks.json").send(server.address);
    assert_eq!(keys.header("cache-control"), Some("private, max-age=300"), "{keys}");
    let id = keys.header("x-request-id").unwrap_or_else(|| panic!("{keys}"));
    let log = server.log();
    let line = log.lines().find(|line| line.contains(&format!("id=\"{id}\"")));
    assert!(
        line.is_some_and(|line| line.contains("action=\"jwks\" outcome=\"ok\"")),
        "{log}"
    );
    let counted = r#"doorward_requests_total{contract="none",action="jwks",status="200"}"#;
    assert_eq!(server.counted(counted), 1);
}

/// The page has every metric of the manual and the manual every metric of the page.
#[test]
fn metrics_are_those_of_the_manual() {
    let server = Setup::new().start();
    Request::get("/users/nothing").send(server.address);
    let metrics = Request::get("/metrics").send(server.address).text();
    let mut served: Vec<(&str, &str)> = metrics
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE doorward_")?.split_once(' '))
        .collect();
    let manual = include_str!("../../../../docs/metrics.md");
    // What comes after it is what to do with them.
    let table = manual.split("\n## ").next().unwrap();
    let mut told: Vec<(&str, &str)> = table
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `doorward_")?.split(" | ");
            let name = cells.next()?.trim_end_matches('`');
            Some((name.trim_end_matches("_total"), cells.next()?))
        })
        .collect();
    served.sort_unstable();
    told.sort_unstable();
    assert_eq!(served, told);
    for reason in ["wait", "share", "gave_way", "late", "memory"] {
        let line = format!("doorward_hashes_refused_total{{reason=\"{reason}\"}} 0");
        assert!(
            metrics.contains(&line) && manual.contains(&format!("| `{reason}` |")),
            "{metrics}"
        );
    }
}

#[test]
fn metrics_can_be_turned_off() {
    let server = Setup::new().setting("metrics", "false").start();
    assert_eq!(Request::get("/metrics").send(server.address).status, 404);
}

#[test]
fn what_is_refused_on_the_servers_own_paths_is_told_like_everything_else() {
    let server = Setup::new().setting("public_url", "https://login.example.com").start();
    for (method, path, status, allowed) in [
        ("POST", "/healthz", 405, Some("GET,HEAD")),
        ("DELETE", "/docs", 405, Some("GET,HEAD")),
        ("PUT", "/users/openapi.json", 405, Some("GET,HEAD")),
        ("GET", "/v1/introspect", 405, Some("POST")),
        ("POST", "/v1/ended-sessions", 405, Some("GET,HEAD")),
        ("POST", "/v1/verify", 405, Some("GET,HEAD")),
        ("GET", "/v1/status-lists/%ff", 404, None),
    ] {
        let answer = Request::new(method, path).send(server.address);
        let what = format!("{method} {path}: {answer}");
        assert_eq!(answer.status, status, "{what}");
        assert_eq!(answer.header("allow"), allowed, "{what}");
        assert!(answer.json()["error"].is_string(), "{what}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{what}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{what}");
        let id = answer.header("x-request-id").unwrap_or_else(|| panic!("{what}"));
        assert!(server.log().contains(&format!("id=\"{id}\" method={method}")), "{what}");
    }
}
