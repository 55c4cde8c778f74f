//! The page about performance, made of the records: `docs/performance.md`.
//!
//! The surprise: what people wrote about a command stands in a file beside its record, `COMMAND.md`, and is taken over
//! as it is. Everything else on the page is computed.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use crate::command::all::COMMANDS;
use crate::error::{Error, Result};
use crate::print;
use crate::record::{Figure, Record, default_folder, figures};
use crate::table::Table;

const HEAD: &str = "\
# Performance

<!-- Written by `doorward-bench report` from the records beside it. Run a command again, or change `COMMAND.md` in the
folder of the records; do not change this page. -->

What follows was measured by [`crates/doorward-bench`](../crates/doorward-bench/README.md), the loader on the same
machine. Ratios are taken within one run in which all candidates take turns, and compare better across machines than the
figures that they are made of. Nothing here is a test. Tables and charts are of the records; what stands below them in a
section was written by hand, also of other runs, which it names.
";

/// Writes the page beside the folder of the records, under its name.
pub(crate) fn run(folder: &Path) -> Result<()> {
    let page = folder.with_extension("md");
    let text = text(folder)?;
    fs::write(&page, text).map_err(|error| Error::new(format!("{}: {error}", page.display())))?;
    print::progress(&format!("written: {}", page.display()));
    Ok(())
}

/// The page.
fn text(folder: &Path) -> Result<String> {
    let mut records = Vec::new();
    for command in COMMANDS {
        records.extend(Record::read(folder, command)?);
    }
    if records.is_empty() {
        let hint = "run `doorward-bench all`, or one of its commands";
        return Err(Error::new(format!("{} has no records", folder.display())).hint(hint));
    }
    let mut text = HEAD.to_owned();
    if records.iter().any(|record| record.quick) {
        text.push_str("\n**Short runs, to see that everything works: these figures mean nothing.**\n");
    }
    let mut runs: Vec<&str> = records.iter().map(|record| record.revision.as_str()).collect();
    runs.sort_unstable();
    runs.dedup();
    if runs.len() > 1 {
        let runs = runs.join(", ");
        let which = format!(
            "**Not of one run**: the sections are of the commits {runs}, some measured in another way than it is done now."
        );
        let _ = write!(text, "\n{}\n", wrapped(&which));
    }
    let _ = write!(text, "\n## The machine\n\n{}\n", machines(&records).markdown());
    let all: Vec<Figure> = records.iter().flat_map(|record| record.figures.clone()).collect();
    let reached = all.iter().filter(|figure| figure.is_reached()).count();
    let _ = write!(
        text,
        "\n## What was to be reached\n\n{reached} of {}. The section of each command says how it was measured, and what is \
         known about those that were not reached.\n\n{}\n",
        all.len(),
        figures(&all).markdown()
    );
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    for record in &records {
        let notes = fs::read_to_string(folder.join(format!("{}.md", record.command))).unwrap_or_default();
        section(&mut text, record, &name, notes.trim());
    }
    Ok(text)
}

/// What the records were made on: one row for each machine, and most often there is one.
fn machines(records: &[Record]) -> Table {
    let columns = ["processor", "hash kernel", "cores", "memory GiB", "system", "compiler"];
    let mut table = Table::new("", columns);
    let mut seen: Vec<&crate::machine::Machine> = Vec::new();
    for machine in records.iter().map(|record| &record.machine) {
        if seen.contains(&machine) {
            continue;
        }
        seen.push(machine);
        table.row([
            machine.processor.as_str().into(),
            machine.kernel_of_hash.as_str().into(),
            (machine.cores as u64).into(),
            machine.memory_gib.into(),
            machine.system.as_str().into(),
            machine.compiler.as_str().into(),
        ]);
    }
    table
}

fn section(text: &mut String, record: &Record, folder: &str, notes: &str) {
    // Typed as it was for the default folder, it would take the place of another machine's record.
    let elsewhere = if default_folder().ends_with(folder) {
        String::new()
    } else {
        format!(" --records docs/{folder}")
    };
    let line = &record.line;
    let _ = write!(text, "\n## {}\n\n```sh\n{line}{elsewhere}\n```\n", record.title);
    let minutes = record.seconds / 60.0;
    let stolen = record.stolen;
    let _ = write!(
        text,
        "\n{}, commit {}, {minutes:.1} minutes; other guests of the host took {stolen:.1} % of the processor time. \
         [The record]({folder}/{}.json).\n",
        record.date, record.revision, record.command
    );
    for paragraph in &record.about {
        let _ = write!(text, "\n{}\n", wrapped(paragraph));
    }
    for table in &record.tables {
        let _ = write!(text, "\n{}:\n\n{}\n", table.title, table.markdown());
    }
    for chart in &record.charts {
        let _ = write!(text, "\n![{}]({folder}/{})\n", chart.title, chart.file);
    }
    if !notes.is_empty() {
        let _ = write!(text, "\n{notes}\n");
    }
}

/// A paragraph in lines that fit beside code.
fn wrapped(paragraph: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for word in paragraph.split(' ') {
        let length = word.chars().count();
        if width > 0 && width + 1 + length > 120 {
            text.push('\n');
            width = 0;
        } else if width > 0 {
            text.push(' ');
            width += 1;
        }
        text.push_str(word);
        width += length;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_paragraph_fit() {
        let text = wrapped(&"some words ".repeat(50));
        assert!(text.lines().all(|line| line.chars().count() <= 120));
        assert_eq!(text.split_whitespace().count(), 100);
    }

    /// The pages are what the records say: those of the default folder, and of others for further machines.
    #[test]
    fn the_pages_are_written_from_their_records() {
        let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
        let default = default_folder();
        let others = fs::read_dir(default.parent().unwrap()).unwrap();
        let mut folders: Vec<_> = others.map(|entry| entry.unwrap().path()).collect();
        folders.retain(|path| path.is_dir() && name(path).starts_with(&name(&default)));
        assert!(folders.iter().any(|path| name(path) == name(&default)));
        for folder in folders {
            let page = fs::read_to_string(folder.with_extension("md")).unwrap();
            let written = text(&folder).unwrap();
            assert!(
                page == written,
                "run `doorward-bench report --records docs/{}`",
                name(&folder)
            );
        }
    }
}
