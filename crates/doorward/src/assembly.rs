//! Puts the parts together: store, hash pool, throttle, rules, contracts.
//!
//! The surprise: it takes three steps and not one, because what fails in each is somebody else's to mend: what
//! the operator wrote, or what the machine cannot do.

use std::sync::Arc;
use std::time::Duration;

use doorward_core::auth::Parts;
use doorward_core::hasher::Hasher;
use doorward_core::store::Store;
use doorward_core::throttle::Throttle;
use doorward_core::{Auth, Clock, Policy, SetupError};
use doorward_http::{Mount, Plan, Settings};
use doorward_store::{PostgresOptions, Schema};

use crate::config::{Config, Database};
use crate::mounts;

/// What a configuration asks for, as far as it can be judged before there is a database.
pub(crate) struct Judged {
    pub(crate) mounts: Vec<Mount>,
    pub(crate) policy: Policy,
    pub(crate) plan: Plan,
}

/// Judges a configuration; `settings` are those of its contracts.
///
/// # Errors
/// When it contradicts itself, a contract has a fault, or a file that it names cannot be read.
pub(crate) fn judge(config: &Config, settings: Settings) -> Result<Judged, SetupError> {
    let mounts = mounts::mounts(&config.contracts)?;
    let policy = policy(config, mounts::key_overlap(&mounts))?;
    config.hasher().check()?;
    let plan = Plan::new(mounts.clone(), settings, &policy)?;
    Ok(Judged { mounts, policy, plan })
}

/// The rules that a configuration asks for.
///
/// # Errors
/// When they contradict each other or the blocklist cannot be read.
pub(crate) fn policy(config: &Config, key_overlap: Duration) -> Result<Policy, SetupError> {
    Ok(Policy {
        issuer: config.issuer.clone(),
        shared_secret: config.jwt_secret.clone(),
        hide_accounts: config.hide_accounts,
        sessions_per_account: config.sessions_per_account as usize,
        passwords: Arc::new(config.passwords()?),
        key_overlap,
        status_lists: config.status_lists()?,
    })
}

/// Starts the hash pool.
///
/// # Errors
/// When the costs are out of range or the system gives no threads.
pub(crate) fn hasher(config: &Config) -> Result<Hasher, SetupError> {
    Hasher::start(config.hasher(), Clock::system())
}

/// Opens the database and everything that stands on it.
///
/// # Errors
/// When the database cannot be used.
pub(crate) async fn open(
    config: &Config,
    schema: Schema,
    policy: Policy,
    hasher: Hasher,
) -> Result<Arc<Auth>, SetupError> {
    let store: Arc<dyn Store> = match &config.database {
        Database::Sqlite(path) => doorward_store::open_sqlite_as(path, schema).await?,
        Database::Postgres(url) => {
            let options = PostgresOptions {
                notify: config.database_notify,
                schema,
                ..PostgresOptions::default()
            };
            doorward_store::open_postgres(url, options).await?
        }
    };
    let clock = Clock::system();
    let parts = Parts {
        store,
        hasher,
        throttle: Throttle::new(config.throttle(), clock.clone()),
        clock,
    };
    Ok(Arc::new(Auth::open(parts, policy).await?))
}
