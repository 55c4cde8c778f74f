//! Tables of what was measured, as people read them: Markdown with columns of one width.
//!
//! The surprise: a number is shown with the three or four figures that count; the record keeps all of them.

use serde::{Deserialize, Serialize};

use crate::statistics::number;

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
}
