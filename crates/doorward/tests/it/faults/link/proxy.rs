//! A link that is a proxy for TCP in this process: it needs nobody's leave.
//!
//! The surprise: nothing is ever lost on it. A packet that is dropped is sent again by the kernel, and what arrives
//! is the same bytes later; so dropping one is holding everything behind it up, and silence is to hold it until it is
//! over. Who gives up before that finds a connection that is still open at the other end.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use super::Mode;
use crate::faults::dice::Dice;

/// How long a server of this machine may take to let somebody in.
const CONNECT: Duration = Duration::from_secs(2);

/// After how long a sender notices that a packet was lost: from the least that kernels wait to twice that and more.
const RETRANSMISSION: (u64, u64) = (200, 600);

#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    ToServer,
    ToNode,
}

struct Shared {
    server: SocketAddr,
    state: Mutex<State>,
    changed: Condvar,
}

struct State {
    mode: Mode,
    /// How many packets came later for it.
    touched: u64,
    closed: bool,
    next: u64,
    /// Both ends of each connection.
    open: HashMap<u64, [TcpStream; 2]>,
}

/// A proxy to one server. Dropped, it closes.
pub(in crate::faults) struct Proxy {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

impl Proxy {
    /// A proxy to the server at this port.
    pub(super) fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            server: SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            state: Mutex::new(State {
                mode: Mode::Open,
                touched: 0,
                closed: false,
                next: 0,
                open: HashMap::new(),
            }),
            changed: Condvar::new(),
        });
        let accepts = Arc::clone(&shared);
        std::thread::spawn(move || {
            for node in listener.incoming().map_while(Result::ok) {
                if accepts.state.lock().closed {
                    return;
                }
                // While nothing listens there, the node's connection is closed again at once.
                if let Ok(server) = TcpStream::connect_timeout(&accepts.server, CONNECT) {
                    accepts.carry(node, server);
                }
            }
        });
        Self { address, shared }
    }

    /// See `Link`.
    pub(super) fn set(&self, mode: Mode) -> u64 {
        let mut state = self.shared.state.lock();
        state.mode = mode;
        self.shared.changed.notify_all();
        std::mem::take(&mut state.touched)
    }

    /// See `Link`.
    pub(super) fn cut(&self) -> u64 {
        let mut state = self.shared.state.lock();
        let cut = state.open.len() as u64;
        for (_, ends) in state.open.drain() {
            close(&ends);
        }
        self.shared.changed.notify_all();
        cut
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.state.lock().closed = true;
        self.cut();
        // Who waits for a connection gets one, and ends.
        drop(TcpStream::connect(self.address));
    }
}

fn close(ends: &[TcpStream; 2]) {
    for end in ends {
        // It may be closed already.
        drop(end.shutdown(Shutdown::Both));
    }
}

impl Shared {
    fn carry(self: &Arc<Self>, node: TcpStream, server: TcpStream) {
        let (Ok(from_node), Ok(from_server)) = (node.try_clone(), server.try_clone()) else {
            return;
        };
        drop((node.set_nodelay(true), server.set_nodelay(true)));
        let ends = (node.try_clone(), server.try_clone());
        let number = {
            let mut state = self.state.lock();
            state.next += 1;
            if let (Ok(node), Ok(server)) = ends {
                let number = state.next;
                state.open.insert(number, [node, server]);
            }
            state.next
        };
        for (way, from, to) in [(Way::ToServer, from_node, server), (Way::ToNode, from_server, node)] {
            let shared = Arc::clone(self);
            std::thread::spawn(move || shared.pump(number, way, from, to));
        }
    }

    fn pump(&self, number: u64, way: Way, mut from: TcpStream, mut to: TcpStream) {
        let mut dice = Dice::new(number);
        let mut packet = [0; 16 * 1024];
        loop {
            let read = from.read(&mut packet).unwrap_or(0);
            // The end is a packet, too.
            let passed = self.pass(number, way, &mut dice);
            if read == 0 || !passed || to.write_all(&packet[..read]).is_err() {
                break;
            }
        }
        if let Some(ends) = self.state.lock().open.remove(&number) {
            close(&ends);
        }
    }

    /// Holds a packet up for as long as the link asks. False when the connection was cut meanwhile.
    fn pass(&self, number: u64, way: Way, dice: &mut Dice) -> bool {
        let mut state = self.state.lock();
        let late = match state.mode {
            Mode::Delay(longest) => dice.between(0, longest.as_millis().try_into().unwrap()),
            Mode::Drop(one_in) if dice.below(one_in) == 0 => dice.between(RETRANSMISSION.0, RETRANSMISSION.1),
            _ => 0,
        };
        if late > 0 {
            state.touched += 1;
            let mode = state.mode;
            let is_so = |state: &mut State| state.mode == mode && state.open.contains_key(&number);
            self.changed
                .wait_while_for(&mut state, is_so, Duration::from_millis(late));
        }
        let holds = |mode| match mode {
            Mode::SilentToServer => way == Way::ToServer,
            Mode::SilentToNode => way == Way::ToNode,
            _ => false,
        };
        state.touched += u64::from(holds(state.mode));
        let silent = |state: &mut State| holds(state.mode) && state.open.contains_key(&number);
        self.changed.wait_while(&mut state, silent);
        state.open.contains_key(&number)
    }
}
