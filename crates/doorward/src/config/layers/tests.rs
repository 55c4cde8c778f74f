//! Tests of the layers: which one wins, and what is said of a value that is wrong.

use std::ffi::OsString;

use super::*;

fn layers(file: &str, environment: &[(&str, &str)], flags: Flags) -> Result<Layered, SetupError> {
    let variables = environment
        .iter()
        .map(|(name, value)| (OsString::from(name), OsString::from(value)));
    merge([
        file::entries("my.toml", file)?,
        environment::of(variables)?.entries,
        flags.entries(),
    ])
}

#[test]
fn the_last_layer_that_speaks_wins() {
    let flags = Flags {
        database: Some("sqlite:flag.db".into()),
        ..Flags::default()
    };
    let file = "listen = 'localhost:1'\nissuer = 'file'\ndatabase = 'sqlite:file.db'";
    let environment = [
        ("DOORWARD_ISSUER", "environment"),
        ("DOORWARD_DATABASE", "sqlite:environment.db"),
    ];
    let layered = layers(file, &environment, flags).unwrap();
    assert_eq!(layered.config.listen, "localhost:1");
    assert_eq!(layered.config.issuer, "environment");
    assert_eq!(layered.config.database.to_string(), "sqlite:flag.db");
    assert_eq!(layered.config.hash_threads, Config::default().hash_threads);
    let sources: Vec<_> = layered
        .sources
        .iter()
        .map(|(name, source)| (*name, source.as_str()))
        .collect();
    let expected = [
        ("database", "--database"),
        ("issuer", "DOORWARD_ISSUER"),
        ("listen", "my.toml"),
    ];
    assert_eq!(sources, expected);
}

#[test]
fn lists_are_read_from_every_layer_and_replaced() {
    let file = "origins = ['https://a.example', 'loopback']\ncontracts = ['x@/a']";
    let flags = Flags {
        contracts: vec!["y".into(), "./z.toml@/".into()],
        ..Flags::default()
    };
    let layered = layers(file, &[("DOORWARD_TRUSTED_PROXIES", "10.0.0.1, 192.168.0.0/16")], flags).unwrap();
    assert_eq!(layered.config.origins, ["https://a.example", "loopback"]);
    assert_eq!(layered.config.trusted_proxies, ["10.0.0.1", "192.168.0.0/16"]);
    let contracts: Vec<_> = layered.config.contracts.iter().map(ToString::to_string).collect();
    assert_eq!(contracts, ["y", "./z.toml@/"]);
    let none = layers("", &[("DOORWARD_ORIGINS", "")], Flags::default()).unwrap();
    assert!(none.config.origins.is_empty());
}

