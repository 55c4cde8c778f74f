//! What is said of a field, with holes of its own: `{field}` is its label, `{limit}` what it may have at most.

use doorward_core::error::did_you_mean;

use super::template::{Part, TemplateFault, fault, parts};

/// The word that has a limit to tell.
const WITH_LIMIT: &str = "too_long";

/// Words with holes.
#[derive(Clone, Debug)]
pub struct Words(Vec<Word>);

#[derive(Clone, Debug)]
enum Word {
    Text(String),
    Field,
    Limit,
}

impl Words {
    /// Reads the words of this name in `[words]`.
    pub(super) fn new(key: &str, text: &str) -> Result<Self, TemplateFault> {
        let word = |part| match part {
            Part::Words(words) => Ok(Word::Text(words)),
            Part::Hole {
                name: "field",
                can_vanish: false,
            } => Ok(Word::Field),
            Part::Hole {
                name: "limit",
                can_vanish: false,
            } if key == WITH_LIMIT => Ok(Word::Limit),
            Part::Hole { name, can_vanish } => {
                let mark = if can_vanish { "?" } else { "" };
                let known = ["field", "limit"].into_iter();
                let known = known.filter(|hole| *hole == "field" || key == WITH_LIMIT);
                let what = format!("the hole `{{{name}{mark}}}` names nothing");
                Err(fault(name, what, did_you_mean(name, known)))
            }
        };
        parts(text)?.into_iter().map(word).collect::<Result<_, _>>().map(Self)
    }

    /// The words about a field.
    pub fn say(&self, field: &str, limit: usize) -> String {
        let mut out = String::new();
        for word in &self.0 {
            match word {
                Word::Text(text) => out.push_str(text),
                Word::Field => out.push_str(field),
                Word::Limit => out.push_str(&limit.to_string()),
            }
        }
        out
    }
}

/// Words that have no holes: what is between their braces would be shown as it is.
pub(super) fn without_holes(text: &str, no_holes: &str) -> Result<String, TemplateFault> {
    let mut out = String::new();
    for part in parts(text)? {
        match part {
            Part::Words(words) => out.push_str(&words),
            Part::Hole { name, .. } => {
                let hint = "write the word itself, or `{{` and `}}` for braces that are shown".to_owned();
                return Err(fault(name, no_holes.to_owned(), hint));
            }
        }
    }
    Ok(out)
}
