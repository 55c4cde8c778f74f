//! The writer on tables of its own: what a failing write, a failing commit and a full queue do to the others.
//!
//! The surprise: a write that holds the thread decides what is taken together, so that nothing here depends
//! on who is how fast.

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use doorward_core::{Timestamp, random};

use super::*;

/// A writer on a table that refuses one value at the statement (7) and one at the commit (8).
async fn writer() -> Writer {
    let open = || {
        let connection = Connection::open_in_memory().unwrap();
        let schema = "CREATE TABLE numbers (number INTEGER NOT NULL UNIQUE CHECK (number <> 7), \
             parent INTEGER REFERENCES numbers (number) DEFERRABLE INITIALLY DEFERRED); PRAGMA foreign_keys = ON";
        connection.execute_batch(schema).unwrap();
        Ok(connection)
    };
    Writer::start(open, Arc::default()).await.unwrap()
}

fn insert(connection: &Connection, number: i64) -> rusqlite::Result<i64> {
    let parent = (number == 8).then_some(-1);
    connection.execute("INSERT INTO numbers VALUES ($1, $2)", rusqlite::params![number, parent])?;
    Ok(number)
}

async fn numbers(writer: &Writer) -> Vec<i64> {
    let all = |connection: &Connection| {
        let mut statement = connection.prepare("SELECT number FROM numbers ORDER BY number")?;
        statement
            .query_map([], |row| row.get(0))?
            .collect::<rusqlite::Result<Vec<i64>>>()
    };
    writer.write(all).await.unwrap()
}

