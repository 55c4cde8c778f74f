//! Takes the fields of a route out of a request and tries their rules, in the contract's order and words.

use std::borrow::Cow;

use axum::http::request::Parts;
use doorward_core::action::{Fault, FaultKind, Given, Inputs};
use doorward_core::identifier::is_email;
use doorward_core::password::Weakness;
use doorward_core::secret::Secret;
use serde_json::Value;

use crate::contract::render::WordedFault;
use crate::contract::{Condition, Contract, Field, Location, Route, Rule};

/// A request whose body has been read.
pub(super) struct Request<'r> {
    pub(super) parts: &'r Parts,
    /// The body; null if no route wants it.
    pub(super) body: &'r Value,
    /// The variable segments of the path, with the names that they have at the place of the route.
    pub(super) variables: Vec<(&'r str, &'r str)>,
}

impl Request<'_> {
    /// Whether the request has what a route demands to be meant.
    pub(super) fn meets(&self, route: &Route, contract: &Contract) -> bool {
        route.when.iter().all(|(at, expected)| {
            self.value(at, contract)
                .is_some_and(|value| value.as_str() == Some(expected.as_str()))
        })
    }

    /// The inputs of the action, or what is wrong with them.
    pub(super) fn inputs(&self, route: &Route, contract: &Contract) -> Result<Inputs, Vec<WordedFault>> {
        let values: Vec<(&Field, Option<Cow<'_, Value>>)> = route
            .fields
            .iter()
            .map(|field| (&**field, self.of_field(field, contract)))
            .collect();
        let faults = faults(&values, contract);
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut inputs = Inputs::new(route.fields.iter().any(|field| field.strong));
        for (field, value) in values {
            let Some(input) = field.input else { continue };
            let given = match value.map(Cow::into_owned) {
                None => continue,
                Some(Value::Null) => Given::Null,
                Some(Value::String(text)) => Given::Text(Secret::new(text)),
                Some(other) => Given::Json(other),
            };
            inputs.push(input, &field.attribute, given);
        }
        Ok(inputs)
    }

    fn of_field(&self, field: &Field, contract: &Contract) -> Option<Cow<'_, Value>> {
        let value = self.value(&field.at, contract)?;
        let empty = field.empty_is_absent && value.as_str() == Some("");
        (!empty).then_some(value)
    }

    fn value(&self, at: &Location, contract: &Contract) -> Option<Cow<'_, Value>> {
        match at {
            Location::Body(path) => {
                let value = path.iter().try_fold(self.body, |value, name| value.get(name))?;
                Some(coerced(value, contract.coerce))
            }
            Location::Query(name) => {
                let query = self.parts.uri.query().unwrap_or_default();
                let (_, value) = form_urlencoded::parse(query.as_bytes()).find(|(is, _)| is == name)?;
                Some(Cow::Owned(value.into_owned().into()))
            }
            Location::Header(name) => {
                let value = self.parts.headers.get(name)?.to_str().ok()?;
                Some(Cow::Owned(value.into()))
            }
            Location::Path(name) => {
                let (_, value) = self.variables.iter().find(|(is, _)| is == name)?;
                Some(Cow::Owned((*value).into()))
            }
        }
    }
}

/// What some servers make of a value that is no text: text.
fn coerced(value: &Value, coerce: bool) -> Cow<'_, Value> {
    match value {
        Value::Number(_) | Value::Bool(_) if coerce => Cow::Owned(value.to_string().into()),
        Value::Null if coerce => Cow::Owned("".into()),
        _ => Cow::Borrowed(value),
    }
}

fn faults(values: &[(&Field, Option<Cow<'_, Value>>)], contract: &Contract) -> Vec<WordedFault> {
    let others = |name: &str| {
        values
            .iter()
            .find(|(field, _)| field.name == name)
            .and_then(|(_, v)| v.as_deref())
    };
    let mut faults = Vec::new();
    if contract.faults.presence_first {
        faults.extend(values.iter().filter_map(|(field, value)| {
            let broken = |rule: &&Rule| {
                let presence = rule
                    .conditions
                    .iter()
                    .filter(|c| matches!(c, Condition::Present | Condition::Filled));
                presence
                    .into_iter()
                    .any(|condition| !holds(condition, value.as_deref(), &others))
            };
            field
                .rules
                .iter()
                .find(broken)
                .map(|rule| worded_as(field, rule.words.clone()))
        }));
    }
    if faults.is_empty() {
        faults.extend(values.iter().filter_map(|(field, value)| {
            let words = broken_rule(field, value.as_deref(), &others, contract)?;
            Some(worded_as(field, words))
        }));
    }
    if !contract.faults.all {
        faults.truncate(1);
    }
    faults
}

/// The words of the first rule that a value breaks.
fn broken_rule<'v>(
    field: &Field,
    value: Option<&Value>,
    others: &dyn Fn(&str) -> Option<&'v Value>,
    contract: &Contract,
) -> Option<String> {
    let absent = value.is_none_or(Value::is_null);
    for rule in &field.rules {
        let demanded = rule
            .conditions
            .iter()
            .any(|c| matches!(c, Condition::Present | Condition::Filled));
        if absent && !demanded {
            continue;
        }
        if !rule.conditions.iter().all(|condition| holds(condition, value, others)) {
            return Some(rule.words.clone());
        }
    }
    let is_text = absent || field.json || value.is_some_and(Value::is_string);
    (!is_text).then(|| in_words(contract, "not_text", &field.label, 0))
}

fn holds<'v>(condition: &Condition, value: Option<&Value>, others: &dyn Fn(&str) -> Option<&'v Value>) -> bool {
    let text = value.and_then(Value::as_str);
    match condition {
        Condition::Present => value.is_some_and(|value| !value.is_null()),
        Condition::Filled => text.is_some_and(|text| !text.is_empty()),
        Condition::Text => text.is_some(),
        Condition::Min(least) => text.is_some_and(|text| text.chars().count() >= *least),
        Condition::Max(most) => text.is_some_and(|text| text.chars().count() <= *most),
        Condition::Email => text.is_some_and(is_email),
        Condition::SameAs(other) => value == others(other),
    }
}

/// The faults that core found, in the contract's words.
pub(super) fn worded(faults: &[Fault], route: &Route, contract: &Contract) -> Vec<WordedFault> {
    let mut worded: Vec<WordedFault> = faults
        .iter()
        .filter_map(|fault| {
            let is = |field: &&std::sync::Arc<Field>| {
                field.input == Some(fault.input) && *field.attribute == *fault.attribute
            };
            let field = route.fields.iter().find(is)?;
            let (key, limit) = match fault.kind {
                FaultKind::TooLong(limit) => ("too_long", limit),
                FaultKind::Unprintable => ("unprintable", 0),
                FaultKind::NotAnEmail => ("not_email", 0),
                FaultKind::Taken => ("taken", 0),
                FaultKind::Weak(Weakness::TooShort) => ("too_short", 0),
                FaultKind::Weak(Weakness::Common) => ("common", 0),
                FaultKind::Weak(Weakness::Guessable) => ("guessable", 0),
            };
            Some(worded_as(field, in_words(contract, key, &field.label, limit)))
        })
        .collect();
    if !contract.faults.all {
        worded.truncate(1);
    }
    worded
}

fn worded_as(field: &Field, message: String) -> WordedFault {
    WordedFault {
        field: field.label.clone(),
        message,
    }
}

fn in_words(contract: &Contract, key: &str, field: &str, limit: usize) -> String {
    let words = contract.faults.words.get(key).map_or("", String::as_str);
    words.replace("{field}", field).replace("{limit}", &limit.to_string())
}
