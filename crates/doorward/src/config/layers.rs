//! The layers that a configuration comes from: defaults < file < environment < flags. The last one that speaks
//! of a setting wins, whole: lists are replaced, not joined.
//!
//! The surprise: a secret can stand in a file of its own, which counts as a value of the layer that names it.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use doorward_core::SetupError;

use super::settings::{self, Setting};
use super::{Config, environment, file};

/// The file that is read if nobody names another one and it is there.
const DEFAULT_FILE: &str = "doorward.toml";

/// The most bytes of a configuration file: a hundred times what one with every setting has.
const MAX_FILE: u64 = 1 << 20;

/// The most bytes of a secret's file. Whoever names a longer one has named the wrong one.
const MAX_SECRET: u64 = 4096;

/// What names the file of a secret, after the name of the secret.
pub(super) const FILE_SUFFIX: &str = "_file";

/// A value as a layer has it. It can be a secret, so nothing prints it.
pub(crate) enum Raw {
    /// Text; for a list, with commas in between.
    Text(String),
    /// Several texts.
    List(Vec<String>),
}

impl Raw {
    pub(super) fn text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::List(_) => None,
        }
    }

    pub(super) fn list(&self) -> Vec<String> {
        match self {
            Self::Text(text) => {
                let items = text.split(',').map(str::trim);
                items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
            }
            Self::List(items) => items.clone(),
        }
    }
}

/// What a name in a layer stands for.
#[derive(Clone, Copy)]
pub(super) struct Key {
    pub(super) setting: &'static Setting,
    /// Whether the value is the path of the file that holds the value.
    pub(super) in_file: bool,
}

impl Key {
    /// The key of this name: a setting, or a secret with [`FILE_SUFFIX`].
    pub(super) fn named(name: &str) -> Option<Self> {
        if let Some(setting) = settings::named(name) {
            return Some(Self {
                setting,
                in_file: false,
            });
        }
        let setting = settings::named(name.strip_suffix(FILE_SUFFIX)?)?;
        setting.kind.has_secret().then_some(Self { setting, in_file: true })
    }

    /// Every name that is a key.
    pub(super) fn names() -> Vec<String> {
        let secrets = settings::all().filter(|setting| setting.kind.has_secret());
        let files = secrets.map(|setting| format!("{}{FILE_SUFFIX}", setting.name));
        settings::all()
            .map(|setting| setting.name.to_owned())
            .chain(files)
            .collect()
    }
}

/// What a layer says about one setting.
pub(crate) struct Entry {
    pub(super) key: Key,
    pub(super) value: Raw,
    /// Where it comes from, for `doorward config`.
    pub(super) source: String,
    /// Where exactly it stands, for complaints.
    pub(super) place: String,
}

/// What was said on the command line.
#[derive(Default)]
pub(crate) struct Flags {
    pub(crate) file: Option<PathBuf>,
    pub(crate) listen: Option<String>,
    pub(crate) database: Option<String>,
    pub(crate) contracts: Vec<String>,
}

impl Flags {
    fn entries(self) -> Vec<Entry> {
        let contracts = Some(self.contracts).filter(|contracts| !contracts.is_empty());
        let said = [
            ("listen", "--listen", self.listen.map(Raw::Text)),
            ("database", "--database", self.database.map(Raw::Text)),
            ("contracts", "--contract", contracts.map(Raw::List)),
        ];
        let entries = said.into_iter().filter_map(|(name, flag, value)| {
            Some(Entry {
                key: Key::named(name)?,
                value: value?,
                source: flag.to_owned(),
                place: flag.to_owned(),
            })
        });
        entries.collect()
    }
}

/// A configuration and where each of its values comes from.
pub(crate) struct Layered {
    pub(crate) config: Config,
    /// By the name of the setting; what is not in it is a default.
    pub(super) sources: BTreeMap<&'static str, String>,
}

