//! Reads routes: every outcome of the action is answered, every input it needs is demanded.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::http::Method;
use doorward_core::action::{Action, HasOutcome, Input, Need, OutcomeKind};
use doorward_core::error::did_you_mean;
use toml::Spanned;
use toml::de::DeValue;

use super::super::hole::{Group, Scope};
use super::super::keys;
use super::super::section::{Result, Section, Text};
use super::super::template::ADD_REFRESH;
use super::super::wide::{WIDE, Wide};
use super::super::{Answer, Field, Location, Place, Route, is_segment, numbered, variable};
use super::{Loader, field};

mod fields;

/// The most routes of one contract.
const MAX_ROUTES: usize = 200;

pub(super) fn all<'s>(loader: &Loader<'s>, root: &Section<'s>) -> Result<Vec<Route>> {
    let without = |span| {
        let hint = "add a `[[route]]` with `on` and `action`";
        loader.source.fault(span, "the contract has no routes", hint)
    };
    let Some(value) = root.value("route") else {
        return Err(without(root.span.clone()));
    };
    let DeValue::Array(items) = value.get_ref() else {
        return Err(loader
            .source
            .fault(value.span(), "a route begins with two brackets", "write `[[route]]`"));
    };
    if items.is_empty() {
        return Err(without(value.span()));
    }
    if items.len() > MAX_ROUTES {
        let what = format!("a contract has at most {MAX_ROUTES} routes");
        return Err(loader.source.fault(value.span(), what, "split it into two contracts"));
    }
    let mut routes: Vec<Route> = Vec::new();
    for item in items {
        let section = Section::of(loader.source, "this route", item)?.with(&keys::ROUTE);
        let (route, on) = route(loader, &section)?;
        section.finish()?;
        // Two routes may share a place only when conditions tell them apart.
        for (index, place) in route.places.iter().enumerate() {
            let alike = routes.iter().filter(|other| other.when == route.when);
            let mut others = alike
                .flat_map(|other| &other.places)
                .chain(route.places.iter().take(index));
            if others.any(|other| is_one_place(other, place)) {
                let what = format!("two routes are `{} {}`", place.method, place.path);
                return Err(loader
                    .source
                    .fault(on.span, what, "remove one, or tell them apart with `when`"));
            }
        }
        routes.push(route);
    }
    for (item, route) in items.iter().zip(&routes) {
        are_heard(loader, item, route, &routes)?;
    }
    Ok(routes)
}

/// Refuses contract-wide answers that a route says differently and that no request gets. The body is read for all routes
/// of a place, and the first of them may be the one that words what is wrong with it.
fn are_heard<'s>(loader: &Loader<'s>, item: &'s Spanned<DeValue<'s>>, route: &Route, routes: &[Route]) -> Result<()> {
    let shares_place = |other: &&Route| {
        let mut places = other.places.iter();
        places.any(|place| route.places.iter().any(|own| is_one_place(own, place)))
    };
    let mut sharing = routes.iter().filter(shares_place);
    let is_read = sharing.any(Route::reads_body);
    for (wide, _) in &route.wide {
        let name = wide.row().1;
        let (why, hint) = match wide {
            _ if wide.is_of_body() && !is_read => (
                "this route reads no body",
                "remove it, or name a field of the body in `fields`".to_owned(),
            ),
            // Without it such a body is taken for one without members.
            Wide::NotObject if !loader.answers.contains_key(name) => (
                "the contract has none",
                format!("add `{name} = {{ … }}` to [answer], or remove it here"),
            ),
            _ => continue,
        };
        let keys = Section::of(loader.source, "this route", item)?.entries();
        let key = keys.into_iter().map(|(key, _)| key).find(|key| key.text == name);
        let span = key.map_or_else(|| item.span(), |key| key.span);
        let what = format!("no request gets the answer `{name}`: {why}");
        return Err(loader.source.fault(span, what, hint));
    }
    Ok(())
}

/// Whether requests for one are requests for the other.
fn is_one_place(one: &Place, other: &Place) -> bool {
    one.method == other.method && numbered(&one.path) == numbered(&other.path)
}

