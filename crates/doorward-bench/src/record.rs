//! What a command leaves behind: a record that a program can read, its charts, and the same table that was printed.
//!
//! The surprise: the page is made of these records and of nothing else. No figure in it was typed by anybody.

use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::chart::Chart;
use crate::clock;
use crate::error::{Error, Result};
use crate::folder::project;
use crate::machine::{Machine, revision, stolen_and_all};
use crate::print;
use crate::statistics::number;

/// What one command measured.
#[derive(Deserialize, Serialize)]
pub(crate) struct Record {
    pub(crate) command: String,
    pub(crate) title: String,
    /// How it was done, for whoever reads the table.
    pub(crate) about: Vec<String>,
    /// What to type for the same.
    pub(crate) line: String,
    pub(crate) date: String,
    pub(crate) revision: String,
    pub(crate) seconds: f64,
    /// The share of the processor time that other guests of the host took meanwhile, in percent.
    pub(crate) stolen: f64,
    pub(crate) quick: bool,
    pub(crate) machine: Machine,
    pub(crate) tables: Vec<Table>,
    pub(crate) charts: Vec<Drawn>,
    pub(crate) figures: Vec<Figure>,
}

/// A chart that was written beside the record.
#[derive(Deserialize, Serialize)]
pub(crate) struct Drawn {
    pub(crate) title: String,
    pub(crate) file: String,
}

/// A table of what was measured.
#[derive(Deserialize, Serialize)]
pub(crate) struct Table {
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

/// A name or a number.
#[derive(Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum Cell {
    Number(f64),
    Text(String),
}

/// A figure with what it is to reach.
#[derive(Clone, Deserialize, Serialize)]
pub(crate) struct Figure {
    pub(crate) what: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    pub(crate) goal: Goal,
}

/// What a figure is to reach.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
}

impl From<f64> for Cell {
    fn from(value: f64) -> Self {
        Self::Number(value)
    }
}

impl From<u64> for Cell {
    fn from(value: u64) -> Self {
        Self::Number(number(value))
    }
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl Cell {
    pub(crate) fn shown(&self) -> String {
        match self {
            Self::Number(value) => shown(*value),
            Self::Text(text) => text.clone(),
        }
    }
}

impl Figure {
    pub(crate) fn is_reached(&self) -> bool {
        match self.goal {
            Goal::AtLeast(goal) => self.value >= goal,
            Goal::AtMost(goal) => self.value <= goal,
        }
    }

    pub(crate) fn goal_shown(&self) -> String {
        let (word, goal) = match self.goal {
            Goal::AtLeast(goal) => ("at least", goal),
            Goal::AtMost(goal) => ("at most", goal),
        };
        with_unit(&format!("{word} {}", shown(goal)), &self.unit)
    }

    pub(crate) fn value_shown(&self) -> String {
        with_unit(&shown(self.value), &self.unit)
    }
}

fn with_unit(text: &str, unit: &str) -> String {
    format!("{text} {unit}").trim_end().to_owned()
}

impl Table {
    pub(crate) fn new<const N: usize>(title: &str, columns: [&str; N]) -> Self {
        Self {
            title: title.to_owned(),
            columns: columns.map(str::to_owned).into(),
            rows: Vec::new(),
        }
    }

    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.rows.push(cells.into_iter().collect());
    }

    /// The table in Markdown, with columns of one width, so that it can be read as it is.
    pub(crate) fn markdown(&self) -> String {
        let rows: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| row.iter().map(Cell::shown).collect())
            .collect();
        let is_number = |column: usize| {
            let mut cells = self.rows.iter().filter_map(|row| row.get(column));
            column > 0 && cells.any(|cell| matches!(cell, Cell::Number(_)))
        };
        let widths: Vec<usize> = (0..self.columns.len())
            .map(|column| {
                let cells = rows.iter().filter_map(|row| row.get(column));
                let widths = cells.chain(self.columns.get(column)).map(|text| text.chars().count());
                widths.max().unwrap_or(0).max(4)
            })
            .collect();
        let line = |cells: &[String]| {
            let mut line = String::from("|");
            for (column, width) in widths.iter().enumerate() {
                let text = cells.get(column).map_or("", String::as_str);
                let pad = " ".repeat(width.saturating_sub(text.chars().count()));
                let (before, after) = if is_number(column) {
                    (pad.as_str(), "")
                } else {
                    ("", pad.as_str())
                };
                line.push_str(&format!(" {before}{text}{after} |"));
            }
            line
        };
        let mut text = line(&self.columns);
        text.push_str("\n|");
        for (column, width) in widths.iter().enumerate() {
            let dashes = "-".repeat(width.saturating_sub(1));
            text.push_str(&if is_number(column) {
                format!(" {dashes}: |")
            } else {
                format!(" {dashes}- |")
            });
        }
        for row in &rows {
            text.push('\n');
            text.push_str(&line(row));
        }
        text
    }
}

/// A number with three or four figures that count, and thousands apart.
pub(crate) fn shown(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 || (size.fract() == 0.0 && size >= 1.0) || size == 0.0 {
        return thousands(value);
    }
    if size >= 10.0 {
        format!("{value:.1}")
    } else if size >= 0.1 {
        format!("{value:.2}")
    } else {
        format!("{value:.4}")
    }
}

fn thousands(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 { format!("-{text}") } else { text }
}

/// A measurement that is being made.
pub(crate) struct Draft {
    began: std::time::Instant,
    stolen: (u64, u64),
    record: Record,
    charts: Vec<Chart>,
    folder: PathBuf,
}

