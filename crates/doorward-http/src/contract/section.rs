//! A table of a contract file while it is read. It knows where everything stands, and which keys nobody asked
//! for: those are mistakes, never ignored.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::ops::Range;

use doorward_core::error::did_you_mean;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::keys::Keys;
use super::template::TemplateFault;
use crate::diagnostic::Diagnostic;

pub(super) type Result<T> = std::result::Result<T, Diagnostic>;

/// The file that is read.
pub(super) struct Source<'s> {
    pub(super) name: &'s str,
    pub(super) text: &'s str,
}

impl Source<'_> {
    pub(super) fn fault(&self, span: Range<usize>, what: impl Into<String>, hint: impl Into<String>) -> Diagnostic {
        Diagnostic::new(self.name, self.text, span, what.into(), hint.into())
    }

    /// Points at the place of a fault inside a template, if the text stands there as it is.
    pub(super) fn in_template(&self, span: Range<usize>, fault: TemplateFault) -> Diagnostic {
        let written = self.text.get(span.clone()).unwrap_or_default();
        // A hole's name may also be a member's name: look for it behind a brace first.
        let behind_brace = || written.find(&format!("{{{}", fault.at)).map(|at| at + 1);
        let at = (!fault.at.is_empty())
            .then(|| behind_brace().or_else(|| written.find(&fault.at)))
            .flatten();
        let span = at.map_or(span.clone(), |at| span.start + at..span.start + at + fault.at.len());
        self.fault(span, fault.what, fault.hint)
    }
}

/// A text with its place in the file.
#[derive(Clone, Debug)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) span: Range<usize>,
}

/// A table that is read.
pub(super) struct Section<'s> {
    pub(super) source: &'s Source<'s>,
    pub(super) span: Range<usize>,
    /// How the table is called in messages: `[contract]`, `this route`.
    what: String,
    table: Option<&'s DeTable<'s>>,
    /// What it can have, where that is not for the file to choose.
    keys: Option<&'static Keys>,
    asked: RefCell<BTreeSet<String>>,
}

impl<'s> Section<'s> {
    pub(super) fn new(
        source: &'s Source<'s>,
        what: impl Into<String>,
        span: Range<usize>,
        table: &'s DeTable<'s>,
    ) -> Self {
        Self {
            source,
            span,
            what: what.into(),
            table: Some(table),
            keys: None,
            asked: RefCell::default(),
        }
    }

    /// The same, of a kind whose keys are listed.
    pub(super) fn with(self, keys: &'static Keys) -> Self {
        Self {
            keys: Some(keys),
            ..self
        }
    }

    /// A table from a value, or the complaint that it is none.
    pub(super) fn of(source: &'s Source<'s>, what: impl Into<String>, value: &'s Spanned<DeValue<'s>>) -> Result<Self> {
        let what = what.into();
        match value.get_ref() {
            DeValue::Table(table) => Ok(Self::new(source, what, value.span(), table)),
            _ => Err(source.fault(
                value.span(),
                format!("{what} has to be a table"),
                format!("write `{what}`"),
            )),
        }
    }

    pub(super) fn value(&self, key: &str) -> Option<&'s Spanned<DeValue<'s>>> {
        self.asked.borrow_mut().insert(key.to_owned());
        self.table?.get(key)
    }

    /// The table under a key; an empty one if it is absent.
    pub(super) fn section(&self, key: &str) -> Result<Self> {
        match self.value(key) {
            Some(value) => Self::of(self.source, format!("[{key}]"), value),
            None => Ok(Self {
                source: self.source,
                span: self.span.clone(),
                what: format!("[{key}]"),
                table: None,
                keys: None,
                asked: RefCell::default(),
            }),
        }
    }

    /// Every key with its place and its value. All count as asked for.
    pub(super) fn entries(&self) -> Vec<(Text, &'s Spanned<DeValue<'s>>)> {
        let entries = self.table.into_iter().flat_map(|table| table.iter());
        let named = entries.map(|(key, value)| {
            let text = Text {
                text: key.get_ref().to_string(),
                span: key.span(),
            };
            self.asked.borrow_mut().insert(text.text.clone());
            (text, value)
        });
        named.collect()
    }

