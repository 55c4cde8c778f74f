//! The layers that a configuration comes from: defaults < file < environment < flags. The last one that speaks
//! of a setting wins, whole: lists are replaced, not joined.
//!
//! The surprise: a secret can stand in a file of its own, which counts as a value of the layer that names it.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use doorward_core::SetupError;

use super::kind::Kind;
use super::settings::{self, Setting, nearest};
use super::{Config, environment, file};
use crate::printable::{printable, shown};

#[cfg(test)]
mod tests;

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

/// The most letters by which a name may miss that of a secret.
const MAX_SLIPS: usize = 2;

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

    /// What would be right, for whoever wrote something else.
    pub(super) fn takes(self) -> String {
        if self.in_file {
            return "write the path of a file".to_owned();
        }
        match &self.setting.kind {
            kind @ (Kind::Number { .. } | Kind::Flag(_)) => format!("write {}", kind.takes()),
            Kind::Contracts(_) | Kind::List { .. } => "write texts in quotes, in `[` and `]`".to_owned(),
            kind => format!("write {}, in quotes", kind.takes()),
        }
    }

    /// The name that was meant, of a key or this other one. A secret is meant by a slip of the fingers alone: whoever
    /// follows the hint puts theirs into it, and the secret of a client is none to sign tokens with.
    pub(super) fn meant(word: &str, other: Option<&str>) -> Option<String> {
        let is_secret = |name: &str| {
            Self::named(name).is_some_and(|key| key.in_file || matches!(key.setting.kind, Kind::Secret { .. }))
        };
        let slips = |name: &str| strsim::damerau_levenshtein(word, name) <= MAX_SLIPS;
        let names = Self::names();
        let names = names.iter().map(String::as_str).chain(other);
        nearest(word, names.filter(|name| !is_secret(name) || slips(name))).map(str::to_owned)
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
    /// The files that secrets were read from, for whoever looks at who else may read them.
    pub(crate) secret_files: Vec<PathBuf>,
}

/// Reads every layer.
///
/// # Errors
/// When a file cannot be read, a name is unknown, or a value is not one the setting can have.
pub(crate) fn load(flags: Flags) -> Result<Layered, SetupError> {
    let environment = environment::read()?;
    let from_file = match flags.file.as_ref().or(environment.file.as_ref()) {
        Some(path) => file::entries(&shown(path), &read(path, "configuration file", MAX_FILE)?)?,
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
        secret_files: Vec::new(),
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
            let file = entry.value.text().filter(|_| entry.key.in_file);
            layered.secret_files.extend(file.map(PathBuf::from));
            layered.sources.insert(setting.name, entry.source);
        }
    }
    Ok(layered)
}

fn set(config: &mut Config, entry: &Entry) -> Result<(), SetupError> {
    let Key { setting, in_file } = entry.key;
    if !in_file {
        return fill(config, setting, &entry.value, &entry.place);
    }
    let wrong = |how| {
        SetupError::new(
            format!("{}: `{}{FILE_SUFFIX}` {how}", entry.place, setting.name),
            "write the path of a file",
        )
    };
    let path = entry.value.text().ok_or_else(|| wrong("cannot be a list"))?;
    if path.is_empty() {
        return Err(wrong("is empty"));
    }
    let what = format!("file of `{}`, named by {},", setting.name, entry.place);
    let secret = read_secret(Path::new(path), &what)?;
    fill(config, setting, &Raw::Text(secret), &printable(path))
}

fn fill(config: &mut Config, setting: &Setting, value: &Raw, place: &str) -> Result<(), SetupError> {
    setting.kind.set(config, value).map_err(|hint| {
        let how = match value {
            Raw::Text(text) if text.is_empty() => "is empty".to_owned(),
            _ if setting.kind.hides(value) => "cannot be this value".to_owned(),
            Raw::Text(text) => format!("cannot be `{}`", printable(text)),
            Raw::List(items) => format!("cannot be `{}`", printable(&items.join(", "))),
        };
        SetupError::new(format!("{place}: `{}` {how}", setting.name), printable(&hint))
    })
}

/// A secret from a file that has nothing else in it; `what` is the file, for an error.
///
/// # Errors
/// When the file cannot be read, is too long or has more than one line.
pub(crate) fn read_secret(path: &Path, what: &str) -> Result<String, SetupError> {
    one_line(&read(path, what, MAX_SECRET)?, path, what)
}

/// The line of a file that has no other. A byte order mark before it and the end of the line are of whatever wrote the
/// file, and no part of a secret; whether any other line break is one, nobody can tell.
///
/// # Errors
/// When there is more, a blank line among it.
pub(crate) fn one_line(text: &str, path: &Path, what: &str) -> Result<String, SetupError> {
    let line = text.strip_prefix('\u{feff}').unwrap_or(text);
    let line = match line.strip_suffix('\n') {
        Some(line) => line.strip_suffix('\r').unwrap_or(line),
        None => line,
    };
    if line.contains(['\n', '\r']) {
        return Err(SetupError::new(
            format!("the {what} {} has more than one line", shown(path)),
            "have one line in it and nothing else: no blank line after it, and no carriage return but at its end",
        ));
    }
    Ok(line.to_owned())
}

fn read(path: &Path, what: &str, most: u64) -> Result<String, SetupError> {
    let unreadable = |error: std::io::Error| {
        SetupError::new(
            format!("the {what} {} cannot be read: {error}", shown(path)),
            "name a readable file of text in UTF-8",
        )
    };
    let mut text = String::new();
    let file = std::fs::File::open(path).map_err(unreadable)?;
    file.take(most + 1).read_to_string(&mut text).map_err(unreadable)?;
    if text.len() as u64 > most {
        return Err(SetupError::new(
            format!("the {what} {} has more than {most} bytes", shown(path)),
            "name another file",
        ));
    }
    Ok(text)
}
