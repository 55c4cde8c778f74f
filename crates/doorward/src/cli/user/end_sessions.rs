//! Ending sessions: those of one account, or those of everybody.
//!
//! The surprise: between two portions of everybody's sessions it waits for as long as the portion took. A server on
//! SQLite that finds the file locked looks again only now and then, and would hardly ever find it free.

use std::io::{self, IsTerminal, Write};

use clap::Args;
use doorward_core::SetupError;
use doorward_core::session::SessionId;
use doorward_store::Schema;
use tokio::time::sleep;

use super::super::operator::Operator;
use super::super::{Failure, Place, tell};
use super::{Desk, Named, known_realm, or_default};
use crate::printable::printable;

/// Where nobody watches, it tells how far it is each time that so many more have ended.
const TOLD_EACH: usize = 100_000;

#[derive(Args)]
pub(super) struct EndArgs {
    /// E-mail address, username, UUID or number; `email:…`, `username:…`, `id:…` and `number:…` mean nothing else
    account: Option<String>,
    /// End the sessions of every account: of all realms, or of the one that `--realm` names
    #[arg(long)]
    all: bool,
}

impl EndArgs {
    pub(super) fn run(self, place: Place, realm: Option<&str>) -> Result<(), Failure> {
        match (self.account, self.all) {
            (Some(account), false) => end_of_account(Named { account }, place, or_default(realm)),
            (None, true) => end_all(place, realm),
            (given, _) => {
                let what = if given.is_some() {
                    "an account and `--all` are both given"
                } else {
                    "whose sessions are to end is not said"
                };
                let hint = "name one account, or say `--all` for the sessions of every account";
                Err(Failure::usage(SetupError::new(what, hint)))
            }
        }
    }
}

fn end_of_account(named: Named, place: Place, realm: &str) -> Result<(), Failure> {
    let desk = Desk::open(place, realm)?;
    let account = desk.find(&named)?;
    let count = desk.operator.wait(desk.operator.auth.end_sessions(account.id))?;
    let what = format!("had {count} {}, ended now", sessions(count));
    desk.told(true, &account, &what, None)
}

fn end_all(place: Place, realm: Option<&str>) -> Result<(), Failure> {
    let operator = Operator::open(place, Schema::Keep)?;
    let realm = realm.map(|name| known_realm(&operator, name)).transpose()?;
    let clock = operator.auth.clock();
    let mut told = Told::new();
    let mut begun = clock.running();
    let ending = operator.auth.end_all_sessions(realm.as_ref(), async |count, last| {
        told.hear(count, last);
        sleep(clock.running().saturating_sub(begun)).await;
        begun = clock.running();
    });
    let ended = operator.wait(ending);
    told.end_line();
    let count = ended?;
    let of = realm.map_or(String::new(), |realm| {
        format!(" of the realm `{}`", printable(&realm.name))
    });
    let done = format!("{count} {}{of} ended", sessions(count));
    let hint = "run it again: it ends what is left";
    tell(&format!("{done}\n"), &done, "this", hint)
}

fn sessions(count: usize) -> &'static str {
    if count == 1 { "session" } else { "sessions" }
}

/// How far it has come, on standard error: a line that is written over where somebody watches, and one now and then
/// where it is kept.
struct Told {
    is_watched: bool,
    /// How many there were when it was told last.
    told: usize,
}

impl Told {
    fn new() -> Self {
        Self {
            is_watched: io::stderr().is_terminal(),
            told: 0,
        }
    }

    fn hear(&mut self, count: usize, last: SessionId) {
        if let Some(line) = self.line(count, last) {
            // Nobody is left to be told when it fails, and the endings go on.
            let _ = write!(io::stderr(), "{line}");
        }
    }

    fn line(&mut self, count: usize, last: SessionId) -> Option<String> {
        let so_far = format!("{count:>11} ended, of those opened until {}", last.opened_at());
        if self.is_watched {
            self.told = count;
            return Some(format!("\r{so_far}"));
        }
        if count < self.told.saturating_add(TOLD_EACH) {
            return None;
        }
        self.told = count;
        Some(format!("{so_far}\n"))
    }

    fn end_line(&self) {
        if self.is_watched && self.told > 0 {
            let _ = writeln!(io::stderr());
        }
    }
}

#[cfg(test)]
mod tests {
    use doorward_core::{Timestamp, random};

    use super::*;

    fn last() -> SessionId {
        SessionId(random::uuid(Timestamp(1_795_192_215_123)).unwrap())
    }

    #[test]
    fn where_nobody_watches_it_is_told_now_and_then() {
        let mut told = Told {
            is_watched: false,
            told: 0,
        };
        let lines = [1_000, TOLD_EACH, TOLD_EACH + 1_000, 2 * TOLD_EACH].map(|count| told.line(count, last()));
        assert_eq!(lines.iter().flatten().count(), 2, "{lines:?}");
        let first = "     100000 ended, of those opened until 2026-11-20T16:30:15.123Z\n";
        assert_eq!(lines[1].as_deref(), Some(first));
    }

    #[test]
    fn who_watches_sees_one_line_change() {
        let mut told = Told {
            is_watched: true,
            told: 0,
        };
        let lines = [1_000, 2_000].map(|count| told.line(count, last()).unwrap());
        assert!(
            lines.iter().all(|line| line.starts_with('\r') && !line.contains('\n')),
            "{lines:?}"
        );
        assert_eq!(lines[0].len(), lines[1].len());
    }
}
