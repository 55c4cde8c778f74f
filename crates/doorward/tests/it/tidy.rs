//! The rules of the house, as tests: what a file has to look like, and who may know whom.
//!
//! The surprise: nothing here is compiled knowledge of the code. The tree is read as text, so that a file which
//! nobody includes is held to the rules, too.

use std::fs;
use std::path::{Path, PathBuf};

use doorward_http::contract::builtin;

use crate::transcript::ROOT;

mod coverage;
mod links;

/// The most lines of a file. One that grows past it becomes a folder of the same name.
const MAX_LINES: usize = 400;
/// The most lines of a function, with its signature.
const MAX_FUNCTION: usize = 70;
/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 6] = ["util", "utils", "helper", "helpers", "common", "prelude"];
/// Folders that are not ours.
const NOT_OURS: [&str; 3] = ["target", ".git", "node_modules"];
/// Files whose hashes are letters at random, and may spell anything.
const LOCKS: [&str; 2] = ["Cargo.lock", "package-lock.json"];

/// A file of the tree.
struct Source {
    /// The path from the root of the project.
    path: String,
    text: String,
}

impl Source {
    /// The text without the tests at its end.
    fn without_tests(&self) -> &str {
        self.text.split("#[cfg(test)]").next().unwrap_or_default()
    }

    fn is_test(&self) -> bool {
        self.path.contains("/tests/") || self.path.ends_with("/tests.rs") || self.path.ends_with("_tests.rs")
    }
}

/// Every file of the tree that is text.
fn tree() -> Vec<Source> {
    let mut folders = vec![PathBuf::from(ROOT)];
    let mut sources = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if path.is_dir() {
                if !NOT_OURS.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if let Ok(text) = fs::read_to_string(&path) {
                let path = path.strip_prefix(ROOT).unwrap_or(&path).to_string_lossy().into_owned();
                sources.push(Source { path, text });
            }
        }
    }
    assert!(sources.len() > 50, "the tree is there");
    sources
}

/// Every Rust file of the tree.
fn rust() -> Vec<Source> {
    tree()
        .into_iter()
        .filter(|source| source.path.ends_with(".rs"))
        .collect()
}

/// Every file of the tree that is code, and how it has to open.
fn code() -> Vec<(Source, &'static str)> {
    let opens = |source: &Source| match Path::new(&source.path).extension()?.to_str()? {
        "rs" => Some("//!"),
        "js" | "ts" => Some("// "),
        _ => None,
    };
    tree()
        .into_iter()
        .filter_map(|source| opens(&source).map(|opening| (source, opening)))
        .collect()
}

/// Fails with every line that was found.
fn none(found: &[String], what: &str) {
    assert!(found.is_empty(), "{what}:\n  {}", found.join("\n  "));
}

#[test]
fn every_file_says_what_it_is_for() {
    let silent = code()
        .into_iter()
        .filter(|(source, opening)| !source.text.starts_with(opening));
    none(
        &silent.map(|(source, _)| source.path).collect::<Vec<_>>(),
        "files that do not open with `//!`, or in JavaScript with `// `",
    );
}

#[test]
fn files_are_short() {
    let mut long = Vec::new();
    for (source, _) in code() {
        let lines = source.text.lines().count();
        if lines > MAX_LINES {
            long.push(format!("{}: {lines} lines", source.path));
        }
    }
    none(&long, &format!("files of more than {MAX_LINES} lines"));
}

#[test]
fn functions_are_short() {
    let mut long = Vec::new();
    for source in rust() {
        let lines: Vec<&str> = source.text.lines().collect();
        for (number, line) in lines.iter().enumerate().filter(|(_, line)| opens_function(line)) {
            // Formatted code closes a function at the indent at which it opens.
            let indent = line.len() - line.trim_start().len();
            let close = format!("{}}}", &line[..indent]);
            let length = lines[number..]
                .iter()
                .position(|line| *line == close)
                .map_or(1, |length| length + 1);
            if length > MAX_FUNCTION {
                long.push(format!("{}:{}: {length} lines", source.path, number + 1));
            }
        }
    }
    none(&long, &format!("functions of more than {MAX_FUNCTION} lines"));
}

fn opens_function(line: &str) -> bool {
    let words = ["pub ", "pub(crate) ", "pub(super) ", "async ", "const "];
    let mut rest = line.trim_start();
    while let Some(after) = words.iter().find_map(|word| rest.strip_prefix(word)) {
        rest = after;
    }
    // One that ends on its own line, or has no body, is short.
    rest.starts_with("fn ") && !line.ends_with('}') && !line.ends_with(';')
}

#[test]
fn names_say_something() {
    let empty = |source: &Source| {
        let mut parts = Path::new(&source.path)
            .components()
            .map(|part| part.as_os_str().to_string_lossy());
        let stem = |part: &str| part.split('.').next().unwrap_or_default().to_owned();
        let in_path = parts.any(|part| EMPTY_NAMES.contains(&stem(&part).as_str()));
        in_path
            || source
                .text
                .lines()
                .any(|line| EMPTY_NAMES.iter().any(|name| line.ends_with(&format!("mod {name} {{"))))
    };
    let empty = code().into_iter().map(|(source, _)| source).filter(empty);
    none(
        &empty.map(|source| source.path).collect::<Vec<_>>(),
        "modules with empty names",
    );
}

