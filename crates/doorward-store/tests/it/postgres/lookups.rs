//! Accounts by their id: many that are asked for at once are one question, and everybody gets his own answer.
//!
//! The surprise: the database is made to answer late, by a lock on the table; so what is asked meanwhile is asked
//! together, however fast the machine is.

use std::sync::Arc;

use doorward_core::account::{Account, AccountId, Profile, ProfileChange};
use doorward_core::identifier::Canonical;
use doorward_core::random;
use doorward_core::store::Store;
use tokio::task::{JoinHandle, JoinSet, yield_now};

use super::endings::another_node;
use super::engine::{Fresh, fresh};
use crate::people::{NOW, later, register};

/// Something that the server counted of the statements like this.
fn counted(db: &Fresh, what: &str, statement: &str) -> String {
    db.database.sql(&format!(
        "CREATE EXTENSION IF NOT EXISTS pg_stat_statements; SELECT {what} FROM pg_stat_statements \
         WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database()) AND query LIKE '{statement}'"
    ))
}

/// How often accounts were asked for by their id.
fn questions(db: &Fresh) -> u64 {
    counted(db, "coalesce(sum(calls), 0)", "%FROM accounts WHERE id = %")
        .parse()
        .unwrap()
}

fn ask(store: &Arc<dyn Store>, id: AccountId) -> JoinHandle<Option<Account>> {
    let store = Arc::clone(store);
    tokio::spawn(async move { store.account(id).await.unwrap() })
}

#[tokio::test]
async fn who_asks_while_the_database_is_busy_shares_a_question_and_gets_his_own_answer() {
    let db = fresh().await;
    let mut people = Vec::new();
    for number in 0..20 {
        let email = format!("ann{number}@example.com");
        people.push((register(&*db, &db.realm, &email).await.id, Some(email)));
    }
    people.push((AccountId(random::uuid(NOW).unwrap()), None));
    db.account(people[0].0).await.unwrap();
    let before = questions(&db);
    let node = another_node(&db).await;
    node.batch_execute("BEGIN; LOCK TABLE accounts").await.unwrap();
    let mut answers = JoinSet::new();
    for (id, email) in people.iter().cycle().take(people.len() * 10) {
        let (asked, wanted) = (ask(&db.store, *id), email.clone().map(|email| (*id, Some(email))));
        answers.spawn(async move {
            let found = asked.await.unwrap();
            assert_eq!(found.map(|account| (account.id, account.profile.email)), wanted);
        });
        // One after the other, so that the first questions go out with few.
        yield_now().await;
    }
    node.batch_execute("COMMIT").await.unwrap();
    answers.join_all().await;
    let asked = questions(&db) - before;
    // On a machine that takes half a second for this, those that are out are put twice.
    assert!((1..=20).contains(&asked), "{asked} questions for 210 accounts");
}

/// What a log-in takes would tell who has an account; and the account that is read in place of a missing one may be one
/// that nobody can read.
#[tokio::test]
async fn an_account_is_read_for_whoever_is_not_there_and_does_not_matter() {
    let db = fresh().await;
    register(&*db, &db.realm, "bob@example.com").await;
    db.database.sql("UPDATE accounts SET attributes = '[]'");
    let found = async |name| db.account_by_identifier(db.realm.id, &Canonical::of(name)).await;
    assert!(found("bob@example.com").await.is_err());
    for name in ["ann@example.com", "zoe@example.com"] {
        assert!(matches!(found(name).await, Ok(None)), "{name}");
    }
    let counted = counted(
        &db,
        "sum(calls) || ' for ' || sum(rows)",
        "%WHERE i.realm = %i.canonical = %",
    );
    assert_eq!(counted, "3 for 3");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_told_what_was_read_before_they_asked() {
    let db = fresh().await;
    let ann = register(&*db, &db.realm, "ann@example.com").await.id;
    let mut readers = JoinSet::new();
    for number in 0..16 {
        let (store, bob) = (
            Arc::clone(&db.store),
            register(&*db, &db.realm, &format!("{number}@example.com")).await.id,
        );
        // They keep the questions going.
        readers.spawn(async move {
            for _ in 0..200 {
                assert!(store.account(bob).await.unwrap().is_some());
            }
        });
    }
    for number in 0..100 {
        let change = ProfileChange {
            first_name: Some(Some(format!("Ann {number}"))),
            ..ProfileChange::default()
        };
        db.update_account(ann, change, None, later(number)).await.unwrap();
        let Profile { first_name, .. } = db.account(ann).await.unwrap().unwrap().profile;
        assert_eq!(first_name, Some(format!("Ann {number}")));
    }
    readers.join_all().await;
}