/// Reads every layer.
///
/// # Errors
/// When a file cannot be read, a name is unknown, or a value is not one the setting can have.
pub(crate) fn load(flags: Flags) -> Result<Layered, SetupError> {
    let environment = environment::read()?;
    let from_file = match flags.file.as_ref().or(environment.file.as_ref()) {
        Some(path) => file::entries(
            &path.display().to_string(),
            &read(path, "configuration file", MAX_FILE)?,
        )?,
        None if is_there(Path::new(DEFAULT_FILE)) => {
            let text = read(Path::new(DEFAULT_FILE), "configuration file", MAX_FILE)?;
            file::entries(DEFAULT_FILE, &text)?
        }
        None => Vec::new(),
    };
    merge([from_file, environment.entries, flags.entries()])
}

/// Whether a file has to be read, be it in vain: what is behind a link to nothing, or in a folder that may not be looked
/// into, is no reason to start with the defaults.
fn is_there(path: &Path) -> bool {
    !matches!(path.symlink_metadata(), Err(error) if error.kind() == ErrorKind::NotFound)
}

/// Lays the layers over the defaults, in order.
pub(super) fn merge(layers: impl IntoIterator<Item = Vec<Entry>>) -> Result<Layered, SetupError> {
    let mut layered = Layered {
        config: Config::default(),
        sources: BTreeMap::new(),
    };
    for layer in layers {
        let mut said: BTreeMap<&'static str, String> = BTreeMap::new();
        for entry in layer {
            let setting = entry.key.setting;
            if let Some(other) = said.insert(setting.name, entry.place.clone()) {
                return Err(SetupError::new(
                    format!("`{}` is set twice, by {other} and by {}", setting.name, entry.place),
                    "keep one of them",
                ));
            }
            set(&mut layered.config, &entry)?;
            layered.sources.insert(setting.name, entry.source);
        }
    }
    Ok(layered)
}

fn set(config: &mut Config, entry: &Entry) -> Result<(), SetupError> {
    let Key { setting, in_file } = entry.key;
    let (value, place) = match entry.value.text().filter(|_| in_file) {
        Some(path) => {
            let what = format!("file of `{}`, named by {},", setting.name, entry.place);
            (&Raw::Text(read_secret(Path::new(path), &what)?), path)
        }
        None => (&entry.value, entry.place.as_str()),
    };
    setting.kind.set(config, value).map_err(|hint| {
        let shown = match value {
            _ if setting.kind.hides(value) => "this value".to_owned(),
            Raw::Text(text) => format!("`{text}`"),
            Raw::List(items) => format!("`{}`", items.join(", ")),
        };
        SetupError::new(format!("{place}: `{}` cannot be {shown}", setting.name), hint)
    })
}

/// A secret from a file that has nothing else in it; `what` is the file, for an error.
///
/// # Errors
/// When the file cannot be read or is too long.
pub(crate) fn read_secret(path: &Path, what: &str) -> Result<String, SetupError> {
    let text = read(path, what, MAX_SECRET)?;
    // Editors and `echo` end a file with a newline, which is no part of the secret.
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

fn read(path: &Path, what: &str, most: u64) -> Result<String, SetupError> {
    let unreadable = |error: std::io::Error| {
        SetupError::new(
            format!("the {what} {} cannot be read: {error}", path.display()),
            "name a readable file of text in UTF-8",
        )
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(most + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > most {
        return Err(SetupError::new(
            format!("the {what} {} has more than {most} bytes", path.display()),
            "name another file",
        ));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
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
        std::fs::write(&path, format!("{}\n", "s".repeat(32))).unwrap();
        let file = format!("jwt_secret_file = '{}'", path.display());
        let layered = layers(&file, &[], Flags::default()).unwrap();
        assert_eq!(layered.config.jwt_secret.as_ref().unwrap().expose(), "s".repeat(32));
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
        let (secret, long) = (("DOORWARD_JWT_SECRET", "x"), "x".repeat(32));
        assert!(layers(file, &[], Flags::default()).is_err());
        let file = format!("jwt_secret = '{long}'\njwt_secret_file = 'y'");
        let said = layers(&file, &[], Flags::default()).err().unwrap().to_string();
        assert!(said.contains("`jwt_secret` is set twice"), "{said}");
        let said = layers("", &[secret], Flags::default()).err().unwrap().to_string();
        assert!(said.contains("openssl rand"), "{said}");
    }
}