    /// The key that somebody may have mistyped for this one: nearly the same, and not one of the others.
    pub(super) fn mistyped(&self, key: &str, others: &[&str]) -> Option<Text> {
        let keys = self
            .table
            .into_iter()
            .flat_map(|table| table.iter())
            .map(|(key, _)| key);
        let stranger = |text: &str| text != key && !others.contains(&text);
        let near = |text: &str| did_you_mean(text, [key]).starts_with("did you mean");
        let found = keys
            .into_iter()
            .find(|is| stranger(is.get_ref()) && near(is.get_ref()))?;
        Some(Text {
            text: found.get_ref().to_string(),
            span: found.span(),
        })
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<Text>> {
        self.value(key).map(|value| self.as_text(key, value)).transpose()
    }

    pub(super) fn required_text(&self, key: &str) -> Result<Text> {
        self.text(key)?.ok_or_else(|| self.missing(key, "\"…\""))
    }

    pub(super) fn missing(&self, key: &str, value: &str) -> Diagnostic {
        let what = format!("{} has no `{key}`", self.what);
        self.source
            .fault(self.span.clone(), what, format!("add `{key} = {value}`"))
    }

    pub(super) fn flag(&self, key: &str) -> Result<bool> {
        let Some(value) = self.value(key) else {
            return Ok(false);
        };
        value
            .get_ref()
            .as_bool()
            .ok_or_else(|| self.wrong_type(key, value, "true or false"))
    }

    pub(super) fn number(&self, key: &str, range: std::ops::RangeInclusive<usize>) -> Result<Option<usize>> {
        let Some(value) = self.value(key) else {
            return Ok(None);
        };
        let expected = format!("a number from {} to {}", range.start(), range.end());
        let integer = value
            .get_ref()
            .as_integer()
            .and_then(|n| usize::from_str_radix(n.as_str(), n.radix()).ok());
        let number = integer.filter(|n| range.contains(n));
        number.map(Some).ok_or_else(|| self.wrong_type(key, value, &expected))
    }

    /// One text or a list of them.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<Text>> {
        let Some(value) = self.value(key) else {
            return Ok(Vec::new());
        };
        match value.get_ref() {
            DeValue::Array(items) => items.iter().map(|item| self.as_text(key, item)).collect(),
            _ => Ok(vec![self.as_text(key, value)?]),
        }
    }

    fn as_text(&self, key: &str, value: &'s Spanned<DeValue<'s>>) -> Result<Text> {
        match value.get_ref() {
            DeValue::String(text) => Ok(Text {
                text: text.to_string(),
                span: value.span(),
            }),
            _ => Err(self.wrong_type(key, value, "text in quotes")),
        }
    }

    pub(super) fn wrong_type(&self, key: &str, value: &Spanned<DeValue<'_>>, expected: &str) -> Diagnostic {
        let found = value.get_ref().type_str();
        let what = format!("`{key}` of {} has to be {expected}, not this {found}", self.what);
        self.source
            .fault(value.span(), what, format!("write {expected} after `{key} =`"))
    }

    /// Complains about the first key that nobody asked for, or that is not listed.
    pub(super) fn finish(&self) -> Result<()> {
        let asked = self.asked.borrow();
        let listed = self.keys.iter().flat_map(|keys| keys.keys);
        debug_assert!(
            { listed }.all(|(key, ..)| asked.contains(*key)),
            "a key of {} is listed, and nobody reads it",
            self.what
        );
        let is_known = |key: &str| asked.contains(key) && self.keys.is_none_or(|keys| keys.has(key));
        for (key, _) in self.table.into_iter().flat_map(|table| table.iter()) {
            if !is_known(key.get_ref()) {
                let hint = did_you_mean(key.get_ref(), asked.iter().map(String::as_str));
                let what = format!("{} takes no `{}`", self.what, key.get_ref());
                return Err(self.source.fault(key.span(), what, hint));
            }
        }
        Ok(())
    }
}
