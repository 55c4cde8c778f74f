//! Measures doorward: one command for each question. Each prints a table, draws a chart and writes a record.
//!
//! The surprise: nothing here is a test. No command fails because a figure is low; it says so and goes on.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

mod answer;
mod chart;
mod clock;
mod command;
mod dice;
mod error;
mod fill;
mod folder;
mod hiccup;
mod histogram;
mod load;
mod machine;
mod people;
mod print;
mod process;
mod record;
mod report;
mod server;
mod statistics;
mod table;
mod wire;

/// Measures doorward. Build the server first, in the same profile: `cargo build --release -p doorward`.
#[derive(Parser)]
#[command(name = "doorward-bench", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    options: Options,
}

/// What every command takes.
#[derive(Args)]
struct Options {
    /// Short runs, to see that everything works: the figures mean nothing
    #[arg(long, global = true)]
    quick: bool,
    /// Where records and charts are written [default: docs/performance of the project; with --quick, the target folder]
    #[arg(long, value_name = "FOLDER", global = true)]
    records: Option<PathBuf>,
}

impl Options {
    fn records(&self) -> PathBuf {
        let quick = || folder::programs().map_or_else(|_| PathBuf::from("."), |programs| programs.join("performance"));
        let default = || if self.quick { quick() } else { record::default_folder() };
        self.records.clone().unwrap_or_else(default)
    }

    /// One of two bounds.
    fn pick<T>(&self, full: T, quick: T) -> T {
        if self.quick { quick } else { full }
    }
}

#[derive(Subcommand)]
enum Command {
    /// Hashes a second: the kernels of this machine beside the `argon2` crate (2 min)
    Hash(command::hash::HashArgs),
    /// Requests through the real server, beside a bare axum (4 min)
    Http,
    /// Profiles at a fixed rate while 0, 4, 16 and 64 clients log in (3 min)
    Storm,
    /// The same requests with more accounts and more ended sessions (12 min, 6 GB of disk)
    Grow(command::grow::GrowArgs),
    /// Over PostgreSQL, on one node and on three, beside the driver alone; how soon a logout holds everywhere (4 min)
    Postgres,
    /// The same requests over PostgreSQL with ten million accounts, with plans (12 min, 8 GB of disk)
    GrowPostgres(command::postgres::grow::GrowPostgresArgs),
    /// Whether times tell who has an account: Welch's t (3 min)
    EqualTime,
    /// Beside other login backends, `bench/peers/` (8 min)
    Peer,
    /// All of these, one after the other, and then the page (50 min, 8 GB of disk)
    All,
    /// Writes the page from the records
    Report,
    /// Serves a bare answer, for the other commands to compare with
    #[command(hide = true)]
    Hello,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let options = &cli.options;
    let done = match cli.command {
        Command::Hash(arguments) => command::hash::run(&arguments, options),
        Command::Http => command::http::run(options),
        Command::Storm => command::storm::run(options),
        Command::Grow(arguments) => command::grow::run(&arguments, options),
        Command::Postgres => command::postgres::run(options),
        Command::GrowPostgres(arguments) => command::postgres::grow::run(&arguments, options),
        Command::EqualTime => command::equal_time::run(options),
        Command::Peer => command::peer::run(options),
        Command::All => command::all::run(options),
        Command::Report => report::run(&options.records()),
        Command::Hello => server::serve_hello(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            print::progress(&error.to_string());
            ExitCode::FAILURE
        }
    }
}
