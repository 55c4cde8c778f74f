//! OpenAPI 3.1 documents, generated from what the contracts say. Nothing in them is written by hand.

#![expect(
    clippy::indexing_slicing,
    reason = "a `serde_json::Value` answers null for a member it does not have, and these are objects"
)]

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use axum::http::StatusCode;
use doorward_core::action::Input;
use serde_json::{Map, Value, json};

use crate::contract::{Answer, Body, Condition, Contract, Field, Location, Place, Route, TokenSource};
use crate::engine::{Mounted, full_path};

/// The document of the contracts that are mounted under one prefix.
pub(crate) fn document(mounts: &[&Arc<Mounted>]) -> Value {
    let mut paths: Map<String, Value> = Map::new();
    let mut schemes = Map::new();
    let mut ids: HashMap<String, usize> = HashMap::new();
    // Aliases come last and yield, as they do when they are served.
    for alias in [false, true] {
        for mounted in mounts {
            let contract = &mounted.contract;
            let security = security(contract, &mut schemes);
            let places = contract
                .routes
                .iter()
                .flat_map(|route| route.places.iter().map(move |place| (route, place)));
            for (route, place) in places.filter(|(_, place)| place.alias == alias) {
                let path = full_path(&mounted.prefix, &place.path);
                let operations = paths.entry(path).or_insert_with(|| json!({}));
                let method = place.method.as_str().to_ascii_lowercase();
                // Routes of one place are told apart by conditions that OpenAPI cannot say; the first stands there.
                if operations.get(&method).is_none() {
                    operations[method] = operation(mounted, (route, place), &security, &mut ids);
                }
            }
        }
    }
    let names: Vec<&str> = mounts.iter().map(|mounted| mounted.contract.name.as_str()).collect();
    let about: Vec<&str> = mounts.iter().map(|mounted| mounted.contract.about.as_str()).collect();
    json!({
        "openapi": "3.1.0",
        "info": {"title": names.join(", "), "summary": about.join("; "), "version": env!("CARGO_PKG_VERSION")},
        "paths": paths,
        "components": {"securitySchemes": schemes},
    })
}

