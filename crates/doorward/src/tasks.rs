//! What goes on in the background of a server: learning what other processes did, and forgetting.
//!
//! The surprise: the tasks hold no server alive. They end by themselves when it is gone, so that a router that
//! was nested into another program takes them with it.

use std::sync::{Arc, Weak};
use std::time::Duration;

use doorward_core::{Auth, Result};
use tokio::time::{MissedTickBehavior, interval, sleep};

/// How often to look for what other processes did: sessions ended, accounts disabled, keys rotated. Those that can
/// tell are not waited for that long.
///
/// The promise is that a token dies within a second of the command that killed it. Looking takes two reads by
/// index, which are next to nothing when there is nothing new.
const CATCH_UP: Duration = Duration::from_millis(250);

/// How long endings of this process, and what others tell, are gathered before the next look. The first one is looked
/// at and told at once, to services that follow the endings in the order of their sequence.
const GATHER: Duration = Duration::from_millis(5);

/// How often to forget dead sessions and keys. They do no harm until then; they only take room.
const PURGE: Duration = Duration::from_mins(5);

/// Starts the tasks. They end soon after the last handle of `auth` is dropped.
pub(crate) fn start(auth: &Arc<Auth>) {
    tokio::spawn(catch_up(Arc::downgrade(auth)));
    tokio::spawn(purge(Arc::downgrade(auth)));
}

async fn catch_up(auth: Weak<Auth>) {
    let Some(ended_here) = auth.upgrade().map(|auth| auth.ended_here()) else {
        return;
    };
    let mut ticks = interval(CATCH_UP);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut health = Health::new("learning what other processes did");
    loop {
        let Some(told) = auth.upgrade().map(|auth| auth.store().told()) else {
            return;
        };
        let (elsewhere, at_once) = tokio::select! {
            _ = ticks.tick() => (true, false),
            () = told => (true, true),
            () = ended_here.notified() => (false, true),
        };
        let Some(auth) = auth.upgrade() else { return };
        if elsewhere {
            health.tell(&auth.catch_up().await);
        } else {
            health.tell(&auth.catch_up_endings().await);
        }
        drop(auth);
        if at_once {
            sleep(GATHER).await;
        }
    }
}

async fn purge(auth: Weak<Auth>) {
    let mut ticks = interval(PURGE);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut health = Health::new("forgetting dead sessions");
    loop {
        ticks.tick().await;
        let Some(auth) = auth.upgrade() else { return };
        health.tell(&auth.purge().await);
    }
}

/// Whether something went well the last time, so that only a change is logged: a database that is away for an
/// hour is two lines and not fourteen thousand.
struct Health {
    what: &'static str,
    well: bool,
}

impl Health {
    fn new(what: &'static str) -> Self {
        Self { what, well: true }
    }

    fn tell(&mut self, result: &Result<()>) -> bool {
        let changed = self.well != result.is_ok();
        self.well = result.is_ok();
        match result {
            Ok(()) if changed => tracing::info!("{} works again", self.what),
            Err(error) if changed => tracing::error!(%error, "{} fails; it is tried again and again", self.what),
            _ => {}
        }
        changed
    }
}

#[cfg(test)]
mod tests {
    use doorward_core::Error;

    use super::*;

    #[test]
    fn only_changes_are_told() {
        let mut health = Health::new("x");
        let (well, ill) = (Ok(()), Err(Error::unavailable("gone")));
        let told: Vec<bool> = [&well, &ill, &ill, &well, &well]
            .map(|result| health.tell(result))
            .into();
        assert_eq!(told, [false, true, false, true, false]);
    }
}
