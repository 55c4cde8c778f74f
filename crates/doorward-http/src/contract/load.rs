//! Reads a contract file: from what is written to what is used, checked once.
//!
//! The surprise: answers are compiled where they are used and not where they stand, because what a template
//! can show depends on the outcome that it answers.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use doorward_core::realm::{DEFAULT_REALM, check_name};
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::hole::{Group, Scope};
use super::keys;
use super::section::{Result, Section, Source, Text};
use super::template::{Compiler, TemplateFault, member_name};
use super::wide::{WIDE, Wide};
use super::words::Words;
use super::{Bodies, Contract, Cookie, FaultRules, Field, PREFIX_HINT, WideAnswers};
use crate::diagnostic::Diagnostic;
use crate::engine::strict_json;
use crate::settings::{ORIGINS_HINT, is_origin};

mod answer;
mod field;
mod route;
mod token;
mod unused;

/// The most bytes of a body unless the contract says otherwise.
const BODY_LIMIT: usize = 1024 * 1024;
/// The most bytes a contract may take.
const MAX_BODY_LIMIT: usize = 16 * 1024 * 1024;

/// The words for the limits that hold whatever a contract says, unless it has its own under `[words]`.
/// `{field}` is filled in, and `{limit}` where there is one.
pub const DEFAULT_WORDS: [(&str, &str); 8] = [
    ("taken", "{field} is taken"),
    ("not_text", "{field} must be text"),
    ("too_long", "{field} must be at most {limit} characters long"),
    ("unprintable", "{field} must not contain control characters"),
    ("not_email", "{field} must be an e-mail address"),
    ("too_short", "{field} is too short"),
    ("common", "{field} is too common"),
    ("guessable", "{field} is too easy to guess"),
];

/// What answers and routes are read with.
struct Loader<'s> {
    source: &'s Source<'s>,
    shapes: BTreeMap<String, Value>,
    faults_by_field: bool,
    has_refresh: bool,
    cookies: Vec<Cookie>,
    fields: BTreeMap<String, (Text, Arc<Field>)>,
    switches: BTreeMap<String, String>,
    answers: BTreeMap<String, (Text, &'s Spanned<DeValue<'s>>)>,
    used_answers: RefCell<BTreeSet<String>>,
    used_fields: RefCell<BTreeSet<String>>,
    used_shapes: RefCell<BTreeSet<String>>,
    used_cookies: RefCell<BTreeSet<String>>,
    used_switches: RefCell<BTreeSet<String>>,
}

/// Reads a contract. `name` is the file's name for messages.
///
/// # Errors
/// The first thing that is wrong, with its place and what would be right.
pub fn parse(name: &str, text: &str) -> std::result::Result<Contract, Diagnostic> {
    let source = Source { name, text };
    let document = DeTable::parse(text).map_err(|error| {
        let span = error.span().unwrap_or(0..0);
        source.fault(
            span,
            format!("this is not TOML: {}", error.message()),
            "see https://toml.io for the syntax",
        )
    })?;
    let root = Section::new(&source, "the contract", 0..0, document.get_ref()).with(&keys::FILE);
    let contract = contract(&source, &root)?;
    root.finish()?;
    Ok(contract)
}

