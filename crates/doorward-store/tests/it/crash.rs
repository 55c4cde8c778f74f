//! What was acknowledged survives the death of the process, and nothing is half there.
//!
//! The surprise: the process is killed while it writes as fast as it can, after a random number of
//! acknowledgements; so the moment is anywhere in the making of a commit. A killed process does not lose what
//! the system has in its caches; that the writer waits for the disk is asserted beside its settings.

use std::io::{BufRead, BufReader, Write};
use std::sync::Arc;

use doorward_core::account::AccountId;
use doorward_core::identifier::Canonical;
use doorward_core::random;
use doorward_core::realm::Realm;
use doorward_core::session::SessionId;
use doorward_core::store::Store;
use doorward_store::{Sqlite, open_sqlite};
use rusqlite::Connection;

use crate::engine::Folder;
use crate::people::{NOW, done, find, person, session};
use crate::process;

const ROUNDS: usize = 20;

/// Writers in the process that is killed.
const WRITERS: usize = 16;

/// Where a writer stops if nobody kills it.
const MAX_WRITES: usize = 20_000;

/// One thing that the process has said it did.
enum Acknowledged {
    Account { email: String, id: String },
    Ended { session: String, sequence: i64 },
}

fn parse(line: &str) -> Option<Acknowledged> {
    let mut words = line.split(' ');
    let acknowledged = match (words.next()?, words.next()?, words.next()?) {
        ("+account", email, id) => Acknowledged::Account {
            email: email.to_owned(),
            id: id.to_owned(),
        },
        ("+ended", session, sequence) => Acknowledged::Ended {
            session: session.to_owned(),
            sequence: sequence.parse().unwrap(),
        },
        _ => return None,
    };
    Some(acknowledged)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the process that is killed"]
async fn writes_until_it_is_killed() {
    let store = open_sqlite(process::database()).await.unwrap();
    let realm = store.ensure_realm("main").await.unwrap();
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| tokio::spawn(write_and_acknowledge(Arc::clone(&store), realm.clone())))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(store.list_accounts(realm.id, 0, 1).await.unwrap().len(), 1);
}

async fn write_and_acknowledge(store: Arc<Sqlite>, realm: Realm) {
    for _ in 0..MAX_WRITES {
        let email = format!("{}@example.com", random::uuid(NOW).unwrap());
        let mut new = person(&realm, &email);
        new.profile.username = Some(format!("name-of-{email}"));
        let (id, first) = (new.id, session(new.id));
        let sid = first.session.id;
        done(store.create_account(new, Some(first)).await.unwrap());
        acknowledge(&format!("+account {email} {id}"));
        let ended = store.end_session(sid, id, NOW).await.unwrap().unwrap();
        acknowledge(&format!("+ended {sid} {}", ended.sequence));
    }
}

/// One line in one write, at once. When nobody reads any more, there is nothing left to do.
fn acknowledge(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out
        .write_all(format!("\n{line}\n").as_bytes())
        .and_then(|()| out.flush());
}

#[tokio::test]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let folder = Folder::new();
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let mut child = process::start("crash::writes_until_it_is_killed", &folder.database());
        let patience = usize::from(random::bytes::<1>().unwrap()[0]);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let before = acknowledged.len();
        while acknowledged.len() < before + patience + 1 {
            acknowledged.extend(parse(&lines.next().unwrap().unwrap()));
        }
        child.kill().unwrap();
        // What it said before it died counts.
        acknowledged.extend(lines.map_while(Result::ok).filter_map(|line| parse(&line)));
        child.wait().unwrap();

        let store = open_sqlite(folder.database()).await.unwrap();
        let realm = store.ensure_realm("main").await.unwrap();
        assert!(acknowledged.len() > before);
        for done in &acknowledged[before..] {
            assert_is_there(&*store, &realm, done, round).await;
        }
    }
    assert_is_whole(&folder, acknowledged.len());
}

async fn assert_is_there(store: &dyn Store, realm: &Realm, done: &Acknowledged, round: usize) {
    match done {
        Acknowledged::Account { email, id } => {
            let id = AccountId(id.parse().unwrap());
            assert!(store.account(id).await.unwrap().is_some(), "round {round}: {email}");
            for typed in [email.clone(), format!("name-of-{email}")] {
                let found = find(store, realm, &typed).await;
                assert_eq!(found.map(|found| found.id), Some(id), "round {round}: {typed}");
            }
        }
        Acknowledged::Ended { session, sequence } => {
            let ended = store.ended_sessions(sequence - 1, 1).await.unwrap();
            assert_eq!(ended[0].sequence, *sequence, "round {round}");
            assert_eq!(ended[0].session, SessionId(session.parse().unwrap()), "round {round}");
        }
    }
}

/// Nothing is damaged and nothing half-written: every account has both identifiers, every identifier an
/// account, every account a session that lives or has ended, and numbers have no gap.
fn assert_is_whole(folder: &Folder, acknowledged: usize) {
    let db = Connection::open(folder.database()).unwrap();
    let text = |sql: &str| db.query_row(sql, [], |row| row.get::<_, String>(0)).unwrap();
    let count = |sql: &str| db.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(text("PRAGMA integrity_check"), "ok");
    assert!(!db.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap());

    let accounts = count("SELECT count(*) FROM accounts");
    assert!(
        usize::try_from(accounts).unwrap() >= acknowledged / 2,
        "the database has {accounts} accounts"
    );
    assert_eq!(count("SELECT max(number) FROM accounts"), accounts);
    assert_eq!(
        count("SELECT next_number FROM realms WHERE name = 'main'"),
        accounts + 1
    );
    assert_eq!(
        count("SELECT (SELECT count(*) FROM sessions) + (SELECT count(*) FROM ended_sessions)"),
        accounts
    );
    assert_eq!(
        count("SELECT count(*) FROM ended_sessions WHERE session IN (SELECT id FROM sessions)"),
        0
    );

    let mut held = db
        .prepare("SELECT canonical FROM identifiers WHERE account = $1")
        .unwrap();
    let mut rows = db.prepare("SELECT id, email, username FROM accounts").unwrap();
    let mut rows = rows.query([]).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let expected = [row.get::<_, String>(1).unwrap(), row.get(2).unwrap()];
        let mut expected = expected.map(|typed| Canonical::of(&typed).as_str().to_owned());
        expected.sort();
        let id: [u8; 16] = row.get(0).unwrap();
        let mut held: Vec<String> = held
            .query_map([id], |row| row.get(0))
            .unwrap()
            .collect::<Result<_, _>>()
            .unwrap();
        held.sort();
        assert_eq!(held, expected);
    }
    assert_eq!(count("SELECT count(*) FROM identifiers"), 2 * accounts);
}
