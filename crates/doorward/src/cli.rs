//! The command line: what can be typed, and how it ends.
//!
//! Data goes to standard output, everything else to standard error. The surprise: without a command it serves.

use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use doorward_core::{Error, SetupError};

use crate::config::layers::{self, Flags, Layered};

mod client;
mod config;
mod contract;
mod key;
mod operator;
mod serve;
mod transfer;
mod user;

/// Runs what the command line of this process asks for.
///
/// Answers 0 when it is done, 1 when it failed, 2 when the command line or the configuration is wrong.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are such errors, too. Nobody is left to be told when printing fails.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let ended = match cli.command.unwrap_or(Command::Serve(cli.serve)) {
        Command::Serve(args) => serve::run(args),
        Command::Config(args) => config::run(args),
        Command::Contract(command) => contract::run(command),
        Command::User(args) => user::run(args),
        Command::Key(args) => key::run(args),
        Command::Client(args) => client::run(args),
        Command::Move(args) => transfer::run(args),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(said) = &failure.said {
                let _ = writeln!(io::stderr(), "{said}");
            }
            ExitCode::from(failure.code)
        }
    }
}

/// A sign-in server that speaks the login API your front end already calls.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, disable_help_subcommand = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: serve::ServeArgs,
}

#[derive(Subcommand)]
enum Command {
    /// Serve (what happens without a command, too)
    Serve(serve::ServeArgs),
    /// Show each setting, its value and where that comes from, and refuse what `serve` would refuse
    Config(config::ConfigArgs),
    /// List, show or check contracts
    #[command(subcommand)]
    Contract(contract::ContractCommand),
    /// Manage accounts, also while a server runs
    User(user::UserArgs),
    /// Manage signing keys, also while a server runs
    Key(key::KeyArgs),
    /// Manage the services that may ask about tokens and sessions, also while a server runs
    Client(client::ClientArgs),
    /// Move everything to another database and compare both
    Move(transfer::MoveArgs),
}

/// Where the commands beside a server find its database.
#[derive(Args)]
#[command(next_help_heading = "Where")]
struct Place {
    /// Configuration file [default: doorward.toml, if it is there]
    #[arg(long, value_name = "FILE", global = true)]
    config: Option<PathBuf>,
    /// `sqlite:PATH` or `postgres://…` [default: sqlite:doorward.db]
    #[arg(long, value_name = "URL", global = true)]
    database: Option<String>,
}

impl Place {
    fn load(self) -> Result<Layered, Failure> {
        let flags = Flags {
            file: self.config,
            database: self.database,
            ..Flags::default()
        };
        layers::load(flags).map_err(Failure::usage)
    }
}

/// Why a command did not do what it was to do.
struct Failure {
    /// What is said about it, with a hint.
    said: Option<String>,
    code: u8,
}

impl Failure {
    /// The command line or the configuration is wrong.
    fn usage(said: impl fmt::Display) -> Self {
        Self {
            said: Some(said.to_string()),
            code: 2,
        }
    }

    /// It was right, and could not be done.
    fn run(said: impl fmt::Display) -> Self {
        Self {
            said: Some(said.to_string()),
            code: 1,
        }
    }

    fn of(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::run(SetupError::new(what, hint))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let hint = match &error {
            Error::Throttled { .. } | Error::Busy { .. } => "try again in a moment",
            Error::Unavailable(_) => "check that the database can be reached, and try again",
            Error::Internal(_) => "this is a fault of doorward: please report it",
        };
        Self::of(error.to_string(), hint)
    }
}

/// Says what a command has done, in one write. That nobody hears it is a failure, also where whoever read has gone: it may
/// have been a secret. The failure tells what is `done` and what is `unsaid`.
fn tell(text: &str, done: &str, unsaid: &str, hint: impl Into<String>) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let told = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    told.map_err(|error| Failure::of(format!("{done}, and {unsaid} was not shown: {error}"), hint))
}

/// Printing something failed that can be printed again.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        // Whoever read has seen enough, as with `doorward user list | head`.
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { said: None, code: 0 };
        }
        Self::of(format!("standard output: {error}"), "check where the output goes")
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::Config;

    #[test]
    fn the_command_line_makes_sense() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_tells_the_defaults() {
        let help = Cli::command().render_help().to_string();
        let Config { listen, database, .. } = Config::default();
        for default in [listen, database.to_string()] {
            assert!(help.contains(&format!("default: {default}]")), "{help}");
        }
    }

    #[test]
    fn no_command_serves() {
        let cli = Cli::try_parse_from([
            "doorward",
            "--listen",
            "127.0.0.1:0",
            "--contract",
            "a",
            "--contract",
            "b@/",
        ]);
        let cli = cli.unwrap_or_else(|error| panic!("{error}"));
        assert!(cli.command.is_none());
        assert_eq!(cli.serve.contracts, ["a", "b@/"]);
    }

    #[test]
    fn the_database_can_be_named_after_the_command() {
        for line in [
            "doorward user list --database sqlite:x.db",
            "doorward user --database sqlite:x.db list",
            "doorward key rotate --config x.toml",
            "doorward serve --database sqlite:x.db",
        ] {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}");
        }
        assert!(Cli::try_parse_from(["doorward", "user", "dance"]).is_err());
    }
}
