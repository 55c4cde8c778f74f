//! The commands, one file each.
//!
//! The surprise: a command is a draft that is filled and finished. What it measures and what it is to reach stand in
//! one place, so that neither can be changed without the other in view.

pub(crate) mod all;
pub(crate) mod equal_time;
pub(crate) mod grow;
pub(crate) mod hash;
pub(crate) mod http;
pub(crate) mod peer;
pub(crate) mod postgres;
pub(crate) mod storm;