fn route<'s>(loader: &Loader<'s>, section: &Section<'s>) -> Result<(Route, Text)> {
    let named = section.required_text("action")?;
    let Some(action) = Action::named(&named.text) else {
        let hint = did_you_mean(&named.text, Action::ALL.iter().map(|action| action.table().name));
        return Err(loader
            .source
            .fault(named.span, format!("there is no action `{}`", named.text), hint));
    };
    let Some(on) = section.texts("on")?.into_iter().next() else {
        return Err(section.missing("on", "\"POST /login\""));
    };
    let mut places = Vec::new();
    for (key, alias) in [("on", false), ("alias", true)] {
        for text in section.texts(key)? {
            places.push(place(loader, &text, alias)?);
        }
    }
    let fields = fields::fields(loader, section, action, &places)?;
    let mut answers = BTreeMap::new();
    for outcome in action.table().outcomes {
        if let Some(answer) = outcome_answer(loader, section, action, outcome, &fields)? {
            answers.insert(outcome.kind, answer);
        }
    }
    let mut wide = Vec::new();
    for (kind, name, ..) in WIDE.into_iter().filter(|(kind, ..)| kind.has_route()) {
        if let Some(value) = section.value(name) {
            wide.push((kind, loader.answer(value, name, &Scope::of(&[Group::Problem]))?));
        }
    }
    let route = Route {
        when: conditions(loader, section, &places)?,
        reauthenticate: !trusts_session(loader, section, action)?,
        switched: switched(loader, section, action)?,
        places,
        action,
        fields,
        answers,
        wide,
    };
    if action == Action::Refresh && !loader.has_refresh {
        return Err(loader.source.fault(
            named.span,
            "this contract has no refresh tokens to refresh",
            ADD_REFRESH,
        ));
    }
    Ok((route, on))
}

/// Whether the current password is not asked for, where an action could ask for it and need not.
fn trusts_session(loader: &Loader<'_>, section: &Section<'_>, action: Action) -> Result<bool> {
    const KEY: &str = "trust_session";
    let may_ask = |action: &Action| {
        let mut inputs = action.table().inputs.iter();
        inputs.any(|takes| takes.input == Input::CurrentPassword && takes.need == Need::Optional)
    };
    if let Some(value) = section.value(KEY).filter(|_| !may_ask(&action)) {
        let those = Action::ALL.into_iter().filter(may_ask);
        let those: Vec<&str> = those.map(|action| action.table().name).collect();
        let what = format!("`{KEY}` changes nothing for `{}`", action.table().name);
        let hint = format!("remove `{KEY}`: it is for {}", those.join(" and "));
        return Err(loader.source.fault(value.span(), what, hint));
    }
    section.flag(KEY)
}

fn place(loader: &Loader<'_>, text: &Text, alias: bool) -> Result<Place> {
    let fault = |what: String| {
        let hint = "write a method and a path, as in \"POST /users/login\" or \"DELETE /sessions/{id}\"";
        loader.source.fault(text.span.clone(), what, hint)
    };
    let Some((method, path)) = text.text.split_once(' ') else {
        return Err(fault(format!("`{}` is no method and path", text.text)));
    };
    let known = [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];
    let Some(method) = known.into_iter().find(|known| known.as_str() == method) else {
        return Err(fault(format!("a route cannot answer the method `{method}`")));
    };
    let segments_are_plain = |path: &str| {
        let mut segments = path.split('/').skip(1);
        segments.all(|segment| is_segment(variable(segment).unwrap_or(segment)))
    };
    if let Some(other) = path.strip_suffix('/').filter(|path| !path.is_empty()) {
        let what = format!("`{path}` ends in a slash");
        let hint = format!("write `{other}`; with `trailing_slash = true` in [contract], `{path}` is answered as well");
        return Err(loader.source.fault(text.span.clone(), what, hint));
    }
    if !path.starts_with('/') || (path != "/" && !segments_are_plain(path)) {
        return Err(fault(format!("`{path}` is no path")));
    }
    // A field has the value of one, and nobody could say of which.
    let variables = || path.split('/').filter_map(variable);
    let is_second = |(at, name): &(usize, &str)| variables().take(*at).any(|before| before == *name);
    if let Some((_, twice)) = variables().enumerate().find(is_second) {
        let what = format!("`{path}` has two variables `{twice}`");
        let hint = "call one of them something else";
        return Err(loader.source.fault(text.span.clone(), what, hint));
    }
    Ok(Place {
        method,
        path: path.to_owned(),
        alias,
    })
}

