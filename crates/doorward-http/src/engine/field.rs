//! Takes the fields of a route out of a request and tries their rules, in the contract's order and words.

use std::borrow::Cow;

use axum::http::request::Parts;
use doorward_core::Auth;
use doorward_core::action::{Fault, FaultKind, Given, Input, Inputs};
use doorward_core::identifier::is_email;
use doorward_core::password::Weakness;
use doorward_core::secret::Secret;
use serde_json::Value;

use crate::contract::render::WordedFault;
use crate::contract::{Condition, Contract, Field, Location, Route, Rule};

/// A field of a route with the value that came.
type Of<'v> = (&'v Field, Option<Cow<'v, Value>>);

/// For each field of a route, in their order, the words of what is wrong with it.
type Broken = Vec<Option<String>>;

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
            self.value(at, contract.coerce, false)
                .is_some_and(|value| value.as_str() == Some(expected.as_str()))
        })
    }

    /// The inputs of the action, or what is wrong with them.
    pub(super) fn inputs(&self, route: &Route, contract: &Contract, auth: &Auth) -> Result<Inputs, Vec<WordedFault>> {
        let values: Vec<Of<'_>> = route
            .fields
            .iter()
            .map(|field| (&**field, self.of_field(field, contract)))
            .collect();
        let mut broken = missing(&values, contract);
        if broken.iter().any(Option::is_some) {
            return Err(told(route, broken, contract));
        }
        broken = broken_rules(&values, contract);
        let mut inputs = Inputs::new(route.fields.iter().any(|field| field.strong));
        for ((field, value), words) in values.into_iter().zip(&broken) {
            let (Some(input), None) = (field.input, words) else {
                continue;
            };
            let given = match value.map(Cow::into_owned) {
                None => continue,
                Some(Value::Null) => Given::Null,
                Some(Value::String(text)) => Given::Text(Secret::new(text)),
                Some(other) => Given::Json(other),
            };
            inputs.push(input, &field.attribute, given);
        }
        if broken.iter().all(Option::is_none) {
            return Ok(inputs);
        }
        // Whoever is told everything is told at once what core would say of the other fields.
        if contract.faults.all {
            put_in_words(&mut broken, &inputs.faults(auth, route.action), route, contract);
        }
        Err(told(route, broken, contract))
    }

    fn of_field(&self, field: &Field, contract: &Contract) -> Option<Cow<'_, Value>> {
        let is_password = field.input.is_some_and(Input::is_password);
        let value = self.value(&field.at, contract.coerce, is_password)?;
        let empty = field.empty_is_absent && value.as_str() == Some("");
        (!empty).then_some(value)
    }

    fn value(&self, at: &Location, coerce: bool, is_password: bool) -> Option<Cow<'_, Value>> {
        match at {
            Location::Body(path) => {
                let value = path.iter().try_fold(self.body, |value, name| value.get(name))?;
                let exact = !is_password || is_exact(value);
                Some(coerced(value, coerce && exact))
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

/// Whether a number is kept as it was typed. A fraction, an exponent and more than 64 bits are not: many that were
/// typed are one afterwards, and as a password each of them would be good for all the others.
fn is_exact(value: &Value) -> bool {
    !value.is_f64()
}

/// What some servers make of a value that is no text: text.
fn coerced(value: &Value, coerce: bool) -> Cow<'_, Value> {
    match value {
        Value::Number(_) | Value::Bool(_) if coerce => Cow::Owned(value.to_string().into()),
        Value::Null if coerce => Cow::Owned("".into()),
        _ => Cow::Borrowed(value),
    }
}

/// Where the contract tells missing fields first, the words of each that is.
fn missing(values: &[Of<'_>], contract: &Contract) -> Broken {
    let words = |(field, value): &Of<'_>| {
        let is_demanded = |condition: &&Condition| matches!(condition, Condition::Present | Condition::Filled);
        let is_broken = |rule: &&Rule| {
            let mut demands = rule.conditions.iter().filter(is_demanded);
            // Neither looks at other fields.
            demands.any(|condition| !holds(condition, value.as_deref(), &|_| None))
        };
        field.rules.iter().find(is_broken).map(|rule| rule.words.clone())
    };
    let values = if contract.faults.presence_first { values } else { &[] };
    values.iter().map(words).collect()
}

fn broken_rules(values: &[Of<'_>], contract: &Contract) -> Broken {
    let others = |name: &str| {
        values
            .iter()
            .find(|(field, _)| field.name == name)
            .and_then(|(_, v)| v.as_deref())
    };
    let words = |(field, value): &Of<'_>| broken_rule(field, value.as_deref(), &others, contract);
    values.iter().map(words).collect()
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
    let mut broken = vec![None; route.fields.len()];
    put_in_words(&mut broken, faults, route, contract);
    told(route, broken, contract)
}

/// Puts the faults that core found to their fields.
fn put_in_words(broken: &mut Broken, faults: &[Fault], route: &Route, contract: &Contract) {
    for fault in faults {
        let is = |(field, words): &(&std::sync::Arc<Field>, &mut Option<String>)| {
            words.is_none() && field.input == Some(fault.input) && *field.attribute == *fault.attribute
        };
        let Some((field, words)) = route.fields.iter().zip(broken.iter_mut()).find(is) else {
            continue;
        };
        let (key, limit) = match fault.kind {
            FaultKind::Null => {
                // As any other value that is no text, by the contract's own rules.
                *words = broken_rule(field, Some(&Value::Bool(false)), &|_| None, contract);
                continue;
            }
            FaultKind::TooLong(limit) => ("too_long", limit),
            FaultKind::Unprintable => ("unprintable", 0),
            FaultKind::NotAnEmail => ("not_email", 0),
            FaultKind::Taken => ("taken", 0),
            FaultKind::Weak(Weakness::TooShort) => ("too_short", 0),
            FaultKind::Weak(Weakness::Common) => ("common", 0),
            FaultKind::Weak(Weakness::Guessable) => ("guessable", 0),
        };
        *words = Some(in_words(contract, key, &field.label, limit));
    }
}

/// What of it the contract tells.
fn told(route: &Route, broken: Broken, contract: &Contract) -> Vec<WordedFault> {
    let most = if contract.faults.all { usize::MAX } else { 1 };
    let fields = route.fields.iter().zip(broken);
    let faults = fields.filter_map(|(field, message)| {
        Some(WordedFault {
            field: field.label.clone(),
            message: message?,
        })
    });
    faults.take(most).collect()
}

fn in_words(contract: &Contract, key: &str, field: &str, limit: usize) -> String {
    let words = contract.faults.words.get(key);
    words.map_or_else(String::new, |words| words.say(field, limit))
}

#[cfg(test)]
mod tests {
    use doorward_core::action::Action;

    use super::*;
    use crate::contract::{builtin, parse};

    /// The text that this is taken for in place of a password, where numbers are taken for text.
    fn password(typed: &str) -> Option<String> {
        let contract = parse("auth", builtin::find("auth").unwrap()).unwrap();
        let login = contract.routes.iter().find(|route| route.action == Action::Login);
        let fields = &login.unwrap().fields;
        let field = fields.iter().find(|field| field.input == Some(Input::Password));
        let (parts, ()) = axum::http::Request::new(()).into_parts();
        let body = format!(r#"{{"email": "ann@example.com", "password": {typed}}}"#);
        let request = Request {
            parts: &parts,
            body: &crate::engine::strict_json::parse(body.as_bytes()).unwrap(),
            variables: Vec::new(),
        };
        let value = request.of_field(field.unwrap(), &contract).unwrap();
        value.as_str().map(str::to_owned)
    }

    #[test]
    fn a_number_is_a_password_only_as_it_was_typed() {
        for exact in ["123456", "18446744073709551615", "-9223372036854775808"] {
            assert_eq!(password(exact).as_deref(), Some(exact));
        }
        // Each of these is one number with others that were typed differently.
        for other in [
            "123456789012345678901234",
            "18446744073709551616",
            "12.34560",
            "1234e5",
            "-0.0000",
        ] {
            assert_eq!(password(other), None, "{other}");
            assert_eq!(password(&format!("\"{other}\"")).as_deref(), Some(other));
        }
    }
}
