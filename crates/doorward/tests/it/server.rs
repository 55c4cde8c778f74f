//! The real binary, on a port that the machine chooses, with a database of its own.
//!
//! The surprise: whoever drops a server kills it and its folder, also when a test fails half way; the end of its log
//! is printed then.

use std::fs::{self, File, Permissions};
use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::http::Request;

/// How long a start, or what a test waits for, may take before it counts as failed. Never reached when all is well.
const PATIENCE: Duration = Duration::from_secs(60);
/// What the first line of the start-up text begins with.
const LISTENS: &str = "doorward listens on http://";
/// Cheap hashing: these tests are about everything but the cost of a hash.
const CHEAP: [(&str, &str); 2] = [("DOORWARD_HASH_MEMORY_KIB", "8"), ("DOORWARD_HASH_PASSES", "1")];

/// A folder that goes away with its owner.
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// A new folder, named after the test that asks.
    pub(crate) fn new() -> Self {
        Self::in_folder(Path::new(env!("CARGO_TARGET_TMPDIR")))
    }

    /// The same where every user of the machine gets at it, wherever this project is.
    pub(crate) fn for_all() -> Self {
        let folder = Self::in_folder(&std::env::temp_dir());
        fs::set_permissions(&folder.0, Permissions::from_mode(0o755)).unwrap();
        folder
    }

    fn in_folder(base: &Path) -> Self {
        let thread = std::thread::current();
        let test = thread.name().unwrap_or("test").replace("::", "-");
        // Making the folder decides which number is free.
        let free = (0..10_000).map(|n| base.join(format!("{test}-{}-{n}", std::process::id())));
        let made = free.into_iter().find(|path| fs::create_dir(path).is_ok());
        Self(made.expect("a folder can be made"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    pub(crate) fn join(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What cannot be removed stays in the target folder; that fails no test.
        drop(fs::remove_dir_all(&self.0));
    }
}

/// How to start a server: its folder, settings and arguments. The folder outlives a server, so that it can be
/// started again.
pub(crate) struct Setup {
    folder: Folder,
    settings: Vec<(String, String)>,
    arguments: Vec<String>,
    /// What a shell does first, in the process that becomes the binary.
    first: Option<&'static str>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self {
            folder: Folder::new(),
            settings: CHEAP.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec(),
            arguments: Vec::new(),
            first: None,
        }
    }

    /// With a setting, by its name in the configuration file.
    pub(crate) fn setting(mut self, name: &str, value: &str) -> Self {
        let name = format!("DOORWARD_{}", name.to_uppercase());
        self.settings.retain(|(is, _)| *is != name);
        self.settings.push((name, value.to_owned()));
        self
    }

    /// With more arguments for `serve`.
    pub(crate) fn arguments<'a>(mut self, arguments: impl IntoIterator<Item = &'a str>) -> Self {
        self.arguments.extend(arguments.into_iter().map(str::to_owned));
        self
    }

    /// With what a shell does first, in the process that becomes the binary: limits are handed on.
    pub(crate) fn after(mut self, first: &'static str) -> Self {
        self.first = Some(first);
        self
    }

    pub(crate) fn folder(&self) -> &Folder {
        &self.folder
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.folder.join("doorward.db")
    }

    /// A command of the binary on the same database and settings.
    pub(crate) fn command(&self) -> Command {
        let binary = env!("CARGO_BIN_EXE_doorward");
        let mut command = Command::new(self.first.map_or(binary, |_| "/bin/sh"));
        if let Some(first) = self.first {
            command.args(["-c", &format!("{first} && exec \"$0\" \"$@\""), binary]);
        }
        command
            .current_dir(self.folder.path())
            .env_clear()
            .env("DOORWARD_DATABASE", format!("sqlite:{}", self.database().display()))
            .envs(self.settings.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        let output = self.command().args(arguments).output();
        output.unwrap_or_else(|error| panic!("doorward {arguments:?}: {error}"))
    }

    /// Runs a command that has to succeed, and answers what it printed.
    pub(crate) fn succeed(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "doorward {arguments:?}: {text}{errors}");
        text
    }

    /// Runs a command with something on its standard input.
    pub(crate) fn run_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command();
        command
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().expect("the binary runs");
        // A command that does not read its input to the end has closed it: that is its business.
        drop(child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes())));
        child.wait_with_output().expect("the binary ends")
    }

    /// Starts a server.
    pub(crate) fn start(self) -> Server {
        Server::start(self)
    }
}

