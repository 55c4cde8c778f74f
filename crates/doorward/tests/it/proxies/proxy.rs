//! A real nginx or Caddy, with the file of `examples/proxies` and other addresses in it.
//!
//! The surprise: it is a shell that stops the proxy, when the pipe to its standard input closes. That happens however
//! the tests end, also when they are killed; destructors would not be run then.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::server::Folder;
use crate::transcript::ROOT;

/// Runs a program until the standard input ends. The shell lets go of the standard error, so that it ends with the
/// program.
const SCRIPT: &str = r#"
"$@" &
program=$!
exec >/dev/null 2>&1
cat
kill -TERM $program
wait $program
"#;

/// Which proxy.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    Nginx,
    Caddy,
}

impl Kind {
    fn file(self) -> &'static str {
        match self {
            Self::Nginx => "nginx.conf",
            Self::Caddy => "Caddyfile",
        }
    }

    /// Where the file says on which port it listens: before and after the number.
    fn port(self) -> (&'static str, &'static str) {
        match self {
            Self::Nginx => ("listen 127.0.0.1:", ";"),
            Self::Caddy => ("http://:", " {"),
        }
    }

    /// The command, in its folder.
    fn arguments(self) -> &'static [&'static str] {
        match self {
            Self::Nginx => &["nginx", "-p", ".", "-c", "nginx.conf", "-g", "daemon off;"],
            Self::Caddy => &["caddy", "run", "--config", "Caddyfile", "--adapter", "caddyfile"],
        }
    }

    /// What it logs once it listens.
    fn ready(self) -> &'static str {
        match self {
            Self::Nginx => "start worker process ",
            Self::Caddy => "serving initial configuration",
        }
    }
}

/// A running proxy. Dropped, it stops.
pub(super) struct Proxy {
    pub(super) address: SocketAddr,
    shell: Child,
    /// As long as it is there, the proxy runs.
    input: Option<ChildStdin>,
    _folder: Folder,
}

impl Proxy {
    pub(super) fn start(kind: Kind, doorward: SocketAddr, application: SocketAddr) -> Self {
        // The port is free when it is chosen, and may be taken by the time it is used.
        let started = (0..5).map(|_| Self::try_start(kind, doorward, application));
        let mut said = String::new();
        for attempt in started {
            match attempt {
                Ok(proxy) => return proxy,
                Err(why) => said = why,
            }
        }
        panic!("{kind:?} does not start: {said}");
    }

    fn try_start(kind: Kind, doorward: SocketAddr, application: SocketAddr) -> Result<Self, String> {
        let folder = Folder::new();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut file = fs::read_to_string(format!("{ROOT}/examples/proxies/{}", kind.file())).unwrap();
        let (before, after) = kind.port();
        for (from, to) in [
            (
                format!("{before}8000{after}"),
                format!("{before}{}{after}", address.port()),
            ),
            ("127.0.0.1:8080".to_owned(), doorward.to_string()),
            ("127.0.0.1:3000".to_owned(), application.to_string()),
        ] {
            assert!(file.contains(&from), "{from} is in {}", kind.file());
            file = file.replace(&from, &to);
        }
        fs::write(folder.join(kind.file()), file).unwrap();
        // Debian keeps nginx where only administrators look for programs.
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let mut shell = Command::new("sh")
            .args(["-c", SCRIPT, "sh"])
            .args(kind.arguments())
            .current_dir(folder.path())
            .env("PATH", path)
            // Where Caddy keeps what it wants to keep.
            .envs(["HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"].map(|name| (name, folder.path())))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let input = shell.stdin.take();
        let mut lines = BufReader::new(shell.stderr.take().unwrap())
            .lines()
            .map_while(Result::ok);
        let mut proxy = Self {
            address,
            shell,
            input,
            _folder: folder,
        };
        let mut said = Vec::new();
        for line in lines.by_ref() {
            if line.contains(kind.ready()) {
                // Read to the end, so that it never waits for a reader.
                std::thread::spawn(move || lines.for_each(drop));
                return Ok(proxy);
            }
            said.push(line);
        }
        proxy.stop();
        Err(said.join("\n"))
    }

    fn stop(&mut self) {
        self.input.take();
        // Whatever it says at its end fails no test.
        drop(self.shell.wait());
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.stop();
    }
}
