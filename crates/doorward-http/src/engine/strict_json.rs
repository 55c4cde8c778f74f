//! Reads JSON (RFC 8259) as strictly as a sign-in server should: a member that comes twice is refused, because
//! the proxy before us may have looked at the other one, and nesting has a limit.

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;

/// How deep arrays and objects may be nested.
const MAX_DEPTH: usize = 32;

/// Reads a JSON text.
///
/// # Errors
/// What is wrong and where, without repeating any of it.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, String> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = Nested(0)
        .deserialize(&mut reader)
        .and_then(|value| reader.end().map(|()| value));
    value.map_err(|error| format!("the body is not JSON that can be read: {error}"))
}

/// A value at some depth.
#[derive(Clone, Copy)]
struct Nested(usize);

impl Nested {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        if self.0 >= MAX_DEPTH {
            return Err(E::custom(format_args!("it is nested more than {MAX_DEPTH} deep")));
        }
        Ok(Self(self.0 + 1))
    }
}

impl<'de> DeserializeSeed<'de> for Nested {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Nested {
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
