//! What every engine must do, method by method and outcome by outcome.
//!
//! The surprise: nothing here knows which engine it is told to. The story is a module of each engine's tests,
//! and `engine` is its neighbour there; that is what the paths are for.

#[path = "story/accounts.rs"]
mod accounts;
#[path = "story/all_sessions.rs"]
mod all_sessions;
#[path = "story/clients.rs"]
mod clients;
#[path = "story/feed.rs"]
mod feed;
#[path = "story/identifiers.rs"]
mod identifiers;
#[path = "story/keys.rs"]
mod keys;
#[path = "story/nodes.rs"]
mod nodes;
#[path = "story/passwords.rs"]
mod passwords;
#[path = "story/refresh.rs"]
mod refresh;
#[path = "story/session_limit.rs"]
mod session_limit;
#[path = "story/sessions.rs"]
mod sessions;
#[path = "story/status_list.rs"]
mod status_list;

use super::engine::fresh;

#[tokio::test]
async fn a_realm_is_made_once() {
    let db = fresh().await;
    let again = db.ensure_realm("main").await.unwrap();
    assert_eq!((again.id, again.name.as_str()), (db.realm.id, "main"));
    let other = db.ensure_realm("Main").await.unwrap();
    assert_ne!(other.id, db.realm.id);
    assert_eq!(other.name, "Main");
    let listed = db.list_realms(10).await.unwrap();
    assert_eq!(
        listed.iter().map(|realm| realm.name.as_str()).collect::<Vec<_>>(),
        ["main", "Main"]
    );
    assert_eq!(db.list_realms(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_store_that_is_open_is_ready() {
    let db = fresh().await;
    assert!(db.ready().await.is_ok());
}
