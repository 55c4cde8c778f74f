//! What `doorward serve` says when it is ready: where it listens, what is served where, and four lines to
//! paste into a shell.
//!
//! The surprise: the lines are made from the routes and fields of a contract that is served, whichever it is,
//! so they work with an operator's own contract too.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use axum::http::Method;
use doorward_core::action::{Action, Input, OutcomeKind};
use doorward_http::contract::hole::Hole;
use doorward_http::contract::{Body, Condition, Field, Location, Place, Route, TokenSource};
use doorward_http::{Contract, Mount};
use serde_json::{Map, Value};

use crate::Config;
use crate::config::Database;

/// What the lines show, in this order.
const SHOWN: [(Action, &str); 4] = [
    (Action::Register, "register"),
    (Action::Login, "log in"),
    (Action::Profile, "profile"),
    (Action::Logout, "log out"),
];

/// The person in the lines.
const EMAIL: &str = "ann@example.com";
const USERNAME: &str = "ann";
const FIRST_NAME: &str = "Ann";
const LAST_NAME: &str = "Example";
const PASSWORD: &str = "correct horse battery staple";

/// The text. Its first line is for programs, too: they find the port in it.
pub(crate) fn text(address: SocketAddr, config: &Config, mounts: &[Mount]) -> String {
    let mut text = format!("doorward listens on http://{address}\n");
    let database = match &config.database {
        Database::Sqlite(path) => std::path::absolute(path)
            .unwrap_or_else(|_| path.clone())
            .display()
            .to_string(),
        Database::Postgres(url) => url.to_string(),
    };
    // Writing to a `String` cannot fail.
    let _ = writeln!(text, "and remembers in {database}\n");
    let served = served(mounts);
    let names = served
        .iter()
        .map(|(contract, _)| contract.name.len())
        .max()
        .unwrap_or(0);
    let places = served.iter().map(|(_, places)| places.len()).max().unwrap_or(0);
    for (contract, prefixes) in served {
        let Contract { name, about, .. } = contract;
        let _ = writeln!(text, "  {name:names$}  {prefixes:places$}  {about}");
    }
    let metrics = if config.metrics { "  /metrics" } else { "" };
    let _ = writeln!(text, "\n  /docs  /.well-known/jwks.json  /healthz  /readyz{metrics}");
    let base = format!("http://{}", reachable(address));
    if let Some((what, lines)) = demonstration(&base, mounts, &config.switches) {
        let _ = writeln!(text, "\nTry it ({what}):\n\n{}", lines.join("\n"));
    }
    text
}

/// Each contract with the prefixes that it is served under, in the order of the mounts.
fn served(mounts: &[Mount]) -> Vec<(&Contract, String)> {
    let mut served: Vec<(&Contract, String)> = Vec::new();
    for mount in mounts {
        let prefix = if mount.prefix.is_empty() { "/" } else { &mount.prefix };
        match served
            .iter_mut()
            .find(|(contract, _)| contract.source == mount.contract.source)
        {
            Some((_, prefixes)) => {
                let _ = write!(prefixes, ", {prefix}");
            }
            None => served.push((&mount.contract, prefix.to_owned())),
        }
    }
    served
}

/// The address as a client on this machine can use it.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}

/// What is shown, and the lines that show it, for the mount that can show most with the shortest paths.
fn demonstration(base: &str, mounts: &[Mount], switches: &[String]) -> Option<(String, Vec<String>)> {
    let all = mounts.iter().map(|mount| {
        let url = format!("{base}{}", mount.prefix);
        let on = mount.contract.switches_on(switches);
        let lines = SHOWN
            .iter()
            .filter_map(|(action, what)| Some((*what, line(&url, &mount.contract, &on, *action)?)));
        (mount, lines.collect::<Vec<_>>())
    });
    // `min_by_key` keeps the first of equals.
    let (_, lines) = all.min_by_key(|(mount, lines)| (SHOWN.len() - lines.len(), mount.prefix.len()))?;
    let (what, lines): (Vec<_>, Vec<_>) = lines.into_iter().unzip();
    (!lines.is_empty()).then(|| (what.join(", "), lines))
}

