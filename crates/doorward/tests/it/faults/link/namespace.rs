//! Network namespaces: one for the whole run, and in it one for each database server.
//!
//! The surprise: none has a name, and nobody removes any. The test runs itself once more inside of the first, which is
//! also a namespace of processes; when the test ends, or is killed, the kernel ends whatever is left in it, and the
//! networks go with that. So two runs cannot meet, nothing of the machine's own network is touched, and nobody
//! outside can reach an address inside.

use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Output, Stdio};

/// Tells the test that it is inside, by the network that it must not be in: that of whoever started it.
const OUTSIDE: &str = "DOORWARD_FAULTS_OUTSIDE";

/// A program in namespaces of its own. The shell stays, and is the one to whom orphans go. With its end all others
/// end, so after a failure those that remove their folders get a moment for it.
const INSIDE: [&str; 10] = [
    "--net",
    "--pid",
    "--fork",
    "--kill-child",
    "--mount-proc",
    "--",
    "sh",
    "-c",
    r#"ip link set lo up && "$@"; status=$?; [ $status = 0 ] || sleep 3; exit $status"#,
    "sh",
];

/// A network with nothing in it, for as long as the standard input is open.
const HOST: &str = "ip link set lo up && echo ready && cat";

/// Which network this process is in.
fn network() -> String {
    let network = fs::read_link("/proc/self/ns/net").unwrap();
    network.display().to_string()
}

/// Whether this process was started by `run_inside`. It ends with who started it from now on.
#[expect(
    clippy::exit,
    reason = "a test that waits is not ended by any other word of its own process"
)]
pub(in crate::faults) fn is_inside() -> bool {
    let Ok(outside) = std::env::var(OUTSIDE) else {
        return false;
    };
    assert_ne!(
        outside,
        network(),
        "{OUTSIDE} is set, and this is not inside of anything"
    );
    std::thread::spawn(|| {
        // Whatever comes of it, nobody is there any more.
        drop(std::io::stdin().read_to_end(&mut Vec::new()));
        std::process::exit(1)
    });
    true
}

/// Runs a test of this binary, by its full name, in a network of its own, and panics if it fails. An error says why
/// there can be no such network here.
pub(in crate::faults) fn run_inside(test: &str) -> Result<(), String> {
    said(Command::new("unshare").args(INSIDE).arg("true"))?;
    let mut inside = Command::new("unshare")
        .args(INSIDE)
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(OUTSIDE, network())
        .stdin(Stdio::piped())
        // There only the test runner speaks, and says the same as this one. What is told goes to standard error.
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // Held until it has ended: it ends when this closes.
    let _stdin: Option<ChildStdin> = inside.stdin.take();
    assert!(inside.wait().unwrap().success(), "{test} failed, see above");
    Ok(())
}

/// Runs a program to its end, and answers what it said. An error is what it said about it.
pub(super) fn said(command: &mut Command) -> Result<String, String> {
    let (program, arguments) = (command.get_program(), command.get_args());
    let told = [program].into_iter().chain(arguments).map(OsStr::to_string_lossy);
    let told = told.collect::<Vec<_>>().join(" ");
    let Output { status, stdout, stderr } = command.output().map_err(|error| format!("{told}: {error}"))?;
    if status.success() {
        return Ok(String::from_utf8_lossy(&stdout).trim().to_owned());
    }
    Err(format!("{told}: {}", String::from_utf8_lossy(&stderr).trim()))
}

/// A machine of its own, as far as the network goes.
pub(in crate::faults) struct Host {
    /// Its standard input is what keeps the network there.
    shell: Child,
}

impl Host {
    pub(in crate::faults) fn new() -> Result<Self, String> {
        let mut shell = Command::new("unshare")
            .args(["--net", "--", "sh", "-c", HOST])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut said = String::new();
        BufReader::new(shell.stdout.take().unwrap())
            .read_line(&mut said)
            .unwrap();
        match said.trim() {
            "ready" => Ok(Self { shell }),
            _ => Err("no network namespace inside of another".to_owned()),
        }
    }

    /// The number of a process in its network.
    pub(super) fn id(&self) -> u32 {
        self.shell.id()
    }

    /// The same command, on this host.
    pub(in crate::faults) fn run(&self, command: &Command) -> Command {
        enter(&network_of(self.id()), command)
    }
}

/// The network of a process.
pub(super) fn network_of(id: u32) -> String {
    Path::new("/proc")
        .join(id.to_string())
        .join("ns/net")
        .display()
        .to_string()
}

/// The same command in another network.
pub(super) fn enter(network: &str, command: &Command) -> Command {
    let mut entered = Command::new("nsenter");
    entered
        .args([&format!("--net={network}"), "--"])
        .arg(command.get_program())
        .args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => entered.env(name, value),
            None => entered.env_remove(name),
        };
    }
    entered
}
