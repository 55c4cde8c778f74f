//! What is said about settings: the table of `doorward config`, and `docs/configuration.md`.
//!
//! The surprise: the manual is generated text. A test compares the file with it; `doorward config --markdown`
//! writes it anew.

use std::fmt::Write;

use super::layers::{FILE_SUFFIX, Layered};
use super::settings::{self, CHAPTERS, Setting};
use super::{Config, environment};
use crate::printable::printable;

/// Each setting with its value and where that comes from.
pub(crate) fn table(layered: &Layered) -> String {
    let rows: Vec<(&str, String, &str)> = settings::all()
        .map(|setting| {
            let value = setting.kind.show(&layered.config);
            let value = if value.is_empty() {
                "-".to_owned()
            } else {
                printable(&value).into_owned()
            };
            let source = layered.sources.get(setting.name).map_or("default", String::as_str);
            (setting.name, value, source)
        })
        .collect();
    let names = rows.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
    let values = rows
        .iter()
        .map(|(_, value, _)| value.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for (name, value, source) in rows {
        // Writing to a `String` cannot fail.
        let _ = writeln!(text, "{name:names$}  {value:values$}  {source}");
    }
    text
}

/// `docs/configuration.md`.
pub(crate) fn markdown() -> String {
    let mut text = INTRODUCTION.to_owned();
    for (chapter, settings) in &CHAPTERS {
        let _ = write!(text, "\n## {chapter}\n");
        for setting in *settings {
            let _ = write!(text, "\n{}", entry(setting));
        }
    }
    text
}

fn entry(setting: &Setting) -> String {
    let Setting { name, kind, about } = setting;
    let default = kind.show(&Config::default());
    let default = if default.is_empty() {
        "none".to_owned()
    } else {
        format!("`{default}`")
    };
    let mut variable = format!("`{}`", environment::variable(name));
    if kind.has_secret() {
        let _ = write!(variable, "; from a file: `{name}{FILE_SUFFIX}`");
        let _ = write!(
            variable,
            ", `{}`",
            environment::variable(&format!("{name}{FILE_SUFFIX}"))
        );
    }
    let about = wrapped(about);
    let takes = kind.takes();
    format!("### `{name}`\n\n{about}\n\n- takes {takes}\n- default: {default}\n- environment: {variable}\n")
}

/// The most characters of a line of the manual.
const WIDTH: usize = 118;

/// In lines, like the rest of the documents.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > WIDTH {
            lines.push('\n');
            column = 0;
        } else if column > 0 {
            lines.push(' ');
            column += 1;
        }
        lines.push_str(word);
        column += length;
    }
    lines
}

const INTRODUCTION: &str = "\
# Configuration

<!-- Written by `doorward config --markdown`. Change the list of settings, not this page. -->

doorward works without any configuration. What can be set comes from four layers, each of which goes before the
ones above it:

1. the defaults below;
2. a file of TOML: the one that `--config FILE` or `DOORWARD_CONFIG` names, else `doorward.toml` in the working
   directory, if it is there;
3. the environment: `DOORWARD_` and the name of the setting in capitals;
4. flags: `--listen`, `--database`, `--contract`.

A layer replaces a list as a whole. In the environment a list has commas between its items. Paths are relative to
the working directory. A secret can stand in a file of its own, so that neither the environment nor the
configuration holds it; that file has one line. Names that do not exist and values that cannot be are refused at the
start, with what would be right.

`doorward config` shows each setting with its value and where that comes from; secrets are not shown. Then it checks
what `doorward serve` checks before it touches port and database, and ends with the same error: contracts, their places
and switches, the rules of passwords and their blocklist, the cost of hashes, and status lists.

```toml
# doorward.toml
listen          = \"127.0.0.1:9000\"
database        = \"sqlite:/var/lib/doorward/doorward.db\"
contracts       = [\"/etc/doorward/mine.toml@/api\"]
origins         = [\"https://app.example.com\"]
trusted_proxies = [\"127.0.0.1\"]
```
";

#[cfg(test)]
mod tests {
    use super::super::layers::{Entry, Key, Raw, merge};
    use super::*;

    #[test]
    fn the_manual_is_as_generated() {
        let written = include_str!("../../../../docs/configuration.md");
        assert!(
            written == markdown(),
            "write it anew: cargo run -- config --markdown > docs/configuration.md"
        );
    }

    #[test]
    fn every_limit_of_attempts_is_told_with_its_default_where_holes_are_reported() {
        let told = include_str!("../../../../SECURITY.md");
        let (_, limits) = CHAPTERS.iter().find(|(chapter, _)| *chapter == "Attempts").unwrap();
        for Setting { name, kind, .. } in *limits {
            let row = format!("\n| `{name}` | `{}` |", kind.show(&Config::default()));
            assert!(told.contains(&row), "SECURITY.md lacks the row `{}…`", row.trim());
        }
    }

    #[test]
    fn the_table_shows_sources_and_hides_secrets() {
        let entry = |name: &str, value: &str| Entry {
            key: Key::named(name).unwrap(),
            value: Raw::Text(value.into()),
            source: "somewhere".into(),
            place: "somewhere".into(),
        };
        let secret = "0123456789abcdef0123456789abcdef";
        let layered = merge([vec![entry("jwt_secret", secret), entry("hash_threads", "7")]]).unwrap();
        let table = table(&layered);
        let row = |name: &str| {
            let row = table.lines().find(|line| line.starts_with(name)).unwrap();
            row.split_whitespace().collect::<Vec<_>>()
        };
        assert_eq!(row("jwt_secret"), ["jwt_secret", "(set)", "somewhere"]);
        assert_eq!(row("hash_threads"), ["hash_threads", "7", "somewhere"]);
        assert_eq!(row("body_timeout"), ["body_timeout", "10s", "default"]);
        assert_eq!(row("contracts"), ["contracts", "-", "default"]);
        assert!(!table.contains(secret));
        assert_eq!(table.lines().count(), settings::all().count());
    }

    #[test]
    fn the_example_of_the_manual_is_accepted() {
        let example = INTRODUCTION
            .split("```toml\n")
            .nth(1)
            .and_then(|rest| rest.split("```").next())
            .unwrap();
        let entries = super::super::file::entries("doorward.toml", example).unwrap();
        assert_eq!(merge([entries]).unwrap().config.contracts.len(), 1);
    }
}
