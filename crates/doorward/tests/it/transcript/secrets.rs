//! What of a request and its answer is secret.
//!
//! The surprise: a contract calls a password what it likes. The names are listed here, and the last test holds every
//! contract of the project against the list.

use serde_json::Value;

/// Shorter passwords occur by chance, in a log and in an answer.
const MIN_SECRET: usize = 6;
/// What the name of a member or a form field contains that has a password.
const MEMBERS: [&str; 2] = ["password", "secret"];
/// The headers that have a password.
const HEADERS: [&str; 2] = ["x-pin", "x-again"];

fn is_member(name: &str) -> bool {
    MEMBERS.iter().any(|part| name.contains(part))
}

fn is_header(name: &str) -> bool {
    HEADERS.iter().any(|header| name.eq_ignore_ascii_case(header))
}

/// The passwords of a request: of its headers and its body, which is JSON or a form.
pub(super) fn passwords(headers: &[(String, String)], body: &[u8]) -> Vec<String> {
    let headers = headers.iter().filter(|(name, _)| is_header(name));
    let mut found: Vec<String> = headers.map(|(_, value)| value.clone()).collect();
    match serde_json::from_slice::<Value>(body) {
        Ok(json) => named(&json, &is_member, &mut found),
        Err(_) => {
            let text = String::from_utf8_lossy(body);
            let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
            found.extend(
                pairs
                    .filter(|(name, _)| is_member(name))
                    .map(|(_, value)| value.to_owned()),
            );
        }
    }
    found.retain(|password| password.len() >= MIN_SECRET);
    found
}

/// Every text of the body that is long enough not to occur by chance.
pub(super) fn values(body: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    if let Ok(json) = serde_json::from_slice::<Value>(body) {
        named(&json, &|_| true, &mut found);
    }
    found.retain(|value| value.len() >= MIN_SECRET);
    found
}

/// The values of members with `token` in their name.
pub(super) fn tokens(json: &Value, found: &mut Vec<String>) {
    let mut tokens = Vec::new();
    named(json, &|name| name.contains("token"), &mut tokens);
    found.extend(tokens.into_iter().filter(|token| token.len() > 40));
}

/// The texts of the members whose name is meant, however deep they are.
fn named(json: &Value, is_meant: &dyn Fn(&str) -> bool, found: &mut Vec<String>) {
    match json {
        Value::Object(members) => {
            for (name, value) in members {
                match value {
                    Value::String(text) if is_meant(name) => found.push(text.clone()),
                    value => named(value, is_meant, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| named(item, is_meant, found)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use doorward_core::action::Input;
    use doorward_http::contract::{self, Condition, Contract, Field, Location, builtin};

    use super::*;
    use crate::transcript::ROOT;

    #[test]
    fn passwords_and_tokens_are_found() {
        assert_eq!(
            passwords(&[], br#"{"user": {"password": "in-json"}, "new_password": "second"}"#),
            ["in-json", "second"]
        );
        assert_eq!(passwords(&[], b"email=a&password=in-form&x=1"), ["in-form"]);
        assert!(passwords(&[], br#"{"password": "short"}"#).is_empty());
        assert_eq!(
            passwords(&[], br#"{"secret": "shop-pass", "deep": {"secretAgain": "shop-past"}}"#),
            ["shop-pass", "shop-past"]
        );
        assert_eq!(passwords(&[("X-Pin".into(), "in-header".into())], b""), ["in-header"]);
        let mut found = Vec::new();
        let token = "x".repeat(41);
        tokens(
            &serde_json::json!({"user": {"token": token}, "token_type": "Bearer"}),
            &mut found,
        );
        assert_eq!(found, [token]);
    }

    /// Whether it is a password to the server, or has to be the same as one.
    fn is_password(field: &Field, contract: &Contract) -> bool {
        let fields = || contract.routes.iter().flat_map(|route| &route.fields);
        let itself = |field: &Field| {
            let is = [Input::Password, Input::CurrentPassword, Input::NewPassword];
            field.input.is_some_and(|input| is.contains(&input))
        };
        let repeats = |condition: &Condition| {
            let Condition::SameAs(name) = condition else {
                return false;
            };
            fields().any(|other| other.name == *name && itself(other))
        };
        let mut conditions = field.rules.iter().flat_map(|rule| &rule.conditions);
        itself(field) || conditions.any(repeats)
    }

    #[test]
    fn every_password_of_every_contract_is_known() {
        let mut texts: Vec<String> = builtin::ALL.iter().map(|(_, text)| (*text).to_owned()).collect();
        for folder in ["examples/contracts", "crates/doorward/tests/it/contracts"] {
            for entry in fs::read_dir(Path::new(ROOT).join(folder)).unwrap() {
                texts.push(fs::read_to_string(entry.unwrap().path()).unwrap());
            }
        }
        let mut known = 0;
        for text in texts {
            let contract = contract::parse("one", &text).unwrap_or_else(|fault| panic!("{fault}"));
            let fields = contract.routes.iter().flat_map(|route| &route.fields);
            for field in fields.filter(|field| is_password(field, &contract)) {
                let is_known = match &field.at {
                    Location::Body(path) => path.last().is_some_and(|name| is_member(name)),
                    Location::Header(name) => is_header(name.as_str()),
                    Location::Query(_) | Location::Path(_) => false,
                };
                assert!(is_known, "{}: {:?}", contract.name, field.at);
                known += 1;
            }
        }
        assert!(known > 20, "{known} fields with a password");
    }
}
