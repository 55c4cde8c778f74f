//! The tests of the store, in one binary: the story that every engine passes, and what is SQLite's own.
//!
//! The surprise: two of the tests are ignored by name. They are the other processes that `crash` and
//! `opening` start from this same binary.

mod commits;
mod crash;
mod engine;
mod opening;
mod people;
mod process;
mod races;
mod story;
