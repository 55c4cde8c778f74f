//! What was acknowledged survives the death of the process, and nothing is half there.
//!
//! The surprise: the process is killed while it writes as fast as it can, after a random number of
//! acknowledgements; so the moment is anywhere in the making of a commit. A killed process does not lose what
//! the system has in its caches; that the writer waits for the disk is asserted beside its settings.
//!
//! What SQLite and PostgreSQL (`postgres/crash.rs`) have in common is here: what a process writes and says, and
//! whether it is there.

use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout};
use std::sync::Arc;
use std::time::Duration;

use doorward_core::account::AccountId;
use doorward_core::identifier::Canonical;
use doorward_core::realm::Realm;
use doorward_core::session::SessionId;
use doorward_core::store::{Store, Written};
use doorward_core::{Error, random};
use doorward_store::open_sqlite;
use rusqlite::Connection;
use tokio::time::sleep;

use crate::engine::Folder;
use crate::people::{NOW, find, person, session};
use crate::process;

const ROUNDS: usize = 20;

/// Writers in the process that is killed.
const WRITERS: usize = 16;

/// Where a writer stops if nobody kills it.
const MAX_WRITES: usize = 20_000;

/// How soon who was refused comes back. All of them without a pause would leave a server that comes back nothing of the
/// machine, and be through with their writes before it is there.
pub const PAUSE: Duration = Duration::from_millis(5);

/// One thing that the process has said it did.
pub enum Acknowledged {
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

/// Registers people and ends their sessions, many at a time, and says so of each when it is done.
pub async fn write_and_acknowledge(store: Arc<dyn Store>) {
    let realm = store.ensure_realm("main").await.unwrap();
    let writers: Vec<_> = (0..WRITERS)
        .map(|_| tokio::spawn(write_one_after_the_other(Arc::clone(&store), realm.clone())))
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    assert_eq!(store.list_accounts(realm.id, 0, 1).await.unwrap().len(), 1);
}

async fn write_one_after_the_other(store: Arc<dyn Store>, realm: Realm) {
    for _ in 0..MAX_WRITES {
        let email = format!("{}@example.com", random::uuid(NOW).unwrap());
        let mut new = person(&realm, &email);
        new.profile.username = Some(format!("name-of-{email}"));
        let (id, first) = (new.id, session(new.id));
        let sid = first.session.id;
        match store.create_account(new, Some(first)).await {
            Ok(Written::Done(_)) => acknowledge(&format!("+account {email} {id}")),
            // The server has gone away; nobody was promised anything.
            Err(Error::Unavailable(_)) => {
                sleep(PAUSE).await;
                continue;
            }
            other => panic!("{other:?}"),
        }
        match store.end_session(sid, id, NOW).await {
            Ok(ended) => acknowledge(&format!("+ended {sid} {}", ended.unwrap().sequence)),
            Err(Error::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
}

/// One line in one write, at once. When nobody reads any more, there is nothing left to do.
fn acknowledge(line: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out
        .write_all(format!("\n{line}\n").as_bytes())
        .and_then(|()| out.flush());
}

/// What a process says that writes.
pub struct Journal {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    pub acknowledged: Vec<Acknowledged>,
}

impl Journal {
    /// Starts the process that is killed: this test once more, on a database.
    pub fn start(test: &str, database: &str) -> Self {
        let mut child = process::start(test, database);
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self {
            child,
            lines,
            acknowledged: Vec::new(),
        }
    }

    /// Reads at least one more acknowledgement, up to 256 more.
    pub fn read_some(&mut self) {
        let patience = usize::from(random::bytes::<1>().unwrap()[0]);
        let until = self.acknowledged.len() + patience + 1;
        while self.acknowledged.len() < until {
            let line = self.lines.next().unwrap();
            self.acknowledged.extend(parse(&line.unwrap()));
        }
    }

    /// Kills the process. What it said before it died counts.
    pub fn kill(mut self) -> Vec<Acknowledged> {
        self.child.kill().unwrap();
        let rest = self.lines.map_while(Result::ok).filter_map(|line| parse(&line));
        self.acknowledged.extend(rest);
        self.child.wait().unwrap();
        self.acknowledged
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_a_kill() {
    if let Some(database) = process::database() {
        return write_and_acknowledge(open_sqlite(database).await.unwrap()).await;
    }
    let test = "crash::what_was_acknowledged_is_there_after_a_kill";
    let folder = Folder::new();
    let mut acknowledged = 0;
    for round in 0..ROUNDS {
        let path = folder.database();
        let mut journal = Journal::start(test, path.to_str().unwrap());
        journal.read_some();
        let done = journal.kill();
        let store = open_sqlite(path).await.unwrap();
        assert_are_there(&*store, &done, round).await;
        acknowledged += done.len();
    }
    assert_is_whole(&folder, acknowledged);
}

pub async fn assert_are_there(store: &dyn Store, acknowledged: &[Acknowledged], round: usize) {
    let realm = store.ensure_realm("main").await.unwrap();
    assert!(!acknowledged.is_empty());
    for done in acknowledged {
        assert_is_there(store, &realm, done, round).await;
    }
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