fn contract<'s>(source: &'s Source<'s>, root: &Section<'s>) -> Result<Contract> {
    let Some(head) = root.value("contract") else {
        return Err(source.fault(
            0..0,
            "there is no [contract]",
            "begin with `[contract]` and `name = \"…\"`",
        ));
    };
    let head = Section::of(source, "[contract]", head)?.with(&keys::CONTRACT);
    let name = name(&head)?;
    let faults = root.section("faults")?.with(&keys::FAULTS);
    let token = root.section("token")?.with(&keys::TOKEN);
    let mut loader = Loader {
        source,
        shapes: shapes(source, &root.section("shape")?)?,
        faults_by_field: faults.flag("by_field")?,
        has_refresh: token.value("refresh").is_some(),
        cookies: Vec::new(),
        fields: field::all(source, &root.section("field")?)?,
        switches: switches(source, &root.section("switch")?)?,
        answers: root
            .section("answer")?
            .entries()
            .into_iter()
            .map(|(key, value)| (key.text.clone(), (key, value)))
            .collect(),
        used_answers: RefCell::default(),
        used_fields: RefCell::default(),
        used_shapes: RefCell::default(),
        used_cookies: RefCell::default(),
        used_switches: RefCell::default(),
    };
    loader.cookies = token::cookies(&loader, &root.section("cookie")?)?;
    let token = token::rules(&loader, &token)?;
    let faults = fault_rules(&faults, &root.section("words")?)?;
    let routes = route::all(&loader, root)?;
    let answers = loader.wide_answers(&root.section("answer")?)?;
    loader.complain_about_unused(root)?;
    let cors = root.section("cors")?.with(&keys::CORS);
    let contract = Contract {
        about: head.text("about")?.map(|about| about.text).unwrap_or_default(),
        root: head.flag("root")?,
        realm: realm(source, &head)?,
        prefix: prefix(source, &head, &name.text)?,
        trailing_slash: head.flag("trailing_slash")?,
        bodies: bodies(source, &head)?,
        coerce: head.flag("coerce")?,
        origins: origins(&cors)?,
        name: name.text,
        token,
        faults,
        routes,
        answers,
        switches: loader.switches,
        cookies: loader.cookies,
        source: source.text.to_owned(),
    };
    cors.finish()?;
    head.finish()?;
    Ok(contract)
}

/// What the contract is called.
fn name(head: &Section<'_>) -> Result<Text> {
    let name = head.required_text("name")?;
    if name.text.is_empty()
        || !name
            .text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
    {
        let hint = "use lower-case letters, digits and `-`";
        return Err(head
            .source
            .fault(name.span, format!("`{}` is no name for a contract", name.text), hint));
    }
    Ok(name)
}

fn realm(source: &Source<'_>, head: &Section<'_>) -> Result<String> {
    let Some(realm) = head.text("realm")? else {
        return Ok(DEFAULT_REALM.to_owned());
    };
    match check_name(&realm.text) {
        Ok(()) => Ok(realm.text),
        Err(refused) => Err(source.fault(realm.span, refused.what(), refused.hint())),
    }
}

fn prefix(source: &Source<'_>, head: &Section<'_>, name: &str) -> Result<String> {
    let Some(prefix) = head.text("prefix")? else {
        return Ok(format!("/{name}"));
    };
    super::prefix(&prefix.text)
        .map(str::to_owned)
        .ok_or_else(|| source.fault(prefix.span, format!("`{}` is no prefix", prefix.text), PREFIX_HINT))
}

fn origins(cors: &Section<'_>) -> Result<Vec<String>> {
    let origins = cors.texts("origins")?;
    if let Some(wrong) = origins.iter().find(|origin| !is_origin(&origin.text)) {
        let what = format!("`{}` is no origin", wrong.text);
        return Err(cors.source.fault(wrong.span.clone(), what, ORIGINS_HINT));
    }
    Ok(origins.into_iter().map(|origin| origin.text).collect())
}

fn bodies(source: &Source<'_>, head: &Section<'_>) -> Result<Bodies> {
    let limit = head.number("body_limit", 1..=MAX_BODY_LIMIT)?.unwrap_or(BODY_LIMIT);
    let named = head.texts("bodies")?;
    let mut bodies = Bodies {
        json: named.is_empty(),
        form: false,
        limit,
    };
    for body in named {
        match body.text.as_str() {
            "json" => bodies.json = true,
            "form" => bodies.form = true,
            other => {
                let what = format!("`{other}` is no kind of body");
                return Err(source.fault(body.span, what, "there are: json, form"));
            }
        }
    }
    Ok(bodies)
}

fn shapes(source: &Source<'_>, section: &Section<'_>) -> Result<BTreeMap<String, Value>> {
    let mut shapes = BTreeMap::new();
    for (key, value) in section.entries() {
        let DeValue::String(text) = value.get_ref() else {
            return Err(section.wrong_type(&key.text, value, "JSON in quotes"));
        };
        if super::hole::named(&key.text).is_some() {
            let what = format!("the shape `{}` has the name of a hole", key.text);
            return Err(source.fault(key.span, what, "call it something else"));
        }
        shapes.insert(key.text, json(source, value, text)?);
    }
    Ok(shapes)
}

