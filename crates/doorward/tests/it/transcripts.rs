//! One test for each transcript, so that they run side by side and name themselves. Every engine has this file as a
//! module, beside a `run` of its own.
//!
//! The surprise: they stand here by hand, and the last test compares them with the folder.

use std::fs;

use super::run;
use crate::transcript;

#[test]
fn auth_cookie_input() {
    run("auth-cookie-input");
}

#[test]
fn auth_cookie_switch() {
    run("auth-cookie-switch");
}

#[test]
fn auth_cookie() {
    run("auth-cookie");
}

#[test]
fn auth() {
    run("auth");
}

#[test]
fn bookshop() {
    run("bookshop");
}

#[test]
fn conduit() {
    run("conduit");
}

#[test]
fn corners() {
    run("corners");
}

#[test]
fn cookies_always_secure() {
    run("cookies-always-secure");
}

#[test]
fn cookies_never_secure() {
    run("cookies-never-secure");
}

#[test]
fn cookies() {
    run("cookies");
}

#[test]
fn cors() {
    run("cors");
}

#[test]
fn crowded() {
    run("crowded");
}

#[test]
fn hide_accounts() {
    run("hide-accounts");
}

#[test]
fn hostile_auth_cookie() {
    run("hostile-auth-cookie");
}

#[test]
fn hostile_auth() {
    run("hostile-auth");
}

#[test]
fn hostile_username() {
    run("hostile-username");
}

#[test]
fn hostile_users_strict() {
    run("hostile-users-strict");
}

#[test]
fn hostile_users() {
    run("hostile-users");
}

#[test]
fn hostile_v1() {
    run("hostile-v1");
}

#[test]
fn internal() {
    run("internal");
}

#[test]
fn introspection() {
    run("introspection");
}

#[test]
fn realm() {
    run("realm");
}

#[test]
fn root() {
    run("root");
}

#[test]
fn stalled() {
    run("stalled");
}

#[test]
fn throttled() {
    run("throttled");
}

#[test]
fn throttled_registrations() {
    run("throttled-registrations");
}

#[test]
fn tokens() {
    run("tokens");
}

#[test]
fn username() {
    run("username");
}

#[test]
fn users_input() {
    run("users-input");
}

#[test]
fn users_strict() {
    run("users-strict");
}

#[test]
fn users() {
    run("users");
}

#[test]
fn v1_accounts() {
    run("v1-accounts");
}

#[test]
fn v1_problems() {
    run("v1-problems");
}

#[test]
fn v1_sessions() {
    run("v1-sessions");
}

#[test]
fn every_transcript_has_a_test() {
    let source = include_str!("transcripts.rs");
    let files = fs::read_dir(transcript::folder())
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let missing: Vec<_> = files
        .filter(|path| {
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            !source.contains(&format!("run(\"{name}\")"))
        })
        .collect();
    assert!(missing.is_empty(), "add a test to transcripts.rs for {missing:?}");
}
