//! The tests of the store, in one binary: the story that every engine passes, and what is each one's own.
//!
//! The surprise: `crash` and `opening` start this same binary again, for the other processes that they need.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    unreachable_pub,
    reason = "in a test the panic is the message, and nothing here is anybody's interface"
)]

mod commits;
mod crash;
mod engine;
#[path = "../../../doorward-verify/tests/it/log.rs"]
mod heard;
mod log;
mod opening;
mod people;
mod postgres;
mod process;
mod races;
mod story;
mod transfer;