/// Where tokens are looked for, as alternatives.
fn security(contract: &Contract, schemes: &mut Map<String, Value>) -> Vec<Value> {
    let mut alternatives = Vec::new();
    for source in &contract.token.sources {
        let (name, scheme) = match source {
            TokenSource::Scheme(word) if word == "Bearer" => (
                "bearer".to_owned(),
                json!({"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}),
            ),
            TokenSource::Scheme(word) => {
                let about = format!("`Authorization: {word} <token>`");
                let scheme = json!({"type": "apiKey", "in": "header", "name": "Authorization", "description": about});
                (format!("header-{}", word.to_ascii_lowercase()), scheme)
            }
            TokenSource::Bare => (
                "header".to_owned(),
                json!({"type": "apiKey", "in": "header", "name": "Authorization"}),
            ),
            TokenSource::Cookie(name) => (
                format!("cookie-{name}"),
                json!({"type": "apiKey", "in": "cookie", "name": name}),
            ),
        };
        alternatives.push(json!({ &name: [] }));
        schemes.insert(name, scheme);
    }
    alternatives
}

fn operation(
    mounted: &Mounted,
    (route, place): (&Route, &Place),
    security: &[Value],
    ids: &mut HashMap<String, usize>,
) -> Value {
    let (contract, table) = (&mounted.contract, route.action.table());
    let mut id = format!("{}_{}", contract.name.replace('-', "_"), table.name);
    // An id has to be unique in the document, and an action can have several places.
    let uses = ids.entry(id.clone()).or_default();
    *uses += 1;
    if *uses > 1 {
        id.push_str(&format!("_{uses}"));
    }
    let mut operation = json!({
        "operationId": id,
        "summary": table.about,
        "tags": [contract.name],
        "responses": responses(route, &mounted.switches),
    });
    let parameters = parameters(route, place);
    if !parameters.is_empty() {
        operation["parameters"] = parameters.into();
    }
    if let Some(body) = request_body(contract, route) {
        operation["requestBody"] = body;
    }
    if table.token {
        operation["security"] = security.into();
    }
    operation
}

/// What stands in the query, the headers and the path, where each variable has to be said, also one that nobody reads.
fn parameters(route: &Route, place: &Place) -> Vec<Value> {
    let mut parameters: Vec<Value> = route.fields.iter().filter_map(|field| parameter(field)).collect();
    let read = |name: &str| {
        let mut fields = route.fields.iter();
        fields.any(|field| matches!(&field.at, Location::Path(variable) if variable == name))
    };
    let unread = place.variables().filter(|name| !read(name));
    parameters
        .extend(unread.map(|name| json!({"name": name, "in": "path", "required": true, "schema": {"type": "string"}})));
    parameters
}

fn parameter(field: &Field) -> Option<Value> {
    let (place, name) = match &field.at {
        Location::Body(_) => return None,
        Location::Query(name) => ("query", name.clone()),
        Location::Header(name) => ("header", name.to_string()),
        Location::Path(name) => ("path", name.clone()),
    };
    let required = place == "path" || is_required(field);
    Some(json!({"name": name, "in": place, "required": required, "schema": schema(field)}))
}

fn request_body(contract: &Contract, route: &Route) -> Option<Value> {
    let mut root = json!({"type": "object", "properties": {}});
    let mut any = false;
    for field in &route.fields {
        if let Location::Body(path) = &field.at {
            any = true;
            place_in(&mut root, path, field);
        }
    }
    for (at, value) in &route.when {
        if let Location::Body(path) = at
            && let [name] = path.as_slice()
        {
            any = true;
            root["properties"][name] = json!({"const": value});
        }
    }
    if !any {
        return None;
    }
    let mut content = Map::new();
    if contract.bodies.json {
        content.insert("application/json".to_owned(), json!({"schema": root}));
    }
    if contract.bodies.form {
        content.insert("application/x-www-form-urlencoded".to_owned(), json!({"schema": root}));
    }
    Some(json!({"required": true, "content": content}))
}

/// Puts the schema of a field at its path, making the objects on the way.
fn place_in(object: &mut Value, path: &[String], field: &Field) {
    let Some((first, rest)) = path.split_first() else {
        return;
    };
    if is_required(field) {
        let required = object
            .as_object_mut()
            .map(|object| object.entry("required").or_insert_with(|| json!([])));
        if let Some(Value::Array(names)) = required
            && !names.iter().any(|name| name == first)
        {
            names.push(first.as_str().into());
        }
    }
    let member = &mut object["properties"][first];
    if rest.is_empty() {
        *member = schema(field);
        return;
    }
    if member.is_null() {
        *member = json!({"type": "object", "properties": {}});
    }
    place_in(member, rest, field);
}

fn is_required(field: &Field) -> bool {
    let mut conditions = field.rules.iter().flat_map(|rule| &rule.conditions);
    conditions.any(|condition| matches!(condition, Condition::Present | Condition::Filled))
}

/// Whether null says that there shall be no value, where a value can be null at all.
fn is_nullable(field: &Field) -> bool {
    let input = field.input;
    let can_be_none = matches!(input, Some(Input::FirstName | Input::LastName | Input::Attribute));
    can_be_none && !is_required(field) && matches!(field.at, Location::Body(_))
}

fn schema(field: &Field) -> Value {
    let mut schema = Map::new();
    if !field.json {
        let types = if is_nullable(field) {
            json!(["string", "null"])
        } else {
            json!("string")
        };
        schema.insert("type".to_owned(), types);
    }
    for condition in field.rules.iter().flat_map(|rule| &rule.conditions) {
        match condition {
            Condition::Filled => {
                schema.entry("minLength").or_insert_with(|| 1.into());
            }
            Condition::Min(least) => {
                schema.insert("minLength".to_owned(), (*least).into());
            }
            Condition::Max(most) => {
                schema.insert("maxLength".to_owned(), (*most).into());
            }
            Condition::Email => {
                schema.insert("format".to_owned(), "email".into());
            }
            Condition::Present | Condition::Text | Condition::SameAs(_) => {}
        }
    }
    if let Some(input) = field.input {
        schema.entry("maxLength").or_insert_with(|| input.limit().into());
    }
    if field.input.is_some_and(Input::is_secret) {
        schema.insert("format".to_owned(), "password".into());
        schema.insert("writeOnly".to_owned(), true.into());
    }
    if field.input == Some(Input::Attribute) {
        schema.insert(
            "description".to_owned(),
            format!("the attribute `{}` of the account", field.attribute).into(),
        );
    }
    Value::Object(schema)
}

/// The responses by status while these switches are on. Outcomes of one status stand together.
fn responses(route: &Route, switches: &[String]) -> Value {
    let mut by_status: BTreeMap<u16, (Vec<&str>, Option<&Answer>)> = BTreeMap::new();
    for outcome in route.action.table().outcomes {
        let Some(answer) = route.answer(outcome.kind, switches) else {
            continue;
        };
        let status = answer.status.unwrap_or(StatusCode::OK).as_u16();
        let (whens, first) = by_status.entry(status).or_default();
        whens.push(outcome.when);
        first.get_or_insert(answer);
    }
    let responses = by_status.into_iter().map(|(status, (whens, answer))| {
        let mut response = json!({"description": whens.join(" ")});
        match answer.map(|answer| &answer.body) {
            Some(Body::Json(media_type, template)) => {
                response["content"] = json!({ essence(media_type): {"schema": template.schema()} });
            }
            Some(Body::Text(_)) => response["content"] = json!({"text/plain": {"schema": {"type": "string"}}}),
            Some(Body::Empty) | None => {}
        }
        (status.to_string(), response)
    });
    Value::Object(responses.collect())
}

fn essence(media_type: &str) -> &str {
    media_type.split(';').next().unwrap_or_default().trim()
}