/// The JSON of a template, not compiled yet.
fn json(source: &Source<'_>, at: &Spanned<DeValue<'_>>, text: &str) -> Result<Value> {
    let json = strict_json::read(text.as_bytes()).map_err(|error| {
        let hint = if error.is_data() {
            "name each member once, and nest them less deep than 32"
        } else {
            "holes stand in strings, as in '{\"id\": \"{account.number}\"}'"
        };
        source.fault(at.span(), format!("this is not JSON: {error}"), hint)
    })?;
    // Here and not where it is compiled, since a shape is compiled in the place of another text.
    member_names(&json).map_err(|fault| source.in_template(at.span(), fault))?;
    Ok(json)
}

fn member_names(json: &Value) -> std::result::Result<(), TemplateFault> {
    match json {
        Value::Array(items) => items.iter().try_for_each(member_names),
        Value::Object(members) => members.iter().try_for_each(|(key, value)| {
            member_name(key)?;
            member_names(value)
        }),
        _ => Ok(()),
    }
}

fn switches(source: &Source<'_>, section: &Section<'_>) -> Result<BTreeMap<String, String>> {
    let mut switches = BTreeMap::new();
    for (key, value) in section.entries() {
        let switch = Section::of(source, format!("[switch.{}]", key.text), value)?.with(&keys::SWITCH);
        switches.insert(key.text, switch.required_text("about")?.text);
        switch.finish()?;
    }
    Ok(switches)
}

fn fault_rules(section: &Section<'_>, words: &Section<'_>) -> Result<FaultRules> {
    let one_of = |key: &str, first: &str, second: &str| -> Result<bool> {
        match section.text(key)? {
            None => Ok(false),
            Some(text) if text.text == first => Ok(true),
            Some(text) if text.text == second => Ok(false),
            Some(text) => {
                let what = format!("`{key}` cannot be `{}`", text.text);
                Err(section
                    .source
                    .fault(text.span, what, format!("write \"{first}\" or \"{second}\"")))
            }
        }
    };
    let rules = FaultRules {
        all: one_of("answer", "all", "first")?,
        presence_first: one_of("order", "presence", "fields")?,
        words: DEFAULT_WORDS
            .into_iter()
            .map(|(key, default)| Ok((key, worded(words, key, default)?)))
            .collect::<Result<_>>()?,
    };
    section.finish()?;
    words.finish()?;
    Ok(rules)
}

/// The words of this name, the contract's own or those that everybody has.
fn worded(section: &Section<'_>, key: &str, default: &str) -> Result<Words> {
    let own = section.text(key)?;
    let span = own
        .as_ref()
        .map_or_else(|| section.span.clone(), |own| own.span.clone());
    let text = own.map_or_else(|| default.to_owned(), |own| own.text);
    Words::new(key, &text).map_err(|fault| section.source.in_template(span, fault))
}

impl<'s> Loader<'s> {
    fn compiler<'c>(&'c self, scope: &'c Scope) -> Compiler<'c> {
        Compiler {
            shapes: &self.shapes,
            used_shapes: &self.used_shapes,
            faults_by_field: self.faults_by_field,
            scope,
        }
    }

    /// The contract-wide answers of `[answer]`. Each kind has to be answered, by its own or by `any`.
    fn wide_answers(&self, section: &Section<'s>) -> Result<WideAnswers> {
        let scope = Scope::of(&[Group::Problem]);
        let mut answers = WideAnswers::default();
        if let Some((_, value)) = self.answers.get("any") {
            self.used_answers.borrow_mut().insert("any".to_owned());
            answers.any = Some(self.answer_of(value, "[answer] any", &scope)?);
        }
        for (wide, name, ..) in WIDE {
            if let Some((_, value)) = self.answers.get(name) {
                self.used_answers.borrow_mut().insert(name.to_owned());
                answers
                    .named
                    .push((wide, self.answer_of(value, &format!("[answer] {name}"), &scope)?));
            }
        }
        for (wide, name, ..) in WIDE {
            // A body that is no object has no members, unless the contract has words of its own for it.
            if wide != Wide::NotObject && answers.find(wide).is_none() {
                let what = format!("no answer for `{name}`");
                let hint = format!("add `{name} = {{ … }}` to [answer], or `any = {{ … }}` for all of its kind");
                return Err(self.source.fault(section.span.clone(), what, hint));
            }
        }
        Ok(answers)
    }
}

#[cfg(test)]
#[path = "load_tests.rs"]
mod tests;

#[cfg(test)]
mod refused_tests;
