//! Verifiers in other services beside several nodes: their feed comes from one node, or through HAProxy, and sessions end
//! at all of them, while nodes are killed.
//!
//! The surprise: what a verifier says too late counts as wrong also when it knows nothing better. Each check that calls
//! a token good is held against the moment from which on nobody may.

use std::thread;
use std::time::{Duration, Instant};

use super::distribution::{self, Distribution};
use super::{BOUND, Cluster, NODES, logout};
use crate::relay::{Relay, Rule};
use crate::server::Server;
use crate::service::Service;

mod balancer;
mod follower;

use balancer::Balancer;
use follower::{Follower, Said};

/// How many sessions are ended one after the other.
const LOGOUTS: usize = 20;

/// Where the feed is.
const FEED: &str = "/v1/ended-sessions";

/// Both verifiers, each with a way of its own to a node.
struct Followers {
    relays: [Relay; 2],
    followers: [Follower; 2],
}

impl Followers {
    fn of(node: &Server, service: &Service) -> Self {
        let relays = [Relay::new(node.address), Relay::new(node.address)];
        let followers = [
            Follower::rust(relays[0].address, service),
            Follower::node(relays[1].address, service),
        ];
        Self { relays, followers }
    }

    fn lead_to(&self, node: &Server) {
        self.relays.iter().for_each(|relay| relay.lead_to(node.address));
    }

    fn set(&self, rule: Rule) {
        self.relays.iter().for_each(|relay| relay.set(rule));
    }

    fn until(&self, wanted: Said, token: &str, since: Option<Instant>) {
        until(&self.followers, wanted, token, since);
    }

    /// The heads of the requests for the feed since somebody asked last.
    fn heads(&self) -> impl Iterator<Item = Vec<String>> {
        self.relays.iter().map(|relay| relay.take_requests(FEED))
    }
}

/// Asks all of them at the same time until they say this, and answers when the last one did.
fn until(followers: &[Follower], wanted: Said, token: &str, since: Option<Instant>) -> Instant {
    thread::scope(|scope| {
        let asking: Vec<_> = followers
            .iter()
            .map(|follower| scope.spawn(move || follower.until(wanted, token, since)))
            .collect();
        let said = asking.into_iter().map(|asking| asking.join().expect("it says so"));
        said.max().expect("there are followers")
    })
}

/// Ends the session of a token at a node, and answers when that was acknowledged.
fn log_out_at(node: &Server, token: &str) -> Instant {
    let done = logout(token).send(node.address);
    let acknowledged = Instant::now();
    assert_eq!(done.status, 204, "{done}");
    acknowledged
}

/// For how long a node has been running, by its own clock.
fn running(service: &Service, node: &Server) -> Duration {
    let now = service.page(node.address, "").json()["now"].as_u64();
    Duration::from_millis(now.expect("milliseconds"))
}

/// The place of the only ending that there is, once the node has read it from the database, as it does with its own, too.
fn place_of_an_ending(service: &Service, node: &Server) -> String {
    let pages = std::iter::repeat_with(|| service.page(node.address, "").json());
    let page = pages.take(10_000).find(|page| page["ended"] != serde_json::json!([]));
    page.expect("it tells of it")["cursor"].as_str().unwrap().to_owned()
}

#[test]
fn what_ends_at_other_nodes_is_refused_within_the_bound() {
    let cluster = Cluster::start();
    let service = Service::add(cluster.nodes[0].setup());
    let both = Followers::of(&cluster.nodes[0], &service);
    cluster.register(0, "ann");
    let times: Distribution = (0..LOGOUTS)
        .map(|number| {
            let token = cluster.login(number, "ann");
            both.until(Said::Good, &token, None);
            let ended = log_out_at(&cluster.nodes[1 + number % (NODES - 1)], &token);
            until(&both.followers, Said::Ended, &token, Some(ended)).saturating_duration_since(ended)
        })
        .collect();
    distribution::report(&format!(
        "{} logouts at other nodes, until both verifiers refuse: {times}",
        times.count()
    ));
}