/// A command that runs the action by a contract; `None` if the contract has no simple route for it.
fn line(url: &str, contract: &Contract, switches: &[String], action: Action) -> Option<String> {
    let (route, place) = contract.routes.iter().find_map(|route| {
        let simple = |place: &&Place| !place.alias && !place.path.contains('{');
        let place = route.places.iter().find(simple)?;
        (route.action == action && route.when.is_empty()).then_some((route, place))
    })?;
    let target = quoted(&format!("{url}{}", place.path));
    let data = data(contract, route)?;
    let method = match (&place.method, data.is_empty()) {
        (&Method::GET, true) | (&Method::POST, false) => String::new(),
        (method, _) => format!(" -X {method}"),
    };
    if action != Action::Login {
        let token = if action.table().token {
            format!(" {}", presenting(contract)?)
        } else {
            String::new()
        };
        return Some(format!("curl -sS -w '\\n'{method} {target}{token}{data}"));
    }
    let in_body = route
        .answer(OutcomeKind::Ok, switches)
        .is_some_and(|answer| match &answer.body {
            Body::Json(_, template) | Body::Text(template) => template.shows(&|hole| *hole == Hole::Token),
            Body::Empty => false,
        });
    // A JWT begins with the base64url of `{"`, wherever the contract puts it.
    let headers = if in_body { "" } else { " -i" };
    Some(format!(
        "TOKEN=$(curl -sS{headers}{method} {target}{data} | grep -o 'eyJ[^\";]*' | head -n 1); echo \"$TOKEN\""
    ))
}

/// The body of a request, as arguments. `None` if a field that is needed stands somewhere else.
fn data(contract: &Contract, route: &Route) -> Option<String> {
    let mut members = Vec::new();
    for field in &route.fields {
        let Some(value) = sample(field, route, contract) else {
            continue;
        };
        match &field.at {
            Location::Body(path) => members.push((path.as_slice(), value)),
            _ => return None,
        }
    }
    if members.is_empty() {
        return Some(String::new());
    }
    if contract.bodies.json {
        let mut body = Map::new();
        for (path, value) in members {
            insert(&mut body, path, value);
        }
        let body = quoted(&Value::Object(body).to_string());
        return Some(format!(" -H 'Content-Type: application/json' -d {body}"));
    }
    let mut form = String::new();
    for (path, value) in members {
        let (first, rest) = path.split_first()?;
        let mut pair = first.clone();
        for name in rest {
            let _ = write!(pair, "[{name}]");
        }
        let _ = write!(form, " --data-urlencode {}", quoted(&format!("{pair}={value}")));
    }
    Some(form)
}

fn insert(object: &mut Map<String, Value>, path: &[String], value: &str) {
    match path {
        [] => {}
        [name] => {
            object.insert(name.clone(), value.into());
        }
        [name, rest @ ..] => {
            let inner = object.entry(name.clone()).or_insert_with(|| Map::new().into());
            if let Value::Object(inner) = inner {
                insert(inner, rest, value);
            }
        }
    }
}

/// Something to put into a field; `None` if it can be left out.
fn sample(field: &Field, route: &Route, contract: &Contract) -> Option<&'static str> {
    let input = match field.input {
        // A field that only repeats another one, as people repeat a password.
        None => repeated(field, route).and_then(|other| other.input),
        input => input,
    };
    match input {
        // An account is found by either, if it was registered with it.
        Some(Input::Identifier) if !registers_email(contract) => Some(USERNAME),
        Some(Input::Email | Input::Identifier) => Some(EMAIL),
        Some(Input::Username) => Some(USERNAME),
        Some(Input::Password | Input::NewPassword | Input::CurrentPassword) => Some(PASSWORD),
        Some(Input::FirstName) => Some(FIRST_NAME),
        Some(Input::LastName) => Some(LAST_NAME),
        Some(Input::Attribute) | None => {
            let needed = |condition: &Condition| matches!(condition, Condition::Present | Condition::Filled);
            let needed = field.rules.iter().flat_map(|rule| &rule.conditions).any(needed);
            needed.then_some(FIRST_NAME)
        }
        Some(Input::RefreshToken | Input::SessionId) => None,
    }
}

fn registers_email(contract: &Contract) -> bool {
    let registers = contract.routes.iter().filter(|route| route.action == Action::Register);
    let mut fields = registers.flat_map(|route| &route.fields);
    fields.any(|field| field.input == Some(Input::Email))
}

fn repeated<'r>(field: &Field, route: &'r Route) -> Option<&'r Field> {
    let conditions = field.rules.iter().flat_map(|rule| &rule.conditions);
    let other = conditions.into_iter().find_map(|condition| match condition {
        Condition::SameAs(other) => Some(other),
        _ => None,
    })?;
    route
        .fields
        .iter()
        .map(|field| &**field)
        .find(|field| field.name == *other)
}

