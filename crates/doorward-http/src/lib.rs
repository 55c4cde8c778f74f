//! HTTP for doorward: the contract engine, the built-in contract files, and what operators look at.
//!
//! `Contract → Auth → Store`: a contract (a file) says how a request is read and how each outcome is worded,
//! and [`doorward_core::Auth`] decides. The surprise: there is one handler for every route of every contract.

mod client;
mod connections;
pub mod contract;
mod diagnostic;
mod docs;
pub mod engine;
mod feed;
mod forward_auth;
mod introspection;
mod metrics;
mod openapi;
mod operations;
mod own;
mod refusal;
mod settings;
mod status_list;

use std::sync::Arc;

use axum::Router;
use doorward_core::{Auth, SetupError};

pub use connections::Connections;
pub use contract::Contract;
pub use diagnostic::Diagnostic;
pub use engine::{Mount, Plan};
pub use feed::Stop;
pub use forward_auth::check_sign_in;
pub use settings::{Network, SecureCookies, Settings, check_origin, check_trusted_proxy};

/// A router that serves the contracts of a plan and, beside them, `/healthz`, `/readyz`, `/metrics`, `/docs`,
/// `/.well-known/jwks.json` and, under `/v1`, what proxies and services ask. It can be nested into another
/// application's router.
///
/// # Errors
/// When the store cannot answer.
pub async fn router(auth: Arc<Auth>, plan: Plan) -> Result<Router, SetupError> {
    let engine = Arc::new(plan.engine(auth).await?);
    let router = operations::routes(&engine)
        .merge(docs::routes(&engine))
        .merge(feed::routes())
        .merge(forward_auth::routes())
        .merge(introspection::routes())
        .merge(status_list::routes(&engine))
        .method_not_allowed_fallback(refusal::wrong_method);
    Ok(router.fallback(engine::serve).with_state(engine))
}
