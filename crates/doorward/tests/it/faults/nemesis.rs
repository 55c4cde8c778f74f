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
use super::link::{Link, Mode, Network};
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

    /// What it happens to, if it is a fault of links.
    fn unit(self) -> Option<&'static str> {
        match self {
            Self::ConnectionsCut => Some("connections cut"),
            Self::PacketsDelayed => Some("waits of packets"),
            Self::PacketsDropped => Some("packets lost"),
            Self::SilentToServer | Self::SilentToNode => Some("packets unheard"),
            _ => None,
        }
    }
}

/// What has become of a fault.
#[derive(Default)]
struct Tally {
    times: usize,
    /// How many packets came later for it or not at all, or how many connections ended. A packet may wait twice.
    touched: u64,
    /// How long it took at most until every node was ready again.
    longest: Duration,
}

/// What has become of each fault.
#[derive(Default)]
pub(super) struct Done(BTreeMap<Fault, Tally>);

impl Done {
    pub(super) fn count(&self, fault: Fault) -> usize {
        self.0.get(&fault).map_or(0, |tally| tally.times)
    }

    /// Whether a fault of a link was one: with it something happened to something.
    pub(super) fn was_felt(&self, fault: Fault) -> bool {
        let touched = self.0.get(&fault).map_or(0, |tally| tally.touched);
        touched > 0 || fault.unit().is_none()
    }

    fn touch(&mut self, fault: Fault, touched: u64) {
        self.0.entry(fault).or_default().touched += touched;
    }

    fn count_up(&mut self, fault: Fault, recovered: Duration) {
        let tally = self.0.entry(fault).or_default();
        tally.times += 1;
        tally.longest = tally.longest.max(recovered);
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (fault, tally) in &self.0 {
            let (name, longest) = (format!("{fault:?}"), tally.longest.as_secs_f64());
            let Tally { times, touched, .. } = tally;
            write!(
                f,
                "  {name:16}{times:4} times, ready again after {longest:.1} s at most"
            )?;
            if let Some(unit) = fault.unit() {
                write!(f, ", {touched} {unit}")?;
            }
            writeln!(f)?;
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
    /// Held for as long as it may be used.
    _ways: [Link; 2],
    dice: Dice,
    pub(super) done: Done,
    /// What it has asked itself.
    pub(super) history: Vec<Operation>,
}

impl Nemesis {
    pub(super) fn new(count: usize, network: Network, seed: u64) -> Self {
        let pair = Pair::start(network);
        let node = |number| {
            let links = pair.links(number);
            let server = setup(&links).start();
            Node {
                server: Some(server),
                links,
            }
        };
        let ways = pair.links(count);
        Self {
            nodes: (0..count).map(node).collect(),
            operator: setup(&ways),
            _ways: ways,
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
                let cut = self.nodes[node].links.iter().map(Link::cut).sum();
                self.done.touch(fault, cut);
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
        self.done.count_up(fault, recovered);
    }

    /// Makes the server that was the primary the standby of the one that is.
    pub(super) fn follow(&self) {
        self.pair.follow();
    }

    fn worsen(&mut self, node: usize, mode: Mode, fault: Fault, world: &World) {
        let set = |this: &Self, mode| this.nodes[node].links.iter().map(|link| link.set(mode)).sum();
        let _none: u64 = set(self, mode);
        world.wait(fault.lasts());
        let touched = self.asked_meanwhile(node, world, |this| set(this, Mode::Open));
        self.done.touch(fault, touched);
    }

    /// Puts something right while the node is asked for the tokens that were ended last, by as many as there are
    /// tokens: what it hears first is not that they have ended.
    fn asked_meanwhile<T>(&mut self, node: usize, world: &World, put_right: impl FnOnce(&Self) -> T) -> T {
        let tokens: Vec<Token> = {
            let ended = world.ended.lock();
            ended.iter().rev().take(QUESTIONS).cloned().collect()
        };
        let (asked, was) = std::thread::scope(|scope| {
            let ask = |token| {
                scope.spawn(move || {
                    let mut client = Client::new(world, 0, node, PATIENCE);
                    client.check(node, token);
                    client.into_history()
                })
            };
            let asking: Vec<_> = tokens.iter().map(ask).collect();
            world.wait(ASKED_BEFORE);
            let was = put_right(self);
            let answered = asking.into_iter().map(|asking| asking.join().unwrap());
            (answered.flatten().collect::<Vec<Operation>>(), was)
        });
        self.history.extend(asked);
        was
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
        if cut("(query ILIKE '%listen %' OR query ILIKE '%pg_notify(%')") == 0 {
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

/// A node with these links to its servers.
fn setup(links: &[Link; 2]) -> Setup {
    let hosts = links.each_ref().map(|link| link.address().to_string()).join(",");
    let url = format!("postgres://doorward@{hosts}/main?target_session_attrs=read-write&sslmode=disable");
    Setup::new()
        .setting("database", &url)
        .setting("throttle", "false")
        .setting("log_level", "warn")
}
