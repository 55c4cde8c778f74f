//! A PostgreSQL primary and its synchronous standby, which take turns: one dies, the other is promoted, and the dead
//! one comes back as its standby.
//!
//! The surprise: as with the server of the other tests, a shell stops both when the pipe to its standard input closes.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use doorward_core::{Timestamp, random};

use super::link::{Link, Network};
use crate::postgres::server::{as_user, unprivileged};

/// Makes a server in `$1`, on the port `$2` of the addresses `$3`, which also admits `$4`; the other one is made as its
/// copy, and is synchronous from the moment at which it follows. They trust their disks, since only programs die here,
/// and whoever connects, since many do at once.
const SCRIPT: &str = r#"
folder=$1
cleanup() {
  trap - EXIT
  for server in a b; do
    pg_ctl --pgdata="$folder/$server" --mode=immediate stop >>"$folder/log" 2>&1
  done
  rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
cd "$folder"
{
  initdb --pgdata=a --username=doorward --auth=trust --encoding=UTF8 --locale=C --no-sync &&
  echo "$4" >>a/pg_hba.conf &&
  cat >>a/postgresql.conf <<END &&
listen_addresses = '$3'
unix_socket_directories = '$folder'
synchronous_standby_names = 'FIRST 1 (a, b)'
fsync = off
wal_keep_size = '512MB'
shared_buffers = 64MB
log_min_messages = fatal
END
  pg_ctl --pgdata=a --log=log-a --wait --options="-p $2" start
} >>log 2>&1 || { echo "failed: $(tail -n 20 log | tr '\n' ' ')"; exit 1; }
echo ready
cat >/dev/null
"#;

/// How long a step may take. Never reached when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) struct Pair {
    /// Its standard input is what keeps the servers running.
    shell: Child,
    /// What they are on. It has to be there for longer than they are.
    network: Network,
    folder: PathBuf,
    ports: [u16; 2],
    primary: usize,
}

const NAMES: [&str; 2] = ["a", "b"];

impl Pair {
    /// Both, with an empty database `main`.
    pub(super) fn start(network: Network) -> Self {
        let id = random::uuid(Timestamp(0)).unwrap().simple().to_string();
        // The path of a socket in it has to be short: at most 107 bytes.
        let folder = std::env::temp_dir().join(format!("doorward-{id}"));
        fs::create_dir(&folder).unwrap();
        let user = unprivileged();
        if let Some(user) = &user {
            let owner = Command::new("chown").arg(user).arg(&folder).status().unwrap();
            assert!(owner.success());
        }
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let ports = free.map(|listener| listener.local_addr().unwrap().port());
        let (addresses, admitted) = network.listens();
        let mut command = as_user(user.as_deref(), "sh");
        command
            .args(["-c", SCRIPT, "sh"])
            .arg(&folder)
            .args([&ports[0].to_string(), addresses, admitted]);
        let mut shell = network
            .command_at(0, command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut said = String::new();
        BufReader::new(shell.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        assert_eq!(said.trim(), "ready", "no PostgreSQL server: {said}");
        let pair = Self {
            shell,
            network,
            folder,
            ports,
            primary: 0,
        };
        pair.sql("postgres", "CREATE DATABASE main");
        pair.follow();
        pair
    }

    /// The links of a node to both, in an order that stays.
    pub(super) fn links(&self, node: usize) -> [Link; 2] {
        [0, 1].map(|server| self.network.link(node, server, self.ports[server]))
    }

    /// Runs SQL on the primary, and does not wait for the standby.
    pub(super) fn sql(&self, database: &str, sql: &str) -> String {
        let ran = as_user(None, "psql")
            .env("PGOPTIONS", "-c synchronous_commit=local")
            .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align"])
            .arg(format!("--host={}", self.folder.display()))
            .args([&format!("--port={}", self.ports[self.primary]), "--username=doorward"])
            .args([&format!("--dbname={database}"), "--command", sql])
            .output()
            .unwrap();
        assert!(ran.status.success(), "{sql}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }

    pub(super) fn kill_primary(&self) {
        self.stop(self.primary);
    }

    pub(super) fn kill_standby(&self) {
        self.stop(1 - self.primary);
    }

    /// Makes the standby the primary. There is no standby then, so that commits do not wait for one.
    pub(super) fn promote(&mut self) {
        self.primary = 1 - self.primary;
        self.program(self.primary, "pg_ctl", &["--wait", "promote"]);
        self.sql("postgres", "ALTER SYSTEM SET synchronous_standby_names TO ''");
        self.sql("postgres", "SELECT pg_reload_conf()");
    }

    /// Brings the standby back as it was.
    pub(super) fn start_standby(&self) {
        self.start_server(1 - self.primary);
        self.until_synchronous();
    }

    /// Makes the other server a standby, from a copy of the primary.
    pub(super) fn follow(&self) {
        let standby = 1 - self.primary;
        let source = format!(
            "host={} port={} user=doorward application_name={}",
            self.folder.display(),
            self.ports[self.primary],
            NAMES[standby]
        );
        let data = self.folder.join(NAMES[standby]);
        if data.exists() {
            fs::remove_dir_all(&data).unwrap();
        }
        let copy = [
            "--write-recovery-conf",
            "--wal-method=stream",
            "--checkpoint=fast",
            "--no-sync",
        ];
        self.program(
            standby,
            "pg_basebackup",
            &[&copy[..], &[&format!("--dbname={source}")]].concat(),
        );
        self.start_server(standby);
        self.sql("postgres", "ALTER SYSTEM RESET synchronous_standby_names");
        self.sql("postgres", "SELECT pg_reload_conf()");
        self.until_synchronous();
    }

    /// Until the standby has everything that was ever committed, and each commit waits for it.
    fn until_synchronous(&self) {
        let begin = Instant::now();
        let sql = "SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming' AND sync_state = 'sync' \
                   AND flush_lsn >= pg_current_wal_flush_lsn()";
        while self.sql("postgres", sql) != "1" {
            assert!(begin.elapsed() < PATIENCE, "the standby does not follow");
        }
    }

    fn start_server(&self, server: usize) {
        let log = self.folder.join(format!("log-{}", NAMES[server]));
        let options = format!("--options=-p {}", self.ports[server]);
        let log = format!("--log={}", log.display());
        self.program(server, "pg_ctl", &[&log, &options, "--wait", "start"]);
    }

    fn stop(&self, server: usize) {
        self.program(server, "pg_ctl", &["--mode=immediate", "--wait", "stop"]);
    }

    /// Runs a program on the data of a server.
    fn program(&self, server: usize, program: &str, arguments: &[&str]) {
        let mut command = as_user(unprivileged().as_deref(), program);
        command
            .arg(format!("--pgdata={}", self.folder.join(NAMES[server]).display()))
            .args(arguments);
        let mut command = self.network.command_at(server, command);
        // Not piped: a server inherits what it is started with, and the end would never be read.
        let done = command
            .current_dir(&self.folder)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .unwrap();
        assert!(done.success(), "{program} {arguments:?} on {}", NAMES[server]);
    }
}

impl Drop for Pair {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        drop(self.shell.wait());
    }
}
