//! `doorward contract`: what is built in, and whether a file is a contract.
//!
//! The surprise: none of it reads the configuration. A contract is good or bad by itself.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Subcommand;
use doorward_core::SetupError;
use doorward_core::error::did_you_mean;
use doorward_http::Mount;
use doorward_http::contract::{self, builtin};

use super::Failure;
use crate::mounts;
use crate::printable::{printable, shown};

#[derive(Subcommand)]
pub(super) enum ContractCommand {
    /// List the built-in contracts
    List,
    /// Print the file of a built-in contract, to start another one from
    Show {
        /// One that `doorward contract list` shows
        name: String,
    },
    /// Print every word that a contract can use, in Markdown
    Reference,
    /// Check a contract file without serving it
    Check {
        /// The file
        file: PathBuf,
    },
}

pub(super) fn run(command: ContractCommand) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match command {
        ContractCommand::List => {
            let names = builtin::ALL.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
            for (name, text) in builtin::ALL {
                let contract = contract::parse(&format!("{name}.toml"), text).map_err(Failure::usage)?;
                writeln!(out, "{name:names$}  {}", contract.about)?;
            }
        }
        ContractCommand::Show { name } => {
            let text = builtin::find(&name).ok_or_else(|| {
                let hint = did_you_mean(&name, builtin::ALL.iter().map(|(name, _)| *name));
                let name = printable(&name);
                Failure::usage(SetupError::new(format!("there is no built-in contract `{name}`"), hint))
            })?;
            out.write_all(text.as_bytes())?;
        }
        ContractCommand::Reference => out.write_all(contract::manual::reference().as_bytes())?,
        ContractCommand::Check { file } => check(&file, &mut out)?,
    }
    Ok(())
}

/// Judges a contract as `serve` would, alone and in its own place.
fn check(file: &Path, out: &mut dyn Write) -> Result<(), Failure> {
    let contract = Arc::new(mounts::read(file).map_err(Failure::usage)?);
    let mount = Mount {
        prefix: contract.prefix.clone(),
        contract: Arc::clone(&contract),
    };
    mount.check().map_err(Failure::usage)?;
    let prefix = if contract.prefix.is_empty() {
        "/"
    } else {
        &contract.prefix
    };
    writeln!(
        out,
        "{} is a contract: {}, served at {prefix}",
        shown(file),
        contract.name
    )?;
    let places = || {
        let routes = contract.routes.iter();
        routes.flat_map(|route| route.places.iter().map(move |place| (place, route.action)))
    };
    let paths = places().map(|(place, _)| place.path.len()).max().unwrap_or(0);
    for (place, action) in places() {
        let (method, path, action) = (place.method.as_str(), &place.path, action.table().name);
        let alias = if place.alias { " (alias)" } else { "" };
        writeln!(out, "  {method:7} {path:paths$}  {action}{alias}")?;
    }
    Ok(())
}
