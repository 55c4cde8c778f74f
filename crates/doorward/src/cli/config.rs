//! `doorward config`: what is set, by whom, and whether a server would take it.
//!
//! The surprise: it refuses what is wrong with the whole after it has shown the parts. Whoever reads the refusal wants to
//! see what they have set.

use std::io::{self, Write};

use clap::Args;

use super::Failure;
use super::serve::ServeArgs;
use crate::assembly;
use crate::config::manual;

#[derive(Args)]
pub(super) struct ConfigArgs {
    #[command(flatten)]
    serve: ServeArgs,
    /// Print the manual of all settings in Markdown
    #[arg(long)]
    markdown: bool,
}

pub(super) fn run(args: ConfigArgs) -> Result<(), Failure> {
    if args.markdown {
        io::stdout().write_all(manual::markdown().as_bytes())?;
        return Ok(());
    }
    let layered = args.serve.load()?;
    let printed = io::stdout().write_all(manual::table(&layered).as_bytes());
    // Also where nobody reads the table to its end.
    let config = &layered.config;
    assembly::judge(config, config.http()).map_err(Failure::usage)?;
    printed?;
    Ok(())
}
