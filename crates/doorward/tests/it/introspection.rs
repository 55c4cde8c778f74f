//! Introspection and revocation where a transcript will not do: tokens that change meanwhile, and many at once.

use serde_json::{Value, json};

use crate::feed::log_out;
use crate::http::{Answer, Request, at_once};
use crate::server::{Server, Setup};
use crate::service::{Service, claims, position, sid};

const PEOPLE: usize = 12;

/// The tokens of a login.
struct Tokens {
    access: String,
    refresh: String,
}

impl Tokens {
    fn of(answer: &Answer) -> Self {
        Self {
            access: answer.member("access_token"),
            refresh: answer.member("refresh_token"),
        }
    }

    /// Those of somebody who has just registered.
    fn new(server: &Server, name: &str) -> Self {
        let body = json!({"email": format!("{name}@example.com"), "password": "ann-pass-phrase-1"});
        assert_eq!(Request::post("/v1/accounts", &body).send(server.address).status, 202);
        Self::of(&Request::post("/v1/sessions", &body).send(server.address))
    }

    fn refreshed(&self, server: &Server) -> Answer {
        let body = json!({"refresh_token": self.refresh});
        Request::post("/v1/sessions/current/refresh", &body).send(server.address)
    }
}

fn asked(service: &Service, path: &str, token: &str) -> Request {
    let form = format!("token={token}").into_bytes();
    service.asks(Request::new("POST", path).body("application/x-www-form-urlencoded", form))
}

pub(crate) fn introspect(server: &Server, service: &Service, token: &str) -> Value {
    let answer = asked(service, "/v1/introspect", token).send(server.address);
    assert_eq!(answer.status, 200, "{answer}");
    answer.json()
}

pub(crate) fn revoke(server: &Server, service: &Service, token: &str) -> Answer {
    asked(service, "/v1/revoke", token).send(server.address)
}

fn inactive() -> Value {
    json!({"active": false})
}

fn living(server: &Server, token: &str) -> bool {
    let answer = Request::get("/v1/account").bearer(token).send(server.address);
    answer.status == 200
}

#[test]
fn a_refresh_token_that_is_asked_about_is_not_used() {
    let server = Setup::new().start();
    let shop = Service::add(server.setup());
    let first = Tokens::new(&server, "ann");
    for _ in 0..3 {
        let active = introspect(&server, &shop, &first.refresh);
        assert_eq!(active["active"], json!(true), "{active}");
        assert_eq!(
            (&active["token_type"], &active["jti"]),
            (&Value::Null, &Value::Null),
            "{active}"
        );
        assert_eq!(
            (&active["sub"], &active["aud"]),
            (&claims(&first.access)["sub"], &json!("main"))
        );
    }
    let second = Tokens::of(&first.refreshed(&server));
    // Used again much later it would be a stolen one. Asking about it is not using it.
    assert_eq!(introspect(&server, &shop, &first.refresh), inactive());
    assert_eq!(introspect(&server, &shop, &second.refresh)["active"], json!(true));
    assert!(living(&server, &second.access));

    assert_eq!(
        revoke(&server, &shop, &first.refresh).status,
        200,
        "an old one ends its session"
    );
    for token in [&first.access, &first.refresh, &second.access, &second.refresh] {
        assert_eq!(introspect(&server, &shop, token), inactive());
    }
    assert!(!living(&server, &second.access));
    assert_eq!(second.refreshed(&server).status, 401);
}

#[test]
fn one_session_is_revoked_and_no_other() {
    let server = Setup::new().start();
    let shop = Service::add(server.setup());
    let (ann, bob) = (Tokens::new(&server, "ann"), Tokens::new(&server, "bob"));
    assert_eq!(revoke(&server, &shop, &ann.access).status, 200);
    assert!(!living(&server, &ann.access));
    assert_eq!(introspect(&server, &shop, &ann.refresh), inactive());
    // One character of it is another token.
    let (head, _) = bob.refresh.split_at(bob.refresh.len() - 4);
    for nobodys in ["x", "a.b.c", &format!("{head}AAAA"), &"x".repeat(9_000), &ann.access] {
        let answer = revoke(&server, &shop, nobodys);
        assert_eq!((answer.status, answer.text()), (200, String::new()), "{nobodys}");
        assert_eq!(introspect(&server, &shop, nobodys), inactive(), "{nobodys}");
    }
    assert!(living(&server, &bob.access));
    let mut events = shop.follow(server.address, None);
    assert_eq!(events.ended(1)[0].0, sid(&claims(&ann.access)), "services are told");
    let log = server.log();
    let told: Vec<&str> = log.lines().filter(|line| line.contains("token_revoked")).collect();
    assert_eq!(told.len(), 1, "{log}");
    assert!(
        told[0].contains(&shop.id) && told[0].contains(&sid(&claims(&ann.access))),
        "{told:?}"
    );
    assert!(!log.contains(&bob.refresh) && !log.contains(&bob.access) && !log.contains(&shop.secret));
}

/// Whoever asks after a revocation was answered is told of it, also when twelve revoke one token at once.
#[test]
fn nobody_is_told_active_after_a_revocation_was_answered() {
    let server = Setup::new().start();
    let shop = Service::add(server.setup());
    let tokens: Vec<Tokens> = (0..PEOPLE).map(|n| Tokens::new(&server, &format!("p{n}"))).collect();
    for (n, person) in tokens.iter().enumerate() {
        let answers = at_once(PEOPLE, |thread| {
            let token = if thread % 2 == 0 {
                &person.access
            } else {
                &person.refresh
            };
            let before = introspect(&server, &shop, &person.access);
            assert!(
                before == inactive() || before["sid"] == claims(&person.access)["sid"],
                "{before}"
            );
            assert_eq!(revoke(&server, &shop, token).status, 200);
            [&person.access, &person.refresh].map(|token| introspect(&server, &shop, token))
        });
        for answer in answers.into_iter().flatten() {
            assert_eq!(answer, inactive(), "person {n}");
        }
    }
    let mut events = shop.follow(server.address, None);
    let mut told: Vec<String> = events.ended(PEOPLE).into_iter().map(|(sid, _)| sid).collect();
    let last = position(&events.wait_for("fresh").id.unwrap());
    assert_eq!(usize::try_from(last), Ok(PEOPLE), "each session ended once");
    let mut sids: Vec<String> = tokens.iter().map(|tokens| sid(&claims(&tokens.access))).collect();
    told.sort();
    sids.sort();
    assert_eq!(told, sids);
}

#[test]
fn what_ended_otherwise_is_inactive() {
    let server = Setup::new().start();
    let shop = Service::add(server.setup());
    let ann = Tokens::new(&server, "ann");
    assert_eq!(introspect(&server, &shop, &ann.access)["active"], json!(true));
    log_out(&server, &ann.access);
    assert_eq!(introspect(&server, &shop, &ann.access), inactive());
    assert_eq!(introspect(&server, &shop, &ann.refresh), inactive());
    assert_eq!(revoke(&server, &shop, &ann.refresh).status, 200);
}