/// Keeps the thread busy until the sender is dropped, so that what is queued after this is taken together.
fn hold(writer: &Writer) -> (SyncSender<()>, Pin<Box<impl Future<Output = Result<()>>>>) {
    let (release, held) = sync_channel::<()>(1);
    let (begun, running) = sync_channel(1);
    let mut write = Box::pin(writer.write(move |_| {
        begun.send(()).unwrap();
        let _ = held.recv();
        Ok::<(), rusqlite::Error>(())
    }));
    assert!(
        write
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    running.recv().unwrap();
    (release, write)
}

#[tokio::test]
async fn a_failing_write_takes_back_itself_alone() {
    let writer = writer().await;
    let (one, seven, answered, two) = tokio::join!(
        writer.write(|db| insert(db, 1)),
        writer.write(|db| insert(db, 6).and_then(|_| insert(db, 7))),
        writer.write(|db| insert(db, 5)
            .map_err(Undo::Failure)
            .and_then(|_| Err(Undo::Answer(Box::new(55))))),
        writer.write(|db| insert(db, 2)),
    );
    assert_eq!((one.unwrap(), answered.unwrap(), two.unwrap()), (1, 55, 2));
    assert!(matches!(seven, Err(Error::Internal(_))), "{seven:?}");
    assert_eq!(numbers(&writer).await, [1, 2]);
}

#[tokio::test]
async fn without_a_savepoint_a_failure_before_any_change_is_nobody_elses() {
    let writer = writer().await;
    let (one, seven, panicked, two) = tokio::join!(
        writer.write(|db| insert(db, 1)),
        writer.write_plain(|db| insert(db, 7)),
        writer.write_plain(|_| -> rusqlite::Result<()> { panic!("a fault in a write, made by a test") }),
        writer.write_plain(|db| insert(db, 2)),
    );
    assert_eq!((one.unwrap(), two.unwrap()), (1, 2));
    assert!(matches!(seven, Err(Error::Internal(_))), "{seven:?}");
    assert!(matches!(panicked, Err(Error::Internal(_))), "{panicked:?}");
    assert_eq!(numbers(&writer).await, [1, 2]);
}

#[tokio::test]
async fn without_a_savepoint_nothing_is_left_half_done() {
    let writer = writer().await;
    let (release, held) = hold(&writer);
    let mut together = Box::pin(async {
        tokio::join!(
            writer.write(|db| insert(db, 1)),
            writer.write_plain(|db| insert(db, 6).and_then(|_| insert(db, 7))),
            writer.write(|db| insert(db, 2)),
        )
    });
    // All three are queued before the thread goes on.
    assert!(
        together
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    drop(release);
    held.await.unwrap();
    let (one, seven, two) = together.await;
    assert!(matches!(one, Err(Error::Unavailable(_))), "{one:?}");
    assert!(matches!(seven, Err(Error::Internal(_))), "{seven:?}");
    assert!(matches!(two, Err(Error::Unavailable(_))), "{two:?}");
    assert!(numbers(&writer).await.is_empty());
    assert_eq!(writer.write(|db| insert(db, 3)).await.unwrap(), 3);
}

#[tokio::test]
async fn a_panic_takes_back_its_own_write_and_the_thread_goes_on() {
    let writer = writer().await;
    let panics = |db: &Connection| -> rusqlite::Result<i64> {
        insert(db, 3)?;
        panic!("a fault in a write, made by a test")
    };
    let (one, panicked, two) = tokio::join!(
        writer.write(|db| insert(db, 1)),
        writer.write(panics),
        writer.write(|db| insert(db, 2))
    );
    assert_eq!((one.unwrap(), two.unwrap()), (1, 2));
    assert!(matches!(panicked, Err(Error::Internal(_))), "{panicked:?}");
    assert_eq!(numbers(&writer).await, [1, 2]);
}

#[tokio::test]
async fn a_failing_commit_fails_all_its_writes() {
    let writer = writer().await;
    let (release, held) = hold(&writer);
    let (_, one, eight, answered, ()) = tokio::join!(
        held,
        writer.write(|db| insert(db, 1)),
        writer.write(|db| insert(db, 8)),
        writer.write(|_| Err::<i64, _>(Undo::Answer(Box::new(55)))),
        async { drop(release) },
    );
    for outcome in [one, eight, answered] {
        assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
    }
    let held_alone = WriteCounts { jobs: 1, commits: 1 };
    assert_eq!(writer.counts(), held_alone, "what was not committed is not counted");
    assert_eq!(writer.write(|db| insert(db, 2)).await.unwrap(), 2);
    assert_eq!(numbers(&writer).await, [2]);
}

#[tokio::test]
async fn a_transaction_that_is_lost_fails_all_its_writes() {
    let writer = writer().await;
    let (release, held) = hold(&writer);
    // As SQLite does by itself when the disk is full.
    let lose = |db: &Connection| db.execute_batch("ROLLBACK").map(|()| 0);
    let (_, one, lost, two, ()) = tokio::join!(
        held,
        writer.write(|db| insert(db, 1)),
        writer.write(lose),
        writer.write(|db| insert(db, 2)),
        async { drop(release) },
    );
    for outcome in [one, two] {
        assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
    }
    assert!(lost.is_err());
    assert_eq!(writer.write(|db| insert(db, 3)).await.unwrap(), 3);
    assert_eq!(numbers(&writer).await, [3]);
}

#[tokio::test]
async fn the_queue_is_bounded_and_says_so() {
    let writer = writer().await;
    let (release, held) = hold(&writer);
    let mut waiting = Vec::new();
    let refused = loop {
        assert!(waiting.len() <= MAX_QUEUE);
        let mut write = Box::pin(writer.write(|_| Ok::<(), rusqlite::Error>(())));
        match write.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => waiting.push(write),
            Poll::Ready(outcome) => break outcome,
        }
    };
    assert!(matches!(refused, Err(Error::Unavailable(_))), "{refused:?}");
    assert_eq!(waiting.len(), MAX_QUEUE);
    drop(release);
    held.await.unwrap();
    for write in waiting {
        write.await.unwrap();
    }
    let batches = u64::try_from(MAX_QUEUE / MAX_BATCH).unwrap();
    assert!(writer.counts().commits > batches, "no batch is larger than the limit");
}

#[tokio::test]
async fn a_failure_to_open_is_the_failure_to_start() {
    let error = Writer::start(|| Err(SetupError::new("no", "yes")), Arc::default())
        .await
        .err()
        .unwrap();
    assert_eq!(error.to_string(), "error: no\nhint: yes");
    let error = Writer::start(|| panic!("a fault in opening, made by a test"), Arc::default())
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("cannot start"), "{error}");
}

#[tokio::test]
async fn while_the_file_is_held_by_another_all_who_wait_are_told() {
    let name = format!("file:{}?mode=memory&cache=shared", random::uuid(Timestamp(0)).unwrap());
    let open = move || Connection::open(&name).map_err(|error| SetupError::new(error.to_string(), ""));
    let other = open().unwrap();
    let writer = Writer::start(open, Arc::default()).await.unwrap();
    other
        .execute_batch("BEGIN IMMEDIATE; CREATE TABLE numbers (number INTEGER, parent INTEGER)")
        .unwrap();
    let (one, two) = tokio::join!(writer.write(|db| insert(db, 1)), writer.write(|db| insert(db, 2)));
    for outcome in [one, two] {
        assert!(matches!(outcome, Err(Error::Unavailable(_))), "{outcome:?}");
    }
    other.execute_batch("COMMIT").unwrap();
    assert_eq!(writer.write(|db| insert(db, 3)).await.unwrap(), 3);
    assert_eq!(numbers(&writer).await, [3]);
}
