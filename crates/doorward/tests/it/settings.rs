//! Settings as the program reads them: from every layer, and never one that means nothing.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::server::Setup;
use crate::start::refusal;
use crate::transcript::ROOT;

#[test]
fn settings_are_layered_and_each_says_where_it_comes_from() {
    let setup = Setup::new().setting("log_level", "warn");
    fs::write(
        setup.folder().join("doorward.toml"),
        "issuer = \"from-file\"\nlog_level = \"error\"\n",
    )
    .unwrap();
    let shown = setup.succeed(&["config"]);
    let line = |name: &str| {
        shown
            .lines()
            .find(|line| line.starts_with(name))
            .unwrap_or_default()
            .to_owned()
    };
    assert!(
        line("issuer").contains("from-file") && line("issuer").contains("doorward.toml"),
        "{shown}"
    );
    assert!(
        line("log_level").contains("warn") && line("log_level").contains("DOORWARD_LOG_LEVEL"),
        "{shown}"
    );
    assert!(line("listen").contains("default"), "{shown}");
}

#[test]
fn settings_that_mean_nothing_are_refused() {
    for (name, value, hint) in [
        ("hash_memori_kib", "8", "HASH_MEMORY_KIB"),
        ("hash_passes", "many", ""),
        ("jwt_secret", "too short", ""),
        ("switches", "users.nothing", ""),
        ("origins", "*", ""),
        ("body_timeout", "10", ""),
        ("log_level", "warn,audti=info", "did you mean `audit`?"),
    ] {
        let setup = Setup::new().setting(name, value);
        let error = refusal(&setup.run(&["serve", "--listen", "127.0.0.1:0"]));
        assert!(error.contains(hint), "{error}");
        assert!(!error.contains("too short\n"), "a secret is not repeated: {error}");
    }
    let setup = Setup::new();
    fs::write(setup.folder().join("doorward.toml"), "isuer = \"x\"\n").unwrap();
    let error = refusal(&setup.run(&["config"]));
    assert!(error.contains("issuer"), "{error}");
}

#[test]
fn an_item_of_a_list_that_means_nothing_is_refused_in_its_place() {
    for (line, hint) in [
        (
            "origins = ['loopback', '*']",
            "in place of `*` write a scheme and a host",
        ),
        (
            "trusted_proxies = ['10.0.0.0/33']",
            "in place of `10.0.0.0/33` write an address",
        ),
        (
            "trusted_proxies = ['10.0.0.1/8']",
            "in place of `10.0.0.1/8` write the network `10.0.0.0/8`, or the address `10.0.0.1` alone",
        ),
        (
            "trusted_proxies = ['2001:db8::7/64']",
            "in place of `2001:db8::7/64` write the network `2001:db8::/64`, or the address `2001:db8::7` alone",
        ),
        (
            "sign_in = ['/sign-in']",
            "in place of `/sign-in` write scheme, host and path",
        ),
    ] {
        let setup = Setup::new();
        fs::write(
            setup.folder().join("doorward.toml"),
            format!("metrics = true\n{line}\n"),
        )
        .unwrap();
        let (name, column) = (
            line.split(' ').next().unwrap_or_default(),
            line.find('[').unwrap_or(0) + 1,
        );
        for command in [&["config"][..], &["serve", "--listen", "127.0.0.1:0"]] {
            let error = refusal(&setup.run(command));
            assert!(
                error.contains(&format!("doorward.toml:2:{column}: `{name}` cannot be")),
                "{error}"
            );
            assert!(error.contains(&format!("hint: {hint}")), "{error}");
        }
        assert!(!setup.database().exists());
    }
}

#[cfg(unix)]
#[test]
fn a_configuration_file_that_cannot_be_read_is_not_taken_for_none() {
    let setup = Setup::new();
    std::os::unix::fs::symlink("elsewhere.toml", setup.folder().join("doorward.toml")).unwrap();
    for arguments in [
        &["config"][..],
        &["serve", "--listen", "127.0.0.1:0"],
        &["user", "add", "--username", "ann"],
    ] {
        let error = refusal(&setup.run(arguments));
        assert!(
            error.contains("configuration file doorward.toml cannot be read"),
            "{error}"
        );
    }
    assert!(!setup.database().exists());
}

#[test]
fn a_server_with_cheap_hashes_says_so_once() {
    let words = "less than OWASP advises";
    // What tests start is cheap unless they say otherwise.
    let cheap = Setup::new().start();
    assert_eq!(cheap.log().matches(words).count(), 1, "{}", cheap.log());
    let good = Setup::new()
        .setting("hash_memory_kib", "19456")
        .setting("hash_passes", "2")
        .start();
    assert!(!good.log().contains(words), "{}", good.log());
}

