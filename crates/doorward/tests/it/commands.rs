//! What the commands beside a server do when they cannot do all: with arguments that are wrong, in a realm that is not
//! there, and when nobody hears what they print.

use std::process::Output;

use crate::server::Setup;

/// Runs a command whose output nobody reads any more.
fn run_unheard(setup: &Setup, arguments: &[&str]) -> Output {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    setup.command().args(arguments).stdout(writer).output().unwrap()
}

/// What a command says that ended like this.
fn complaint(output: &Output, code: i32) -> String {
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{error}");
    error
}

#[test]
fn a_secret_that_nobody_was_shown_is_no_success() {
    let setup = Setup::new();
    let error = complaint(&run_unheard(&setup, &["user", "add", "--username", "ann"]), 1);
    assert!(
        error.contains("account 1 (ann) is made, and its password was not shown"),
        "{error}"
    );
    let hint = "\nhint: `doorward user reset-password --realm main number:1` makes another one";
    assert!(error.contains(hint), "{error}");
    let error = complaint(&run_unheard(&setup, &["user", "reset-password", "number:1"]), 1);
    assert!(
        error.contains("its password was not shown") && error.contains(hint),
        "{error}"
    );
    let error = complaint(&run_unheard(&setup, &["client", "add", "shop"]), 1);
    assert!(error.contains("is made, and its secret was not shown"), "{error}");
    let list = setup.succeed(&["client", "list"]);
    let id = list.lines().last().and_then(|line| line.split(' ').next()).unwrap();
    assert!(
        error.contains(&format!("hint: `doorward client remove {id}`")),
        "{error}"
    );
    let error = complaint(&run_unheard(&setup, &["key", "rotate"]), 1);
    assert!(error.contains("signs in 2 seconds, and this was not shown"), "{error}");
    // Who has seen enough of a list has seen enough.
    for list in [["user", "list"], ["client", "list"], ["key", "list"]] {
        assert_eq!(complaint(&run_unheard(&setup, &list), 0), "");
    }
}

#[test]
fn what_is_wrong_is_found_before_there_is_a_database() {
    let setup = Setup::new();
    let long = "r".repeat(129);
    for arguments in [
        &["--email", "ann"][..],
        &["--username", "ann", "--realm", ""],
        &["--username", "ann", "--realm", "a\nb", "--new-realm"],
        &["--username", "ann", "--realm", &long, "--new-realm"],
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

#[test]
fn names_that_somebody_typed_do_nothing_to_a_terminal() {
    let setup = Setup::new();
    setup.succeed(&["user", "add", "--username", "ann"]);
    let name = "m\u{1b}[31mx";
    for arguments in [
        &["user", "list", "--realm", name][..],
        &["user", "add", "--username", "bob", "--realm", name],
        &["user", "end-sessions", "--all", "--realm", name],
        &["user", "add", "--username", "bob", "--password-file", name],
        &["config", "--config", name],
        &["contract", "show", name],
        &["contract", "check", name],
        &["move", "--from-file", name, "--to", "sqlite:x.db"],
        &["config", "--contract", &format!("./{name}.toml")],
    ] {
        let output = setup.run(arguments);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && said.contains("m\\u{1b}[31mx"), "{said}");
        assert!(!said.contains('\u{1b}'), "{said:?}");
    }
}

#[test]
fn the_path_of_a_database_that_leads_nowhere_is_told_as_such() {
    let setup = Setup::new();
    std::os::unix::fs::symlink("/nowhere/kept.db", setup.database()).unwrap();
    for arguments in [&["serve", "--listen", "127.0.0.1:0"][..], &["user", "list"]] {
        let error = complaint(&setup.run(arguments), 1);
        let words = "is a link to /nowhere/kept.db, where there is no file";
        assert!(error.contains(words) && error.contains("\nhint: "), "{error}");
    }
}
