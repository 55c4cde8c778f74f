//! What the commands beside a server do when they cannot do all: with arguments that are wrong, and in a realm that is not
//! there.

use std::process::Output;

use crate::server::Setup;

/// What a command says that ended like this.
fn complaint(output: &Output, code: i32) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{error}");
    error
}

#[test]
fn what_is_wrong_is_found_before_there_is_a_database() {
    let setup = Setup::new();
    for arguments in [
        &["--email", "ann"][..],
        &["--username", ""],
        &["--username", "ann", "--password-file", "nowhere"],
        &["--username", "ann", "--password-file", "/dev/null"],
    ] {
        let output = setup.run(&[&["user", "add"], arguments].concat());
        let error = complaint(&output, 2);
        assert!(error.starts_with("error: ") && error.contains("\nhint: "), "{error}");
        assert!(!setup.database().exists(), "{arguments:?}");
    }
}

#[test]
fn an_account_goes_into_a_realm_that_there_is_or_that_is_asked_for() {
    let setup = Setup::new();
    let add = |name: &str, more: &[&str]| setup.run(&[&["user", "add", "--username", name], more].concat());
    // The first realm of a database has nothing to be mistaken for.
    complaint(&add("ann", &["--realm", "shop"]), 0);
    let error = complaint(&add("bob", &["--realm", "shpo"]), 1);
    assert!(error.contains("there is no realm `shpo`"), "{error}");
    assert!(
        error.contains("hint: `--new-realm` makes it; did you mean `shop`?"),
        "{error}"
    );
    complaint(&setup.run(&["user", "list", "--realm", "shpo"]), 1);
    complaint(&add("bob", &["--realm", "shop"]), 0);
    complaint(&add("bob", &["--realm", "shpo", "--new-realm"]), 0);
    complaint(&add("bob", &[]), 0);
    assert!(setup.succeed(&["user", "list", "--realm", "shpo"]).contains("bob"));
}