/// The argument that presents the token, in the first way the contract looks for one.
fn presenting(contract: &Contract) -> Option<String> {
    let source = contract.token.sources.first()?;
    Some(match source {
        TokenSource::Scheme(scheme) => {
            let scheme = if scheme.eq_ignore_ascii_case("bearer") {
                "Bearer"
            } else {
                scheme
            };
            format!("-H \"Authorization: {scheme} $TOKEN\"")
        }
        TokenSource::Bare => "-H \"Authorization: $TOKEN\"".to_owned(),
        TokenSource::Cookie(name) => format!("-b \"{name}=$TOKEN\""),
    })
}

/// A word for the shell, in quotes only if it needs them.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:@".contains(c);
    if word.chars().all(plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use doorward_http::contract;

    use super::*;
    use crate::mounts::mounts;

    const WITH_A_SWITCH: &str = r#"
[contract]
name = "mine"

[token]
lifetime = "1h"
from     = ["cookie:token"]
claims   = '{}'

[cookie.token]

[switch.cookie_only]
about = "The token stands in the cookie alone."

[field.email]
is    = "email"
rules = [{ filled = true, else = "no e-mail address" }]

[field.password]
is    = "password"
rules = [{ filled = true, else = "no password" }]

[answer]
any = {}
no  = { status = 400 }

[[route]]
on              = "POST /login"
action          = "login"
fields          = ["email", "password"]
ok              = { status = 200, json = '{"token": "{token}"}' }
unknown_account = "no"
wrong_password  = "no"
disabled        = "no"
invalid         = "no"

[route.with.cookie_only]
ok = { status = 204, set_cookies = ["token"] }
"#;

    fn address(text: &str) -> SocketAddr {
        text.parse().unwrap()
    }

    #[test]
    fn the_first_line_has_the_port_and_the_last_four_are_commands() {
        let text = text(address("127.0.0.1:4321"), &Config::default(), &mounts(&[]).unwrap());
        assert_eq!(text.lines().next(), Some("doorward listens on http://127.0.0.1:4321"));
        let commands: Vec<&str> = text.lines().filter(|line| line.contains("curl ")).collect();
        assert_eq!(commands.len(), 4, "{text}");
        assert!(
            commands.iter().all(|line| line.contains("http://127.0.0.1:4321/")),
            "{text}"
        );
        assert!(commands[0].contains(EMAIL) && commands[0].contains(PASSWORD), "{text}");
        assert!(commands[1].starts_with("TOKEN=$(curl"), "{text}");
        assert!(
            commands[2].contains("$TOKEN") && commands[3].contains("$TOKEN"),
            "{text}"
        );
        assert!(text.contains("Try it (register, log in, profile, log out):"), "{text}");
    }

    #[test]
    fn every_built_in_contract_can_show_itself() {
        for mount in mounts(&[]).unwrap() {
            let (what, lines) = demonstration("http://localhost", std::slice::from_ref(&mount), &[]).unwrap();
            assert!(what.starts_with("register, log in"), "{}: {what}", mount.contract.name);
            assert_eq!(what.split(", ").count(), lines.len());
        }
    }

    #[test]
    fn a_token_is_looked_for_where_the_switches_put_it() {
        let mount = Mount {
            contract: Arc::new(contract::parse("mine.toml", WITH_A_SWITCH).unwrap()),
            prefix: String::new(),
        };
        let login = |switches: &[&str]| {
            let config = Config {
                switches: switches.iter().map(|switch| (*switch).to_owned()).collect(),
                ..Config::default()
            };
            let text = text(address("127.0.0.1:80"), &config, std::slice::from_ref(&mount));
            let line = text.lines().find(|line| line.starts_with("TOKEN=$(curl"));
            line.unwrap_or_else(|| panic!("{text}")).to_owned()
        };
        assert!(!login(&[]).contains(" -i "), "the body has it");
        assert!(!login(&["other.cookie_only"]).contains(" -i "), "the body has it");
        assert!(login(&["mine.cookie_only"]).contains(" -i "), "the headers have it");
    }

    #[test]
    fn a_client_on_this_machine_can_use_the_address() {
        assert_eq!(reachable(address("0.0.0.0:80")), address("127.0.0.1:80"));
        assert_eq!(reachable(address("[::]:80")), address("[::1]:80"));
        assert_eq!(reachable(address("10.1.2.3:80")), address("10.1.2.3:80"));
    }

    #[test]
    fn words_survive_the_shell() {
        assert_eq!(quoted("http://127.0.0.1:80/a-b"), "http://127.0.0.1:80/a-b");
        assert_eq!(quoted("it's $HOME"), "'it'\\''s $HOME'");
    }
}
