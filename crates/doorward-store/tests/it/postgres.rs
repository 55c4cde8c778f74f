//! PostgreSQL: the same story and the same races as on every engine, and what is its own.
//!
//! The surprise: the server is a real one, started by whoever asks first and stopped when this process ends,
//! however it ends.

mod channel;
mod collation;
mod crash;
mod endings;
pub mod engine;
mod lookups;
mod opening;
mod outage;
mod parameters;
mod plans;
mod pooler;
mod portable;
mod relay;
mod schemas;
mod server;
mod statements;
mod tls;

#[path = "story.rs"]
#[expect(clippy::duplicate_mod, reason = "one story, told to two engines")]
mod story;

#[path = "races.rs"]
#[expect(clippy::duplicate_mod, reason = "the same races on two engines")]
mod races;
