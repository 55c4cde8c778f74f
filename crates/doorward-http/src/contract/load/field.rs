//! Reads fields: where a value stands, what it is to the action, and its rules with their words.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use axum::http::HeaderName;
use doorward_core::action::Input;
use doorward_core::error::did_you_mean;
use toml::Spanned;
use toml::de::DeValue;

use super::super::keys;
use super::super::section::{Result, Section, Source, Text};
use super::super::words::without_holes;
use super::super::{Condition, Field, Location, Rule};

/// The longest length that a rule may ask for.
const MAX_LENGTH: usize = 4096;

/// Every field of the file by its name.
pub(super) fn all<'s>(source: &'s Source<'s>, section: &Section<'s>) -> Result<BTreeMap<String, (Text, Arc<Field>)>> {
    let mut fields = BTreeMap::new();
    for (key, value) in section.entries() {
        let section = Section::of(source, format!("[field.{}]", key.text), value)?.with(&keys::FIELD);
        let field = Arc::new(field(source, &key, &section)?);
        section.finish()?;
        fields.insert(key.text.clone(), (key, field));
    }
    Ok(fields)
}

fn field<'s>(source: &'s Source<'s>, key: &Text, section: &Section<'s>) -> Result<Field> {
    let is = section.required_text("is")?;
    let (input, attribute) = meaning(source, &is)?;
    let place = section.text("at")?.unwrap_or_else(|| key.clone());
    let at = location(source, &place)?;
    if let Some(secret) = input.filter(|input| input.is_secret()) {
        stays_out_of_url(source, &place, &at, secret)?;
    }
    let strong = section.flag("strong")?;
    if strong && !matches!(input, Some(Input::Password | Input::NewPassword)) {
        let hint = "use `strong` on a new password";
        return Err(source.fault(section.span.clone(), "only a new password can be strong", hint));
    }
    let json = section.flag("json")?;
    if json && input != Some(Input::Attribute) {
        let hint = "use `json` on `attribute.NAME`";
        return Err(source.fault(section.span.clone(), "only a free attribute can be any JSON", hint));
    }
    let rules = rules(source, section, input)?;
    if rules.is_empty() && !json {
        return Err(section.missing("rules", "[{ present = true, else = \"…\" }]"));
    }
    Ok(Field {
        name: key.text.clone(),
        label: section.text("label")?.map_or_else(|| label(&at), |own| own.text),
        at,
        input,
        attribute,
        empty_is_absent: section.flag("empty_is_absent")?,
        json,
        strong,
        rules,
    })
}

/// `email`, `attribute.NAME`, … or `none`: a field that only has rules, such as a password typed again.
fn meaning(source: &Source<'_>, is: &Text) -> Result<(Option<Input>, String)> {
    if is.text == "none" {
        return Ok((None, String::new()));
    }
    let (name, attribute) = is.text.split_once('.').unwrap_or((&is.text, ""));
    let input = Input::ALL
        .iter()
        .find(|(_, known)| *known == name)
        .map(|(input, _)| *input);
    if let Some(input) = input.filter(|input| (*input == Input::Attribute) != attribute.is_empty()) {
        return Ok((Some(input), attribute.to_owned()));
    }
    let names = Input::ALL.iter().map(|(input, name)| match input {
        Input::Attribute => "attribute.NAME",
        _ => *name,
    });
    let hint = did_you_mean(&is.text, names.chain(["none"]));
    Err(source.fault(is.span.clone(), format!("a field cannot be `{}`", is.text), hint))
}

/// What a field is called in faults: where it stands, without the place.
fn label(at: &Location) -> String {
    match at {
        Location::Body(path) => path.join("."),
        Location::Query(name) | Location::Path(name) => name.clone(),
        Location::Header(name) => name.to_string(),
    }
}

/// `email`, `fullname.firstname`, `query:name`, `header:x-name`, `path:id`, `body:name`.
pub(super) fn location(source: &Source<'_>, at: &Text) -> Result<Location> {
    let (place, name) = at.text.split_once(':').unwrap_or(("body", &at.text));
    let location = match place {
        "body" => Some(Location::Body(name.split('.').map(str::to_owned).collect())),
        "query" => Some(Location::Query(name.to_owned())),
        "path" => Some(Location::Path(name.to_owned())),
        "header" => HeaderName::try_from(name).ok().map(Location::Header),
        _ => None,
    };
    location
        .filter(|_| name.split('.').all(|part| !part.is_empty()))
        .ok_or_else(|| {
            let hint = "write `name.member`, `query:name`, `header:name` or `path:name`";
            source.fault(at.span.clone(), format!("`{}` is no place in a request", at.text), hint)
        })
}

