//! A pooler between a node and the server: pgbouncer, a real one, in each of the ways in which it lends connections.
//!
//! The surprise: it listens on a socket in a folder of its own, where a port is a part of a name and taken by nobody.

use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use doorward_core::random;
use doorward_store::{PostgresOptions, PostgresUrl, open_postgres};

use super::engine::{Database, fresh, server};
use super::opening::assert_refused;
use super::server::{as_user, first_line, unprivileged};
use crate::people::{NOW, find, register, sign_in};

/// Runs a pooler in the folder `$1` for the server at the socket `$2` with the port `$3`, which lends as `$4` says, until
/// the standard input ends, as it does however the tests end.
const SCRIPT: &str = r#"
mkdir "$1" && cd "$1" || exit 1
cat >settings <<END
[databases]
* = host=$2 port=$3 user=doorward
[pgbouncer]
unix_socket_dir = $1
listen_port = 6432
auth_type = any
pool_mode = $4
default_pool_size = $5
server_round_robin = $6
END
pgbouncer --quiet settings >log 2>&1 &
pooler=$!
trap 'kill $pooler; wait $pooler; rm -rf "$1"' EXIT
trap 'exit 1' HUP INT TERM
until [ -S .s.PGSQL.6432 ]; do
  kill -0 $pooler || { echo "failed: $(tr '\n' ' ' <log)"; exit 1; }
done
echo ready
cat >/dev/null
"#;

struct Pooler {
    shell: Child,
    folder: PathBuf,
}

impl Pooler {
    fn start(mode: &str, size: u32, round_robin: u32) -> Self {
        let id = u32::from_be_bytes(random::bytes().unwrap());
        // The path of a socket has to be short. The server's folder belongs to whom both run as.
        let folder = server().folder.join(format!("pooler-{id:x}"));
        let mut shell = as_user(unprivileged().as_deref(), "sh")
            .args(["-c", SCRIPT, "sh"])
            .args([&folder, &server().folder])
            .args([&server().port.to_string(), mode])
            .args([size.to_string(), round_robin.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        assert_eq!(first_line(&mut shell), "ready");
        // The socket is there before it takes anybody.
        while UnixStream::connect(folder.join(".s.PGSQL.6432")).is_err() {
            assert!(shell.try_wait().unwrap().is_none());
        }
        Self { shell, folder }
    }

    fn url(&self, database: &Database) -> PostgresUrl {
        let (folder, name) = (self.folder.display(), &database.0);
        let url = format!("postgres:///{name}?user=doorward&host={folder}&port=6432");
        url.parse().unwrap()
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

#[tokio::test]
async fn a_pooler_that_lends_for_a_transaction_is_refused_and_nothing_is_changed() {
    let database = Database::new();
    for (size, round_robin) in [(20, 0), (20, 1), (1, 0)] {
        let pooler = Pooler::start("transaction", size, round_robin);
        assert_refused(
            &pooler.url(&database),
            "is behind a pooler that lends its connections for a transaction at a time",
            "session pooling only, such as `pool_mode = session`",
        )
        .await;
    }
    let tables = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(database.sql(tables), "0");
}

#[tokio::test]
async fn a_pooler_that_lends_for_a_session_is_as_good_as_the_server() {
    let database = Database::new();
    let pooler = Pooler::start("session", 20, 0);
    let store = open_postgres(&pooler.url(&database), PostgresOptions::default())
        .await
        .unwrap();
    let realm = store.ensure_realm("main").await.unwrap();
    let ann = register(&*store, &realm, "ann@example.com").await.id;
    store.told().await;
    let other = database.open().await;
    other.told().await;
    let sid = sign_in(&*store, ann).await;
    assert!(store.end_session(sid, ann, NOW).await.unwrap().is_some());
    other.told().await;
    assert!(find(&*other, &realm, "ann@example.com").await.is_some());
}

/// As one does that comes to lend for a transaction later on, or empties what it lends.
#[tokio::test]
async fn a_connection_whose_statements_are_forgotten_is_replaced() {
    let db = fresh().await;
    db.sql(
        "CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS \
         $$ BEGIN EXECUTE 'DEALLOCATE ALL'; RETURN NEW; END $$; \
         CREATE TRIGGER forget AFTER INSERT ON realms FOR EACH ROW EXECUTE FUNCTION forget()",
    );
    let error = db.ensure_realm("second").await.unwrap_err();
    assert!(format!("{error:?}").contains("SQLSTATE 26000"), "{error:?}");
    assert_eq!(db.ensure_realm("second").await.unwrap().name, "second");
}
