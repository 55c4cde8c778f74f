//! The statements of the engine, read from its sources.
//!
//! The surprise: a text is read as the compiler reads it, since a statement is broken over lines with backslashes.

use std::fs;
use std::iter::Peekable;
use std::path::{Path, PathBuf};
use std::str::Chars;

/// Files with statements that no request waits for.
const NOT_ON_A_REQUEST: [&str; 2] = ["migrations.rs", "transfer.rs"];

/// The sources of the engine that requests run through.
pub(super) fn sources() -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/postgres");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let of_requests = files.filter(|path| {
        path.extension().is_some_and(|extension| extension == "rs")
            && !NOT_ON_A_REQUEST.iter().any(|name| path.ends_with(name))
    });
    of_requests
        .map(|path| (path.clone(), fs::read_to_string(path).unwrap()))
        .collect()
}

/// The text constants of a source, by name, as the compiler reads them.
pub(super) fn constants(source: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for after in source.split("const ").skip(1) {
        let Some((name, value)) = after.split_once(": &str =") else {
            continue;
        };
        let (name, value) = (name.trim(), value.trim_start());
        let Some(literal) = value.strip_prefix('"').filter(|_| name.chars().all(is_of_a_name)) else {
            continue;
        };
        found.push((name.to_owned(), text(&mut literal.chars().peekable())));
    }
    found
}

fn is_of_a_name(letter: char) -> bool {
    letter.is_ascii_uppercase() || letter.is_ascii_digit() || letter == '_'
}

/// Every text of a source but those of its tests and comments, as the compiler reads them.
pub(super) fn literals(source: &str) -> Vec<String> {
    let source = source.split("#[cfg(test)]").next().unwrap_or_default();
    let mut found = Vec::new();
    let mut letters = source.chars().peekable();
    while let Some(letter) = letters.next() {
        match (letter, letters.peek()) {
            ('/', Some('/')) => while letters.next_if(|next| *next != '\n').is_some() {},
            // A letter, and no text begins with it: `'"'`.
            ('\'', Some('"')) => drop(letters.next()),
            ('"', _) => found.push(text(&mut letters)),
            _ => {}
        }
    }
    found
}

/// What stands before the quotation mark that ends it.
fn text(letters: &mut Peekable<Chars<'_>>) -> String {
    let mut text = String::new();
    while let Some(letter) = letters.next().filter(|letter| *letter != '"') {
        match (letter, letters.peek()) {
            ('\\', Some('\n')) => while letters.next_if(|next| next.is_whitespace()).is_some() {},
            ('\\', _) => text.extend(letters.next()),
            _ => text.push(letter),
        }
    }
    text
}

#[test]
fn constants_are_read_as_the_compiler_reads_them() {
    let source = "const ONE: &str = \"SELECT \\\n    1\";\nconst LOCK: i64 = 1;\n// const\nconst TWO_2: &str =\n \"a \\\"b\\\"\";";
    let read = constants(source);
    let read: Vec<_> = read.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    assert_eq!(read, [("ONE", "SELECT 1"), ("TWO_2", "a \"b\"")]);
}

#[test]
fn texts_are_found_between_comments_and_letters() {
    let source =
        "// \"no\"\nlet a = ('\"', \"yes \\\"1\\\"\");\nf(format!(\"2 \\\n  {b}\"));\n#[cfg(test)]\nlet c = \"no\";";
    assert_eq!(literals(source), ["yes \"1\"", "2 {b}"]);
}
