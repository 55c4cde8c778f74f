//! The list of settings. Parsing, `doorward config`, complaints about unknown names and the manual derive from
//! it; its rows are in `chapters.rs`.
//!
//! The surprise: a field of [`Config`](super::Config) without a row is found by a test, which reads the fields
//! from the configuration's own debug output.

use super::chapters::attempts::ATTEMPTS;
use super::chapters::{LIMITS, PASSWORDS, SERVING, TOKENS, WATCHING};
use super::kind::Kind;

/// A setting.
pub(super) struct Setting {
    /// The name in the file and, in capitals after `DOORWARD_`, in the environment.
    pub(super) name: &'static str,
    /// What it holds.
    pub(super) kind: Kind,
    /// What it is for, in Markdown.
    pub(super) about: &'static str,
}

/// The settings in chapters, in the order of the manual.
pub(super) static CHAPTERS: [(&str, &[Setting]); 6] = [
    ("What is served, and where", SERVING),
    ("Tokens", TOKENS),
    ("Passwords", PASSWORDS),
    ("Attempts", ATTEMPTS),
    ("Log and metrics", WATCHING),
    ("Limits", LIMITS),
];

/// Every setting.
pub(super) fn all() -> impl Iterator<Item = &'static Setting> {
    CHAPTERS.iter().flat_map(|(_, settings)| settings.iter())
}

/// The setting of this name.
pub(super) fn named(name: &str) -> Option<&'static Setting> {
    all().find(|setting| setting.name == name)
}

/// The nearest name, if any is near enough to have been meant.
pub(super) fn nearest<'a>(word: &str, names: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let distances = names.map(|name| (strsim::damerau_levenshtein(word, name), name));
    let (distance, name) = distances.min()?;
    (distance <= word.chars().count().div_ceil(3)).then_some(name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::Config;
    use super::super::layers::Raw;
    use super::*;

    #[test]
    fn every_setting_reads_what_it_shows() {
        for setting in all().filter(|setting| !setting.kind.has_secret()) {
            let shown = setting.kind.show(&Config::default());
            let mut config = Config::default();
            let raw = Raw::Text(shown.clone());
            setting
                .kind
                .set(&mut config, &raw)
                .unwrap_or_else(|hint| panic!("{}: {hint}", setting.name));
            assert_eq!(
                format!("{config:?}"),
                format!("{:?}", Config::default()),
                "{}",
                setting.name
            );
        }
    }

    #[test]
    fn names_are_distinct_and_every_field_has_one() {
        let names: BTreeSet<_> = all().map(|setting| setting.name).collect();
        assert_eq!(names.len(), all().count());
        let fields = format!("{:#?}", Config::default());
        let fields = fields
            .lines()
            .filter_map(|line| line.strip_prefix("    ")?.split_once(": "));
        let fields: BTreeSet<_> = fields
            .map(|(name, _)| name)
            .filter(|name| !name.starts_with(' '))
            .collect();
        assert_eq!(fields, names);
    }

    #[test]
    fn finds_the_name_that_was_meant() {
        let names = || all().map(|setting| setting.name);
        assert_eq!(nearest("listn", names()), Some("listen"));
        assert_eq!(nearest("hash_thread", names()), Some("hash_threads"));
        assert_eq!(nearest("colour", names()), None);
    }
}
