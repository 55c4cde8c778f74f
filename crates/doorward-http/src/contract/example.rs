//! What an answer looks like: its template with an example in every hole, and the JSON Schema of that. For the
//! OpenAPI document and the page.

#![expect(
    clippy::indexing_slicing,
    reason = "a `serde_json::Value` answers null for a member it does not have, and these are objects"
)]

use serde_json::{Map, Value, json};

use super::hole::{HOLES, Hole};
use super::template::{Piece, Template};

impl Template {
    /// The template with an example in every hole; every member that can vanish is there.
    pub fn example(&self) -> Value {
        let mut out = String::new();
        self.write_example(&mut out);
        serde_json::from_str(&out).unwrap_or(Value::Null)
    }

    /// The JSON Schema of what the template renders.
    pub fn schema(&self) -> Value {
        let example = self.example();
        let mut schema = schema_of(&example);
        schema["examples"] = json!([example]);
        schema
    }

    fn write_example(&self, out: &mut String) {
        for piece in &self.pieces {
            match piece {
                Piece::Bytes(bytes) => out.push_str(&String::from_utf8_lossy(bytes)),
                Piece::Value(hole) => out.push_str(&example_of(hole).to_string()),
                Piece::InString(hole) | Piece::Plain(hole) => {
                    let example = example_of(hole);
                    let text = example.as_str().map_or_else(|| example.to_string(), str::to_owned);
                    out.push_str(&text);
                }
                Piece::Members(members) => {
                    for (index, member) in members.iter().enumerate() {
                        out.push(if index == 0 { '{' } else { ',' });
                        out.push_str(&String::from_utf8_lossy(&member.key));
                        member.value.write_example(out);
                    }
                    out.push('}');
                }
                Piece::Faults(None) => out.push_str(r#"{"field":["what is wrong with it"]}"#),
                Piece::Faults(Some(each)) | Piece::Sessions(each) => {
                    out.push('[');
                    each.write_example(out);
                    out.push(']');
                }
            }
        }
    }
}

fn example_of(hole: &Hole) -> Value {
    let typed = HOLES.iter().find(|(_, known, ..)| known == hole);
    match hole {
        Hole::FirstOf(holes) => holes.first().map(example_of).unwrap_or_default(),
        Hole::AccountEmail => "ann@example.com".into(),
        Hole::AccountUsername => "ann".into(),
        Hole::AccountFirstName => "Ann".into(),
        Hole::AccountLastName => "Lee".into(),
        Hole::AccountObjectId => "666666666666666666666666".into(),
        Hole::AccountId | Hole::SessionId => "01890a5d-ac96-774b-bcce-b302099a8057".into(),
        Hole::Token => "eyJ…".into(),
        _ => match typed {
            Some((name, .., "integer")) => json!(if name.ends_with("expires_in") { 900 } else { 1 }),
            Some((.., "boolean")) => json!(true),
            Some((name, ..)) if name.ends_with("_at") => "2026-01-31T12:00:00.000Z".into(),
            Some((name, ..)) => (*name).into(),
            None => "text".into(),
        },
    }
}

fn schema_of(value: &Value) -> Value {
    match value {
        Value::Null => json!({"type": "null"}),
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(_) => json!({"type": "integer"}),
        Value::String(_) => json!({"type": "string"}),
        Value::Array(items) => json!({"type": "array", "items": items.first().map(schema_of).unwrap_or_default()}),
        Value::Object(members) => {
            let properties: Map<String, Value> = members
                .iter()
                .map(|(name, value)| (name.clone(), schema_of(value)))
                .collect();
            json!({"type": "object", "properties": properties})
        }
    }
}
