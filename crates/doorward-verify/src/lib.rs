//! Verifies doorward's access tokens inside another service.
//!
//! The surprise: it knows none of doorward's crates. What it relies on is what a node says over HTTP, and of that only
//! what can be proven.
#![cfg_attr(feature = "axum", doc = "")]
#![cfg_attr(feature = "axum", doc = include_str!("../README.md"))]

mod claims;
mod client;
mod clock;
mod event;
mod feed;
mod freshness;
mod introspection;
mod keys;
#[cfg(feature = "axum")]
mod layer;
mod mirror;
mod refusal;
mod settings;
mod sse;
mod token;
mod verifier;

pub use claims::Claims;
#[cfg(feature = "axum")]
pub use layer::{RequireSession, RequireSessionLayer, Session};
pub use refusal::{Fault, Refusal};
pub use settings::{OnStale, Secret, Settings, SettingsError};
pub use verifier::{State, Verifier};
