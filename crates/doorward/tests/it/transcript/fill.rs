//! Fills placeholders: `{{name}}`, `{{bytes FF}}`, `{{repeat x 10}}`, `{{forged name}}`.
//!
//! The surprise: the result is bytes, because not everything that is sent is text.

use serde_json::Value;

use super::Captured;

/// The most bytes that `repeat` makes.
const MAX_REPEATED: usize = 64 << 20;

/// Fills a text whose result is text.
pub(crate) fn text(text: &str, captured: &Captured) -> Result<String, String> {
    String::from_utf8(bytes(text, captured)?).map_err(|_| format!("no text: {text}"))
}

/// Fills a text.
pub(crate) fn bytes(text: &str, captured: &Captured) -> Result<Vec<u8>, String> {
    let mut filled = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        filled.extend_from_slice(before.as_bytes());
        let (placeholder, after) = after.split_once("}}").ok_or_else(|| format!("no `}}}}`: {text}"))?;
        filled.extend(value(placeholder, captured)?);
        rest = after;
    }
    filled.extend_from_slice(rest.as_bytes());
    Ok(filled)
}

fn value(placeholder: &str, captured: &Captured) -> Result<Vec<u8>, String> {
    let words: Vec<&str> = placeholder.split(' ').collect();
    match words.as_slice() {
        [name] => Ok(plain(find(name, captured)?).into_bytes()),
        ["bytes", digits @ ..] => digits
            .iter()
            .map(|digits| u8::from_str_radix(digits, 16).map_err(|_| format!("no byte: {digits}")))
            .collect(),
        ["repeat", what, times] => {
            let times: usize = times.parse().map_err(|_| format!("no number: {times}"))?;
            let length = what.len().saturating_mul(times);
            if length > MAX_REPEATED {
                return Err(format!("{length} bytes are more than {MAX_REPEATED}"));
            }
            Ok(what.repeat(times).into_bytes())
        }
        ["forged", name] => forged(&plain(find(name, captured)?)).map(String::into_bytes),
        _ => Err(format!("no placeholder: {placeholder}")),
    }
}

/// The value captured under a name.
pub(crate) fn find<'c>(name: &str, captured: &'c Captured) -> Result<&'c Value, String> {
    captured
        .get(name)
        .ok_or_else(|| format!("nothing was captured as `{name}`"))
}

/// A value as it stands in text: strings without their quotes.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// The token with one letter of its signature changed, in the middle, where every bit counts.
fn forged(token: &str) -> Result<String, String> {
    let (signed, signature) = token.rsplit_once('.').ok_or_else(|| format!("no token: {token}"))?;
    let middle = signature.len() / 2;
    let change = |(at, letter)| match letter {
        'A' if at == middle => 'B',
        _ if at == middle => 'A',
        letter => letter,
    };
    let other: String = signature.chars().enumerate().map(change).collect();
    Ok(format!("{signed}.{other}"))
}

#[test]
fn fills_each_kind() {
    let captured = Captured::from([("a".into(), Value::from("x")), ("t".into(), Value::from("h.p.AAA"))]);
    assert_eq!(bytes("<{{a}}{{bytes FF 00}}>", &captured).unwrap(), b"<x\xff\0>");
    assert_eq!(text("{{repeat ab 3}}", &captured).unwrap(), "ababab");
    assert_eq!(text("{{forged t}}", &captured).unwrap(), "h.p.ABA");
    for wrong in [
        "{{b}}",
        "{{a",
        "{{bytes XY}}",
        "{{repeat x}}",
        "{{repeat x 99999999999}}",
    ] {
        assert!(bytes(wrong, &captured).is_err(), "{wrong}");
    }
}
