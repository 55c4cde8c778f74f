//! `doorward key`: the keys that sign tokens.
//!
//! The surprise: a rotation logs nobody out. The new key signs as soon as every
//! server must know it, and the others go on verifying until
//! their last token is dead by age, or the operator removes them.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use doorward_core::key::{KeyId, KeyRemoval, LEAD};
use doorward_store::Schema;
use tokio::time::sleep;

use super::operator::Operator;
use super::{Failure, Place, tell};
use crate::printable::printable;

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
    /// Take a key away that does not sign: all its tokens are dead
    ///
    /// No server accepts a token of it a second later. Services that verify tokens by themselves do until they look for
    /// the keys again: those with our verifiers within a minute, others within five. The sessions go on: whoever has a
    /// refresh token gets a token of another key with it, and the others have to log in.
    Remove {
        /// Id, as `key list` shows it; after `--` where it begins with `-h`
        #[arg(allow_hyphen_values = true)]
        id: String,
    },
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
            tell_done(&format!("{id} signs in {} seconds", LEAD.as_secs()))
        }
        KeyCommand::Remove { id } => remove(&operator, KeyId(id)),
    }
}

fn tell_done(done: &str) -> Result<(), Failure> {
    tell(&format!("{done}\n"), done, "this", "`doorward key list` shows the keys")
}

fn remove(operator: &Operator, id: KeyId) -> Result<(), Failure> {
    let mut removal = operator.wait(operator.auth.remove_key(&id))?;
    if let KeyRemoval::SignsFor(time) = removal
        && time <= LEAD
    {
        // Whoever has just rotated does not have to count the seconds.
        operator.wait(async { sleep(time).await });
        removal = operator.wait(operator.auth.remove_key(&id))?;
    }
    let shown = printable(&id.0);
    match removal {
        KeyRemoval::Removed => tell_done(&format!(
            "{shown} is removed; no server accepts its tokens a second from now"
        )),
        KeyRemoval::Signs => Err(Failure::of(
            format!("{shown} is the key that signs"),
            format!("make another one with `doorward key rotate`, then `doorward key remove {shown}`"),
        )),
        KeyRemoval::SignsFor(time) => Err(Failure::of(
            format!("{shown} is the key that signs, for {} more seconds", time.as_secs() + 1),
            "try again then; if that is long, the clocks of the machines are apart",
        )),
        KeyRemoval::Unknown => Err(Failure::of(
            format!("there is no key `{shown}`"),
            "name its id, as `doorward key list` shows it",
        )),
    }
}
