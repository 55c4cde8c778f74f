//! Templates: JSON or plain text with holes, compiled once at start into literal bytes and holes.
//!
//! In JSON a string that is one hole and nothing else, `"{account.number}"`, is replaced by the value with its
//! type; a hole inside other words becomes text. `"{account.last_name?}"` lets its member vanish when there is
//! no value. The surprise: an object without such members is literal bytes from brace to brace.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use doorward_core::error::did_you_mean;
use serde_json::Value;

use super::hole::{self, Group, Hole, Scope};
use super::words::without_holes;

/// How deep shapes may name shapes.
const MAX_SHAPES: usize = 8;

/// What a contract without refresh tokens needs to have some.
pub(super) const ADD_REFRESH: &str = "add `[token.refresh]` with `idle`, `lifetime` and `grace`";

/// A compiled template.
#[derive(Clone, Debug, Default)]
pub struct Template {
    pub(super) pieces: Vec<Piece>,
}

/// A part of a template.
#[derive(Clone, Debug)]
pub(super) enum Piece {
    /// Copied as they are.
    Bytes(Vec<u8>),
    /// A hole as a JSON value of its type.
    Value(Hole),
    /// A hole inside a JSON string.
    InString(Hole),
    /// A hole in plain text.
    Plain(Hole),
    /// The members of an object of which some can vanish.
    Members(Vec<Member>),
    /// Every fault, through the shape `fault`; or by field, if there is none.
    Faults(Option<Template>),
    /// Every session, through the shape `session`.
    Sessions(Template),
}

/// A member of an object.
#[derive(Clone, Debug)]
pub(super) struct Member {
    /// The key with its quotes and colon.
    pub(super) key: Vec<u8>,
    /// The hole without whose value the member vanishes.
    pub(super) vanishes_without: Option<Hole>,
    pub(super) value: Template,
}

/// What is wrong with a template.
#[derive(Debug)]
pub(super) struct TemplateFault {
    /// The text inside the template to point at; empty for the whole.
    pub(super) at: String,
    pub(super) what: String,
    pub(super) hint: String,
}

/// What a template is compiled with.
pub(super) struct Compiler<'c> {
    /// The contract's shapes by name.
    pub(super) shapes: &'c BTreeMap<String, Value>,
    /// Those of them that were named.
    pub(super) used_shapes: &'c RefCell<BTreeSet<String>>,
    /// Whether faults are shown by field.
    pub(super) faults_by_field: bool,
    /// What the place can show.
    pub(super) scope: &'c Scope,
}

/// A part of words with holes.
pub(super) enum Part<'t> {
    Words(String),
    Hole { name: &'t str, can_vanish: bool },
}