#[test]
fn a_wrong_value_is_shown_with_its_place_and_what_would_be_right() {
    let cases: [(&str, &[(&str, &str)], &str); 6] = [
        (
            "\nlisten = 8080",
            &[],
            "error: my.toml:2:10: `listen` cannot be `8080`\nhint: write an address",
        ),
        (
            "max_connections = 0",
            &[],
            "`max_connections` cannot be `0`\nhint: write a number from 1 to 1000000",
        ),
        (
            "metrics = ['on']",
            &[],
            "`metrics` cannot be `on`\nhint: write `true` or `false`",
        ),
        (
            "",
            &[("DOORWARD_BODY_TIMEOUT", "10")],
            "error: DOORWARD_BODY_TIMEOUT: `body_timeout` cannot be `10`",
        ),
        (
            "",
            &[("DOORWARD_HASH_SCHEME", "md5")],
            "hint: write `argon2id` or `bcrypt`",
        ),
        (
            "contracts = ['x@y']",
            &[],
            "hint: a prefix begins with a slash: write `x@/y`",
        ),
    ];
    for (file, environment, expected) in cases {
        let said = layers(file, environment, Flags::default()).err().unwrap().to_string();
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn a_secret_is_read_from_its_file_and_never_shown() {
    let folder = crate::tests::Folder::new("secret");
    let path = folder.join("secret");
    let secret = "a secret of two services, of some length";
    std::fs::write(&path, format!("{secret}\n")).unwrap();
    let file = format!("jwt_secret_file = '{}'", path.display());
    let layered = layers(&file, &[], Flags::default()).unwrap();
    assert_eq!(layered.config.jwt_secret.as_ref().unwrap().expose(), secret);
    assert_eq!(layered.secret_files, std::slice::from_ref(&path));
    assert_eq!(layered.sources["jwt_secret"], "my.toml");

    std::fs::write(&path, "hunter2").unwrap();
    let said = layers(&file, &[], Flags::default()).err().unwrap().to_string();
    assert!(
        said.contains("`jwt_secret` cannot be this value") && !said.contains("hunter2"),
        "{said}"
    );

    std::fs::remove_file(&path).unwrap();
    let said = layers(&file, &[], Flags::default()).err().unwrap().to_string();
    assert!(said.contains("named by my.toml:1:19"), "{said}");
}

#[test]
fn a_database_with_a_password_is_read_from_its_file_and_shown_without() {
    let folder = crate::tests::Folder::new("database");
    let path = folder.join("database");
    std::fs::write(&path, "postgres://ann:hunter2@localhost/door\n").unwrap();
    let variable = [("DOORWARD_DATABASE_FILE", path.to_str().unwrap())];
    let layered = layers("", &variable, Flags::default()).unwrap();
    assert_eq!(
        layered.config.database.to_string(),
        "postgres://ann@localhost:5432/door"
    );

    for wrong in [
        "postgre://ann:hunter2@localhost/door",
        "postgres://ann:hunter2@localhost:x/door",
    ] {
        let said = layers("", &[("DOORWARD_DATABASE", wrong)], Flags::default());
        let said = said.err().unwrap().to_string();
        assert!(
            said.contains("`database` cannot be this value") && !said.contains("hunter2"),
            "{said}"
        );
    }
    let said = layers("database = 'my.db'", &[], Flags::default())
        .err()
        .unwrap()
        .to_string();
    assert!(
        said.contains("`database` cannot be `my.db`\nhint: write `sqlite:my.db`"),
        "{said}"
    );
}

#[test]
fn a_layer_says_a_secret_once() {
    let file = "jwt_secret = 'x'\njwt_secret_file = 'y'";
    let (secret, long) = (("DOORWARD_JWT_SECRET", "x"), "01234567".repeat(4));
    assert!(layers(file, &[], Flags::default()).is_err());
    let file = format!("jwt_secret = '{long}'\njwt_secret_file = 'y'");
    let said = layers(&file, &[], Flags::default()).err().unwrap().to_string();
    assert!(said.contains("`jwt_secret` is set twice"), "{said}");
    let said = layers("", &[secret], Flags::default()).err().unwrap().to_string();
    assert!(said.contains("openssl rand"), "{said}");
}

#[test]
fn a_file_of_a_secret_has_one_line() {
    let folder = crate::tests::Folder::new("one-line");
    let path = folder.join("secret");
    let secret = "a secret of two services, of some length";
    let read = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let layered = layers(
            &format!("jwt_secret_file = '{}'", path.display()),
            &[],
            Flags::default(),
        );
        layered.map(|layered| layered.config.jwt_secret.unwrap().expose().to_owned())
    };
    for text in [
        format!("\u{feff}{secret}"),
        format!("\u{feff}{secret}\r\n"),
        format!("{secret}\r\n"),
    ] {
        assert_eq!(read(&text).unwrap(), secret, "{text:?}");
    }
    for text in [
        format!("{secret}\n\n"),
        format!("{secret}\r"),
        format!("{secret}\nanother line\n"),
        format!("a {secret}\rb"),
    ] {
        let said = read(&text).err().unwrap_or_else(|| panic!("{text:?}")).to_string();
        let names_it = said.contains(&format!("named by my.toml:1:19, {} has more than", path.display()));
        assert!(names_it && said.contains("\nhint: "), "{said}");
        assert!(!said.contains("secret of two services"), "{said}");
    }
}

#[test]
fn what_names_a_file_is_one_path() {
    let said = |file: &str, environment: &[(&str, &str)]| {
        let layered = layers(file, environment, Flags::default());
        layered.err().unwrap().to_string()
    };
    let list = said("jwt_secret_file = ['0123456789abcdef0123456789abcdef']", &[]);
    assert!(
        list.contains("my.toml:1:19: `jwt_secret_file` cannot be a list\nhint: write the path of a file"),
        "{list}"
    );
    let empty = said("", &[("DOORWARD_JWT_SECRET_FILE", "")]);
    assert!(
        empty.contains("DOORWARD_JWT_SECRET_FILE: `jwt_secret_file` is empty\nhint: "),
        "{empty}"
    );
    let empty = said("", &[("DOORWARD_DATABASE", "")]);
    assert!(
        empty.contains("DOORWARD_DATABASE: `database` is empty\nhint: write `sqlite:PATH`"),
        "{empty}"
    );
    let empty = said("issuer = ''", &[]);
    assert!(empty.contains("`issuer` is empty\nhint: write text"), "{empty}");
}

#[test]
fn no_value_has_control_characters_and_none_is_printed() {
    for (file, shown) in [
        ("issuer = \"a\\r\"", "`issuer` cannot be `a\\r`"),
        ("listen = \"127.0.0.1:80\\u001b[2J\"", "`127.0.0.1:80\\u{1b}[2J`"),
        ("listen = \"localhost\\u001b:80\"", "`localhost\\u{1b}:80`"),
        ("switches = [\"a.b\\n\"]", "in place of `a.b\\n` "),
        ("origins = [\"*\\n\"]", "in place of `*\\n` "),
        ("contracts = [\"./a\\u001b.toml\"]", "`./a\\u{1b}.toml`"),
        ("password_blocklist = \"a\\nb\"", "`a\\nb`"),
        (
            "public_url = \"https://a.example/\\u0007\"",
            "`https://a.example/\\u{7}`",
        ),
        ("database = \"sqlite:a\\n.db\"", "`sqlite:a\\n.db`"),
        ("log_level = \"warn\\u001b\"", "`warn\\u{1b}`"),
        ("\"a\\u001b[31m\" = 1", "there is no setting `a\\u{1b}[31m`"),
    ] {
        let said = layers(file, &[], Flags::default()).err().unwrap().to_string();
        assert!(said.contains(shown), "{file}: {said}");
        assert!(!said.replace('\n', "").contains(char::is_control), "{said:?}");
        assert_eq!(said.lines().count(), 2, "{said:?}");
    }
    let said = layers("", &[("DOORWARD_\u{1b}[31m", "x")], Flags::default());
    let said = said.err().unwrap().to_string();
    assert!(said.contains("DOORWARD_\\u{1b}[31m sets nothing"), "{said}");
}

#[test]
fn a_number_of_another_form_is_refused_with_the_range() {
    let said = layers("hash_threads = 4.0", &[], Flags::default());
    let said = said.err().unwrap().to_string();
    assert!(said.contains("`hash_threads` cannot be this float"), "{said}");
    assert!(said.contains("hint: write a number from 0 to 1024"), "{said}");
}