#[test]
fn nothing_is_left_for_later() {
    // Put together, so that this file is none of those that it finds.
    let later = ["TO", "FIX", "XX"]
        .into_iter()
        .zip(["DO", "ME", "X"])
        .map(|(a, b)| format!("{a}{b}"));
    let later: Vec<String> = later
        .chain(["todo", "unimplemented"].map(|name| format!("{name}!(")))
        .collect();
    let mut found = Vec::new();
    let is_lock = |source: &Source| LOCKS.iter().any(|lock| source.path.ends_with(lock));
    for source in tree().into_iter().filter(|source| !is_lock(source)) {
        for (number, line) in source.text.lines().enumerate() {
            if later.iter().any(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none(&found, "left for later");
}

#[test]
fn nobody_knows_whom_it_should_not() {
    let forbidden = [
        (
            "doorward-core",
            &[
                "axum",
                "hyper",
                "http",
                "tower",
                "rusqlite",
                "doorward-store",
                "doorward-http",
            ][..],
        ),
        ("doorward-store", &["axum", "hyper", "http", "tower", "doorward-http"]),
        ("doorward-http", &["rusqlite", "doorward-store"]),
        // It goes into other people's services.
        (
            "doorward-verify",
            &["doorward", "doorward-core", "doorward-http", "doorward-store"],
        ),
    ];
    let mut found = Vec::new();
    for (name, strangers) in forbidden {
        let manifest = fs::read_to_string(format!("{ROOT}/crates/{name}/Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let dependencies = manifest["dependencies"].as_table().unwrap();
        let known = strangers
            .iter()
            .filter(|stranger| dependencies.contains_key(**stranger));
        found.extend(known.map(|stranger| format!("{name} knows {stranger}")));
    }
    none(&found, "crates that exist to forbid an import, and have it");
}

#[test]
fn every_crate_is_held_to_the_lints() {
    let table = |path: &str| -> toml::Table { fs::read_to_string(path).unwrap().parse().unwrap() };
    let workspace = table(&format!("{ROOT}/Cargo.toml"))["workspace"]["lints"].clone();
    let mut faults = Vec::new();
    let mut unsafe_crates = Vec::new();
    for entry in fs::read_dir(format!("{ROOT}/crates")).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().to_string_lossy().into_owned();
        let manifest = table(&entry.path().join("Cargo.toml").to_string_lossy());
        let lints = manifest
            .get("lints")
            .and_then(toml::Value::as_table)
            .cloned()
            .unwrap_or_default();
        if lints.get("workspace").and_then(toml::Value::as_bool) == Some(true) {
            continue;
        }
        // A crate with `unsafe` cannot take the table over, because what is forbidden stays so. It repeats the rest.
        unsafe_crates.push(name.clone());
        for (tool, levels) in workspace.as_table().unwrap() {
            for (lint, level) in levels
                .as_table()
                .unwrap()
                .iter()
                .filter(|(lint, _)| *lint != "unsafe_code")
            {
                if lints.get(tool).and_then(|levels| levels.get(lint)) != Some(level) {
                    faults.push(format!("{name}: {tool}::{lint}"));
                }
            }
        }
    }
    none(&faults, "lints that a crate is not held to");
    assert!(
        unsafe_crates.len() <= 1,
        "one crate may have `unsafe`: {unsafe_crates:?}"
    );
}

#[test]
fn what_is_served_with_counts_exactly() {
    let manifest: toml::Table = fs::read_to_string(format!("{ROOT}/Cargo.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let release = &manifest["profile"]["release"]["package"];
    let mut unchecked = Vec::new();
    for entry in fs::read_dir(format!("{ROOT}/crates")).unwrap() {
        let name = entry.unwrap().file_name().to_string_lossy().into_owned();
        let checks = release.get(&name).and_then(|package| package.get("overflow-checks"));
        if checks.and_then(toml::Value::as_bool) != Some(true) {
            unchecked.push(name);
        }
    }
    unchecked.sort();
    // A hash is arithmetic that wraps, and the bench serves nobody.
    assert_eq!(unchecked, ["doorward-argon2", "doorward-bench"]);
}

#[test]
fn no_line_of_rust_knows_which_contract_it_serves() {
    // `username` is also what an input is called, so only the others can be told from other words.
    let names = builtin::ALL
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| *name != "username");
    let mut words: Vec<String> = names.clone().map(|name| format!("\"{name}\"")).collect();
    words.extend(names.filter(|name| name.contains('-')).map(str::to_owned));
    let mut found = Vec::new();
    for source in rust()
        .into_iter()
        .filter(|source| !source.is_test() && !source.path.ends_with("/builtin.rs"))
    {
        for (number, line) in source.without_tests().lines().enumerate() {
            if words.iter().any(|word| line.contains(word.as_str())) {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none(&found, "lines that name a contract");
}

#[test]
fn every_contract_file_is_built_in() {
    let folder = format!("{ROOT}/crates/doorward-http/contracts");
    let mut files = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(
            builtin::find(&name),
            Some(text.as_str()),
            "{name} is built in under its own name"
        );
        files += 1;
    }
    assert_eq!(builtin::ALL.len(), files);
}

#[test]
fn no_path_of_anybodys_machine() {
    let folders = ["root", "home", "Users"].map(|name| format!("/{name}/"));
    let mut found = Vec::new();
    for source in tree() {
        for (number, line) in source.text.lines().enumerate() {
            let mut starts = folders.iter().filter_map(|folder| line.find(folder.as_str()));
            // `/a/home/` is a path inside something else; `/home/` alone is somebody's folder.
            let is_start = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "-_.}".contains(c));
            if starts.any(is_start) {
                found.push(format!("{}:{}: {}", source.path, number + 1, line.trim()));
            }
        }
    }
    none(&found, "paths of a machine");
}
