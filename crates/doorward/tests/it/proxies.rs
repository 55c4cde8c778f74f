//! Forward authentication, through the real nginx and the real Caddy with the very files of `examples/proxies`.
//!
//! The surprise: what an application would be told is asserted where it arrives. The application of these tests
//! answers every request with the head that it got, so what a client is shown is what has passed the proxy.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};

use crate::http::{self, Answer, Request};
use crate::server::{Folder, Server, Setup};
use crate::transcript::ROOT;

mod application;
mod proxy;
mod verify;

use application::Application;
use proxy::{Kind, Proxy};

/// The sign-in page that the examples name.
const SIGN_IN: &str = "http://127.0.0.1:8000/sign-in";

/// What a client may write to seem to be somebody: other cases, underscores, and twice.
const FORGED: [(&str, &str); 9] = [
    ("X-Auth-Account", "forged-1"),
    ("X-Auth-Account", "forged-2"),
    ("x-auth-account", "forged-3"),
    ("X_AUTH_ACCOUNT", "forged-4"),
    ("x_auth-account", "forged-5"),
    ("X-Auth_Account", "forged-6"),
    ("X-AUTH-USERNAME", "forged-7"),
    ("X-Auth-Realm", "forged-8"),
    ("X-Auth-Session", "forged-9"),
];

/// A proxy between clients and an application, and doorward beside it.
struct Gate {
    doorward: Server,
    application: Application,
    proxy: Proxy,
    token: String,
    account: Value,
}

impl Gate {
    fn new(kind: Kind) -> Self {
        let doorward = Setup::new()
            .setting("trusted_proxies", "127.0.0.1")
            .setting("sign_in", SIGN_IN)
            .start();
        let body = json!({"email": "ann@example.com", "password": "correct horse battery staple"});
        let registered = Request::post("/v1/accounts", &body).send(doorward.address);
        assert_eq!(registered.status, 202, "{registered}");
        let token = Request::post("/auth-cookie/auth/login", &body)
            .send(doorward.address)
            .member("token");
        let account = Request::get("/v1/account").bearer(&token).send(doorward.address).json();
        let application = Application::start();
        let proxy = Proxy::start(kind, doorward.address, application.address);
        Self {
            doorward,
            application,
            proxy,
            token,
            account,
        }
    }

    fn send(&self, request: &Request) -> Answer {
        request.send(self.proxy.address)
    }

    /// Sends what must not reach the application.
    fn refused(&self, request: &Request) -> Answer {
        let before = self.application.requests();
        let answer = self.send(request);
        assert_eq!(self.application.requests(), before, "it came through: {answer}");
        answer
    }

    /// Sends what must reach the application, and answers the headers that it got.
    fn passed(&self, request: &Request) -> Vec<(String, String)> {
        let answer = self.send(request);
        assert_eq!(answer.status, 200, "{answer}");
        application::headers(&answer.text())
    }

    fn api(&self) -> Request {
        Request::get("/api/things").bearer(&self.token)
    }

    fn logout(&self) {
        let answer = Request::new("DELETE", "/auth-cookie/auth/logout")
            .bearer(&self.token)
            .send(self.doorward.address);
        assert_eq!(answer.status, 200, "{answer}");
    }
}

/// The values of every header that an application could take for the one named: case is nothing, `_` is `-`.
fn values<'h>(headers: &'h [(String, String)], name: &str) -> Vec<&'h str> {
    let plain = |text: &str| text.to_ascii_lowercase().replace('_', "-");
    let same = headers.iter().filter(|(is, _)| plain(is) == plain(name));
    same.map(|(_, value)| value.as_str())
        .filter(|value| !value.is_empty())
        .collect()
}

fn forged(request: Request) -> Request {
    FORGED
        .iter()
        .fold(request, |request, (name, value)| request.header(name, value))
}

fn who_has_a_token_is_told_to_the_application(kind: Kind) {
    let gate = Gate::new(kind);
    let refused = gate.refused(&Request::get("/api/things"));
    assert_eq!(refused.status, 401, "{refused}");
    assert_eq!(refused.header("www-authenticate"), Some("Bearer"));
    let bad = gate.refused(&Request::get("/api/things").bearer(&format!("{}x", gate.token)));
    assert_eq!(bad.status, 401, "{bad}");
    let cookie = format!("other=1; access_token={}", gate.token);
    let post = Request::post("/api/things", &json!({"a": "thing"}));
    for request in [
        gate.api(),
        Request::get("/page?a=b").bearer(&gate.token),
        Request::get("/api/things").header("Cookie", &cookie),
        post.bearer(&gate.token),
    ] {
        let headers = gate.passed(&request);
        assert_eq!(
            values(&headers, "x-auth-account"),
            [gate.account["id"].as_str().unwrap()]
        );
        assert_eq!(values(&headers, "x-auth-number"), ["1"]);
        assert_eq!(values(&headers, "x-auth-realm"), ["main"]);
        assert_eq!(values(&headers, "x-auth-email"), ["ann@example.com"]);
        assert_eq!(values(&headers, "x-auth-username"), [""; 0]);
        assert_eq!(values(&headers, "x-auth-session").len(), 1);
    }
    gate.logout();
    assert_eq!(gate.refused(&gate.api()).status, 401);
    let page = gate.refused(&Request::get("/api/things").header("Cookie", &cookie));
    assert_eq!(page.status, 401, "{page}");
}