#[test]
fn a_verifier_whose_node_dies_goes_on_at_another_one_where_it_was() {
    let mut cluster = Cluster::start();
    let service = Service::add(cluster.nodes[0].setup());
    let both = Followers::of(&cluster.nodes[0], &service);
    cluster.register(0, "ann");
    let [before, meanwhile, lives] = [0, 1, 2].map(|node| cluster.login(node, "ann"));
    both.until(Said::Good, &meanwhile, None);
    both.until(Said::Good, &lives, None);
    let ended = log_out_at(&cluster.nodes[1], &before);
    both.until(Said::Ended, &before, Some(ended));
    let cursor = place_of_an_ending(&service, &cluster.nodes[1]);

    drop(cluster.nodes.remove(0).killed());
    let killed = Instant::now();
    both.heads().for_each(drop);
    let ended = log_out_at(&cluster.nodes[0], &meanwhile);
    thread::scope(|scope| {
        scope.spawn(|| both.until(Said::Ended, &meanwhile, Some(ended)));
        // Nobody tells them anything, and they say so.
        both.until(Said::Stale, &lives, Some(killed));
        for follower in &both.followers {
            assert_eq!(follower.says(&before), Said::Ended, "what is known stays known");
        }
        both.lead_to(&cluster.nodes[1]);
    });
    both.until(Said::Good, &lives, None);
    both.until(Said::Ended, &before, None);
    let place = format!("last-event-id: {cursor}\r\n");
    for heads in both.heads() {
        assert!(!heads.is_empty(), "it came to the other node");
        let is_there = heads.iter().all(|head| head.to_lowercase().contains("last-event-id: "));
        assert!(is_there && heads[0].to_lowercase().contains(&place), "{heads:#?}");
    }
}

/// What a node says of time is by its own clock. A verifier that took the hello of a young node with the words of an old
/// one would hold everything that the old one says for fresh, however old it is.
#[test]
fn the_clock_of_another_node_makes_nothing_fresh() {
    let cluster = Cluster::start();
    let service = Service::add(cluster.nodes[0].setup());
    let old = &cluster.nodes[0];
    while running(&service, old) < 3 * BOUND {
        thread::park_timeout(Duration::from_millis(10));
    }
    let young = cluster.database.setup().start();
    let both = Followers::of(&young, &service);
    cluster.register(0, "ann");
    let [before, first, second, lives] = [0, 1, 2, 0].map(|node| cluster.login(node, "ann"));
    for token in [&before, &first, &second, &lives] {
        both.until(Said::Good, token, None);
    }
    let ended = log_out_at(&cluster.nodes[1], &before);
    both.until(Said::Ended, &before, Some(ended));
    let young_runs = running(&service, &young);
    assert!(running(&service, old) > young_runs + 2 * BOUND, "{young_runs:?}");

    // What the old one says comes too late to prove anything.
    both.set(Rule::Delay(BOUND + BOUND / 2));
    both.lead_to(old);
    let led = Instant::now();
    log_out_at(&cluster.nodes[1], &first);
    thread::scope(|scope| {
        scope.spawn(|| both.until(Said::Stale, &lives, Some(led)));
        both.until(Said::Ended, &first, Some(led));
    });
    // The ending came, and with it the word that there is no other.
    log_out_at(&cluster.nodes[2], &second);
    both.until(Said::Ended, &second, Some(led));

    // And the other way round: the young one says smaller numbers than those that were heard before.
    both.set(Rule::Pass);
    both.lead_to(old);
    both.until(Said::Good, &lives, None);
    both.lead_to(&young);
    let led = Instant::now();
    while led.elapsed() <= BOUND {
        thread::yield_now();
    }
    both.until(Said::Good, &lives, None);
}

#[test]
fn behind_a_balancer_any_node_may_be_killed() {
    let mut cluster = Cluster::start();
    let service = Service::add(cluster.nodes[0].setup());
    // A node that comes back has another port, which the balancer need not know.
    let relays: Vec<Relay> = cluster.nodes.iter().map(|node| Relay::new(node.address)).collect();
    let balancer = Balancer::start([0, 1, 2].map(|node| relays[node].address.port()));
    let followers = [
        Follower::rust(balancer.address, &service),
        Follower::node(balancer.address, &service),
    ];
    cluster.register(0, "ann");
    let lives = cluster.login(0, "ann");
    let mut gone = Vec::new();
    for (victim, relay) in relays.iter().enumerate() {
        let [while_down, when_back] = [1, 2].map(|other| cluster.login(victim + other, "ann"));
        for token in [&lives, &while_down, &when_back] {
            until(&followers, Said::Good, token, None);
        }
        let setup = cluster.nodes.remove(victim).killed();
        // Each node has its turn, so that the one is among them which a feed hangs on.
        let ended = log_out_at(&cluster.nodes[victim % (NODES - 1)], &while_down);
        until(&followers, Said::Ended, &while_down, Some(ended));
        let node = setup.start();
        relay.lead_to(node.address);
        cluster.nodes.insert(victim, node);
        until(&followers, Said::Good, &lives, None);
        let ended = log_out_at(&cluster.nodes[victim], &when_back);
        until(&followers, Said::Ended, &when_back, Some(ended));
        gone.extend([while_down, when_back]);
    }
    for token in &gone {
        until(&followers, Said::Ended, token, None);
    }
    until(&followers, Said::Good, &lives, None);
}
