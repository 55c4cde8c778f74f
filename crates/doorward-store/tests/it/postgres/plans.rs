//! No statement of a request walks through a whole table.
//!
//! The surprise: the statements are not listed here. The server is asked which ones it was given while the store
//! did everything it can do once, and how it would run each of them on tables of some size.

use std::time::Duration;

use doorward_core::account::{AccountId, ProfileChange};
use doorward_core::client::{Client, ClientId};
use doorward_core::identifier::Canonical;
use doorward_core::key::{KeyId, StoredKey};
use doorward_core::refresh::{Rotation, RotationOutcome};
use doorward_core::session::SessionId;
use doorward_core::store::PasswordChange;

use super::engine::{Fresh, fresh};
use crate::people::{NOW, client, done, first_hash, hash, later, person, register, session, sign_in};

/// Tables that have a handful of rows, or one.
const SMALL: [&str; 3] = ["signing_keys", "secrets", "endings"];

/// Fills the tables, so that walking through them would be the wrong plan.
const FILL: &str = "\
    INSERT INTO realms (name, next_number) SELECT 'realm' || n, 1 FROM generate_series(1, 5000) n; \
    INSERT INTO accounts SELECT gen_random_uuid(), 1, n + 100, '\\x000000000000000000000000', 'a' || n, NULL, NULL, \
    NULL, '{}', 'x', 0, 0, NULL FROM generate_series(1, 20000) n; \
    INSERT INTO identifiers SELECT realm, email, id FROM accounts WHERE email LIKE 'a%' AND number > 100; \
    INSERT INTO sessions SELECT gen_random_uuid(), id, 0, 0, 1900000000000 + number, NULL, '' FROM accounts; \
    INSERT INTO ended_sessions SELECT n + 1000, gen_random_uuid(), 1900000000000 + n FROM generate_series(1, 20000) n; \
    INSERT INTO clients SELECT gen_random_uuid(), 'a', '\\x00', 0 FROM generate_series(1, 20000); \
    ANALYZE";

async fn do_everything(db: &Fresh) {
    let (store, realm) = (&db.store, &db.realm);
    assert!(store.list_realms(2).await.is_ok());
    let ann = register(&**store, realm, "ann@example.com").await.id;
    let mut first = session(ann);
    (first.refresh_hash, first.session.account) = (Some([0; 32]), ann);
    let sid = first.session.id;
    assert!(store.open_session(first, &first_hash()).await.unwrap());
    assert!(store.account(ann).await.unwrap().is_some());
    assert!(
        store
            .account_by_identifier(realm.id, &Canonical::of("x"))
            .await
            .unwrap()
            .is_none()
    );
    assert!(!store.list_accounts(realm.id, 0, 3).await.unwrap().is_empty());
    assert!(store.session_lives(sid, NOW).await.unwrap());
    assert!(!store.list_sessions(ann, NOW, 3).await.unwrap().is_empty());
    assert!(store.extend_session(sid, later(9_000_000), NOW).await.unwrap());
    for presented in [0, 7] {
        let rotation = Rotation {
            session: sid,
            presented: [presented; 32],
            successor: [1; 32],
            client: client(1),
            expires_at: later(1),
            lifetime: Duration::from_hours(24),
            grace: Duration::from_secs(10),
            at: NOW,
        };
        let rotated = store.rotate_refresh_token(rotation).await.unwrap();
        assert_eq!(matches!(rotated, RotationOutcome::Rotated(_)), presented == 0);
    }
    change_everything(db, ann, sid).await;
}

