//! Reads which fields a route has: each input that its action needs is demanded, and none is there twice.

use std::sync::Arc;

use doorward_core::action::{Action, Input, Need};
use doorward_core::error::did_you_mean;

use super::super::super::section::{Result, Section, Text};
use super::super::super::{Condition, Field, Location, Place};
use super::super::Loader;
use super::in_every_path;
use crate::diagnostic::Diagnostic;

pub(super) fn fields<'s>(
    loader: &Loader<'s>,
    section: &Section<'s>,
    action: Action,
    places: &[Place],
) -> Result<Vec<Arc<Field>>> {
    let table = action.table();
    let mut fields: Vec<Arc<Field>> = Vec::new();
    for name in section.texts("fields")? {
        let Some((_, field)) = loader.fields.get(&name.text) else {
            let hint = did_you_mean(&name.text, loader.fields.keys().map(String::as_str));
            return Err(loader
                .source
                .fault(name.span, format!("there is no field `{}`", name.text), hint));
        };
        if let Some(input) = field.input
            && !table.inputs.iter().any(|takes| takes.input == input)
        {
            let takes: Vec<&str> = table.inputs.iter().map(|takes| takes.input.name()).collect();
            let what = format!(
                "`{}` does not take the {} that `{}` is",
                table.name,
                input.name(),
                name.text
            );
            return Err(loader
                .source
                .fault(name.span, what, format!("it takes: {}", takes.join(", "))));
        }
        in_every_path(loader, places, &field.at, &name)?;
        is_the_only_one(loader, &fields, field, &name)?;
        loader.used_fields.borrow_mut().insert(name.text.clone());
        fields.push(Arc::clone(field));
    }
    for takes in table.inputs.iter().filter(|takes| takes.need == Need::Required) {
        if !fields
            .iter()
            .any(|field| field.input == Some(takes.input) && demands(field))
        {
            return Err(needs(loader, section, action, &[takes.input]));
        }
    }
    let one_of: Vec<Input> = table
        .inputs
        .iter()
        .filter(|takes| takes.need == Need::OneOf)
        .map(|t| t.input)
        .collect();
    if !one_of.is_empty()
        && !fields
            .iter()
            .any(|field| field.input.is_some_and(|input| one_of.contains(&input)) && demands(field))
    {
        return Err(needs(loader, section, action, &one_of));
    }
    same_as_others(loader, section, &fields)?;
    Ok(fields)
}

/// Refuses a second field that is the same to the action: which of the two it goes by, nobody could say.
fn is_the_only_one(loader: &Loader<'_>, before: &[Arc<Field>], field: &Field, named: &Text) -> Result<()> {
    let is_same = |other: &&Arc<Field>| {
        other.name == field.name
            || field.input.is_some() && other.input == field.input && other.attribute == field.attribute
    };
    let Some(other) = before.iter().find(is_same) else {
        return Ok(());
    };
    let (what, hint) = if other.name == field.name {
        (format!("`{}` is listed twice", field.name), "remove one".to_owned())
    } else {
        let dot = if field.attribute.is_empty() { "" } else { "." };
        let is = format!("{}{dot}{}", field.input.map_or("", Input::name), field.attribute);
        let what = format!("`{}` and `{}` are both the {is} of this route", other.name, field.name);
        let same = format!("`is = \"none\"` and a rule with `same_as = \"{}\"`", other.name);
        (what, format!("keep one; for a value that is typed again write {same}"))
    };
    Err(loader.source.fault(named.span.clone(), what, hint))
}

/// What a value is compared with is read by the same route.
fn same_as_others(loader: &Loader<'_>, section: &Section<'_>, fields: &[Arc<Field>]) -> Result<()> {
    let conditions = fields
        .iter()
        .flat_map(|field| &field.rules)
        .flat_map(|rule| &rule.conditions);
    let others = conditions.filter_map(|condition| match condition {
        Condition::SameAs(other) => Some(other),
        _ => None,
    });
    for other in others {
        if fields.iter().any(|field| field.name == *other) {
            continue;
        }
        let mut declared = loader.fields.values().map(|(_, field)| field);
        let hint = if loader.fields.contains_key(other) {
            "add the field to `fields`".to_owned()
        } else if let Some(labelled) = declared.find(|field| field.label == *other) {
            format!("it is called `{}` in this file", labelled.name)
        } else {
            did_you_mean(other, loader.fields.keys().map(String::as_str))
        };
        let what = format!("`same_as` names `{other}`, which this route does not read");
        return Err(loader.source.fault(section.span.clone(), what, hint));
    }
    Ok(())
}

/// Whether a request without this field is refused.
fn demands(field: &Field) -> bool {
    let conditions = || field.rules.iter().flat_map(|rule| &rule.conditions);
    conditions().any(|condition| matches!(condition, Condition::Present | Condition::Filled))
        && conditions().any(|condition| !matches!(condition, Condition::Present))
        || matches!(field.at, Location::Path(_))
}

fn needs(loader: &Loader<'_>, section: &Section<'_>, action: Action, inputs: &[Input]) -> Diagnostic {
    let names: Vec<&str> = inputs.iter().map(|input| input.name()).collect();
    let what = format!(
        "`{}` needs {}, and no field of this route demands it as text",
        action.table().name,
        names.join(" or ")
    );
    let hint = "name a field with `{ filled = true, … }`, or `{ present = true, min = 1, … }`, in `fields`";
    loader.source.fault(section.span.clone(), what, hint)
}
