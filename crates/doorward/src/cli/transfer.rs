//! `doorward move`: everything from one database to another, whatever engine either has.
//!
//! The surprise: it reads no configuration. Which database is left and which one is entered is said each time, so
//! that no setting which somebody forgot decides it.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use doorward_core::SetupError;
use doorward_store::{Location, Moved, Progress, transfer};
use tokio::runtime::Builder;

use super::Failure;
use crate::config::Database;

#[derive(Args)]
pub(super) struct MoveArgs {
    /// The database to move from: `sqlite:PATH` or `postgres://…`; no server may run on it
    #[arg(long, value_name = "URL")]
    from: String,
    /// The database to move to: new or empty, or what an interrupted move has left, which is continued
    #[arg(long, value_name = "URL")]
    to: String,
}

pub(super) fn run(args: MoveArgs) -> Result<(), Failure> {
    let (from, to) = (location("--from", &args.from)?, location("--to", &args.to)?);
    if is_same(&from, &to) {
        return Err(Failure::usage(SetupError::new(
            format!("`--from` and `--to` are the same database, {from}"),
            "name another database to move to",
        )));
    }
    let runtime = Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::of(format!("no runtime: {error}"), "raise the limits"))?;
    let mut told = Told::new();
    let moved = runtime.block_on(transfer(&from, &to, &mut |progress| told.hear(progress)));
    told.end_line();
    tell(&from, &to, &moved.map_err(Failure::run)?)
}

/// The database that an argument names. Nothing of a wrong one is shown: it may have a password in it.
fn location(argument: &str, text: &str) -> Result<Location, Failure> {
    let database: Result<Database, String> = text.parse();
    match database {
        Ok(Database::Sqlite(path)) => Ok(Location::Sqlite(path)),
        Ok(Database::Postgres(url)) => Ok(Location::Postgres(url)),
        Err(hint) => Err(Failure::usage(SetupError::new(
            format!("`{argument}` names no database"),
            hint,
        ))),
    }
}

/// Whether both are one, as far as their names tell. What they do not tell ends at a lock.
fn is_same(from: &Location, to: &Location) -> bool {
    match (from, to) {
        (Location::Sqlite(from), Location::Sqlite(to)) => match (from.canonicalize(), to.canonicalize()) {
            (Ok(from), Ok(to)) => from == to,
            // One that is not there yet is no other's.
            _ => false,
        },
        _ => from.to_string() == to.to_string(),
    }
}

/// How far it has come, on standard error: one line that changes where somebody watches, and a line for each step
/// where it is kept.
struct Told {
    is_watched: bool,
    /// The step of the line that is not ended yet.
    open: Option<(&'static str, bool)>,
    text: String,
}

impl Told {
    fn new() -> Self {
        Self {
            is_watched: io::stderr().is_terminal(),
            open: None,
            text: String::new(),
        }
    }

    fn hear(&mut self, progress: Progress) {
        let (step, text) = match progress {
            Progress::Copied { table, rows } => {
                let unit = if rows == 1 { "row" } else { "rows" };
                ((table, false), format!("copying {table}: {rows} {unit}"))
            }
            Progress::Comparing { table } => ((table, true), format!("comparing {table}")),
        };
        if self.open != Some(step) {
            self.end_line();
        }
        self.open = Some(step);
        self.text = text;
        if self.is_watched {
            // Nobody is left to be told when it fails, and the move goes on.
            let _ = write!(io::stderr(), "\r{}", self.text);
        }
    }

    /// Ends the line of a step. Where nobody watches, it is written now, when it is true to the end.
    fn end_line(&mut self) {
        if self.open.take().is_some() {
            let line = if self.is_watched { "" } else { &self.text };
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}

fn tell(from: &Location, to: &Location, moved: &[Moved]) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    writeln!(out, "{:14}  {:>10}  {:>10}  SHA-256", "TABLE", "ROWS", "NEW")?;
    for table in moved {
        let (name, rows, new) = (table.table, table.rows, table.rows - table.found);
        write!(out, "{name:14}  {rows:>10}  {new:>10}  ")?;
        for byte in table.sha256 {
            write!(out, "{byte:02x}")?;
        }
        writeln!(out)?;
    }
    writeln!(
        out,
        "\n{to} has everything that {from} has: every table was read from both and is the same."
    )?;
    writeln!(
        out,
        "Start the servers on {to} and no more on {from}, with the same settings: its tokens and sessions go on."
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_database_has_more_than_one_name() {
        let place = |text: &str| location("--to", text).unwrap_or_else(|_| panic!("{text}"));
        assert!(is_same(&place("sqlite:src/../Cargo.toml"), &place("sqlite:Cargo.toml")));
        assert!(is_same(
            &place("postgres://ann:one@h/d"),
            &place("postgresql://ann:two@h:5432/d")
        ));
        assert!(!is_same(&place("sqlite:Cargo.toml"), &place("sqlite:nothing.db")));
        assert!(!is_same(&place("postgres://h/d"), &place("postgres://h/e")));
    }

    #[test]
    fn a_wrong_url_is_not_shown() {
        let said = location("--to", "mysql://ann:hunter2@h/d")
            .err()
            .and_then(|failure| failure.said);
        let said = said.unwrap_or_default();
        assert!(
            said.contains("`--to`") && said.contains("hint: write `sqlite:PATH`"),
            "{said}"
        );
        assert!(!said.contains("hunter2"), "{said}");
    }
}
