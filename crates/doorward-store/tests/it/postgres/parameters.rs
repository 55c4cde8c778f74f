//! What the driver writes to the log of its process: nothing that is secret or about somebody.
//!
//! The surprise: a process has one logger for good, so this has a process of its own.

use std::sync::Arc;

use doorward_core::client::{Client, ClientId};
use doorward_core::identifier::Canonical;
use doorward_core::key::{KeyId, StoredKey};
use doorward_core::store::Store;
use doorward_store::{Location, PostgresOptions, PostgresUrl, open_postgres, open_sqlite, transfer};
use log::{LevelFilter, Log, Metadata, Record};
use parking_lot::Mutex;

use super::engine::Database;
use crate::engine::Folder;
use crate::people::{NOW, first_hash, open, person, register, session};
use crate::process;

/// Keeps what is logged.
struct Keeps(Arc<Mutex<Vec<String>>>);

impl Log for Keeps {
    fn enabled(&self, _: &Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &Record<'_>) {
        self.0.lock().push(record.args().to_string());
    }

    fn flush(&self) {}
}

fn key(bytes: [u8; 4]) -> StoredKey {
    StoredKey {
        id: KeyId(format!("{bytes:?}")),
        pkcs8: bytes.to_vec().into(),
        created_at: NOW,
    }
}

/// Everything that is given to the database: by a move, and by requests.
async fn give(url: &PostgresUrl) {
    let folder = Folder::new();
    let store = open_sqlite(folder.database()).await.unwrap();
    let realm = store.ensure_realm("main").await.unwrap();
    register(&*store, &realm, "ann@example.com").await;
    assert!(store.add_signing_key(key([222, 173, 1, 1]), None).await.unwrap());
    drop(store);
    let (from, to) = (Location::Sqlite(folder.database()), Location::Postgres(url.clone()));
    transfer(&from, &to, &mut |_| {}).await.unwrap();

    let store = open_postgres(url, PostgresOptions::default()).await.unwrap();
    let realm = store.ensure_realm("main").await.unwrap();
    register(&*store, &realm, "bob@example.com").await;
    let found = store
        .account_by_identifier(realm.id, &Canonical::of("ann@example.com"))
        .await;
    let (ann, hash) = found.unwrap().unwrap();
    let mut new = session(ann.id);
    new.refresh_hash = Some([222; 32]);
    assert!(open(&*store, new, &hash).await);
    let newest = KeyId("[222, 173, 1, 1]".into());
    assert!(
        store
            .add_signing_key(key([222, 173, 2, 2]), Some(&newest))
            .await
            .unwrap()
    );
    store.server_secret("refresh", [222; 32]).await.unwrap();
    let client = Client {
        id: ClientId(person(&realm, "").id.0),
        name: "shop".into(),
        secret_hash: [222; 32],
        created_at: NOW,
    };
    store.add_client(client).await.unwrap();
}

#[tokio::test]
async fn the_driver_shows_nothing_that_it_is_given() {
    if let Some(url) = process::database() {
        let records = Arc::new(Mutex::new(Vec::new()));
        log::set_boxed_logger(Box::new(Keeps(Arc::clone(&records)))).unwrap();
        log::set_max_level(LevelFilter::Debug);
        give(&url.parse().unwrap()).await;
        let records = records.lock();
        let hash = first_hash();
        let secrets = ["@example.com", hash.expose(), "222, ", "192.0.2.1", "Mozilla"];
        let shown: Vec<_> = records
            .iter()
            .filter(|record| secrets.iter().any(|secret| record.contains(secret)))
            .collect();
        println!("{shown:#?}");
        assert!(shown.is_empty());
        let given = records
            .iter()
            .filter(|record| record.contains("with parameters: [(..)"));
        assert!(given.count() >= 10, "the driver logs what it does");
        return;
    }
    let database = Database::new();
    let test = "postgres::parameters::the_driver_shows_nothing_that_it_is_given";
    let ended = process::start(test, &database.url().to_string()).wait_with_output();
    let ended = ended.unwrap();
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stdout));
}
