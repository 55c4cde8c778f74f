//! What a setting can hold: how it is read from text, how it is shown, and what it says of itself.
//!
//! The surprise: a kind knows the field of [`Config`] it fills, so that a row of the list of settings is all
//! there is to a setting.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use doorward_core::key::{MAKE_SECRET, flaw_of_secret};
use doorward_core::secret::Secret;

use super::database::FORMS;
use super::layers::Raw;
use super::{Config, Database, LogLevel, Placement, units};

/// The field that is filled.
type At<T> = fn(&mut Config) -> &mut T;

pub(super) enum Kind {
    Address(At<String>),
    Database(At<Database>),
    Contracts(At<Vec<Placement>>),
    Text(At<String>),
    Url(At<Option<String>>),
    LogLevel(At<LogLevel>),
    Flag(At<bool>),
    Number {
        at: At<u32>,
        least: u32,
        most: u32,
    },
    Duration {
        at: At<Duration>,
        least: Duration,
        most: Duration,
    },
    List {
        at: At<Vec<String>>,
        of: &'static str,
        /// Says what would be right in place of an item that is wrong by itself.
        check: fn(&str) -> Result<(), String>,
    },
    File(At<Option<PathBuf>>),
    Secret {
        at: At<Option<Secret>>,
        /// The fewest bytes.
        least: usize,
    },
    Choice {
        words: &'static [&'static str],
        pick: fn(&mut Config, &str),
        picked: fn(&Config) -> &'static str,
    },
}

impl Kind {
    /// What it takes, in words: `write …`.
    pub(super) fn takes(&self) -> String {
        match self {
            Self::Address(_) => "an address and a port, as in `127.0.0.1:8080`".into(),
            Self::Database(_) => FORMS.into(),
            Self::Contracts(_) => "a list of `NAME_OR_FILE[@PREFIX]`".into(),
            Self::Text(_) => "text".into(),
            Self::Url(_) => "scheme, host and path, as in `https://login.example.com`".into(),
            Self::LogLevel(_) => {
                "`error`, `warn`, `info`, `debug`, `trace` or `off`, or levels by target as in `warn,audit=info`".into()
            }
            Self::Flag(_) => "`true` or `false`".into(),
            Self::Number { least, most, .. } => format!("a number from {least} to {most}"),
            Self::Duration { least, most, .. } => {
                let (least, most) = (units::show(*least), units::show(*most));
                format!("a duration from `{least}` to `{most}` (units `ms`, `s`, `m`, `h`, `d`)")
            }
            Self::List { of, .. } => format!("a list of {of}"),
            Self::File(_) => "the path of a file".into(),
            Self::Secret { least, .. } => format!("a secret of {least} bytes at least"),
            Self::Choice { words, .. } => {
                let words: Vec<_> = words.iter().map(|word| format!("`{word}`")).collect();
                words.join(" or ")
            }
        }
    }

    /// Whether its value is or may hold a secret, which can stand in a file of its own.
    pub(super) fn has_secret(&self) -> bool {
        matches!(self, Self::Secret { .. } | Self::Database(_))
    }

    /// Whether a complaint about this value may not repeat it.
    pub(super) fn hides(&self, raw: &Raw) -> bool {
        match self {
            Self::Secret { .. } => true,
            Self::Database(_) => raw.text().is_none_or(Database::may_hold_password),
            _ => false,
        }
    }

    /// Whatever comes with control characters was read or pasted wrongly: a file with other ends of lines, the colours of
    /// a terminal. A secret is whatever others take it for, and is not printed.
    fn refuse_control_characters(&self, raw: &Raw) -> Result<(), String> {
        let has_any = |text: &str| text.contains(char::is_control);
        match self {
            Self::Secret { .. } => Ok(()),
            Self::List { .. } | Self::Contracts(_) => match raw.list().into_iter().find(|item| has_any(item)) {
                Some(item) => Err(format!("in place of `{item}` write one without control characters")),
                None => Ok(()),
            },
            _ if raw.text().is_some_and(has_any) => Err(format!("write {}, without control characters", self.takes())),
            _ => Ok(()),
        }
    }

