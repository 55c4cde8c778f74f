//! A move that meets somebody else: a server on either side, or one who holds what it wants to write.
//!
//! The surprise: the interruption here is not made afterwards. The move waits for a lock, and is dropped while it does.

use doorward_store::{PostgresOptions, open_postgres, transfer};
use tokio::runtime::Runtime;

use super::{CROWD, full, goes_on, moved, postgres, refused, rows, sqlite};
use crate::engine::Folder;
use crate::postgres::engine::{Database, server};

/// Neither side, since what a server tells its clients meanwhile would be lost or in the way.
#[tokio::test]
async fn a_database_that_a_server_runs_on_is_not_moved_and_one_that_is_moved_gets_no_server() {
    let (folder, last, database) = (Folder::new(), Folder::new(), Database::new());
    let source = full(&folder).await;
    let server = database.open().await;
    let said = refused(&source, &postgres(&database)).await;
    assert!(
        said.contains("somebody uses the database") && said.contains("hint: stop every server"),
        "{said}"
    );
    assert_eq!(database.sql("SELECT count(*) FROM realms"), "0");
    drop(server);
    moved(&source, &postgres(&database)).await;
    let server = database.open().await;
    let said = refused(&postgres(&database), &sqlite(&last.database())).await;
    assert!(said.contains("somebody uses the database"), "{said}");
    drop(server);

    let mut said = None;
    let version = "SELECT version FROM doorward_schema";
    let current = database.sql(version);
    let mut tell = |_| {
        if said.is_some() {
            return;
        }
        // As if it had been filled by an older program: the newer one is not to touch it. Its tables are held here.
        database.sql("UPDATE doorward_schema SET version = 0");
        // The move goes on when this has returned, so somebody else has to wait for the answer.
        let starts = || {
            Runtime::new()
                .unwrap()
                .block_on(open_postgres(&database.url(), PostgresOptions::default()))
        };
        let started = std::thread::scope(|scope| scope.spawn(starts).join().unwrap());
        said = Some(started.err().unwrap().to_string());
        database.sql(&format!("UPDATE doorward_schema SET version = {current}"));
    };
    transfer(&postgres(&database), &sqlite(&last.database()), &mut tell)
        .await
        .unwrap();
    let said = said.unwrap();
    assert!(said.contains("is being moved") && said.contains("hint: wait"), "{said}");
    goes_on(&*database.open().await).await;
}

#[tokio::test]
async fn a_move_that_is_cut_off_goes_on_where_it_stopped() {
    let (folder, database) = (Folder::new(), Database::new());
    let source = full(&folder).await;
    drop(database.open().await);
    let (holder, connection) = tokio_postgres::Config::new()
        .host_path(&server().folder)
        .port(server().port)
        .user("doorward")
        .dbname(&database.0)
        .connect(tokio_postgres::NoTls)
        .await
        .unwrap();
    tokio::spawn(connection);
    let hold = "BEGIN; LOCK TABLE identifiers IN SHARE MODE";
    holder.batch_execute(hold).await.unwrap();
    let waits = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' \
         AND query LIKE 'INSERT INTO identifiers%'";
    let held = async {
        while holder.query_one(waits, &[]).await.unwrap().get::<_, i64>(0) == 0 {
            // Otherwise a transaction goes on seeing what it saw first.
            let forget = holder.batch_execute("SELECT pg_stat_clear_snapshot()").await;
            forget.unwrap();
        }
    };
    let target = postgres(&database);
    let mut tell = |_| {};
    tokio::select! {
        moved = transfer(&source, &target, &mut tell) => panic!("it was to wait: {moved:?}"),
        () = held => {}
    }
    holder.batch_execute("COMMIT").await.unwrap();
    let again = moved(&source, &target).await;
    assert_eq!(rows(&again, "accounts"), (CROWD, CROWD));
    assert_eq!(rows(&again, "sessions"), (1, 0));
    goes_on(&*database.open().await).await;
}
