//! A fresh store for each test, in a folder of its own that goes away with it.
//!
//! The surprise: the story and the races see no more of it than `dyn Store` and a realm. They are told to
//! PostgreSQL by modules of their own (`postgres.rs`), which have an `engine` of the same shape.

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use doorward_core::realm::Realm;
use doorward_core::store::Store;
use doorward_core::{Timestamp, random};
use doorward_store::open_sqlite;
use rusqlite::Connection;

/// A folder that is removed when dropped.
pub struct Folder(PathBuf);

impl Folder {
    pub fn new() -> Self {
        let name = random::uuid(Timestamp(0)).unwrap().to_string();
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::create_dir(&path).unwrap();
        Self(path)
    }

    /// Where a database can be put.
    pub fn database(&self) -> PathBuf {
        self.0.join("doorward.db")
    }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A test that failed has said why; a folder that is left over is no second reason.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// An empty store and a realm in it.
pub struct Fresh {
    // Closed before its folder is removed.
    pub store: Arc<dyn Store>,
    pub realm: Realm,
    folder: Folder,
}

pub async fn fresh() -> Fresh {
    let folder = Folder::new();
    let store: Arc<dyn Store> = open_sqlite(folder.database()).await.unwrap();
    let realm = store.ensure_realm("main").await.unwrap();
    Fresh { store, realm, folder }
}

impl Fresh {
    /// Another handle on the same database, as another process would have.
    pub async fn again(&self) -> Arc<dyn Store> {
        open_sqlite(self.folder.database()).await.unwrap()
    }

    /// Runs SQL beside the store.
    pub fn sql(&self, sql: &str) {
        let database = Connection::open(self.folder.database()).unwrap();
        database.execute_batch(sql).unwrap();
    }
}

impl Deref for Fresh {
    type Target = dyn Store;

    fn deref(&self) -> &Self::Target {
        self.store.as_ref()
    }
}