/// A running server.
pub(crate) struct Server {
    process: Process,
    pub(crate) address: SocketAddr,
    /// What it printed up to its address.
    greeting: Vec<String>,
    /// What it prints later. Locked, because a receiver belongs to one thread and a server to many.
    lines: Mutex<mpsc::Receiver<String>>,
    setup: Setup,
}

impl Server {
    fn start(setup: Setup) -> Self {
        let log = setup.folder.join("log");
        let stderr = File::options()
            .create(true)
            .append(true)
            .open(&log)
            .expect("the log can be written");
        let mut command = setup.command();
        command
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(&setup.arguments);
        command.stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().expect("the binary runs");
        let stdout = child.stdout.take().expect("stdout is piped");
        let process = Process { child, log };
        let lines = lines_of(stdout);
        let mut greeting = Vec::new();
        let address = loop {
            let line = lines.recv_timeout(PATIENCE);
            let line = line.unwrap_or_else(|_| panic!("the server did not start: {greeting:?}"));
            greeting.push(line.clone());
            if let Some(address) = line.strip_prefix(LISTENS) {
                break address.trim().parse().expect("an address");
            }
        };
        Self {
            process,
            address,
            greeting,
            lines: Mutex::new(lines),
            setup,
        }
    }

    /// What it prints at its start, up to and including the line that `is_last` knows.
    pub(crate) fn greeting(&mut self, is_last: impl Fn(&str) -> bool) -> &[String] {
        while !self.greeting.iter().any(|line| is_last(line)) {
            let line = self.lines.get_mut().recv_timeout(PATIENCE);
            self.greeting
                .push(line.unwrap_or_else(|_| panic!("the start-up text ends: {:#?}", self.greeting)));
        }
        &self.greeting
    }

    pub(crate) fn setup(&self) -> &Setup {
        &self.setup
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> String {
        self.process.log()
    }

    /// A number of `/metrics`.
    pub(crate) fn counted(&self, name: &str) -> u64 {
        let metrics = Request::get("/metrics").send(self.address).text();
        let value = metrics
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value
            .and_then(|value| value.parse().ok())
            .unwrap_or_else(|| panic!("no {name}: {metrics}"))
    }

    /// The number the system knows it by.
    pub(crate) fn process_id(&self) -> u32 {
        self.process.child.id()
    }

    /// Ends it as a power cut would (SIGKILL).
    pub(crate) fn killed(self) -> Setup {
        // Dropping the process kills it and waits for its end.
        self.setup
    }

    /// Ends it as a power cut would (SIGKILL), and starts another one on its database.
    pub(crate) fn kill_and_restart(self) -> Self {
        Self::start(self.killed())
    }

    /// Asks it to stop, as service managers do (SIGTERM).
    pub(crate) fn ask_to_stop(&self) {
        self.signal("TERM");
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.process.child.id().to_string()])
            .status();
        assert!(sent.is_ok_and(|status| status.success()), "the signal can be sent");
    }

    /// Waits for its end and answers whether it was a success.
    pub(crate) fn wait(mut self) -> (bool, Setup) {
        let status = self.process.child.wait().expect("the server can be waited for");
        (status.success(), self.setup)
    }
}

/// Waits until something is so. It asks in the thread of the test, so that what it asks may fail the test, too.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        std::thread::yield_now();
    }
}

/// The lines that somebody prints, as they come. Read to the end, so that nobody waits for a reader.
pub(crate) fn lines_of(stdout: ChildStdout) -> mpsc::Receiver<String> {
    let (send, lines) = mpsc::sync_channel(1000);
    std::thread::spawn(move || {
        BufReader::new(stdout).lines().map_while(Result::ok).for_each(|line| {
            // Nobody listens any more once the start is over.
            drop(send.send(line));
        });
    });
    lines
}

/// A process that ends with its owner.
struct Process {
    child: Child,
    log: PathBuf,
}

impl Process {
    fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let end = lines.len().saturating_sub(30);
            eprintln!("the end of the server's log:\n{}", lines[end..].join("\n"));
        }
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
