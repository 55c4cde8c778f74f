//! The feed of ended sessions, for services that verify tokens by themselves: what ended after a place in the order
//! of endings, and up to which moment that is everything.
//!
//! The surprise: a moment is told in the time for which this process has been running. Whoever asks measures with a
//! clock of its own from the moment it asked, and so no two clocks have to agree.

use std::time::Duration;

use crate::session::{EndedSession, Place};
use crate::{Auth, Error, Result};

/// How many endings are read from the store at a time: 80 KB of them. What a start takes for more at once stays memory of
/// the process.
const ENDED_PAGE: usize = 2_000;

/// How often reading starts over at one go. Twice is a database that goes back while it is read; more is a reader so
/// slow that endings are forgotten between two pages, who should not keep others waiting.
const STARTS: usize = 3;

impl Auth {
    /// Learns which sessions ended, here and elsewhere. Cheap when there are none.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn catch_up_endings(&self) -> Result<()> {
        let read = async {
            let asked = self.clock.moment();
            let outcome = self.read_endings().await;
            if outcome.is_ok() {
                self.ended_sessions().confirm(asked);
            } else {
                // A restore begins with an outage, and so does the promotion of a standby. The database after it may
                // have every ending that was read, and yet not know which places were reserved after the last of them.
                self.give_up_places();
            }
            outcome
        };
        self.catching_up.take(read).await
    }

    /// Reads on from the ending that was read last, page by page.
    ///
    /// That ending is read once more with what follows. Where it is not there any more the database has gone back in
    /// time, and may have given its number and those after it out again: then everything is read from the beginning.
    async fn read_endings(&self) -> Result<()> {
        let mirror = self.ended_sessions();
        let mut starts = 0;
        loop {
            let place = mirror.caught_up_to();
            let read = self.store.ended_sessions(place.sequence - 1, ENDED_PAGE + 1).await?;
            let Some(ended) = place.followed_in(&read) else {
                tracing::warn!(%place, "the ending read last is gone from the database: all are read again");
                mirror.start_over();
                self.give_up_places();
                starts += 1;
                if starts == STARTS {
                    return Err(Error::unavailable("the ended sessions were others at every look"));
                }
                continue;
            };
            mirror.catch_up(ended);
            if read.len() <= ENDED_PAGE {
                // After the endings: what was forgotten before they could be read is known to be.
                mirror.forget_until(self.store.forgotten_until().await?);
                return Ok(());
            }
        }
    }

    /// Reserves places in status lists anew, where the database may have forgotten those that were reserved.
    fn give_up_places(&self) {
        if let Some(lists) = &self.status_lists {
            lists.start_over();
        }
    }

    /// Until when, in the clock's running time, every ending is known: no longer ago than memory is trusted
    /// ([`FRESH_FOR`](crate::revocations::FRESH_FOR)).
    ///
    /// # Errors
    /// When memory is older and the store cannot answer.
    pub async fn ended_until(&self) -> Result<Duration> {
        let recent = self.ended_sessions().recent();
        if self.ended_sessions().is_fresh(self.clock.moment())
            && let Some(asked) = recent.progress().asked
        {
            return Ok(asked);
        }
        self.catch_up_endings().await?;
        let asked = recent.progress().asked;
        asked.ok_or_else(|| Error::unavailable("the ended sessions were never read to their end"))
    }

    /// How long ago the store was asked for the endings that are known: up to
    /// [`FRESH_FOR`](crate::revocations::FRESH_FOR) memory answers, and beyond it the store, at each check. As long as this
    /// process runs, where they were never read to their end, or have to be read anew.
    pub fn endings_age(&self) -> Duration {
        let asked = self.ended_sessions().recent().progress().asked;
        self.clock.running().saturating_sub(asked.unwrap_or_default())
    }

    /// Up to `limit` endings after `sequence`, in order.
    ///
    /// # Errors
    /// When they are older than what is kept in memory and the store cannot answer.
    pub async fn ended_after(&self, sequence: i64, limit: usize) -> Result<Vec<EndedSession>> {
        match self.ended_sessions().recent().after(sequence, limit) {
            Some(ended) => Ok(ended),
            None => self.store.ended_sessions(sequence, limit).await,
        }
    }

    /// Whether this is a place in the order of this database. Where it is not, the reader comes from another database
    /// or another past of this one, or everything that it knows of was forgotten here; either way it begins anew.
    ///
    /// # Errors
    /// When the store has to be asked and cannot answer.
    pub async fn knows(&self, place: Place) -> Result<bool> {
        if place == Place::BEGINNING {
            return Ok(true);
        }
        let recent = self.ended_sessions().recent();
        if place.sequence > recent.place().sequence {
            // Another process may have told the reader what this one has yet to hear of.
            self.catch_up_endings().await?;
        }
        if let Some(known) = recent.knows(place) {
            return Ok(known);
        }
        let read = self.store.ended_sessions(place.sequence - 1, 1).await?;
        Ok(place.followed_in(&read).is_some())
    }
}
