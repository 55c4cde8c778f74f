//! What is logged: a level, or levels by target.
//!
//! The surprise: what no line can have is refused. To the subscriber any word is a target, so that a misspelt level, or
//! `audti=info`, would turn the log off without a word.

use std::fmt;
use std::str::FromStr;

use doorward_core::error::did_you_mean;
use tracing_subscriber::filter::{LevelFilter, Targets};

/// Which lines of the log are written.
#[derive(Clone, Debug)]
pub struct LogLevel(Vec<Item>);

/// A level for a target, or for all that have none of their own.
#[derive(Clone, Debug)]
struct Item {
    target: Option<String>,
    level: LevelFilter,
}

const LEVELS: [(&str, LevelFilter); 6] = [
    ("off", LevelFilter::OFF),
    ("error", LevelFilter::ERROR),
    ("warn", LevelFilter::WARN),
    ("info", LevelFilter::INFO),
    ("debug", LevelFilter::DEBUG),
    ("trace", LevelFilter::TRACE),
];

/// The target of what happened to accounts and sessions.
const AUDIT: &str = "audit";

/// The targets that lines have: two by name, and the crates that log, whose modules can be named as well.
const NAMES: [&str; 2] = [AUDIT, "request"];
const CRATES: [&str; 4] = ["doorward", "doorward_core", "doorward_http", "doorward_store"];

impl LogLevel {
    /// What the commands beside a server log: they say themselves what they did.
    pub(crate) fn of_commands() -> Self {
        let (everything, audit) = (LevelFilter::WARN, LevelFilter::INFO);
        Self(vec![
            Item {
                target: None,
                level: everything,
            },
            Item {
                target: Some(AUDIT.to_owned()),
                level: audit,
            },
        ])
    }

    pub(crate) fn targets(&self) -> Targets {
        self.0.iter().fold(Targets::new(), |targets, item| match &item.target {
            None => targets.with_default(item.level),
            Some(target) => targets.with_target(target, item.level),
        })
    }
}

impl Default for LogLevel {
    fn default() -> Self {
        Self(vec![Item {
            target: None,
            level: LevelFilter::INFO,
        }])
    }
}

impl FromStr for LogLevel {
    /// What would be right.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut items: Vec<Item> = Vec::new();
        for text in text.split(',').map(str::trim) {
            let item = item(text)?;
            if items.iter().any(|before| before.target == item.target) {
                let target = item.target.as_deref().unwrap_or("everything");
                return Err(format!("keep one level for `{target}`"));
            }
            items.push(item);
        }
        Ok(Self(items))
    }
}

fn item(text: &str) -> Result<Item, String> {
    if text.is_empty() {
        return Err("write a level, as in `info` or `warn,audit=info`".into());
    }
    let (target, word) = match text.split_once('=') {
        Some((target, word)) => (Some(target.trim()), word.trim()),
        None => (None, text),
    };
    if let Some(target) = target.filter(|target| !is_target(target)) {
        let hint = did_you_mean(target, NAMES.into_iter().chain(CRATES));
        return Err(format!("`{target}` is no target: {hint}"));
    }
    let level = LEVELS.iter().find(|(name, _)| name.eq_ignore_ascii_case(word));
    let (_, level) = level.ok_or_else(|| match target {
        None if is_target(word) => format!("`{word}` is a target: write `{word}=info`"),
        _ => {
            let hint = did_you_mean(word, LEVELS.iter().map(|(name, _)| *name));
            format!("`{word}` is no level: {hint}")
        }
    })?;
    Ok(Item {
        target: target.map(str::to_owned),
        level: *level,
    })
}

fn is_target(text: &str) -> bool {
    let mut modules = text.split("::");
    let is_crate = modules.next().is_some_and(|first| CRATES.contains(&first));
    let is_word = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    NAMES.contains(&text) || is_crate && modules.all(is_word)
}

impl fmt::Display for LogLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Item { target, level }) in self.0.iter().enumerate() {
            let comma = if number > 0 { "," } else { "" };
            match target {
                None => write!(f, "{comma}{level}")?,
                Some(target) => write!(f, "{comma}{target}={level}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use tracing::Level;

    use super::*;

    #[test]
    fn lines_are_written_by_level_and_target() {
        for (text, shown, written, left_out) in [
            ("info", "info", ("audit", Level::INFO), ("audit", Level::DEBUG)),
            (" WARN ", "warn", ("request", Level::WARN), ("request", Level::INFO)),
            (
                "warn, audit=info",
                "warn,audit=info",
                ("audit", Level::INFO),
                ("request", Level::INFO),
            ),
            (
                "request = off,info",
                "request=off,info",
                ("audit", Level::INFO),
                ("request", Level::ERROR),
            ),
            (
                "error,doorward_core::hasher=trace",
                "error,doorward_core::hasher=trace",
                ("doorward_core::hasher::line", Level::TRACE),
                ("doorward_core::auth", Level::WARN),
            ),
        ] {
            let level: LogLevel = text.parse().unwrap();
            assert_eq!(level.to_string(), shown);
            let targets = level.targets();
            assert!(targets.would_enable(written.0, &written.1), "{text}");
            assert!(!targets.would_enable(left_out.0, &left_out.1), "{text}");
        }
        assert!(
            !"off"
                .parse::<LogLevel>()
                .unwrap()
                .targets()
                .would_enable("audit", &Level::ERROR)
        );
        let of_commands = LogLevel::of_commands().to_string();
        assert_eq!(of_commands, of_commands.parse::<LogLevel>().unwrap().to_string());
    }

    #[test]
    fn a_misspelt_word_is_no_target() {
        for (wrong, hint) in [
            ("infi", "`infi` is no level: did you mean `info`?"),
            ("verbose", "`verbose` is no level: there are: off, error"),
            ("3", "`3` is no level"),
            ("warn;audit=info", "`warn;audit` is no target"),
            ("warn,audti=info", "`audti` is no target: did you mean `audit`?"),
            ("warn,requests=info", "did you mean `request`?"),
            ("warn,audit::log=info", "`audit::log` is no target"),
            ("warn,audit=inof", "`inof` is no level: did you mean `info`?"),
            ("warn,audit=", "`` is no level"),
            ("warn,=info", "`` is no target"),
            ("warn,audit", "write `audit=info`"),
            (
                "warn,hyper=debug",
                "`hyper` is no target: there are: audit, request, doorward",
            ),
            ("doorward_http::=debug", "is no target"),
            ("doorward-http=debug", "did you mean `doorward_http`?"),
            ("warn,info", "keep one level for `everything`"),
            ("warn,audit=info,audit=off", "keep one level for `audit`"),
            ("", "write a level"),
            ("warn,", "write a level"),
        ] {
            let said = wrong.parse::<LogLevel>().err().unwrap_or_default();
            assert!(said.contains(hint), "{wrong}: {said}");
        }
    }
}
