//! A database that goes back in time under running nodes: a backup that is put in its place.
//!
//! The surprise: the dangerous moment is when it has counted on and come to the same number again, as it is when a node
//! looks late. So that node is stopped until then.

use std::process::Command;

use serde_json::json;

use super::server;
use crate::feed::register;
use crate::http::Request;
use crate::server::{Server, Setup, wait_until};
use crate::service::{Service, claims, sid};

/// Runs a shell command in the folder of the server.
fn in_folder(of: &server::Server, command: &str) {
    let done = Command::new("sh")
        .args(["-c", command])
        .current_dir(&of.folder)
        .status();
    assert!(done.unwrap().success(), "{command}");
}

/// A node on the database `main`.
fn setup(postgres: &server::Server) -> Setup {
    Setup::new()
        .setting("database", &postgres.url("main").to_string())
        .setting("throttle", "false")
}

fn check(node: &Server, token: &str) -> u16 {
    Request::get("/v1/account").bearer(token).send(node.address).status
}

/// Ends the session of a token, on a node whose connections may be those of a server that is gone; its `sid`.
fn log_out(node: &Server, token: &str) -> String {
    let request = Request::new("DELETE", "/v1/sessions/current").bearer(token);
    loop {
        let answer = request.send(node.address);
        match answer.status {
            204 => return sid(&claims(token)),
            503 => {}
            _ => panic!("{answer}"),
        }
    }
}

#[test]
fn a_node_finds_out_that_the_database_went_back_in_time() {
    let postgres = server::Server::start();
    postgres.sql("postgres", "CREATE DATABASE main");
    let start = || setup(&postgres).start();
    let node = start();
    let shop = Service::add(node.setup());
    let tokens: Vec<String> = (0..6)
        .map(|n| register(&node, &format!("ann{n}@example.com")))
        .collect();
    let mut events = shop.follow(node.address, None);
    let first = log_out(&node, &tokens[0]);
    assert_eq!(events.ended(1)[0].0, first);
    postgres.control("stop");
    in_folder(&postgres, "cp -a data backup");
    postgres.control("start");
    // These two will never have happened.
    let lost = [log_out(&node, &tokens[1]), log_out(&node, &tokens[2])];
    assert_eq!(events.ended(2), [(lost[0].clone(), 2), (lost[1].clone(), 3)]);
    let place = events.last.clone();

    node.signal("STOP");
    postgres.control("stop");
    in_folder(&postgres, "rm -r data && mv backup data");
    postgres.control("start");
    let other = start();
    let again = [log_out(&other, &tokens[3]), log_out(&other, &tokens[4])];
    let mut follower = shop.follow(other.address, None);
    assert_eq!(
        follower.ended(3),
        [(first.clone(), 1), (again[0].clone(), 2), (again[1].clone(), 3)],
        "the numbers are the same"
    );
    node.signal("CONT");
    wait_until("it speaks for the database again", || {
        shop.page(node.address, "").status == 200
    });
    for _ in 0..2 {
        let answers = [0, 1, 2, 3, 4, 5].map(|n| check(&node, &tokens[n]));
        assert_eq!(
            answers,
            [401, 401, 401, 401, 401, 200],
            "by what it knew and what it has read"
        );
    }
    events.wait_for("reset");
    let told: Vec<String> = events.ended(3).into_iter().map(|(sid, _)| sid).collect();
    assert_eq!(told, [&first, &again[0], &again[1]].map(String::clone));
    events.wait_for("fresh");
    // Elsewhere, and where it was read from: the place is not one of this past.
    for on in [&other, &node] {
        let mut late = shop.follow(on.address, place.as_deref());
        assert_eq!(late.next().map(|event| event.name).as_deref(), Some("hello"));
        assert_eq!(late.next().map(|event| event.name).as_deref(), Some("reset"));
        let page = shop
            .page(on.address, &format!("?after={}", place.as_deref().unwrap()))
            .json();
        assert_eq!((&page["reset"], sid(&page["ended"][0])), (&json!(true), first.clone()));
    }
    // And it goes on from there.
    log_out(&other, &tokens[5]);
    assert_eq!(events.ended(1), [(sid(&claims(&tokens[5])), 4)]);
}

/// Opens an account and a session, on a node whose connections may be those of a server that is gone; the place of the
/// session in the status lists.
fn place_of_new(node: &Server, email: &str) -> u64 {
    let body = json!({"email": email, "password": "ann-pass-phrase-1"});
    let send = |path| {
        loop {
            let answer = Request::post(path, &body).send(node.address);
            match answer.status {
                201 | 202 => return answer,
                503 => {}
                _ => panic!("{answer}"),
            }
        }
    };
    send("/v1/accounts");
    let token = send("/v1/sessions").member("access_token");
    claims(&token)["status"]["status_list"]["idx"].as_u64().unwrap()
}

/// Who has reserved places that the database does not know of any more shares them with whoever reserves next.
#[test]
fn no_place_in_a_status_list_is_given_out_again_after_the_database_went_back_in_time() {
    let postgres = server::Server::start();
    postgres.sql("postgres", "CREATE DATABASE main");
    let start = || {
        setup(&postgres)
            .setting("public_url", "https://login.example.com")
            .setting("status_list", "true")
            .start()
    };
    let node = start();
    let shop = Service::add(node.setup());
    postgres.control("stop");
    in_folder(&postgres, "cp -a data backup");
    postgres.control("start");
    let body = json!({"email": "ann@example.com", "password": "ann-pass-phrase-1"});
    assert_eq!(place_of_new(&node, "ann@example.com"), 0);
    let token = Request::post("/v1/sessions", &body).send(node.address);
    log_out(&node, &token.member("access_token"));

    postgres.control("stop");
    in_folder(&postgres, "rm -r data && mv backup data");
    postgres.control("start");
    let other = start();
    assert_eq!(place_of_new(&other, "bob@example.com"), 0);
    let mut events = shop.follow(node.address, None);
    events.wait_for("fresh");
    wait_until("it has found out and speaks for the database again", || {
        shop.page(node.address, "").status == 200
    });
    let place = place_of_new(&node, "cat@example.com");
    assert!(place >= 1024, "{place} is of the block that the other one has");
}
