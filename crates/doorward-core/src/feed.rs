//! The feed of ended sessions, for services that verify tokens by themselves: what ended after a place in the order
//! of endings, and up to which moment that is everything.
//!
//! The surprise: a moment is told in the time for which this process has been running. Whoever asks measures with a
//! clock of its own from the moment it asked, and so no two clocks have to agree.

use std::time::Duration;

use crate::revocations::FRESH_FOR;
use crate::session::EndedSession;
use crate::{Auth, Error, Result};

/// How many endings are read from the store at a time.
pub const ENDED_PAGE: usize = 10_000;

impl Auth {
    /// Learns which sessions ended, here and elsewhere. Cheap when there are none.
    ///
    /// # Errors
    /// When the store cannot answer.
    pub async fn catch_up_endings(&self) -> Result<()> {
        let asked = self.clock.running();
        let mirror = self.ended_sessions();
        loop {
            let ended = self.store.ended_sessions(mirror.caught_up_to(), ENDED_PAGE).await?;
            mirror.catch_up(&ended);
            if ended.len() < ENDED_PAGE {
                break;
            }
        }
        mirror.confirm(asked);
        Ok(())
    }

    /// Until when, in the clock's running time, every ending is known: no longer ago than memory is trusted
    /// ([`FRESH_FOR`]).
    ///
    /// # Errors
    /// When memory is older and the store cannot answer.
    pub async fn ended_until(&self) -> Result<Duration> {
        let recent = self.ended_sessions().recent();
        let is_fresh = |asked: &Duration| self.clock.running() <= *asked + FRESH_FOR;
        if let Some(asked) = recent.progress().asked.filter(is_fresh) {
            return Ok(asked);
        }
        self.catch_up_endings().await?;
        let asked = recent.progress().asked;
        asked.ok_or_else(|| Error::unavailable("the ended sessions were never read to their end"))
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

    /// Whether this database has counted to `sequence`. Where it has not, the reader comes from another database, or
    /// everything that it knows of was forgotten here; either way it begins anew.
    ///
    /// # Errors
    /// When the store has to be asked and cannot answer.
    pub async fn has_counted_to(&self, sequence: i64) -> Result<bool> {
        let recent = self.ended_sessions().recent();
        if sequence <= recent.progress().sequence {
            return Ok(true);
        }
        // Another process may have told the reader what this one has yet to hear of.
        self.catch_up_endings().await?;
        Ok(sequence <= recent.progress().sequence)
    }
}
