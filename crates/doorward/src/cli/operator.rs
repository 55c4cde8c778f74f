//! What the commands beside a server have in common: the same database, the same rules, and nothing served.
//!
//! The surprise: a database is made by `serve` and `user add` alone, and the second says so. Every other command refuses a
//! path where there is none, because it is a mistyped one, or the wrong folder. And none but `serve` brings an older one up to date, because the servers
//! that run on it may be older, too.

use std::sync::Arc;
use std::time::Duration;

use doorward_core::hasher::Hasher;
use doorward_core::{Auth, Policy};
use doorward_store::Schema;
use tokio::runtime::Runtime;

use super::{Failure, Place};
use crate::config::LogLevel;
use crate::{Config, assembly, log};

/// What a command needs, but for the database.
pub(super) struct Prepared {
    pub(super) config: Config,
    pub(super) hasher: Hasher,
    policy: Policy,
}

/// Rules and database, opened for one command.
pub(super) struct Operator {
    runtime: Runtime,
    pub(super) auth: Arc<Auth>,
    pub(super) config: Config,
}

impl Prepared {
    pub(super) fn new(place: Place) -> Result<Self, Failure> {
        let mut config = place.load()?.config;
        // A command hashes one password at most.
        config.hash_threads = 1;
        // The command itself says what it did to whoever typed it; the audit event is for whoever keeps the log.
        log::start(config.log_format, &LogLevel::of_commands()).map_err(Failure::usage)?;
        // A command forgets no keys, so it needs no overlap.
        let policy = assembly::policy(&config, Duration::MAX).map_err(Failure::usage)?;
        let hasher = assembly::hasher(&config).map_err(Failure::usage)?;
        Ok(Self { config, hasher, policy })
    }

    pub(super) fn open(self, schema: Schema) -> Result<Operator, Failure> {
        let Self { config, hasher, policy } = self;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(|error| Failure::of(format!("no runtime: {error}"), "raise the limits"))?;
        let auth = runtime
            .block_on(assembly::open(&config, schema, policy, hasher))
            .map_err(Failure::run)?;
        Ok(Operator { runtime, auth, config })
    }
}

impl Operator {
    pub(super) fn open(place: Place, schema: Schema) -> Result<Self, Failure> {
        Prepared::new(place)?.open(schema)
    }

    /// Does something that has to wait.
    pub(super) fn wait<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }
}