fn what_a_client_forges_never_arrives(kind: Kind) {
    let gate = Gate::new(kind);
    let headers = gate.passed(&forged(gate.api()));
    assert_eq!(
        values(&headers, "x-auth-account"),
        [gate.account["id"].as_str().unwrap()]
    );
    assert_eq!(values(&headers, "x-auth-username"), [""; 0], "ann has none");
    assert_eq!(values(&headers, "x-auth-realm"), ["main"]);
    assert_eq!(values(&headers, "x-auth-session").len(), 1);
    // Where nothing is asked, nothing may be said either.
    let headers = gate.passed(&forged(Request::get("/sign-in")));
    for name in ["x-auth-account", "x-auth-username", "x-auth-realm", "x-auth-session"] {
        assert_eq!(values(&headers, name), [""; 0], "{name}");
    }
    let text = gate.send(&forged(gate.api())).text() + &gate.send(&forged(Request::get("/sign-in"))).text();
    assert!(!text.contains("forged"), "{text}");
    assert_eq!(gate.refused(&forged(Request::get("/api/things"))).status, 401);
    let page = gate.refused(&forged(Request::get("/")));
    assert_eq!(page.status, 302, "{page}");
    // Nor does what a client says of its own request.
    let lies = Request::post("/api/things", &json!({}))
        .header("Cookie", &format!("access_token={}", gate.token))
        .header("Origin", "https://evil.example")
        .header("X-Forwarded-Method", "GET");
    assert_eq!(
        gate.refused(&lies).status,
        401,
        "the cookie does not count on a POST from elsewhere"
    );
    let link = Request::get("/api/things")
        .header("Cookie", &format!("access_token={}", gate.token))
        .header("Sec-Fetch-Site", "cross-site");
    gate.passed(&link);
}

fn a_browser_is_sent_to_the_sign_in_page(kind: Kind) {
    let gate = Gate::new(kind);
    let page = gate.refused(&Request::get("/shop?a=b&c=%2F"));
    assert_eq!(page.status, 302, "{page}");
    let told = "http%3A%2F%2F127.0.0.1%2Fshop%3Fa%3Db%26c%3D%252F";
    assert_eq!(page.header("location"), Some(&*format!("{SIGN_IN}?return_to={told}")));
    assert_eq!(page.header("cache-control"), Some("no-store"));
    // A host that is nobody's is not one to send people back to; nor is a page that was posted to.
    let strange = b"GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n";
    let strange = http::exchange(gate.proxy.address, strange).unwrap();
    assert_eq!((strange.status, strange.header("location")), (302, Some(SIGN_IN)));
    let posted = gate.refused(&Request::post("/shop", &json!({})));
    assert_eq!((posted.status, posted.header("location")), (302, Some(SIGN_IN)));
    let lies = Request::get("/shop")
        .header("X-Forwarded-Host", "evil.example")
        .header("X-Forwarded-Uri", "/evil");
    let lies = gate.refused(&lies);
    assert!(!lies.header("location").unwrap_or("evil").contains("evil"), "{lies}");
}

fn without_doorward_nobody_passes(kind: Kind) {
    let gate = Gate::new(kind);
    gate.passed(&gate.api());
    let (api, page) = (gate.api(), Request::get("/").bearer(&gate.token));
    let Gate {
        doorward,
        application,
        proxy,
        ..
    } = gate;
    let before = application.requests();
    let _setup = doorward.killed();
    for request in [api, page] {
        let answer = request.send(proxy.address);
        assert!((500..=599).contains(&answer.status), "{answer}");
    }
    assert_eq!(application.requests(), before);
}

#[test]
fn nginx_tells_the_application() {
    who_has_a_token_is_told_to_the_application(Kind::Nginx);
}

#[test]
fn caddy_tells_the_application() {
    who_has_a_token_is_told_to_the_application(Kind::Caddy);
}

#[test]
fn nginx_lets_nothing_forged_through() {
    what_a_client_forges_never_arrives(Kind::Nginx);
}

#[test]
fn caddy_lets_nothing_forged_through() {
    what_a_client_forges_never_arrives(Kind::Caddy);
}

#[test]
fn nginx_sends_to_the_sign_in_page() {
    a_browser_is_sent_to_the_sign_in_page(Kind::Nginx);
}

#[test]
fn caddy_sends_to_the_sign_in_page() {
    a_browser_is_sent_to_the_sign_in_page(Kind::Caddy);
}

#[test]
fn nginx_fails_closed() {
    without_doorward_nobody_passes(Kind::Nginx);
}

#[test]
fn caddy_fails_closed() {
    without_doorward_nobody_passes(Kind::Caddy);
}

/// The file says how a site gets a name and a certificate. Done so, Caddy would get it one.
#[test]
fn caddy_gets_a_certificate_for_a_site_with_a_name() {
    let file = fs::read_to_string(format!("{ROOT}/examples/proxies/Caddyfile")).unwrap();
    let named = file.replace("http://:8000 {", "app.example.com {");
    let named = named.replace("\tbind 127.0.0.1\n", "");
    let folder = Folder::new();
    fs::write(folder.join("Caddyfile"), named).unwrap();
    let adapted = Command::new("caddy")
        .args(["adapt", "--config", "Caddyfile", "--adapter", "caddyfile"])
        .current_dir(folder.path())
        .output()
        .unwrap();
    let adapted: Value = serde_json::from_slice(&adapted.stdout).unwrap();
    let site = &adapted["apps"]["http"]["servers"]["srv0"];
    assert_eq!(site["listen"], json!([":443"]));
    assert_eq!(site["routes"][0]["match"], json!([{"host": ["app.example.com"]}]));
    assert_eq!(site["automatic_https"], Value::Null, "nothing is turned off");
}
