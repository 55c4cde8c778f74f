//! `doorward config`: what is set, and by whom.

use std::io::{self, Write};

use clap::Args;

use super::Failure;
use super::serve::ServeArgs;
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
    let text = if args.markdown {
        manual::markdown()
    } else {
        manual::table(&args.serve.load()?)
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(())
}