impl Compiler<'_> {
    /// Compiles JSON.
    pub(super) fn json(&self, value: &Value) -> Result<Template, TemplateFault> {
        let mut template = Template::default();
        self.value(value, 0, &mut template)?;
        Ok(template)
    }

    /// Compiles plain text.
    pub(super) fn text(&self, text: &str) -> Result<Template, TemplateFault> {
        let mut template = Template::default();
        for part in parts(text)? {
            match part {
                Part::Words(words) => template.bytes(words.as_bytes()),
                Part::Hole { name, .. } => template.pieces.push(Piece::Plain(self.hole(name)?)),
            }
        }
        Ok(template)
    }

    fn value(&self, value: &Value, depth: usize, out: &mut Template) -> Result<(), TemplateFault> {
        match value {
            Value::String(text) => self.string(text, depth, out),
            Value::Array(items) => {
                out.bytes(b"[");
                for (index, item) in items.iter().enumerate() {
                    if index > 0 {
                        out.bytes(b",");
                    }
                    self.value(item, depth, out)?;
                }
                out.bytes(b"]");
                Ok(())
            }
            Value::Object(members) => {
                let members: Vec<Member> = members
                    .iter()
                    .map(|(key, value)| self.member(key, value, depth))
                    .collect::<Result<_, _>>()?;
                if members.iter().any(|member| member.vanishes_without.is_some()) {
                    out.pieces.push(Piece::Members(members));
                    return Ok(());
                }
                out.bytes(b"{");
                for (index, member) in members.into_iter().enumerate() {
                    if index > 0 {
                        out.bytes(b",");
                    }
                    out.bytes(&member.key);
                    out.append(member.value);
                }
                out.bytes(b"}");
                Ok(())
            }
            other => {
                out.bytes(other.to_string().as_bytes());
                Ok(())
            }
        }
    }

    fn member(&self, key: &str, value: &Value, depth: usize) -> Result<Member, TemplateFault> {
        let mut vanishes_without = None;
        if let Value::String(text) = value
            && let [Part::Hole { name, can_vanish: true }] = parts(text)?.as_slice()
        {
            vanishes_without = Some(self.hole(name)?);
        }
        let mut compiled = Template::default();
        self.value(value, depth, &mut compiled)?;
        Ok(Member {
            key: format!("{}:", Value::from(member_name(key)?)).into_bytes(),
            vanishes_without,
            value: compiled,
        })
    }

    fn string(&self, text: &str, depth: usize, out: &mut Template) -> Result<(), TemplateFault> {
        let parts = parts(text)?;
        if let [Part::Hole { name, .. }] = parts.as_slice() {
            return self.alone(name, depth, out);
        }
        out.bytes(b"\"");
        for part in parts {
            match part {
                Part::Words(words) => {
                    let quoted = Value::from(words).to_string();
                    out.bytes(quoted.get(1..quoted.len() - 1).unwrap_or_default().as_bytes());
                }
                Part::Hole { name, .. } => out.pieces.push(Piece::InString(self.hole(name)?)),
            }
        }
        out.bytes(b"\"");
        Ok(())
    }

    /// A hole alone: a value, a shape or a list.
    fn alone(&self, name: &str, depth: usize, out: &mut Template) -> Result<(), TemplateFault> {
        if name == "faults" && self.scope.has(Group::Fault) {
            let each = if self.faults_by_field {
                None
            } else {
                Some(self.shape_of_each("fault", Scope::of(&[Group::Fault]), depth)?)
            };
            out.pieces.push(Piece::Faults(each));
            return Ok(());
        }
        if name == "sessions" && self.scope.sessions {
            let each = self.shape_of_each("session", Scope::of(&[Group::Session]), depth)?;
            out.pieces.push(Piece::Sessions(each));
            return Ok(());
        }
        if let Some(shape) = self.shape(name) {
            if depth >= MAX_SHAPES {
                let what = format!("the shape `{name}` names itself, or more than {MAX_SHAPES} shapes one in another");
                return Err(fault(name, what, "break the circle".into()));
            }
            return self.value(shape, depth + 1, out);
        }
        out.pieces.push(Piece::Value(self.hole(name)?));
        Ok(())
    }

    fn shape(&self, name: &str) -> Option<&Value> {
        let shape = self.shapes.get(name)?;
        self.used_shapes.borrow_mut().insert(name.to_owned());
        Some(shape)
    }

    fn shape_of_each(&self, name: &str, scope: Scope, depth: usize) -> Result<Template, TemplateFault> {
        let Some(shape) = self.shape(name) else {
            let what = format!("`{{{name}s}}` needs a shape for each {name}");
            return Err(fault(
                &format!("{name}s"),
                what,
                format!("add `{name} = '{{…}}'` to [shape]"),
            ));
        };
        let compiler = Compiler { scope: &scope, ..*self };
        let mut each = Template::default();
        compiler.value(shape, depth + 1, &mut each)?;
        Ok(each)
    }

    fn hole(&self, name: &str) -> Result<Hole, TemplateFault> {
        if name.contains('|') {
            let holes = name.split('|').map(|name| self.hole(name)).collect::<Result<_, _>>()?;
            return Ok(Hole::FirstOf(holes));
        }
        match hole::named(name) {
            Some((hole, group)) if self.scope.has(group) => Ok(hole),
            Some((_, group)) => {
                let what = format!("the hole `{{{name}}}` has nothing to show here");
                if group == Group::Refresh && self.scope.lacks_refresh {
                    return Err(fault(name, what, ADD_REFRESH.to_owned()));
                }
                let here: Vec<&str> = self.scope.names().collect();
                Err(fault(name, what, format!("here there are: {}", here.join(", "))))
            }
            None => Err(self.no_hole(name)),
        }
    }

    /// What is wrong with a name that no hole has: it may be one that only stands alone.
    fn no_hole(&self, name: &str) -> TemplateFault {
        let lists = [
            ("faults", self.scope.has(Group::Fault)),
            ("sessions", self.scope.sessions),
        ];
        let is_shape = self.shapes.contains_key(name);
        let list = lists.iter().find(|(list, _)| *list == name);
        if is_shape || list.is_some_and(|(_, is_here)| *is_here) {
            let kind = if is_shape { "shape" } else { "list" };
            let what = format!("a {kind} is a value of its own: `{{{name}}}` stands alone in a JSON string");
            let hint = format!("write \"{{{name}}}\" in `json` and nothing else in its quotes, also no `?` and no `|`");
            return fault(name, what, hint);
        }
        let mut names: Vec<&str> = self.scope.names().collect();
        names.extend(lists.iter().filter(|(_, is_here)| *is_here).map(|(list, _)| *list));
        if list.is_some() {
            let what = format!("the hole `{{{name}}}` has nothing to show here");
            return fault(name, what, format!("here there are: {}", names.join(", ")));
        }
        names.extend(self.shapes.keys().map(String::as_str));
        let what = format!("the hole `{{{name}}}` names nothing");
        fault(name, what, did_you_mean(name, names))
    }
}

