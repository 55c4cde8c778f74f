//! A link that is a pair of virtual Ethernet devices, one in the network of the nodes and one in that of a server.
//!
//! The surprise: a packet is lost where it arrives, never where it is sent. A kernel that may not send knows that
//! nothing was lost, and tries again as if the line were busy; what got lost on the way it has to find out.

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::process::Command;
use std::time::Duration;

use parking_lot::Mutex;
use serde_json::Value;

use super::Mode;
use super::namespace::{Host, enter, network_of, said};

/// Who may come to a server: whoever is at the other end of a cable.
pub(super) const ADMITTED: &str = "host all doorward 10.0.0.0/24 trust";

/// Each cable has four addresses of 10.0.0.0/24, so there are at most 64; they exist inside of the run only.
const MOST: usize = 64;

/// How many bytes a second a slow cable carries: less than a node and its database have to say to each other, so that
/// a line forms. One packet of Ethernet with its headers may go at once.
const SLOW: u64 = 64 * 1024;
const BURST: u64 = 1600;

#[derive(Clone, Copy)]
enum End {
    Node,
    Server,
}

/// A cable to one server. It goes with the network that it is in.
pub(in crate::faults) struct Cable {
    pub(super) address: SocketAddr,
    /// That of both devices, of the table of the firewall, and of its counter.
    name: String,
    /// The network of the server.
    network: String,
    mode: Mutex<Mode>,
}

impl Cable {
    /// A cable from here to a host. The number is its own in the whole run.
    pub(super) fn new(number: usize, host: &Host, port: u16) -> Result<Self, String> {
        assert!(number < MOST, "there are no more addresses");
        let address = |end: usize| Ipv4Addr::new(10, 0, 0, u8::try_from(4 * number + end).unwrap());
        let (node, server) = (address(1), address(2));
        let cable = Self {
            address: SocketAddr::from((server, port)),
            name: format!("cable{number}"),
            network: network_of(host.id()),
            mode: Mutex::new(Mode::Open),
        };
        let (name, peer) = (&cable.name, host.id());
        let link = format!("link add {name} type veth peer name {name} netns {peer}");
        cable.say(End::Node, "ip", &link)?;
        for (end, own) in [(End::Node, node), (End::Server, server)] {
            cable.say(end, "ip", &format!("address add {own}/30 dev {name}"))?;
            cable.say(end, "ip", &format!("link set {name} up"))?;
        }
        Ok(cable)
    }

    /// Does everything that a cable has to do, with one that nobody uses; otherwise what cannot be done here.
    pub(super) fn attempt() -> Result<(), String> {
        let host = Host::new()?;
        let cable = Self::new(MOST - 1, &host, 0)?;
        for mode in [
            Mode::Delay(Duration::from_millis(1)),
            Mode::Drop(2),
            Mode::SilentToServer,
            Mode::SilentToNode,
            Mode::Open,
        ] {
            cable.set(mode)?;
        }
        // A kernel may be built so that it does not end connections, and then says nothing about it.
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let _connection = TcpStream::connect(address).unwrap();
        match cut(address)? {
            0 => Err("`ss --kill` ends no connections".to_owned()),
            _ => Ok(()),
        }
    }

    /// See `Link`.
    pub(super) fn set(&self, mode: Mode) -> Result<u64, String> {
        let mut is = self.mode.lock();
        let touched = self.end(*is)?;
        *is = mode;
        self.begin(mode)?;
        Ok(touched)
    }

    /// See `Link`.
    pub(super) fn cut(&self) -> Result<u64, String> {
        cut(self.address)
    }

    fn begin(&self, mode: Mode) -> Result<(), String> {
        if let Mode::Delay(longest) = mode {
            let waiting = SLOW * u64::try_from(longest.as_millis()).unwrap() / 1000 + BURST;
            let queue = format!("rate {SLOW}bps burst {BURST} limit {waiting}");
            for end in [End::Node, End::Server] {
                self.say(end, "tc", &format!("qdisc add dev {} root tbf {queue}", self.name))?;
            }
        }
        let (ends, which) = lossy(mode);
        for end in ends {
            let table = format!("inet {}", self.name);
            let rules = format!(
                "add table {table}; add counter {table} lost; \
                 add chain {table} arriving {{ type filter hook input priority 0; }}; \
                 add rule {table} arriving iifname {} {which} counter name lost drop",
                self.name
            );
            self.say(*end, "nft", &rules)?;
        }
        Ok(())
    }

    /// Puts a mode right, and answers how many packets it touched.
    fn end(&self, mode: Mode) -> Result<u64, String> {
        let (name, mut touched) = (&self.name, 0);
        if matches!(mode, Mode::Delay(_)) {
            for end in [End::Node, End::Server] {
                let told = self.say(end, "tc", &format!("-json -statistics qdisc show dev {name} root"))?;
                touched += number(&told, "/0/overlimits")?;
                self.say(end, "tc", &format!("qdisc delete dev {name} root"))?;
            }
        }
        for end in lossy(mode).0 {
            let told = self.say(*end, "nft", &format!("--json list counter inet {name} lost"))?;
            touched += number(&told, "/nftables/1/counter/packets")?;
            self.say(*end, "nft", &format!("delete table inet {name}"))?;
        }
        Ok(touched)
    }

    /// Runs a program with these words at one end of the cable.
    fn say(&self, end: End, program: &str, words: &str) -> Result<String, String> {
        let mut command = Command::new(program);
        command.args(words.split(' '));
        match end {
            End::Node => said(&mut command),
            End::Server => said(&mut enter(&self.network, &command)),
        }
    }
}

/// At which ends packets are lost as they arrive, and which.
fn lossy(mode: Mode) -> (&'static [End], String) {
    match mode {
        Mode::Open | Mode::Delay(_) => (&[], String::new()),
        Mode::Drop(one_in) => (&[End::Node, End::Server], format!("numgen random mod {one_in} == 0")),
        Mode::SilentToServer => (&[End::Server], String::new()),
        Mode::SilentToNode => (&[End::Node], String::new()),
    }
}

/// Ends the connections from here to somewhere: whoever has one is told that it was aborted, and the other end that
/// it was reset.
fn cut(to: SocketAddr) -> Result<u64, String> {
    let to = to.to_string();
    let ended = said(Command::new("ss").args(["--kill", "--no-header", "--tcp", "dst", &to]))?;
    Ok(ended.lines().count() as u64)
}

/// A number in what was told as JSON.
fn number(told: &str, place: &str) -> Result<u64, String> {
    let value: Value = serde_json::from_str(told).map_err(|error| format!("{told}: {error}"))?;
    let number = value.pointer(place).and_then(Value::as_u64);
    number.ok_or_else(|| format!("nothing at {place} of {told}"))
}
