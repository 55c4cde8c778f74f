//! `doorward key`: the keys that sign tokens.
//!
//! The surprise: a rotation logs nobody out. The new key signs as soon as every
//! server must know it, and the others go on verifying until
//! their last token is dead by age.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use doorward_core::key::LEAD;
use doorward_store::Schema;

use super::operator::Operator;
use super::{Failure, Place, tell};

#[derive(Args)]
pub(super) struct KeyArgs {
    #[command(flatten)]
    place: Place,
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(Subcommand)]
enum KeyCommand {
    /// List the keys, the newest first
    List,
    /// Make a new key, which signs as soon as every server knows it
    Rotate,
}

pub(super) fn run(args: KeyArgs) -> Result<(), Failure> {
    let operator = Operator::open(args.place, Schema::Keep)?;
    if operator.config.jwt_secret.is_some() {
        return Err(Failure::of(
            "tokens are signed with the shared secret `jwt_secret`, so there are no keys",
            "without the secret, doorward makes and rotates keys of its own",
        ));
    }
    match args.command {
        KeyCommand::List => {
            let mut out = io::stdout().lock();
            let keys = operator.wait(operator.auth.store().signing_keys())?;
            writeln!(out, "{:16}  {:24}  USE", "KEY", "CREATED")?;
            let ring = operator.auth.keys();
            let signer = ring.signer(operator.auth.clock().now()).map(|key| key.id());
            for key in &keys {
                let used = if signer == Some(&key.id) {
                    "signs and verifies"
                } else {
                    "verifies"
                };
                writeln!(out, "{:16}  {:24}  {used}", key.id.0, key.created_at.to_string())?;
            }
            Ok(())
        }
        KeyCommand::Rotate => {
            let id = operator.wait(operator.auth.rotate_key())?;
            let done = format!("{id} signs in {} seconds", LEAD.as_secs());
            tell(
                &format!("{done}\n"),
                &done,
                "this",
                "`doorward key list` shows the keys",
            )
        }
    }
}
