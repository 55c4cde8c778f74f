//! Reads JSON (RFC 8259) as strictly as a sign-in server should: a member that comes twice is refused, because
//! the proxy before us may have looked at the other one, and nesting and the number of values have limits.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::cell::Cell;
use std::fmt;

/// How deep arrays and objects may be nested.
const MAX_DEPTH: usize = 32;
/// The most values in a text, at any depth. Two bytes of text can become hundreds in memory: without this, a body of a
/// megabyte takes a hundred. So many take a MiB in an array, and about seven as objects. A free attribute has two
/// thousand at most, and a body may bring several.
const MAX_VALUES: usize = 16_384;

/// Reads a JSON text.
///
/// # Errors
/// What is wrong and where, without repeating any of it.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, String> {
    read(bytes).map_err(|error| format!("the body is not JSON that can be read: {error}"))
}

/// The same for a text that is no body.
///
/// # Errors
/// What is wrong and where. What is JSON, and not as it should be, is a fault of the data.
pub(crate) fn read(bytes: &[u8]) -> Result<Value, serde_json::Error> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let left = Cell::new(MAX_VALUES);
    Nested { depth: 0, left: &left }
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value))
}

/// A value at some depth.
#[derive(Clone, Copy)]
struct Nested<'c> {
    depth: usize,
    /// How many values the text may still have.
    left: &'c Cell<usize>,
}

impl Nested<'_> {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.depth >= MAX_DEPTH {
            return Err(E::custom(format_args!("it is nested more than {MAX_DEPTH} deep")));
        }
        Ok(Self {
            depth: self.depth + 1,
            ..self
        })
    }

    fn count<E: Error>(self) -> Result<(), E> {
        let left = self.left.get().checked_sub(1);
        self.left
            .set(left.ok_or_else(|| E::custom(format_args!("it has more than {MAX_VALUES} values")))?);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Nested<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.count()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut array = Vec::new();
        while let Some(item) = items.next_element_seed(deeper)? {
            array.push(item);
        }
        Ok(Value::Array(array))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        let deeper = self.deeper()?;
        let mut object = Map::new();
        while let Some(key) = members.next_key::<String>()? {
            let value = members.next_value_seed(deeper)?;
            if object.insert(key, value).is_some() {
                return Err(A::Error::custom("a member comes twice"));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use doorward_core::action::MAX_ATTRIBUTE;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn reads_json() {
        let text = br#" {"a": [1, -2, 1.5, true, null, "\u00e9"], "b": {"c": {}}} "#;
        assert_eq!(
            parse(text).unwrap(),
            json!({"a": [1, -2, 1.5, true, null, "é"], "b": {"c": {}}})
        );
    }

    #[test]
    fn refuses_what_is_ambiguous() {
        let deep = format!("{}{}", "[".repeat(MAX_DEPTH + 1), "]".repeat(MAX_DEPTH + 1));
        for bad in [
            r#"{"a": 1, "a": 2}"#,
            r#"{"a": {"b": 1, "b": 1}}"#,
            r#"{"a": 1, "\u0061": 2}"#,
            r#""\ud800""#,
            r#"{"a": 1} x"#,
            "{'a': 1}",
            "{\"a\": 1,}",
            "",
            "NaN",
            "\u{feff}{}",
            &deep,
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
        assert!(parse(b"{\"a\": \"\xff\"}").is_err(), "invalid UTF-8");
        assert!(parse(&b"[".repeat(1_000_000)).is_err(), "very deep");
    }

    #[test]
    fn attributes_have_room() {
        // As many values as an attribute can have: digits with commas between them.
        let largest = format!("[{}0]", "0,".repeat(MAX_ATTRIBUTE / 2 - 2));
        assert!(largest.len() + 1 == MAX_ATTRIBUTE, "one byte more is no value more");
        let members: Vec<String> = (0..7).map(|n| format!("\"attribute{n}\": {largest}")).collect();
        let text = format!("{{\"email\": \"ann@example.com\", {}}}", members.join(", "));
        assert!(parse(text.as_bytes()).is_ok());
    }

    #[test]
    fn a_text_has_so_many_values() {
        // The array and its items.
        let array = |items: usize| format!("[{}1]", "0,".repeat(items - 1));
        assert!(parse(array(MAX_VALUES - 1).as_bytes()).is_ok());
        let error = parse(array(MAX_VALUES).as_bytes()).unwrap_err();
        assert!(error.contains("more than 16384 values"), "{error}");
    }

    #[test]
    fn an_error_repeats_nothing() {
        let error = parse(br#"{"password": "hunter2", "password": "hunter3"}"#).unwrap_err();
        assert!(!error.contains("hunter") && !error.contains("password"), "{error}");
        let error = parse(br#"{"password": "hunter2" x}"#).unwrap_err();
        assert!(!error.contains("hunter"), "{error}");
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes).is_ok();
        }

        #[test]
        fn agrees_with_serde_json(text in r#"[\[\]{}:,"a-c0-9 .\\-]{0,30}"#) {
            if let Ok(value) = parse(text.as_bytes()) {
                prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
            }
        }
    }
}
