//! Whether what the documents of the project name is there: files, and the places in them that links lead to.
//!
//! The surprise: a section of a page that the load tests write is no page. Its links count where the page has them.

use std::collections::BTreeSet;
use std::path::Path;

use super::{Source, none, tree};
use crate::transcript::ROOT;

/// How a path into the project begins, whichever document names it.
const FOLDERS: [&str; 7] = [
    "crates/",
    "docs/",
    "examples/",
    "clients/",
    "bench/",
    ".ci/",
    ".github/",
];

fn documents(tree: &[Source]) -> impl Iterator<Item = &Source> {
    tree.iter().filter(|source| source.path.ends_with(".md"))
}

#[test]
fn what_the_documents_name_is_there() {
    let tree = tree();
    let mut missing = Vec::new();
    for document in documents(&tree) {
        for named in document.text.split(['`', '(', ')', ' ', '\n', ',', '│']) {
            let is_path = FOLDERS.iter().any(|folder| named.starts_with(folder));
            let is_file = named.ends_with(".rs") && !named.contains('/');
            let is_pattern = named.contains(['*', '{', '<', '…', '#'])
                || ["NAME", "COMMAND"].iter().any(|word| named.contains(word));
            if is_pattern || !(is_path || is_file) {
                continue;
            }
            let wanted = named.trim_end_matches(['/', '.', ':', ';']);
            let beside = Path::new(&document.path).parent().unwrap_or(Path::new("")).join(wanted);
            let is_there = if is_file {
                tree.iter().any(|source| source.path.ends_with(&format!("/{wanted}")))
            } else {
                Path::new(ROOT).join(wanted).exists() || Path::new(ROOT).join(beside).exists()
            };
            if !is_there {
                missing.push(format!("{}: {named}", document.path));
            }
        }
    }
    none(&missing, "named and not there");
}

#[test]
fn every_link_of_the_documents_leads_somewhere() {
    let tree = tree();
    let mut checked = 0;
    let mut dead = Vec::new();
    for document in documents(&tree).filter(|document| !is_section(&document.path, &tree)) {
        for link in links(&document.text).filter(|link| !link.contains("://") && !link.starts_with("mailto:")) {
            checked += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if path.is_empty() {
                document.path.clone()
            } else {
                resolved(&document.path, path)
            };
            let page = documents(&tree).find(|page| page.path == target);
            let has_anchor = anchor.is_empty() || page.is_some_and(|page| anchors(&page.text).contains(anchor));
            if !has_anchor || !Path::new(ROOT).join(&target).exists() {
                dead.push(format!("{}: {link}", document.path));
            }
        }
    }
    none(&dead, "links that lead nowhere");
    assert!(checked > 50, "{checked} links are found");
}

/// Whether it is `docs/PAGE/SECTION.md`, which stands in `docs/PAGE.md` as well.
fn is_section(path: &str, tree: &[Source]) -> bool {
    let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    documents(tree).any(|page| page.path.strip_suffix(".md") == Some(folder))
}

/// A path from the root, out of one that is meant from where a document is.
fn resolved(document: &str, path: &str) -> String {
    let mut parts: Vec<&str> = document.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            // One that leaves the project stays as it is written, and is nowhere.
            ".." if parts.last().is_some_and(|part| *part != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The lines that are no code.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut is_code = false;
    text.lines().filter(move |line| {
        let is_fence = line.trim_start().starts_with("```");
        is_code ^= is_fence;
        !is_code && !is_fence
    })
}

/// Where the links of a page lead: those in the text, and those that it lists at its end.
fn links(text: &str) -> impl Iterator<Item = String> {
    let in_line = |line: &str| -> Vec<String> {
        // What is in code between two of the marks is shown and not meant.
        let shown: String = line.split('`').step_by(2).collect::<Vec<_>>().join("code");
        let after = shown.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let listed = shown.strip_prefix('[').and_then(|rest| rest.split_once("]: "));
        after.chain(listed.map(|(_, to)| to)).map(str::to_owned).collect()
    };
    prose(text).flat_map(in_line).collect::<Vec<_>>().into_iter()
}

/// The names of the places in a page: its headings, as GitHub names them, and those that it names itself.
fn anchors(text: &str) -> BTreeSet<String> {
    let named = |line: &str| {
        let line = line.to_owned();
        let own = line.split("id=\"").skip(1).filter_map(|rest| rest.split('"').next());
        own.map(str::to_owned).collect::<Vec<_>>()
    };
    let heading = |line: &str| {
        let heading = line.strip_prefix('#')?.trim_start_matches('#').strip_prefix(' ')?;
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        Some(kept.collect::<String>().trim().to_lowercase().replace(' ', "-"))
    };
    prose(text)
        .flat_map(|line| named(line).into_iter().chain(heading(line)))
        .collect()
}

#[test]
fn links_and_places_are_found() {
    let text = "# A `code_name`, here\n[a](b.md) and [c\nd](e.md#f), `[no](no.md)`\n```\n[no](no.md)\n# no\n```\n\
                <a id=\"own\"></a>\n[x]: y.md";
    assert_eq!(links(text).collect::<Vec<_>>(), ["b.md", "e.md#f", "y.md"]);
    assert_eq!(
        anchors(text).into_iter().collect::<Vec<_>>(),
        ["a-code_name-here", "own"]
    );
    assert_eq!(resolved("docs/a.md", "../b/./c.md"), "b/c.md");
    assert_eq!(resolved("a.md", "../b.md"), "../b.md");
}
