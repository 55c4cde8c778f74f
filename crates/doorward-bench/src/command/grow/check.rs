//! The check of one session among many ended ones, without a server around it.
//!
//! The surprise: the ids asked for are drawn before the time is taken, but they are read from memory in between, as the
//! id of a token is.

use std::hint::black_box;
use std::time::Duration;

use doorward_core::revocations::Revocations;
use doorward_core::session::{EndedSession, SessionId};
use doorward_core::{Moment, Timestamp};
use uuid::Uuid;

use crate::clock;
use crate::dice::Dice;
use crate::error::Result;
use crate::fill::REMEMBERED_MS;
use crate::statistics::{median, number};

/// Checks of a round, and rounds.
const CHECKS: usize = 200_000;
const ROUNDS: usize = 7;
/// Endings that are remembered at once.
const PAGE: usize = 10_000;

/// How long one check takes, in nanoseconds: the median of some rounds.
pub(super) fn time_ns(ended: u64) -> Result<f64> {
    let revocations = Revocations::default();
    let mut dice = Dice::new(21);
    let mut known = Vec::new();
    let mut page = Vec::with_capacity(PAGE);
    let (now, (least, most)) = (clock::epoch_ms(), REMEMBERED_MS);
    let spread = u64::try_from(most - least)?;
    for sequence in 0..ended {
        let session = SessionId(Uuid::from_bytes(dice.id()));
        if known.len() < CHECKS / 2 && dice.below(ended) < 2 * CHECKS as u64 {
            known.push(session);
        }
        page.push(EndedSession {
            sequence: i64::try_from(sequence)? + 1,
            session,
            expires_at: Timestamp(now + least + i64::try_from(dice.below(spread))?),
            mark: 0,
        });
        if page.len() == PAGE || sequence + 1 == ended {
            revocations.catch_up(&page);
            page.clear();
        }
    }
    let asked = Moment {
        running: Duration::from_secs(1),
        now: Timestamp(now),
    };
    revocations.confirm(asked);
    let never = Timestamp(i64::MAX);
    let known: Vec<SessionId> = known.into_iter().cycle().take(CHECKS / 2).collect();
    let unknown = (known.len()..CHECKS).map(|_| SessionId(Uuid::from_bytes(dice.id())));
    let mut ids: Vec<SessionId> = known.iter().copied().chain(unknown).collect();
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        // In an order that no cache can guess.
        for index in (1..ids.len()).rev() {
            ids.swap(index, usize::try_from(dice.below(index as u64 + 1))?);
        }
        let began = clock::now();
        for id in &ids {
            black_box(revocations.look_up(black_box(*id), never, asked));
        }
        rounds.push((clock::now() - began).as_secs_f64() * 1e9 / number(CHECKS as u64));
    }
    Ok(median(&rounds))
}
