//! The layer of the configuration file: TOML, one key for each setting, no tables.
//!
//! The surprise: values keep to text until a setting reads them, so that `hash_threads = 4` and
//! `hash_threads = "4"` are the same here and in the environment.

use doorward_core::SetupError;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::layers::{Entry, Key, Raw};
use crate::printable::printable;

/// What the file says. `name` is how the file is called in complaints.
pub(super) fn entries(name: &str, text: &str) -> Result<Vec<Entry>, SetupError> {
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        SetupError::new(
            format!("{}: {}", place(name, text, at), error.message()),
            "write `setting = value`, with text in quotes (TOML)",
        )
    })?;
    let mut entries = Vec::new();
    // In the order of the file, so that the first mistake in it is the first one told.
    let mut keys: Vec<_> = table.get_ref().iter().collect();
    keys.sort_by_key(|(key, _)| key.span().start);
    for (key, value) in keys {
        let key_place = place(name, text, key.span().start);
        let Some(known) = Key::named(key.get_ref()) else {
            let hint = match Key::meant(key.get_ref(), None) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => "`doorward config` shows all settings".to_owned(),
            };
            return Err(SetupError::new(
                format!("{key_place}: there is no setting `{}`", printable(key.get_ref())),
                hint,
            ));
        };
        let place = place(name, text, value.span().start);
        let value = raw(value).ok_or_else(|| {
            SetupError::new(
                format!(
                    "{place}: `{}` cannot be this {}",
                    key.get_ref(),
                    value.get_ref().type_str()
                ),
                known.takes(),
            )
        })?;
        entries.push(Entry {
            key: known,
            value,
            source: name.to_owned(),
            place,
        });
    }
    Ok(entries)
}

fn raw(value: &Spanned<DeValue<'_>>) -> Option<Raw> {
    let text = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        _ => None,
    };
    match value.get_ref() {
        DeValue::Array(items) => items.iter().map(text).collect::<Option<_>>().map(Raw::List),
        _ => text(value).map(Raw::Text),
    }
}

/// `file:line:column`, both from 1, the column in characters.
fn place(name: &str, text: &str, at: usize) -> String {
    let before = text.get(..at).unwrap_or(text);
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
    format!("{name}:{line}:{column}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn complaint(text: &str) -> String {
        entries("d.toml", text).err().unwrap().to_string()
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_one_that_was_meant() {
        let said = complaint("# my server\nlisten = 'localhost:80'\nhash_thread = 3\n");
        assert_eq!(
            said,
            "error: d.toml:3:1: there is no setting `hash_thread`\nhint: did you mean `hash_threads`?"
        );
        assert!(complaint("colour = 1").contains("hint: `doorward config` shows"));
        assert!(complaint("jwt_secret_fil = 'x'").contains("did you mean `jwt_secret_file`?"));
    }

    #[test]
    fn what_is_no_toml_is_refused_with_its_place() {
        let said = complaint("listen = 'a'\nissuer = doorward\n");
        assert!(said.starts_with("error: d.toml:2:10: "), "{said}");
        assert!(said.contains("\nhint: write `setting = value`"), "{said}");
    }

    #[test]
    fn a_table_is_no_value() {
        assert!(complaint("[listen]\nport = 1").contains("`listen` cannot be this table"));
        assert!(complaint("origins = [['x']]").contains("`origins` cannot be this array"));
    }
}
