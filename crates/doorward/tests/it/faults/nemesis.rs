//! What goes wrong in the fault run, one thing at a time, and how each is put right again.
//!
//! The surprise: a paused node also misses that the signing key was rotated, since whoever sleeps through one thing
//! sleeps through another. And a node that comes back finds questions waiting about what it has missed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::client::{Client, Token, World};
use super::dice::Dice;
use super::history::Operation;
use super::link::{Link, Mode};
use super::pair::Pair;
use crate::http::{Line, Request};
use crate::server::{Server, Setup};

/// How long the nodes may take to be ready again. Never reached when all is well.
const PATIENCE: Duration = Duration::from_secs(60);

/// How many tokens are asked for at a node that comes back, and for how long before it does.
const QUESTIONS: usize = 30;
const ASKED_BEFORE: Duration = Duration::from_millis(100);

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fault {
    /// A node is killed (SIGKILL) and started again.
    NodeKilled,
    /// A node is stopped for longer than the bound, while the key is rotated.
    NodePaused,
    /// The connections are ended on which nodes hear of each other.
    NotifyCut,
    /// All connections of a node to the database are ended.
    ConnectionsCut,
    PacketsDelayed,
    PacketsDropped,
    /// The database does not hear a node.
    SilentToServer,
    /// A node does not hear the database.
    SilentToNode,
    /// The standby is killed: commits wait until it is back.
    StandbyKilled,
    /// The primary is killed, and the standby promoted.
    PrimaryKilled,
}

impl Fault {
    pub(super) const ALL: [Self; 10] = [
        Self::NodeKilled,
        Self::NodePaused,
        Self::NotifyCut,
        Self::ConnectionsCut,
        Self::PacketsDelayed,
        Self::PacketsDropped,
        Self::SilentToServer,
        Self::SilentToNode,
        Self::StandbyKilled,
        Self::PrimaryKilled,
    ];

    /// For how long it lasts. What is to be noticed lasts longer than the bound, and one silence longer than a node
    /// waits for an answer of the database.
    fn lasts(self) -> Duration {
        Duration::from_millis(match self {
            Self::NodeKilled | Self::NotifyCut | Self::ConnectionsCut => 500,
            Self::PacketsDelayed | Self::PacketsDropped => 2000,
            Self::SilentToServer => 9000,
            Self::NodePaused | Self::SilentToNode => 3000,
            Self::StandbyKilled | Self::PrimaryKilled => 1500,
        })
    }
}

/// How often each fault happened, and how long it took at most until every node was ready again.
#[derive(Default)]
pub(super) struct Done(BTreeMap<Fault, (usize, Duration)>);

impl Done {
    pub(super) fn count(&self, fault: Fault) -> usize {
        self.0.get(&fault).map_or(0, |(count, _)| *count)
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (fault, (count, longest)) in &self.0 {
            let name = format!("{fault:?}");
            writeln!(
                f,
                "  {name:16}{count:4} times, ready again after {:.1} s at most",
                longest.as_secs_f64()
            )?;
        }
        Ok(())
    }
}

/// A node with its links to both servers.
struct Node {
    server: Option<Server>,
    links: [Link; 2],
}

/// Everything that can be broken.
pub(super) struct Nemesis {
    nodes: Vec<Node>,
    pair: Pair,
    /// A machine whose way to the database is never worse, for commands.
    operator: Setup,
    dice: Dice,
    pub(super) done: Done,
    /// What it has asked itself.
    pub(super) history: Vec<Operation>,
}

impl Nemesis {
    pub(super) fn new(count: usize, seed: u64) -> Self {
        let pair = Pair::start();
        let node = || {
            let links = pair.ports().map(Link::to);
            let server = setup([links[0].port, links[1].port]).start();
            Node {
                server: Some(server),
                links,
            }
        };
        Self {
            nodes: (0..count).map(|_| node()).collect(),
            operator: setup(pair.ports()),
            pair,
            dice: Dice::new(seed),
            done: Done::default(),
            history: Vec::new(),
        }
    }

    pub(super) fn world(&self) -> World {
        let server = |node: &Node| node.server.as_ref().unwrap().address;
        World::new(self.nodes.iter().map(server).collect())
    }

