//! A fresh database for each test, on the one server of this process.
//!
//! The surprise: the server is a static, which this project has nowhere else. It takes seconds to start, and the
//! test runner has no place for what many tests share.

use std::ops::Deref;
use std::sync::Arc;

use doorward_core::realm::Realm;
use doorward_core::store::Store;
use doorward_core::{Timestamp, random};
use doorward_store::{PostgresOptions, PostgresUrl, open_postgres};

use super::server::Server;

#[expect(clippy::disallowed_types, reason = "what many tests share has no other place")]
static SERVER: std::sync::LazyLock<Server> = std::sync::LazyLock::new(Server::start);

/// The server that all tests share; nobody may stop it.
pub fn server() -> &'static Server {
    &SERVER
}

/// An empty database, which is removed when dropped.
pub struct Database(pub String);

impl Database {
    pub fn new() -> Self {
        Self::made("")
    }

    /// One whose texts are in the order of a language, unless somebody says otherwise; the server's own is that of bytes.
    pub fn in_english() -> Self {
        Self::made("TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE 'en'")
    }

    fn made(options: &str) -> Self {
        let name = format!("test_{}", random::uuid(Timestamp(0)).unwrap().simple());
        server().sql("postgres", &format!("CREATE DATABASE {name} {options}"));
        Self(name)
    }

    pub fn url(&self) -> PostgresUrl {
        server().url(&self.0)
    }

    /// Runs SQL in it, beside the store, and answers what it printed.
    pub fn sql(&self, sql: &str) -> String {
        server().sql(&self.0, sql)
    }

    pub async fn open(&self) -> Arc<dyn Store> {
        open_postgres(&self.url(), PostgresOptions::default()).await.unwrap()
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        server().drop_database(&self.0);
    }
}

/// An empty store and a realm in it.
pub struct Fresh {
    pub store: Arc<dyn Store>,
    pub realm: Realm,
    pub database: Database,
}

pub async fn fresh() -> Fresh {
    fresh_in(Database::new()).await
}

/// The same in a database of one's own choice.
pub async fn fresh_in(database: Database) -> Fresh {
    let store = database.open().await;
    let realm = store.ensure_realm("main").await.unwrap();
    Fresh { store, realm, database }
}

impl Fresh {
    /// Another handle on the same database, as another node would have.
    pub async fn again(&self) -> Arc<dyn Store> {
        self.database.open().await
    }

    /// Runs SQL beside the store.
    pub fn sql(&self, sql: &str) {
        self.database.sql(sql);
    }
}

impl Deref for Fresh {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        self.store.as_ref()
    }
}