fn conditions(loader: &Loader<'_>, section: &Section<'_>, places: &[Place]) -> Result<Vec<(Location, String)>> {
    let mut conditions = Vec::new();
    let when = section.section("when")?;
    for (key, value) in when.entries() {
        let DeValue::String(text) = value.get_ref() else {
            return Err(when.wrong_type(&key.text, value, "text in quotes"));
        };
        let at = field::location(loader.source, &key)?;
        in_every_path(loader, places, &at, &key)?;
        conditions.push((at, text.to_string()));
    }
    Ok(conditions)
}

/// A variable has a value wherever the route is found.
fn in_every_path(loader: &Loader<'_>, places: &[Place], at: &Location, named: &Text) -> Result<()> {
    let Location::Path(variable) = at else {
        return Ok(());
    };
    match places
        .iter()
        .find(|place| !place.variables().any(|name| name == variable))
    {
        None => Ok(()),
        Some(place) => {
            let what = format!(
                "`{}` is `{{{variable}}}` of the path, and `{}` has none",
                named.text, place.path
            );
            let hint = format!("write `{{{variable}}}` into every path of the route");
            Err(loader.source.fault(named.span.clone(), what, hint))
        }
    }
}

fn outcome_answer<'s>(
    loader: &Loader<'s>,
    section: &Section<'s>,
    action: Action,
    outcome: &HasOutcome,
    fields: &[Arc<Field>],
) -> Result<Option<Arc<Answer>>> {
    let name = outcome.kind.name();
    let Some(value) = section.value(name) else {
        // Without fields nothing can be invalid.
        if outcome.kind == OutcomeKind::Invalid && fields.is_empty() {
            return Ok(None);
        }
        let outcomes = action.table().outcomes.iter().map(|outcome| outcome.kind.name());
        let known: Vec<&str> = outcomes.chain(WIDE.iter().map(|row| row.1)).collect();
        if let Some(mistyped) = section.mistyped(name, &known) {
            let what = format!("this route takes no `{}`", mistyped.text);
            return Err(loader
                .source
                .fault(mistyped.span, what, format!("did you mean `{name}`?")));
        }
        let what = format!("the outcome `{name}` of `{}` has no answer", action.table().name);
        let hint = format!(
            "add `{name} = {{ status = …, json = '…' }}`. It happens so: {}",
            outcome.when
        );
        return Err(loader.source.fault(section.span.clone(), what, hint));
    };
    answer_to(loader, outcome, value).map(Some)
}

fn answer_to<'s>(loader: &Loader<'s>, outcome: &HasOutcome, value: &'s Spanned<DeValue<'s>>) -> Result<Arc<Answer>> {
    let name = outcome.kind.name();
    let answer = loader.answer(value, name, &Scope::outcome(outcome, loader.has_refresh))?;
    if answer.status.is_none() {
        let what = format!("the answer to `{name}` has no status");
        return Err(loader.source.fault(value.span(), what, "add `status = …`"));
    }
    Ok(answer)
}

/// `[route.with.SWITCH]`: answers that a switch replaces.
fn switched<'s>(
    loader: &Loader<'s>,
    section: &Section<'s>,
    action: Action,
) -> Result<Vec<(String, OutcomeKind, Arc<Answer>)>> {
    let mut switched = Vec::new();
    for (key, value) in section.section("with")?.entries() {
        if !loader.switches.contains_key(&key.text) {
            let hint = format!("declare it: `[switch.{}]` with `about = \"…\"`", key.text);
            return Err(loader
                .source
                .fault(key.span, format!("there is no switch `{}`", key.text), hint));
        }
        let with = Section::of(loader.source, format!("[route.with.{}]", key.text), value)?;
        for outcome in action.table().outcomes {
            if let Some(value) = with.value(outcome.kind.name()) {
                loader.used_switches.borrow_mut().insert(key.text.clone());
                switched.push((key.text.clone(), outcome.kind, answer_to(loader, outcome, value)?));
            }
        }
        with.finish()?;
    }
    Ok(switched)
}

/// A contract-wide answer that no switch or route changes has a row in the list; nothing else is wide.
const _: () = assert!(WIDE.len() == Wide::Internal as usize + 1);

#[cfg(test)]
#[path = "route_tests.rs"]
mod tests;
