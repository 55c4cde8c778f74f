//! HAProxy with the file of `examples/cluster`, before nodes of the tests.
//!
//! The surprise: what a shell leaves behind stops it, when the pipe to its standard input closes. That happens however the
//! tests end, also when they are killed.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use super::super::PATIENCE;
use crate::http::Request;
use crate::transcript::ROOT;

/// Becomes a program that runs until the standard input ends.
const SCRIPT: &str = r#"
exec 3<&0
{ cat <&3 >/dev/null; kill -TERM $$; } &
exec "$@" 3<&-
"#;

/// A running HAProxy. Dropped, it stops.
pub(super) struct Balancer {
    pub(super) address: SocketAddr,
    shell: Child,
}

impl Balancer {
    /// Before nodes at these ports.
    pub(super) fn start(nodes: [u16; 3]) -> Self {
        // The port is free when it is chosen, and may be taken by the time it is used.
        let started = (0..5).find_map(|_| Self::try_start(nodes));
        started.expect("HAProxy starts")
    }

    fn try_start(nodes: [u16; 3]) -> Option<Self> {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let example = format!("{ROOT}/examples/cluster");
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let shell = Command::new("sh")
            .args(["-c", SCRIPT, "sh", "haproxy", "-db", "-f"])
            .arg(format!("{example}/haproxy.cfg"))
            .env("PATH", path)
            .env("PORT", address.port().to_string())
            .envs(
                ["NODE_1", "NODE_2", "NODE_3"]
                    .into_iter()
                    .zip(nodes.map(|port| port.to_string())),
            )
            .env("UNAVAILABLE", format!("{example}/unavailable.http"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut balancer = Self { address, shell };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ready = crate::http::exchange(address, &Request::get("/readyz").bytes());
            if ready.is_ok_and(|answer| answer.status == 200) {
                return Some(balancer);
            }
            let ended = balancer.shell.try_wait().unwrap();
            if ended.is_some() || Instant::now() > deadline {
                return None;
            }
        }
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        drop(self.shell.stdin.take());
        drop(self.shell.wait());
    }
}
