//! The PostgreSQL server that the store's own tests start, set to be measured.
//!
//! The surprise: the tests trust the disk, since they kill nothing that could lose what is cached. Here a commit waits
//! for the disk, as it does for those who run it.

use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::print;

#[path = "../../../../doorward-store/tests/it/postgres/server.rs"]
#[expect(
    dead_code,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    reason = "it is written for tests, and the tests of the store use all of it"
)]
mod server;

/// Settings for a machine with some memory, as guides recommend them; everything else is PostgreSQL's default.
const SETTINGS: [(&str, &str); 7] = [
    ("fsync", "on"),
    ("shared_buffers", "1GB"),
    ("max_wal_size", "4GB"),
    ("min_wal_size", "1GB"),
    ("checkpoint_timeout", "15min"),
    ("maintenance_work_mem", "256MB"),
    ("random_page_cost", "1.1"),
];

/// A running PostgreSQL server in a temporary folder. Dropped, it stops and is gone.
pub(crate) struct Cluster(server::Server);

impl Cluster {
    pub(crate) fn start() -> Result<Self> {
        print::progress("starting PostgreSQL");
        let hint = "install it: apt-get install postgresql";
        let started = std::panic::catch_unwind(server::Server::start);
        let cluster = Self(started.map_err(|_| Error::new("PostgreSQL does not start").hint(hint))?);
        for (name, value) in SETTINGS {
            cluster.sql("postgres", &format!("ALTER SYSTEM SET {name} = '{value}'"))?;
        }
        cluster.0.control("restart");
        Ok(cluster)
    }

    /// Runs SQL as its superuser, and answers what it printed.
    pub(crate) fn sql(&self, database: &str, sql: &str) -> Result<String> {
        let run = std::panic::AssertUnwindSafe(|| self.0.sql(database, sql));
        std::panic::catch_unwind(run).map_err(|_| Error::new("PostgreSQL refused a statement, see above"))
    }

    /// The folder of everybody's tables.
    pub(crate) fn databases(&self) -> Result<PathBuf> {
        let data = self.sql("postgres", "SHOW data_directory")?;
        Ok(Path::new(data.trim()).join("base"))
    }

    /// A new database, as the setting `database` and as the driver takes it.
    pub(crate) fn database(&self, name: &str) -> Result<String> {
        self.sql("postgres", &format!("CREATE DATABASE {name}"))?;
        Ok(self.0.url(name).to_string())
    }
}