    /// Fills the field. A failure says what would be right.
    pub(super) fn set(&self, config: &mut Config, raw: &Raw) -> Result<(), String> {
        let wrong = || format!("write {}", self.takes());
        self.refuse_control_characters(raw)?;
        match self {
            Self::Contracts(at) => {
                *at(config) = raw.list().iter().map(|text| text.parse()).collect::<Result<_, _>>()?;
            }
            Self::List { at, check, .. } => {
                let items = raw.list();
                for item in &items {
                    check(item).map_err(|hint| format!("in place of `{item}` {hint}"))?;
                }
                *at(config) = items;
            }
            Self::Database(at) => *at(config) = raw.text().ok_or_else(wrong)?.parse()?,
            Self::Address(at) => *at(config) = raw.text().filter(|text| is_address(text)).ok_or_else(wrong)?.into(),
            Self::Text(at) => *at(config) = raw.text().filter(|text| !text.is_empty()).ok_or_else(wrong)?.into(),
            Self::Url(at) => {
                let text = raw.text().ok_or_else(wrong)?;
                *at(config) = match text {
                    "" => None,
                    text => Some(url(text).ok_or_else(wrong)?),
                };
            }
            Self::LogLevel(at) => *at(config) = raw.text().ok_or_else(wrong)?.parse()?,
            Self::Flag(at) => *at(config) = raw.text().and_then(|text| text.parse().ok()).ok_or_else(wrong)?,
            Self::Number { at, least, most } => {
                let number = raw.text().and_then(|text| text.parse().ok());
                *at(config) = number
                    .filter(|number| (*least..=*most).contains(number))
                    .ok_or_else(wrong)?;
            }
            Self::Duration { at, least, most } => {
                let duration = raw.text().and_then(units::duration);
                *at(config) = duration.filter(|it| (*least..=*most).contains(it)).ok_or_else(wrong)?;
            }
            Self::File(at) => {
                let path = raw.text().ok_or_else(wrong)?;
                *at(config) = (!path.is_empty()).then(|| path.into());
            }
            Self::Secret { at, least } => {
                let secret = raw.text().filter(|text| text.len() >= *least);
                let secret = secret.ok_or_else(|| format!("{}; {MAKE_SECRET}", wrong()))?;
                if let Some(flaw) = flaw_of_secret(secret) {
                    return Err(format!("{MAKE_SECRET} that nobody guesses; {flaw}"));
                }
                *at(config) = Some(Secret::new(secret.to_owned()));
            }
            Self::Choice { words, pick, .. } => {
                let word = raw.text().filter(|text| words.contains(text)).ok_or_else(wrong)?;
                pick(config, word);
            }
        }
        Ok(())
    }

    /// The value, but for a secret one.
    pub(super) fn show(&self, config: &Config) -> String {
        // The fields are reached for writing; a copy spares every row a second way for reading.
        let config = &mut config.clone();
        match self {
            Self::Address(at) | Self::Text(at) => at(config).clone(),
            Self::Database(at) => at(config).to_string(),
            Self::LogLevel(at) => at(config).to_string(),
            Self::Contracts(at) => joined(at(config).iter().map(Placement::to_string)),
            Self::Flag(at) => at(config).to_string(),
            Self::Number { at, .. } => at(config).to_string(),
            Self::Duration { at, .. } => units::show(*at(config)),
            Self::List { at, .. } => joined(at(config).iter().cloned()),
            Self::File(at) => at(config)
                .as_ref()
                .map(|path| path.display().to_string())
                .unwrap_or_default(),
            Self::Url(at) => at(config).clone().unwrap_or_default(),
            Self::Secret { at, .. } => at(config).as_ref().map(|_| "(set)".to_owned()).unwrap_or_default(),
            Self::Choice { picked, .. } => picked(config).to_owned(),
        }
    }
}

fn joined(items: impl Iterator<Item = String>) -> String {
    items.collect::<Vec<_>>().join(", ")
}

/// Whether it is `host:port`, the host an address or a name. Whether there is such a host shows when listening.
fn is_address(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else {
        return false;
    };
    let bracketed = host.starts_with('[') && host.ends_with(']');
    port.parse::<u16>().is_ok() && !host.is_empty() && (bracketed || !host.contains([':', '/', ' ']))
}

/// The address, without slashes at its end: paths are put behind it.
fn url(text: &str) -> Option<String> {
    let uri: Uri = text.parse().ok()?;
    let is_web = matches!(uri.scheme_str(), Some("http" | "https"));
    let has_host = uri.host().is_some_and(|host| !host.is_empty());
    let plain = is_web && has_host && !text.contains(['?', '#', '@']);
    plain.then(|| text.trim_end_matches('/').to_owned())
}