/// Refuses a secret in a URL: the line of each request has the path, a proxy's log has the query as well, and browsers
/// remember both.
fn stays_out_of_url(source: &Source<'_>, place: &Text, at: &Location, secret: Input) -> Result<()> {
    match at {
        Location::Body(_) | Location::Header(_) => Ok(()),
        Location::Query(_) | Location::Path(_) => {
            let what = format!("`{}` is part of a URL, and a {} is a secret", place.text, secret.name());
            let hint = "URLs stand in logs and histories: take it in the body or in a header, `header:x-name`";
            Err(source.fault(place.span.clone(), what, hint))
        }
    }
}

fn rules<'s>(source: &'s Source<'s>, section: &Section<'s>, input: Option<Input>) -> Result<Vec<Rule>> {
    let Some(value) = section.value("rules") else {
        return Ok(Vec::new());
    };
    let DeValue::Array(items) = value.get_ref() else {
        return Err(section.wrong_type("rules", value, "a list of rules"));
    };
    let mut lengths = Lengths::default();
    let rules = items.iter().map(|item| rule(source, item, &mut lengths));
    let rules = rules.collect::<Result<_>>()?;
    lengths.can_be(source, input)?;
    Ok(rules)
}

/// The longest `min` and the shortest `max` of a field, with their places.
#[derive(Default)]
struct Lengths {
    least: Option<(usize, Range<usize>)>,
    most: Option<(usize, Range<usize>)>,
}

impl Lengths {
    /// Refuses rules that no value keeps.
    fn can_be(self, source: &Source<'_>, input: Option<Input>) -> Result<()> {
        let Some((least, span)) = self.least else {
            return Ok(());
        };
        if let Some((most, _)) = self.most.filter(|(most, _)| *most < least) {
            let what = format!("no text has at least {least} and at most {most} characters");
            return Err(source.fault(span, what, "write a smaller `min`, or a larger `max`"));
        }
        if let Some(input) = input.filter(|input| input.limit() < least) {
            let (name, limit) = (input.name(), input.limit());
            let what = format!("no `{name}` has at least {least} characters: {limit} is the limit for all contracts");
            return Err(source.fault(span, what, format!("write `min = {limit}` or less")));
        }
        Ok(())
    }
}

fn rule<'s>(source: &'s Source<'s>, item: &'s Spanned<DeValue<'s>>, lengths: &mut Lengths) -> Result<Rule> {
    let section = Section::of(source, "a rule", item)?.with(&keys::RULE);
    let mut conditions = Vec::new();
    for (key, condition) in [
        ("present", Condition::Present),
        ("filled", Condition::Filled),
        ("string", Condition::Text),
    ] {
        if section.flag(key)? {
            conditions.push(condition);
        }
    }
    let length = |key: &str| -> Result<Option<(usize, Range<usize>)>> {
        let number = section.number(key, 1..=MAX_LENGTH)?;
        Ok(number.zip(section.value(key).map(Spanned::span)))
    };
    let (least, most) = (length("min")?, length("max")?);
    conditions.extend(least.iter().map(|(number, _)| Condition::Min(*number)));
    conditions.extend(most.iter().map(|(number, _)| Condition::Max(*number)));
    lengths.least = lengths
        .least
        .take()
        .into_iter()
        .chain(least)
        .max_by_key(|(number, _)| *number);
    lengths.most = lengths
        .most
        .take()
        .into_iter()
        .chain(most)
        .min_by_key(|(number, _)| *number);
    match section.text("format")? {
        Some(format) if format.text == "email" => conditions.push(Condition::Email),
        Some(format) => {
            let what = format!("there is no format `{}`", format.text);
            return Err(source.fault(format.span, what, "there is: email"));
        }
        None => {}
    }
    conditions.extend(section.text("same_as")?.map(|other| Condition::SameAs(other.text)));
    if conditions.is_empty() {
        let hint = "there are: present, filled, string, min, max, format, same_as";
        return Err(source.fault(item.span(), "this rule asks for nothing", hint));
    }
    let words = section.required_text("else")?;
    let words = without_holes(
        &words.text,
        "an `else` has no holes, since it is about one field and one rule",
    )
    .map_err(|fault| source.in_template(words.span, fault))?;
    section.finish()?;
    Ok(Rule { conditions, words })
}
