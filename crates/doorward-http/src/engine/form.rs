//! Reads forms (`application/x-www-form-urlencoded`) into the same shape as JSON, so that everything behind
//! knows only one: `fullname[firstname]=Ann` is `{"fullname": {"firstname": "Ann"}}`.

use serde_json::{Map, Value};

/// The most fields of a form.
const MAX_FIELDS: usize = 256;
/// How deep brackets may name members.
const MAX_DEPTH: usize = 8;

/// Reads a form.
///
/// # Errors
/// What is wrong, without repeating any of it.
pub(super) fn parse(bytes: &[u8]) -> Result<Value, String> {
    if std::str::from_utf8(&percent_decoded(bytes)).is_err() {
        return Err("the form is not UTF-8".to_owned());
    }
    let mut root = Map::new();
    for (count, (name, value)) in form_urlencoded::parse(bytes).enumerate() {
        if count >= MAX_FIELDS {
            return Err(format!("the form has more than {MAX_FIELDS} fields"));
        }
        insert(&mut root, &path(&name)?, value.into_owned())?;
    }
    Ok(Value::Object(root))
}

/// `a[b][c]` is `["a", "b", "c"]`.
fn path(name: &str) -> Result<Vec<&str>, String> {
    let (first, brackets) = name.find('[').map_or((name, ""), |at| name.split_at(at));
    let mut path = vec![first];
    let mut rest = brackets;
    while let Some((member, after)) = rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        path.push(member);
        rest = after;
    }
    if !rest.is_empty() || path.len() > MAX_DEPTH {
        return Err("a field's name cannot be read".to_owned());
    }
    Ok(path)
}

fn insert(object: &mut Map<String, Value>, path: &[&str], value: String) -> Result<(), String> {
    let twice = || "a field comes twice".to_owned();
    match path {
        [] => Ok(()),
        [last] => match object.insert((*last).to_owned(), value.into()) {
            None => Ok(()),
            Some(_) => Err(twice()),
        },
        [first, rest @ ..] => match object.entry(*first).or_insert_with(|| Value::Object(Map::new())) {
            Value::Object(inner) => insert(inner, rest, value),
            _ => Err(twice()),
        },
    }
}

/// The bytes with `%XX` decoded, only to see whether they are UTF-8: the parser would replace what is not.
fn percent_decoded(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some((first, after)) = rest.split_first() {
        let hex = after.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match hex
            .and_then(|hex| u8::from_str_radix(hex, 16).ok())
            .filter(|_| *first == b'%')
        {
            Some(byte) => {
                out.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                out.push(*first);
                rest = after;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn brackets_name_members() {
        let form = b"email=a%40b.co&fullname[firstname]=Ann+Lee&fullname%5Blastname%5D=%C3%A9&empty=";
        let expected = json!({"email": "a@b.co", "fullname": {"firstname": "Ann Lee", "lastname": "é"}, "empty": ""});
        assert_eq!(parse(form).unwrap(), expected);
    }

    #[test]
    fn refuses_what_is_ambiguous() {
        let many = "a=1&".repeat(MAX_FIELDS + 1);
        let deep = format!("a{}=1", "[b]".repeat(MAX_DEPTH));
        for bad in [
            "a=1&a=2",
            "a=1&a[b]=2",
            "a[b]=1&a=2",
            "a[b=1",
            "a[b]c=1",
            "a=%ff",
            "a=%c3",
            &many,
            &deep,
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes).is_ok();
        }
    }
}
