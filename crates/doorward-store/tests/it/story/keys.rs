//! Signing keys and the server's other secrets.

use doorward_core::Timestamp;
use doorward_core::key::{KeyId, StoredKey};
use doorward_core::store::Store;

use super::super::engine::fresh;
use crate::people::{NOW, later};

fn key(name: &str, at: Timestamp) -> StoredKey {
    StoredKey {
        id: KeyId(name.to_owned()),
        pkcs8: name.as_bytes().to_vec().into(),
        created_at: at,
    }
}

fn id(name: &str) -> KeyId {
    KeyId(name.to_owned())
}

async fn names(db: &dyn Store) -> Vec<String> {
    db.signing_keys()
        .await
        .unwrap()
        .into_iter()
        .map(|key| key.id.0)
        .collect()
}

#[tokio::test]
async fn a_key_is_added_only_after_the_one_that_was_meant() {
    let db = fresh().await;
    assert!(names(&*db).await.is_empty());
    assert!(!db.add_signing_key(key("a", NOW), Some(&id("x"))).await.unwrap());
    assert!(db.add_signing_key(key("a", NOW), None).await.unwrap());
    assert!(!db.add_signing_key(key("b", NOW), None).await.unwrap());
    assert!(db.add_signing_key(key("b", NOW), Some(&id("a"))).await.unwrap());
    assert!(!db.add_signing_key(key("c", NOW), Some(&id("a"))).await.unwrap());
    // A clock that was set back does not change which key is the newest.
    assert!(db.add_signing_key(key("c", later(-9)), Some(&id("b"))).await.unwrap());
    assert_eq!(names(&*db).await, ["c", "b", "a"]);
    let newest = db.signing_keys().await.unwrap().remove(0);
    assert_eq!(
        (newest.pkcs8.as_slice(), newest.created_at),
        ("c".as_bytes(), later(-9))
    );
}

#[tokio::test]
async fn a_key_is_forgotten_a_while_after_it_was_succeeded() {
    let db = fresh().await;
    assert!(db.add_signing_key(key("a", NOW), None).await.unwrap());
    assert_eq!(
        db.purge_signing_keys(later(100)).await.unwrap(),
        0,
        "it has no successor"
    );
    assert!(db.add_signing_key(key("b", later(10)), Some(&id("a"))).await.unwrap());
    assert!(db.add_signing_key(key("c", later(20)), Some(&id("b"))).await.unwrap());
    assert_eq!(db.purge_signing_keys(later(10)).await.unwrap(), 0);
    assert_eq!(db.purge_signing_keys(later(11)).await.unwrap(), 1);
    assert_eq!(names(&*db).await, ["c", "b"]);
    assert_eq!(db.purge_signing_keys(later(100)).await.unwrap(), 1);
    assert_eq!(names(&*db).await, ["c"]);
    assert!(db.add_signing_key(key("d", later(30)), Some(&id("c"))).await.unwrap());
    assert_eq!(names(&*db).await, ["d", "c"]);
}

/// One that was added too lately is not known to sign everywhere.
#[tokio::test]
async fn a_key_is_removed_if_a_newer_one_was_there_in_time() {
    let db = fresh().await;
    let removed = async |name, at| db.remove_signing_key(&id(name), later(at)).await.unwrap();
    assert!(db.add_signing_key(key("a", NOW), None).await.unwrap());
    assert!(!removed("a", 100).await, "there is no other");
    for (name, at, before) in [("b", 10, "a"), ("c", 20, "b")] {
        assert!(
            db.add_signing_key(key(name, later(at)), Some(&id(before)))
                .await
                .unwrap()
        );
    }
    assert!(!removed("a", 9).await && !removed("b", 19).await && !removed("c", 100).await);
    assert!(!removed("x", 100).await);
    assert_eq!(names(&*db).await, ["c", "b", "a"]);
    assert!(removed("b", 20).await, "also one in between");
    assert!(!removed("b", 20).await, "once");
    assert_eq!(names(&*db).await, ["c", "a"]);
    assert!(removed("a", 20).await);
    assert_eq!(names(&*db).await, ["c"]);
    assert!(db.add_signing_key(key("d", later(30)), Some(&id("c"))).await.unwrap());
    assert_eq!(names(&*db).await, ["d", "c"]);
}

#[tokio::test]
async fn the_first_candidate_for_a_secret_is_the_secret() {
    let db = fresh().await;
    assert_eq!(db.server_secret("a", [1; 32]).await.unwrap(), [1; 32]);
    assert_eq!(db.server_secret("a", [2; 32]).await.unwrap(), [1; 32]);
    assert_eq!(db.server_secret("b", [2; 32]).await.unwrap(), [2; 32]);
}
