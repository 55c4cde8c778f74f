//! A PostgreSQL server for the tests: made in a temporary folder, gone with the process that started it.
//!
//! The surprise: it is a shell that stops the server, when the pipe to its standard input closes. That happens
//! however the tests end, also when they are killed; destructors would not be run then.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use doorward_core::{Timestamp, random};
use doorward_store::PostgresUrl;

/// The password of the superuser `doorward`, asked for over TCP and not on the socket.
pub const PASSWORD: &str = "hunter2-hunter2";

/// Makes a cluster in `$1`, starts it on port `$2` and stops it at the end of the standard input. It trusts its
/// disk: the tests kill nothing that could lose what the system has in its caches.
const SCRIPT: &str = r#"
folder=$1 port=$2
cleanup() {
  trap - EXIT
  pg_ctl --pgdata="$folder/data" --mode=immediate stop >>"$folder/log" 2>&1
  rm -rf "$folder"
}
trap cleanup EXIT
trap 'exit 1' HUP INT TERM
cd "$folder"
printf '%s' "$3" >password
{
  initdb --pgdata=data --username=doorward --pwfile=password --auth-local=trust --auth-host=scram-sha-256 \
    --encoding=UTF8 --locale=C --no-sync &&
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE \
    -keyout data/server.key -out data/server.crt &&
  chmod 600 data/server.key && cp data/server.crt server.crt && chmod 644 server.crt &&
  cat >>data/postgresql.conf <<END &&
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$folder'
ssl = on
fsync = off
max_connections = 300
shared_buffers = 64MB
log_min_messages = fatal
shared_preload_libraries = 'pg_stat_statements'
pg_stat_statements.track_utility = off
END
  pg_ctl --pgdata="$folder/data" --log=log --wait start
} >>log 2>&1 || { echo "failed: $(tail -n 20 log | tr '\n' ' ')"; exit 1; }
echo ready
cat >/dev/null
"#;

/// A running server. Dropped, it stops.
pub struct Server {
    /// Its standard input is what keeps the server running.
    shell: Child,
    pub folder: PathBuf,
    pub port: u16,
}

impl Server {
    /// Starts one.
    pub fn start() -> Self {
        // The port is free when it is chosen, and may be taken by the time it is used.
        let started = (0..5).map(|_| Self::try_start()).find_map(Result::ok);
        started.unwrap_or_else(|| panic!("{}", Self::try_start().err().unwrap_or_default()))
    }

    fn try_start() -> Result<Self, String> {
        let id = random::uuid(Timestamp(0)).unwrap().simple().to_string();
        // The path of a socket in it has to be short: at most 107 bytes.
        let folder = std::env::temp_dir().join(format!("doorward-{id}"));
        fs::create_dir(&folder).unwrap();
        let user = unprivileged();
        if let Some(user) = &user {
            let owner = Command::new("chown").arg(user).arg(&folder).status().unwrap();
            assert!(owner.success());
        }
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut shell = as_user(user.as_deref(), "sh")
            .args(["-c", SCRIPT, "sh"])
            .arg(&folder)
            .args([&port.to_string(), PASSWORD])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = first_line(&mut shell);
        if said == "ready" {
            return Ok(Self { shell, folder, port });
        }
        shell.wait().unwrap();
        Err(format!("no PostgreSQL server: {said}"))
    }

