//! `doorward move`: everything from one database to another, whatever engine either has.
//!
//! The surprise: it reads no configuration. Which database is left and which one is entered is said each time, so
//! that no setting which somebody forgot decides it.

use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use doorward_core::SetupError;
use doorward_store::{Location, Moved, Progress, Step, transfer};
use tokio::runtime::Builder;

use super::Failure;
use crate::config::Database;
use crate::config::layers::read_secret;

#[derive(Args)]
pub(super) struct MoveArgs {
    /// The database to move from: `sqlite:PATH` or `postgres://…`; no server may run on it
    #[arg(long, value_name = "URL", required_unless_present = "from_file")]
    from: Option<String>,
    /// A file with nothing but that in it: others on the machine can read arguments, and with them a password
    #[arg(long, value_name = "FILE", conflicts_with = "from")]
    from_file: Option<PathBuf>,
    /// The database to move to: new or empty, or what an interrupted move has left, which is continued
    #[arg(long, value_name = "URL", required_unless_present = "to_file")]
    to: Option<String>,
    /// A file with nothing but that in it
    #[arg(long, value_name = "FILE", conflicts_with = "to")]
    to_file: Option<PathBuf>,
}

pub(super) fn run(args: MoveArgs) -> Result<(), Failure> {
    let from = location("--from", args.from, args.from_file.as_deref())?;
    let to = location("--to", args.to, args.to_file.as_deref())?;
    if is_same(&from, &to) {
        return Err(Failure::usage(SetupError::new(
            format!("both databases are the same, {from}"),
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

/// The database that an argument names, or the file of another one. Nothing of a wrong one is shown: it may have a
/// password in it.
fn location(argument: &str, url: Option<String>, file: Option<&Path>) -> Result<Location, Failure> {
    let (argument, url) = match file {
        None => (argument.to_owned(), url.unwrap_or_default()),
        Some(path) => {
            let argument = format!("{argument}-file");
            let url = read_secret(path, &format!("file of `{argument}`")).map_err(Failure::usage)?;
            (argument, url)
        }
    };
    let database: Result<Database, String> = url.parse();
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

/// How far it has come, on standard error: a bar that grows where somebody watches, and a line for each step where it
/// is kept.
struct Told {
    is_watched: bool,
    /// What was heard last, of a step whose line is not ended yet.
    open: Option<Progress>,
}

/// The characters of the bar.
const BAR: u64 = 30;

impl Told {
    fn new() -> Self {
        Self {
            is_watched: io::stderr().is_terminal(),
            open: None,
        }
    }

    fn hear(&mut self, progress: Progress) {
        let is_next = |open: Progress| (open.step, open.table) != (progress.step, progress.table);
        if self.open.is_some_and(is_next) {
            self.end_line();
        }
        self.open = Some(progress);
        if self.is_watched {
            // Nobody is left to be told when it fails, and the move goes on.
            let _ = write!(io::stderr(), "\r{}", bar(progress));
        }
    }

    /// Ends the line of a step. Where nobody watches, it is written now, when it is true to the end.
    fn end_line(&mut self) {
        if let Some(progress) = self.open.take() {
            let line = if self.is_watched { String::new() } else { line(progress) };
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}

fn verb(step: Step) -> &'static str {
    match step {
        Step::Checking => "checking",
        Step::Copying => "copying",
        Step::Comparing => "comparing",
    }
}

fn line(progress: Progress) -> String {
    let Progress { step, table, rows, of } = progress;
    let unit = if of == 1 { "row" } else { "rows" };
    format!("{} {table}: {rows} of {of} {unit}", verb(step))
}

/// One line of always the same width, so that each covers the one before.
fn bar(progress: Progress) -> String {
    let Progress { step, table, rows, of } = progress;
    // A table that is empty is done.
    let part = |whole: u64| (rows.min(of) * whole).checked_div(of).unwrap_or(whole);
    let (full, percent) = (part(BAR), part(100));
    let bar: String = (0..BAR).map(|place| if place < full { '#' } else { '.' }).collect();
    format!("{:9} {table:14} [{bar}] {percent:>3} % {rows:>11}", verb(step))
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
        let place = |text: &str| location("--to", Some(text.to_owned()), None).unwrap_or_else(|_| panic!("{text}"));
        assert!(is_same(&place("sqlite:src/../Cargo.toml"), &place("sqlite:Cargo.toml")));
        assert!(is_same(
            &place("postgres://ann:one@h/d"),
            &place("postgresql://ann:two@h:5432/d")
        ));
        assert!(!is_same(&place("sqlite:Cargo.toml"), &place("sqlite:nothing.db")));
        assert!(!is_same(&place("postgres://h/d"), &place("postgres://h/e")));
    }

    #[test]
    fn the_bar_grows_and_keeps_its_width() {
        let at = |rows, of| {
            bar(Progress {
                step: Step::Copying,
                table: "accounts",
                rows,
                of,
            })
        };
        let shown = [at(0, 1601), at(800, 1601), at(1601, 1601), at(0, 0), at(9, 8)];
        let full: Vec<_> = shown.iter().map(|bar| bar.matches('#').count()).collect();
        assert_eq!(full, [0, 14, 30, 30, 30]);
        assert!(
            shown.iter().all(|bar| bar.len() == shown[0].len() && bar.len() < 80),
            "{shown:#?}"
        );
        assert_eq!(
            shown[1],
            "copying   accounts       [##############................]  49 %         800"
        );
    }

    #[test]
    fn a_wrong_url_is_not_shown() {
        let said = location("--to", Some("mysql://ann:hunter2@h/d".to_owned()), None)
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
