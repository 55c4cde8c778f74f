//! Servers to measure: the real program, and a bare one to compare it with.
//!
//! The surprise: the bare one is this program under another command, in a process of its own, so that both share the
//! machine with the loader in the same way.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use axum::Router;
use axum::routing::get;
use tokio::net::TcpListener;

use crate::clock;
use crate::error::{Error, Result};
use crate::folder::{Folder, programs};
use crate::process::Process;

/// What the lines with the address begin with.
const LISTENS: [&str; 2] = ["doorward listens on http://", "listening on http://"];

/// The settings of a server that logs what matters and not each request, which is what a proxy before it does.
pub(crate) const QUIET: (&str, &str) = ("log_level", "warn,audit=info");
/// Hashes that cost next to nothing: for what is measured about everything else.
pub(crate) const CHEAP: [(&str, &str); 2] = [("hash_memory_kib", "8"), ("hash_passes", "1")];

/// A running server.
pub(crate) struct Server {
    pub(crate) process: Process,
    pub(crate) address: SocketAddr,
    /// When its process was started.
    pub(crate) began: Instant,
}

impl Server {
    /// Starts the real program with a database in the folder, or the one that the settings name.
    pub(crate) fn doorward(folder: &Folder, settings: &[(&str, &str)]) -> Result<Self> {
        let mut command = doorward(folder, settings)?;
        command.args(["serve", "--listen", "127.0.0.1:0"]);
        Self::start(command, folder)
    }

    /// Starts the bare one.
    pub(crate) fn hello(folder: &Folder) -> Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("hello");
        Self::start(command, folder)
    }

    /// Starts a program that prints where it listens.
    pub(crate) fn start(command: Command, folder: &Folder) -> Result<Self> {
        let began = clock::now();
        let (process, address) = Process::start(command, &folder.join("log"), address)?;
        let address = address.map_err(|()| Error::new("a server says that it listens, and not where"))?;
        Ok(Self {
            process,
            address,
            began,
        })
    }

    /// Processor time that `work` takes of this server, in seconds of one core, and what it answers.
    pub(crate) fn cpu_of<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<(T, f64)> {
        let before = self.process.cpu_seconds();
        let done = work()?;
        Ok((done, self.process.cpu_seconds() - before))
    }
}

fn address(line: &str) -> Option<Result<SocketAddr, ()>> {
    let address = LISTENS.iter().find_map(|start| line.strip_prefix(start))?;
    let address = address.trim().trim_end_matches('/');
    Some(address.parse().map_err(drop))
}

/// A command of the real program on the folder's database.
pub(crate) fn doorward(folder: &Folder, settings: &[(&str, &str)]) -> Result<Command> {
    let mut command = Command::new(binary()?);
    command
        .current_dir(folder.path())
        .env_clear()
        .env("DOORWARD_DATABASE", "sqlite:doorward.db")
        // All accounts to measure with are registered from one address.
        .env("DOORWARD_THROTTLE_REGISTRATIONS", "1000000");
    for (name, value) in settings {
        command.env(format!("DOORWARD_{}", name.to_uppercase()), value);
    }
    Ok(command)
}

fn binary() -> Result<PathBuf> {
    let path = programs()?.join("doorward");
    if path.is_file() {
        return Ok(path);
    }
    let hint = "build it first, in the same profile: cargo build --release -p doorward";
    Err(Error::new(format!("{} is not there", path.display())).hint(hint))
}

/// Serves what the bare server serves, until it is killed.
pub(crate) fn serve_hello() -> Result<()> {
    // As many threads as the real program has.
    let runtime = tokio::runtime::Runtime::new()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        crate::print::line(&format!("listening on http://{}", listener.local_addr()?));
        let router = Router::new().route("/hello", get(async || r#"{"hello":"world"}"#));
        // The answers are small and written at once.
        let listener = axum::serve::ListenerExt::tap_io(listener, |stream| drop(stream.set_nodelay(true)));
        axum::serve(listener, router).await?;
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_of_each_program() {
        let at = Some(Ok("127.0.0.1:80".parse().unwrap()));
        assert_eq!(address("doorward listens on http://127.0.0.1:80"), at);
        assert_eq!(address("listening on http://127.0.0.1:80/"), at);
        assert_eq!(address("something else"), None);
        assert_eq!(address("listening on http://nowhere"), Some(Err(())));
    }
}
