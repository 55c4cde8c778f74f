//! What a command leaves behind: a record that a program can read, its charts, and the same table that was printed.
//!
//! The surprise: the tables and charts of the page are made of these records and of nothing else. None of their figures
//! was typed by anybody.

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
use crate::table::{Table, shown};

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