impl Draft {
    /// Begins one.
    pub(crate) fn begin(command: &str, title: &str, about: &[&str], options: &crate::Options) -> Self {
        let quick = if options.quick { " --quick" } else { "" };
        let record = Record {
            command: command.to_owned(),
            title: title.to_owned(),
            about: about.iter().map(|text| (*text).to_owned()).collect(),
            line: format!("cargo run --release -p doorward-bench -- {command}{quick}"),
            date: clock::date(),
            revision: revision(),
            seconds: 0.0,
            stolen: 0.0,
            quick: options.quick,
            machine: Machine::this(),
            tables: Vec::new(),
            charts: Vec::new(),
            figures: Vec::new(),
        };
        Self {
            began: clock::now(),
            stolen: stolen_and_all(),
            record,
            charts: Vec::new(),
            folder: options.records(),
        }
    }

    pub(crate) fn about(&mut self, text: String) {
        self.record.about.push(text);
    }

    pub(crate) fn table(&mut self, table: Table) {
        self.record.tables.push(table);
    }

    pub(crate) fn chart(&mut self, chart: Chart) {
        self.charts.push(chart);
    }

    pub(crate) fn figure(&mut self, what: &str, value: f64, unit: &str, goal: Goal) {
        self.record.figures.push(Figure {
            what: what.to_owned(),
            value,
            unit: unit.to_owned(),
            goal,
        });
    }

    /// Prints the tables and figures, and writes the record and its charts.
    pub(crate) fn finish(mut self) -> Result<()> {
        self.record.seconds = (clock::now() - self.began).as_secs_f64();
        let (stolen, all) = stolen_and_all();
        let (stolen, all) = (stolen - self.stolen.0, all - self.stolen.1);
        self.record.stolen = 100.0 * number(stolen) / number(all.max(1));
        let folder = &self.folder;
        let hint = "let this user write there, or choose another folder with --records";
        let refused = |error: std::io::Error| Error::new(format!("{}: {error}", folder.display())).hint(hint);
        fs::create_dir_all(folder).map_err(refused)?;
        for (index, chart) in self.charts.iter().enumerate() {
            let number = if index == 0 {
                String::new()
            } else {
                format!("-{}", index + 1)
            };
            let file = format!("{}{number}.svg", self.record.command);
            fs::write(folder.join(&file), chart.svg()).map_err(refused)?;
            let title = chart.title.clone();
            self.record.charts.push(Drawn { title, file });
        }
        let json = serde_json::to_string_pretty(&self.record)?;
        let file = folder.join(format!("{}.json", self.record.command));
        fs::write(&file, json + "\n").map_err(refused)?;
        print::line(&self.record.text());
        print::progress(&format!("written: {}", file.display()));
        Ok(())
    }
}

impl Record {
    /// Reads one that was written, if there is one.
    pub(crate) fn read(folder: &std::path::Path, command: &str) -> Result<Option<Self>> {
        let file = folder.join(format!("{command}.json"));
        let Ok(text) = fs::read_to_string(&file) else {
            return Ok(None);
        };
        let hint = format!("run `doorward-bench {command}` again");
        let read = serde_json::from_str(&text);
        read.map(Some)
            .map_err(|error| Error::new(format!("{}: {error}", file.display())).hint(hint))
    }

    fn text(&self) -> String {
        let mut text = format!("{} ({:.0} s)\n", self.title, self.seconds);
        for table in &self.tables {
            let _ = write!(text, "\n{}\n\n{}\n", table.title, table.markdown());
        }
        if !self.figures.is_empty() {
            let _ = write!(text, "\n{}\n", figures(&self.figures).markdown());
        }
        text
    }
}

/// Figures beside what they are to reach.
pub(crate) fn figures(figures: &[Figure]) -> Table {
    let mut table = Table::new("", ["figure", "to reach", "measured", "reached"]);
    for figure in figures {
        let reached = if figure.is_reached() { "yes" } else { "no" };
        let (goal, value) = (figure.goal_shown(), figure.value_shown());
        table.row([figure.what.as_str().into(), goal.into(), value.into(), reached.into()]);
    }
    table
}

/// Where records are, unless somebody says otherwise.
pub(crate) fn default_folder() -> PathBuf {
    project().join("docs/performance")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_for_people() {
        let wanted = [
            (0.0, "0"),
            (0.012_34, "0.0123"),
            (0.5, "0.50"),
            (3.0, "3"),
            (3.456, "3.46"),
            (34.56, "34.6"),
            (345.6, "346"),
            (1_234_567.0, "1,234,567"),
            (-4321.0, "-4,321"),
        ];
        for (value, text) in wanted {
            assert_eq!(shown(value), text);
        }
    }

    #[test]
    fn a_table_in_markdown() {
        let mut table = Table::new("t", ["what", "per second"]);
        table.row(["a".into(), 12.0.into()]);
        table.row(["longer".into(), "none".into()]);
        let wanted =
            "| what   | per second |\n| ------ | ---------: |\n| a      |         12 |\n| longer |       none |";
        assert_eq!(table.markdown(), wanted);
    }

    #[test]
    fn goals_from_above_and_below() {
        let figure = |value, goal| Figure {
            what: String::new(),
            value,
            unit: "ms".into(),
            goal,
        };
        assert!(figure(2.0, Goal::AtLeast(2.0)).is_reached());
        assert!(!figure(1.9, Goal::AtLeast(2.0)).is_reached());
        assert!(figure(1.9, Goal::AtMost(2.0)).is_reached());
        assert!(!figure(2.1, Goal::AtMost(2.0)).is_reached());
        assert_eq!(figure(2.0, Goal::AtMost(20.0)).goal_shown(), "at most 20 ms");
    }
}