#[test]
fn a_secret_that_is_a_placeholder_is_refused() {
    for (secret, why) in [
        ("changemechangemechangemechangeme", "8 different bytes"),
        ("changeme-changeme-0123456789-012", "`changeme`"),
        ("Your-Secret-Key-Goes-Here-0123456", "`your-secret`"),
        ("abcabcabcabcabcabcabcabcabcabcabc", "8 different bytes"),
    ] {
        let setup = Setup::new().setting("jwt_secret", secret);
        let error = refusal(&setup.run(&["config"]));
        assert!(
            error.contains(why) && error.contains("openssl rand -base64 32"),
            "{error}"
        );
        assert!(!error.contains(secret), "a secret is not repeated: {error}");
    }
}

#[test]
fn files_with_secrets_that_others_may_read_are_told() {
    let words = "others on this machine may read this file";
    let setup = Setup::new();
    let secret = setup.folder().join("jwt");
    fs::write(&secret, "kJ8xQ2vN5mR7tB1wZ4cF6hL9pS3dG0yA").unwrap();
    fs::set_permissions(&secret, Permissions::from_mode(0o644)).unwrap();
    let setup = setup.setting("jwt_secret_file", secret.to_str().unwrap());
    let server = setup.start();
    let log = server.log();
    assert_eq!(
        log.matches(words).count(),
        1,
        "the database is made for its owner alone: {log}"
    );
    assert!(log.contains(&format!("chmod 600 {}", secret.display())), "{log}");
    fs::set_permissions(&secret, Permissions::from_mode(0o600)).unwrap();
    let setup = server.killed();
    let database = setup.database();
    fs::set_permissions(&database, Permissions::from_mode(0o640)).unwrap();
    // The log goes on where the server before left it.
    let log = setup.start().log();
    assert_eq!(log.matches(words).count(), 2, "{log}");
    assert!(log.contains(&format!("chmod 600 {}", database.display())), "{log}");
}

/// Whoever upgrades looks at the settings with the new program, and starts it if they are good.
#[test]
fn what_a_server_refuses_before_its_database_is_refused_by_config_as_well() {
    for (settings, words) in [
        (&[("contracts", "userz")][..], "no built-in contract `userz`"),
        (&[("contracts", "./nowhere.toml")], "./nowhere.toml cannot be read"),
        (&[("contracts", "users@/, users-strict@/")], "POST /users/register"),
        (&[("switches", "users.nothing")], "users.nothing"),
        (&[("password_short", "20")], "`password_short` (20)"),
        (&[("password_blocklist", "nowhere.txt")], "nowhere.txt"),
        (&[("status_list", "true")], "`public_url`"),
        (&[("hash_lanes", "16")], "argon2id memory"),
    ] {
        let set = |setup: Setup, (name, value): &(&str, &str)| setup.setting(name, value);
        let setup = settings.iter().fold(Setup::new(), set);
        let served = refusal(&setup.run(&["serve", "--listen", "127.0.0.1:0"]));
        assert!(served.contains(words), "{served}");
        let shown = setup.run(&["config"]);
        assert_eq!(refusal(&shown), served);
        let table = String::from_utf8_lossy(&shown.stdout).into_owned();
        assert!(
            table.contains(settings[0].1),
            "the table is shown all the same: {table}"
        );
        assert!(!setup.database().exists());
    }
}

/// The clients are configured in the same shells as the server, and a name of the server's own stops it.
#[test]
fn no_document_names_a_variable_that_is_no_setting() {
    let root = Path::new(ROOT);
    let manual = fs::read_to_string(root.join("docs/configuration.md")).unwrap();
    let mut unknown = Vec::new();
    for file in [
        "README.md",
        "clients/node/README.md",
        "clients/node/example/service.js",
        "clients/node/types/quick-start.ts",
        "crates/doorward-verify/README.md",
        "crates/doorward-verify/examples/service.rs",
        "docs/operating.md",
        "docs/proxies.md",
        "docs/services.md",
    ] {
        let text = fs::read_to_string(root.join(file)).unwrap();
        let named = text.split("DOORWARD_").skip(1).map(|rest| {
            let end = rest.find(|c: char| !c.is_ascii_uppercase() && c != '_');
            &rest[..end.unwrap_or(rest.len())]
        });
        let is_known = |name: &&str| name.is_empty() || manual.contains(&format!("`DOORWARD_{name}`"));
        unknown.extend(
            named
                .filter(|name| !is_known(name))
                .map(|name| format!("{file}: {name}")),
        );
    }
    assert!(unknown.is_empty(), "{unknown:#?}");
}