    /// A fault, in full: it happens, lasts, and is put right, until every node is ready.
    pub(super) fn inflict(&mut self, fault: Fault, world: &World) {
        let node = self.dice.pick(self.nodes.len());
        match fault {
            Fault::NodeKilled => {
                let server = self.nodes[node].server.take().unwrap();
                let setup = server.killed();
                world.wait(fault.lasts());
                let server = setup.start();
                *world.nodes[node].lock() = server.address;
                self.nodes[node].server = Some(server);
            }
            Fault::NodePaused => {
                self.signal(node, "STOP");
                self.operator.succeed(&["key", "rotate"]);
                world.wait(fault.lasts());
                self.asked_meanwhile(node, world, |this| this.signal(node, "CONT"));
            }
            Fault::NotifyCut => {
                self.cut_notify();
                world.wait(fault.lasts());
            }
            Fault::ConnectionsCut => {
                self.nodes[node].links.iter().for_each(Link::cut);
                world.wait(fault.lasts());
            }
            Fault::PacketsDelayed => self.worsen(node, Mode::Delay(Duration::from_millis(300)), fault, world),
            Fault::PacketsDropped => self.worsen(node, Mode::Drop(8), fault, world),
            Fault::SilentToServer => self.worsen(node, Mode::SilentToServer, fault, world),
            Fault::SilentToNode => self.worsen(node, Mode::SilentToNode, fault, world),
            Fault::StandbyKilled => {
                self.pair.kill_standby();
                world.wait(fault.lasts());
                self.pair.start_standby();
            }
            Fault::PrimaryKilled => {
                self.pair.kill_primary();
                world.wait(fault.lasts());
                self.pair.promote();
            }
        }
        let recovered = self.until_ready(world);
        let done = self.done.0.entry(fault).or_default();
        *done = (done.0 + 1, done.1.max(recovered));
    }

    /// Makes the server that was the primary the standby of the one that is.
    pub(super) fn follow(&self) {
        self.pair.follow();
    }

    fn worsen(&mut self, node: usize, mode: Mode, fault: Fault, world: &World) {
        let set = |this: &Self, mode| this.nodes[node].links.iter().for_each(|link| link.set(mode));
        set(self, mode);
        world.wait(fault.lasts());
        self.asked_meanwhile(node, world, |this| set(this, Mode::Open));
    }

    /// Puts something right while the node is asked for the tokens that were ended last, by as many as there are
    /// tokens: what it hears first is not that they have ended.
    fn asked_meanwhile(&mut self, node: usize, world: &World, put_right: impl FnOnce(&Self)) {
        let tokens: Vec<Token> = {
            let ended = world.ended.lock();
            ended.iter().rev().take(QUESTIONS).cloned().collect()
        };
        let asked = std::thread::scope(|scope| {
            let ask = |token| {
                scope.spawn(move || {
                    let mut client = Client::new(world, 0, node, PATIENCE);
                    client.check(node, token);
                    client.into_history()
                })
            };
            let asking: Vec<_> = tokens.iter().map(ask).collect();
            world.wait(ASKED_BEFORE);
            put_right(self);
            let answered = asking.into_iter().map(|asking| asking.join().unwrap());
            answered.flatten().collect::<Vec<Operation>>()
        });
        self.history.extend(asked);
    }

    fn signal(&self, node: usize, name: &str) {
        self.nodes[node].server.as_ref().unwrap().signal(name);
    }

    /// Ends the connections that listen; all connections of the nodes, if none does.
    fn cut_notify(&self) {
        let cut = |which: &str| {
            let ended = self.pair.sql(
                "postgres",
                &format!(
                    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                     WHERE datname = 'main' AND backend_type = 'client backend' AND {which}"
                ),
            );
            ended.parse::<usize>().unwrap()
        };
        if cut("(query ILIKE '%listen %' OR query ILIKE 'notify %')") == 0 {
            assert!(cut("true") > 0, "the nodes have connections");
        }
    }

    /// Until every node reads and writes, and how long that took.
    fn until_ready(&self, world: &World) -> Duration {
        let begin = Instant::now();
        for node in &world.nodes {
            let address = *node.lock();
            let ready = || {
                let mut line = Line::open(address, PATIENCE)?;
                line.ask(&Request::get("/readyz"))
            };
            while !ready().is_ok_and(|answer| answer.status == 200) {
                assert!(begin.elapsed() < PATIENCE, "a node is not ready again");
            }
        }
        begin.elapsed()
    }
}

/// A node on servers at these ports.
fn setup(ports: [u16; 2]) -> Setup {
    let hosts = ports.map(|port| format!("127.0.0.1:{port}")).join(",");
    let url = format!("postgres://doorward@{hosts}/main?target_session_attrs=read-write&sslmode=disable");
    Setup::new()
        .setting("database", &url)
        .setting("throttle", "false")
        .setting("log_level", "warn")
}
