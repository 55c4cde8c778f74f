//! Compares what was expected with what came.
//!
//! The surprise: types count. `1` is not `"1"` and not `1.0`, and an object has exactly the members expected.

use serde_json::Value;

use super::Captured;
use super::fill;

/// The member of an expected object that lets it have more members.
const MORE: &str = "...";

/// Compares JSON; `path` names the place in messages. Captures on the way.
pub(crate) fn json(expected: &Value, got: &Value, path: &str, captured: &mut Captured) -> Result<(), String> {
    match (expected, got) {
        (Value::String(expected), got) => string(expected, got, path, captured),
        (Value::Object(expected), Value::Object(got)) => {
            for (name, value) in expected.iter().filter(|(name, _)| *name != MORE) {
                let inner = format!("{path}.{name}");
                let got = got.get(name).ok_or_else(|| format!("{inner} is missing"))?;
                json(value, got, &inner, captured)?;
            }
            let more = got.keys().find(|name| !expected.contains_key(*name));
            match more {
                Some(name) if !expected.contains_key(MORE) => Err(format!("{path}.{name} is too much")),
                _ => Ok(()),
            }
        }
        (Value::Array(expected), Value::Array(got)) if expected.len() == got.len() => {
            let mut pairs = expected.iter().zip(got).enumerate();
            pairs.try_for_each(|(index, (expected, got))| json(expected, got, &format!("{path}[{index}]"), captured))
        }
        (expected, got) if expected == got => Ok(()),
        (expected, got) => Err(format!("{path}: expected {expected}, got {got}")),
    }
}

/// Compares with an expected text, which can be a matcher or capture.
fn string(expected: &str, got: &Value, path: &str, captured: &mut Captured) -> Result<(), String> {
    let placeholder = expected.strip_prefix("{{").and_then(|rest| rest.strip_suffix("}}"));
    let single = placeholder.filter(|inner| !inner.contains("{{"));
    if let Some((name, matcher)) = single.and_then(|inner| inner.split_once('=')) {
        if !is_match(matcher, got)? {
            return Err(format!("{path}: expected {matcher}, got {got}"));
        }
        captured.insert(name.to_owned(), got.clone());
        return Ok(());
    }
    // One placeholder alone keeps its type.
    if let Some(name) = single.filter(|inner| !inner.contains(' ')) {
        let value = fill::find(name, captured)?;
        return if value == got {
            Ok(())
        } else {
            Err(format!("{path}: expected {value}, got {got}"))
        };
    }
    if expected.starts_with('<') && expected.ends_with('>') {
        return if is_match(expected, got)? {
            Ok(())
        } else {
            Err(format!("{path}: expected {expected}, got {got}"))
        };
    }
    let filled = fill::text(expected, captured)?;
    if got.as_str() == Some(filled.as_str()) {
        Ok(())
    } else {
        Err(format!("{path}: expected {filled:?}, got {got}"))
    }
}

/// Compares text, for headers, cookie values and plain bodies.
pub(crate) fn text(expected: &str, got: &str, place: &str, captured: &mut Captured) -> Result<(), String> {
    string(expected, &Value::from(got), place, captured)
}

/// A text whose captures, `{{name=<matcher>}}`, are what was captured: `{{name}}`.
pub(crate) fn captured(text: &str) -> String {
    let mut pieces = text.split("=<");
    let first = pieces.next().unwrap_or_default().to_owned();
    pieces.fold(first, |text, piece| match piece.split_once(">}}") {
        Some((_, rest)) => text + "}}" + rest,
        None => text + "=<" + piece,
    })
}

/// Whether a value is what a matcher stands for.
fn is_match(matcher: &str, got: &Value) -> Result<bool, String> {
    let text = got.as_str();
    Ok(match matcher {
        "<any>" => true,
        "<text>" => text.is_some_and(|text| !text.is_empty()),
        "<int>" => got.is_i64() || got.is_u64(),
        "<uuid>" => text.is_some_and(|text| shape(text, "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")),
        "<hex24>" => text.is_some_and(|text| shape(text, &"x".repeat(24))),
        "<date>" => text.is_some_and(|text| shape(text, "9999-99-99T99:99:99.999Z")),
        "<jwt>" => text.is_some_and(is_jwt),
        other => return Err(format!("no matcher: {other}")),
    })
}

/// Whether a text looks like a pattern of `x` (lower-case hex digit), `9` (digit) and the signs between them.
fn shape(text: &str, pattern: &str) -> bool {
    let fits = |(is, pattern): (char, char)| match pattern {
        'x' => is.is_ascii_digit() || ('a'..='f').contains(&is),
        '9' => is.is_ascii_digit(),
        sign => is == sign,
    };
    text.chars().count() == pattern.chars().count() && text.chars().zip(pattern.chars()).all(fits)
}

fn is_jwt(text: &str) -> bool {
    let is_base64url = |part: &str| {
        let mut letters = part.bytes();
        !part.is_empty() && letters.all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    };
    text.split('.').count() == 3 && text.split('.').all(is_base64url)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn compare(expected: &Value, got: &Value) -> Result<Captured, String> {
        let mut captured = Captured::from([("n".into(), Value::from(7)), ("s".into(), Value::from("é"))]);
        json(expected, got, "body", &mut captured).map(|()| captured)
    }

    #[test]
    fn members_types_and_order() {
        assert!(compare(&json!({"a": 1, "b": [true, null]}), &json!({"b": [true, null], "a": 1})).is_ok());
        assert!(compare(&json!({"...": "<any>"}), &json!({"a": 1})).is_ok());
        for (expected, got) in [
            (json!({"a": 1}), json!({"a": "1"})),
            (json!({"a": 1}), json!({"a": 1.0})),
            (json!({"a": 1}), json!({"a": 1, "b": 2})),
            (json!({"a": 1, "b": 2}), json!({"a": 1})),
            (json!([1, 2]), json!([2, 1])),
            (json!([1]), json!([1, 2])),
            (json!("1"), json!(1)),
            (json!(null), json!(false)),
        ] {
            assert!(compare(&expected, &got).is_err(), "{expected} {got}");
        }
    }

    #[test]
    fn matchers_and_captures() {
        let captured = compare(&json!({"id": "{{id=<int>}}"}), &json!({"id": 3})).unwrap();
        assert_eq!(captured["id"], json!(3));
        assert!(compare(&json!(["{{n}}", "{{s}}", "x{{s}}{{n}}"]), &json!([7, "é", "xé7"])).is_ok());
        assert!(compare(&json!("{{n}}"), &json!("7")).is_err());
        for (matcher, good, bad) in [
            ("<int>", json!(-1), json!(1.5)),
            ("<text>", json!("a"), json!("")),
            ("<uuid>", json!("018f0000-0000-7000-8000-00000000000a"), json!("018F")),
            (
                "<hex24>",
                json!("0123456789abcdef01234567"),
                json!("0123456789ABCDEF01234567"),
            ),
            (
                "<date>",
                json!("2024-06-23T08:19:51.000Z"),
                json!("2024-06-23T08:19:51Z"),
            ),
            ("<jwt>", json!("e30.e30.A-_z"), json!("e30.e30.")),
        ] {
            assert!(compare(&json!(matcher), &good).is_ok(), "{matcher} {good}");
            assert!(compare(&json!(matcher), &bad).is_err(), "{matcher} {bad}");
        }
        assert!(compare(&json!("<nonsense>"), &json!(1)).is_err());
    }
}
