//! What a server says at its start of settings that take protection away. It starts all the same.

use crate::server::Setup;

/// The warnings of a start.
fn warned(setup: Setup) -> String {
    let log = setup.start().log();
    let lines = log.lines().filter(|line| line.contains("WARN"));
    lines.collect::<Vec<_>>().join("\n")
}

#[test]
fn settings_that_take_protection_away_are_told() {
    for (name, value, words) in [
        ("throttle", "false", "passwords can be tried without a limit"),
        ("trusted_proxies", "0.0.0.0/0", "`0.0.0.0/0` in `trusted_proxies`"),
        ("trusted_proxies", "10.0.0.0/8,::/0", "`::/0` in `trusted_proxies`"),
        ("hash_memory_kib", "1048576", "more than the memory of this machine"),
    ] {
        let setup = Setup::new().setting(name, value).setting("hash_threads", "64");
        let log = warned(setup);
        assert_eq!(log.matches(words).count(), 1, "{name} = {value}: {log}");
    }
    let never = Setup::new().setting("secure_cookies", "never");
    let log = warned(never.setting("public_url", "https://login.example.com"));
    assert!(log.contains("`secure_cookies` is `never`"), "{log}");
}

#[test]
fn settings_that_take_none_away_are_not() {
    let setup = Setup::new()
        .setting("trusted_proxies", "10.0.0.0/8,127.0.0.1,::1")
        .setting("secure_cookies", "never")
        .setting("public_url", "http://127.0.0.1:8080")
        .setting("hash_memory_kib", "19456")
        .setting("hash_passes", "2")
        .setting("hash_threads", "2");
    assert_eq!(warned(setup), "");
}