    /// Runs SQL as its superuser and answers what it printed.
    pub fn sql(&self, database: &str, sql: &str) -> String {
        let ran = self.psql(database, sql);
        assert!(ran.status.success(), "{sql}: {}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8(ran.stdout).unwrap().trim().to_owned()
    }

    /// Removes a database, whoever is connected. A test that failed has said why; a database that is left over is
    /// no second reason.
    pub fn drop_database(&self, database: &str) {
        self.psql("postgres", &format!("DROP DATABASE IF EXISTS {database} WITH (FORCE)"));
    }

    fn psql(&self, database: &str, sql: &str) -> Output {
        as_user(None, "psql")
            .args([
                "--no-psqlrc",
                "--quiet",
                "--tuples-only",
                "--no-align",
                "--set=ON_ERROR_STOP=1",
            ])
            .arg(format!("--host={}", self.folder.display()))
            .args([&format!("--port={}", self.port), "--username=doorward"])
            .args([&format!("--dbname={database}"), "--command", sql])
            .output()
            .unwrap()
    }

    /// Lets `pg_ctl` do something to it: `stop`, `start`, `restart`.
    pub fn control(&self, action: &str) {
        let mode: &[&str] = if action == "start" { &[] } else { &["--mode=fast"] };
        self.pg_ctl(action, mode);
    }

    /// Ends all of its processes at once, without a word to anybody and without writing what they have in memory.
    pub fn crash(&self) {
        self.pg_ctl("stop", &["--mode=immediate"]);
    }

    fn pg_ctl(&self, action: &str, arguments: &[&str]) {
        let mut command = as_user(unprivileged().as_deref(), "pg_ctl");
        command
            .arg(format!("--pgdata={}", self.folder.join("data").display()))
            .arg(format!("--log={}", self.folder.join("log").display()))
            .args(["--wait", action])
            .args(arguments);
        // Not piped: the server inherits what it is started with, and the end would never be read.
        let done = command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        assert!(done.success(), "pg_ctl {action}");
    }

    /// A database over the socket.
    pub fn url(&self, database: &str) -> PostgresUrl {
        let (folder, port) = (self.folder.display(), self.port);
        parse(&format!(
            "postgres:///{database}?user=doorward&host={folder}&port={port}"
        ))
    }

    /// A database over TCP, with a password and options (`?…`).
    pub fn tcp(&self, password: &str, database: &str, options: &str) -> PostgresUrl {
        parse(&format!("{}{options}", self.tcp_text(password, database)))
    }

    /// The same as somebody would type it, without options.
    pub fn tcp_text(&self, password: &str, database: &str) -> String {
        format!("postgres://doorward:{password}@127.0.0.1:{}/{database}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        let _ = self.shell.wait();
    }
}

fn parse(url: &str) -> PostgresUrl {
    url.parse().unwrap()
}

/// Who the server runs as, if we are the superuser: it refuses to run as that.
pub fn unprivileged() -> Option<String> {
    if fs::metadata("/proc/self").unwrap().uid() != 0 {
        return None;
    }
    let exists = |user: &str| run("id", &["-u", user]).status.success();
    ["postgres", "nobody"]
        .iter()
        .find(|user| exists(user))
        .map(|user| (*user).to_owned())
}

/// The first line that a process prints.
pub fn first_line(process: &mut Child) -> String {
    let mut said = String::new();
    let stdout = process.stdout.take().unwrap();
    BufReader::new(stdout).read_line(&mut said).unwrap();
    said.trim().to_owned()
}

/// A program of PostgreSQL, or of the system, run as somebody.
pub fn as_user(user: Option<&str>, program: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", r#"PATH="$0:$PATH" exec "$@""#]).arg(programs());
    if let Some(user) = user {
        let group = String::from_utf8(run("id", &["-g", user]).stdout).unwrap();
        command
            .args(["setpriv", &format!("--reuid={user}")])
            .arg(format!("--regid={}", group.trim()))
            .args(["--clear-groups", "--"]);
    }
    command.arg(program).env("LC_ALL", "C");
    command
}

/// Where the programs of the server are, if not where the others are: Debian keeps them out of the way, in one
/// folder for each version.
fn programs() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let version = |folder: &Path| folder.file_name()?.to_str()?.parse::<u32>().ok();
    let newest = versions.map(|entry| entry.path()).max_by_key(|folder| version(folder));
    newest.map_or_else(|| "/usr/bin".into(), |folder| folder.join("bin"))
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program).args(arguments).output().unwrap()
}