impl Template {
    fn bytes(&mut self, bytes: &[u8]) {
        if let Some(Piece::Bytes(last)) = self.pieces.last_mut() {
            last.extend_from_slice(bytes);
        } else {
            self.pieces.push(Piece::Bytes(bytes.to_vec()));
        }
    }

    fn append(&mut self, other: Self) {
        for piece in other.pieces {
            match piece {
                Piece::Bytes(bytes) => self.bytes(&bytes),
                piece => self.pieces.push(piece),
            }
        }
    }

    /// Whether a hole that is meant is among the pieces, at any depth.
    pub fn shows(&self, is_meant: &dyn Fn(&Hole) -> bool) -> bool {
        self.pieces.iter().any(|piece| match piece {
            Piece::Bytes(_) => false,
            Piece::Value(is) | Piece::InString(is) | Piece::Plain(is) => is.any(is_meant),
            Piece::Members(members) => members.iter().any(|member| member.value.shows(is_meant)),
            Piece::Faults(each) => each.as_ref().is_some_and(|each| each.shows(is_meant)),
            Piece::Sessions(each) => each.shows(is_meant),
        })
    }
}

/// The name of a member, without holes.
pub(super) fn member_name(key: &str) -> Result<String, TemplateFault> {
    without_holes(key, "a hole cannot be the name of a member")
}

/// Splits `words {hole} words`; `{{` and `}}` are braces.
pub(super) fn parts(text: &str) -> Result<Vec<Part<'_>>, TemplateFault> {
    let mut parts = Vec::new();
    let mut words = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        words.push_str(before);
        if let Some(after) = from.strip_prefix("{{").or_else(|| from.strip_prefix("}}")) {
            words.push_str(from.get(..1).unwrap_or_default());
            rest = after;
            continue;
        }
        let Some((name, after)) = from.strip_prefix('{').and_then(|from| from.split_once('}')) else {
            let hint = "write `{{` or `}}` for a brace that is no hole".to_owned();
            return Err(fault(from, "a brace without its partner".to_owned(), hint));
        };
        if !words.is_empty() {
            parts.push(Part::Words(std::mem::take(&mut words)));
        }
        let name_alone = name.strip_suffix('?');
        parts.push(Part::Hole {
            name: name_alone.unwrap_or(name),
            can_vanish: name_alone.is_some(),
        });
        rest = after;
    }
    words.push_str(rest);
    if !words.is_empty() || parts.is_empty() {
        parts.push(Part::Words(words));
    }
    Ok(parts)
}

pub(super) fn fault(at: &str, what: String, hint: String) -> TemplateFault {
    TemplateFault {
        at: at.to_owned(),
        what,
        hint,
    }
}
