//! Clients: the services that may ask.

use doorward_core::client::{Client, ClientId};
use doorward_core::random;

use super::super::engine::fresh;
use crate::people::later;

/// A client made `n` milliseconds after the others' beginning.
fn client(n: i64) -> Client {
    Client {
        id: ClientId(random::uuid(later(n)).unwrap()),
        name: format!("shöp {n}"),
        secret_hash: [u8::try_from(n).unwrap(); 32],
        created_at: later(n),
    }
}

#[tokio::test]
async fn a_client_is_found_as_it_was_added_until_it_is_removed() {
    let db = fresh().await;
    let (one, two) = (client(1), client(2));
    db.add_client(one.clone()).await.unwrap();
    assert!(db.client(two.id).await.unwrap().is_none());
    db.add_client(two.clone()).await.unwrap();
    let found = db.client(one.id).await.unwrap().unwrap();
    assert_eq!(
        (found.id, found.name, found.secret_hash, found.created_at),
        (one.id, one.name, one.secret_hash, one.created_at)
    );
    assert!(db.remove_client(one.id).await.unwrap());
    assert!(!db.remove_client(one.id).await.unwrap());
    assert!(db.client(one.id).await.unwrap().is_none());
    assert!(db.client(two.id).await.unwrap().is_some());
}

#[tokio::test]
async fn clients_are_listed_in_the_order_of_their_making() {
    let db = fresh().await;
    assert!(db.list_clients(None, 3).await.unwrap().is_empty());
    let clients: Vec<Client> = (0..5).map(client).collect();
    for client in clients.iter().rev() {
        db.add_client(client.clone()).await.unwrap();
    }
    let first = db.list_clients(None, 3).await.unwrap();
    let rest = db.list_clients(Some(first[2].id), 3).await.unwrap();
    let listed: Vec<ClientId> = first.iter().chain(&rest).map(|client| client.id).collect();
    assert_eq!(listed, clients.iter().map(|client| client.id).collect::<Vec<_>>());
}
