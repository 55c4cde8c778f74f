//! The domain of doorward: every rule of sign-in, and no HTTP and no SQL.
//!
//! `Auth` is the façade; a *noun* (account, session, refresh token, key, …) is one module here and one file
//! of the same name in the crates around it. The surprise: contracts never call `Auth` directly; they name
//! an [`action::Action`], whose table says what it takes and how it can end.

pub mod account;
pub mod action;
pub mod audit;
pub mod auth;
pub mod client;
pub mod clock;
pub mod error;
pub mod feed;
pub mod forward_auth;
pub mod hasher;
pub mod identifier;
pub mod introspection;
pub mod key;
mod operator;
pub mod password;
pub mod presence;
pub mod random;
pub mod realm;
pub mod refresh;
pub mod revocations;
pub mod secret;
pub mod session;
pub mod status_list;
pub mod store;
pub mod throttle;
pub mod token;

pub use auth::{Auth, Policy};
pub use clock::{Clock, Moment, Timestamp};
pub use error::{Error, Result, SetupError};