async fn change_everything(db: &Fresh, ann: AccountId, sid: SessionId) {
    let (store, realm) = (&db.store, &db.realm);
    let change = ProfileChange {
        email: Some("lee@example.com".into()),
        ..ProfileChange::default()
    };
    let password = PasswordChange {
        expected: first_hash(),
        new: hash("second"),
        keep: sid,
    };
    done(store.update_account(ann, change, Some(password), NOW).await.unwrap().0);
    store
        .upgrade_password_hash(ann, &hash("second"), first_hash())
        .await
        .unwrap();
    assert!(
        store
            .replace_password(ann, None, first_hash(), Some(sid), NOW)
            .await
            .unwrap()
            .is_some()
    );
    assert!(store.end_session(sid, ann, NOW).await.unwrap().is_some());
    sign_in(&**store, ann).await;
    assert_eq!(store.end_sessions(ann, None, NOW).await.unwrap().len(), 1);
    assert!(!store.ended_sessions(0, 3).await.unwrap().is_empty());
    assert!(store.disable_account(ann, NOW).await.unwrap().is_some());
    assert!(store.enable_account(ann).await.unwrap());
    assert!(store.delete_account(ann, NOW).await.unwrap().is_some());
    assert!(
        store
            .create_account(person(realm, "bob@example.com"), None)
            .await
            .is_ok()
    );
    assert!(store.purge_sessions(NOW, 3).await.is_ok());
    let key = StoredKey {
        id: KeyId("key".into()),
        pkcs8: vec![0].into(),
        created_at: NOW,
    };
    assert!(store.add_signing_key(key, None).await.unwrap());
    assert_eq!(store.signing_keys().await.unwrap().len(), 1);
    assert_eq!(store.purge_signing_keys(NOW).await.unwrap(), 0);
    assert!(store.server_secret("a", [1; 32]).await.is_ok());
    let client = Client {
        id: ClientId(ann.0),
        name: "shop".into(),
        secret_hash: [0; 32],
        created_at: NOW,
    };
    let id = client.id;
    store.add_client(client).await.unwrap();
    assert!(store.client(id).await.unwrap().is_some());
    assert_eq!(store.list_clients(None, 3).await.unwrap().len(), 1);
    assert!(store.remove_client(id).await.unwrap());
}

/// The texts of all statements that were run in this database since it was made, of those that touch tables.
fn statements(db: &Fresh) -> Vec<String> {
    let listed = db.database.sql(
        "SELECT DISTINCT encode(convert_to(query, 'UTF8'), 'hex') FROM pg_stat_statements s \
         JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database() AND query ~ '[$]1'",
    );
    let bytes = |line: &str| -> Vec<u8> {
        let digits = line.as_bytes().chunks(2).map(|two| std::str::from_utf8(two).unwrap());
        digits.map(|two| u8::from_str_radix(two, 16).unwrap()).collect()
    };
    listed
        .lines()
        .map(|line| String::from_utf8(bytes(line)).unwrap())
        .collect()
}

/// The plan of a statement that knows nothing of its parameters, as a prepared one is run.
fn plan(db: &Fresh, statement: &str) -> String {
    let parameters = (1..=20)
        .take_while(|number| statement.contains(&format!("${number}")))
        .count();
    let nulls = vec!["NULL"; parameters].join(", ");
    db.database.sql(&format!(
        "SET plan_cache_mode = force_generic_plan; PREPARE asked AS {statement}; EXPLAIN EXECUTE asked ({nulls})"
    ))
}

#[tokio::test]
async fn no_statement_of_a_request_walks_through_a_table() {
    let db = fresh().await;
    db.database.sql("CREATE EXTENSION pg_stat_statements");
    db.database
        .sql("SELECT pg_stat_statements_reset(0, oid, 0) FROM pg_database WHERE datname = current_database()");
    do_everything(&db).await;
    let statements = statements(&db);
    assert!(statements.len() >= 25, "{statements:#?}");
    db.database.sql(FILL);
    for statement in statements {
        let plan = plan(&db, &statement);
        let walks = plan.lines().filter(|line| line.contains("Seq Scan on "));
        let walked: Vec<&str> = walks
            .filter(|line| !SMALL.iter().any(|small| line.contains(&format!("Seq Scan on {small}"))))
            .collect();
        assert!(walked.is_empty(), "{statement}\n{plan}");
    }
}

#[tokio::test]
async fn a_walk_would_be_seen() {
    let db = fresh().await;
    db.database.sql(FILL);
    let plan = plan(&db, "SELECT FROM accounts WHERE first_name = $1");
    assert!(plan.contains("Seq Scan on accounts"), "{plan}");
}
