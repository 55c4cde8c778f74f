//! The way between a node and a database server, which can be made worse.
//!
//! The surprise: there are two kinds, and both do the same faults. Where network namespaces are allowed it is a cable
//! on which the kernel loses packets; elsewhere it is a proxy that delays what went over it.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

mod cable;
mod namespace;
mod proxy;

use cable::Cable;
pub(super) use namespace::{Host, is_inside, run_inside};
use proxy::Proxy;

/// What a link does to what is sent over it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Open,
    /// Each packet takes up to so much longer.
    Delay(Duration),
    /// One packet in so many is lost, and is sent again when the sender has noticed.
    Drop(u64),
    /// Nothing comes through to the server; what it says still does.
    SilentToServer,
    /// What the server says does not come through.
    SilentToNode,
}

/// What the servers are on.
pub(super) enum Network {
    /// This machine, at ports of its loopback. Nodes go through proxies.
    Loopback,
    /// A machine of their own each, as far as the network goes. From this one there are cables.
    Hosts([Host; 2]),
}

impl Network {
    /// Two hosts, if the kernel and its owner allow it; otherwise why they do not. Everything that a cable has to do
    /// is tried on one that nobody uses.
    pub(super) fn of_hosts() -> Result<Self, String> {
        Cable::attempt()?;
        Ok(Self::Hosts([Host::new()?, Host::new()?]))
    }

    /// A link of a node to the server that listens on this port there.
    pub(super) fn link(&self, node: usize, server: usize, port: u16) -> Link {
        match self {
            Self::Loopback => Link::Proxy(Proxy::to(port)),
            Self::Hosts(hosts) => {
                let number = 2 * node + server;
                Link::Cable(Cable::new(number, &hosts[server], port).unwrap())
            }
        }
    }

    /// A command, to be run where a server is.
    pub(super) fn command_at(&self, server: usize, command: Command) -> Command {
        match self {
            Self::Loopback => command,
            Self::Hosts(hosts) => hosts[server].run(&command),
        }
    }

    /// What a server listens on, and a line of its `pg_hba.conf` for whoever comes from elsewhere.
    pub(super) fn listens(&self) -> (&'static str, &'static str) {
        match self {
            Self::Loopback => ("127.0.0.1", ""),
            Self::Hosts(_) => ("*", cable::ADMITTED),
        }
    }
}

/// A link between a node and a server.
pub(super) enum Link {
    Proxy(Proxy),
    Cable(Cable),
}

impl Link {
    /// Where the node finds the server.
    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Proxy(proxy) => proxy.address,
            Self::Cable(cable) => cable.address,
        }
    }

    /// Makes it worse, or good again. Answers how many packets the mode that ends has touched.
    pub(super) fn set(&self, mode: Mode) -> u64 {
        match self {
            Self::Proxy(proxy) => proxy.set(mode),
            Self::Cable(cable) => cable.set(mode).unwrap(),
        }
    }

    /// Ends every connection on it, and answers how many. New ones can be made.
    pub(super) fn cut(&self) -> u64 {
        match self {
            Self::Proxy(proxy) => proxy.cut(),
            Self::Cable(cable) => cable.cut().unwrap(),
        }
    }
}
