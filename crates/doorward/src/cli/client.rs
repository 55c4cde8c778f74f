//! `doorward client`: the services that may ask about tokens and sessions, also while a server runs.
//!
//! The surprise: a secret is shown once, when it is made. The database has only a hash of it.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use doorward_core::client::{ClientId, MAX_CLIENT_NAME};
use doorward_store::Schema;

use super::operator::Operator;
use super::{Failure, Place, tell};
use crate::printable::printable;

/// Clients that are read at a time when they are listed.
const PAGE: usize = 500;

#[derive(Args)]
pub(super) struct ClientArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: ClientCommand,
}

#[derive(Subcommand)]
enum ClientCommand {
    /// Let a service ask, and print its id and secret
    Add {
        /// What to call it
        name: String,
    },
    /// List the services that may ask
    List,
    /// Take a service its right to ask
    Remove {
        /// Id, as `client list` shows it
        id: String,
    },
}

pub(super) fn run(args: ClientArgs) -> Result<(), Failure> {
    if let ClientCommand::Add { name } = &args.command {
        check(name)?;
    }
    // A database that is made here is none that a server asks.
    let operator = Operator::open(args.place, Schema::Keep)?;
    match args.command {
        ClientCommand::Add { name } => {
            let (id, secret) = operator.wait(operator.auth.add_client(&name))?;
            let lines = format!("client_id      {id}\nclient_secret  {}\n", secret.reveal().expose());
            let hint = format!("`doorward client remove {id}` takes it its right to ask; then make another one");
            tell(&lines, &format!("client {id} is made"), "its secret", hint)?;
            // The secret is told; this is for people.
            let _ = writeln!(
                io::stderr(),
                "the secret is not kept and will not be shown again: put it where the service finds it"
            );
            Ok(())
        }
        ClientCommand::List => list(&operator, &mut io::stdout().lock()),
        ClientCommand::Remove { id } => {
            let unknown = || {
                Failure::of(
                    format!("there is no client `{}`", printable(&id)),
                    "name its id, as `doorward client list` shows it",
                )
            };
            let named = id.parse().map(ClientId).map_err(|_| unknown())?;
            if !operator.wait(operator.auth.remove_client(named))? {
                return Err(unknown());
            }
            let done = format!("client {named} is removed");
            tell(
                &format!("{done}\n"),
                &done,
                "this",
                "`doorward client list` shows those that there are",
            )
        }
    }
}

fn check(name: &str) -> Result<(), Failure> {
    let fits = !name.trim().is_empty() && name.chars().count() <= MAX_CLIENT_NAME && !name.contains(char::is_control);
    if fits {
        return Ok(());
    }
    Err(Failure::usage(doorward_core::SetupError::new(
        format!("a client's name has 1 to {MAX_CLIENT_NAME} characters, and no control characters"),
        "name it after the service, as in `doorward client add shop`",
    )))
}

fn list(operator: &Operator, out: &mut dyn Write) -> Result<(), Failure> {
    writeln!(out, "{:36}  {:24}  NAME", "ID", "CREATED")?;
    let mut after = None;
    loop {
        let page = operator.wait(operator.auth.store().list_clients(after, PAGE))?;
        for client in &page {
            let (id, created) = (client.id.to_string(), client.created_at.to_string());
            writeln!(out, "{id:36}  {created:24}  {}", printable(&client.name))?;
        }
        match page.last() {
            Some(last) if page.len() == PAGE => after = Some(last.id),
            _ => return Ok(()),
        }
    }
}
