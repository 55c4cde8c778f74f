//! The fault run: clients at three nodes, everything that can go wrong going wrong, and every promise checked.
//!
//! What the clients did and were answered is recorded, and judged afterwards by `faults/checker.rs`. The surprise: it
//! is a test like any other, twice, and its seconds can be set: `docs/faults.md` says how. One of the two runs itself
//! again in a network of its own, where packets can be lost.

use std::time::{Duration, Instant};

use crate::cluster::BOUND;
use crate::cluster::distribution::{Distribution, report};

mod checked;
mod checker;
mod client;
mod dice;
mod history;
mod link;
mod nemesis;
mod pair;

use checker::Promise;
use client::{Client, Left, Token, World};
use dice::Dice;
use history::{Account, Counts, Operation};
use link::Network;
use nemesis::{Fault, Nemesis};

const NODES: usize = 3;

/// How many people act at once. One at each node waits for an answer if the node still gives one; the others go away
/// after a moment.
const CLIENTS: usize = 12;
const PATIENT: Duration = Duration::from_secs(12);
const IMPATIENT: Duration = Duration::from_secs(1);

/// How often something is asked at the end that is answered "not now".
const ATTEMPTS: usize = 50;

/// For how many seconds faults go on once each has happened; they happen in another order then, again and again.
const SECONDS: &str = "DOORWARD_FAULTS_SECONDS";

#[test]
fn every_promise_holds_over_proxies() {
    run("proxies", Network::Loopback);
}

#[test]
fn every_promise_holds_over_network_namespaces() {
    let ran = if link::is_inside() {
        Network::of_hosts().map(|network| run("network namespaces", network))
    } else {
        link::run_inside("faults::every_promise_holds_over_network_namespaces")
    };
    // The other test is there for whoever may not have them.
    if let Err(why) = ran {
        report(&format!(
            "fault run: not over network namespaces, which cannot be had here: {why}"
        ));
    }
}

/// A run, over links of this kind.
fn run(kind: &str, network: Network) {
    let seconds = std::env::var(SECONDS).map_or(0, |text| text.parse().expect("whole seconds"));
    let seed = u64::from_be_bytes(doorward_core::random::bytes().unwrap());
    let mut nemesis = Nemesis::new(NODES, network, seed);
    let world = nemesis.world();
    let left = std::thread::scope(|scope| {
        let world = &world;
        let client = |number: usize| {
            let patience = if number < NODES { PATIENT } else { IMPATIENT };
            Client::new(world, seed.wrapping_add(number as u64 + 1), number % NODES, patience)
        };
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || client(number).run()))
            .collect();
        // Also when it panics, or the clients would go on for ever.
        let over = Over(world);
        afflict(&mut nemesis, world, Duration::from_secs(seconds), seed);
        drop(over);
        let join = |client: std::thread::ScopedJoinHandle<'_, Left>| client.join().unwrap();
        clients.into_iter().map(join).collect::<Vec<Left>>()
    });
    let faulty = world.start.elapsed();
    let (mut history, healed) = prove(&world, &left);
    history.extend(left.into_iter().flat_map(|left| left.history));
    history.append(&mut nemesis.history);
    history.sort_by_key(|operation| operation.begin);
    let promise = Promise {
        bound: BOUND,
        healed,
        nodes: NODES,
    };
    tell(kind, &history, &nemesis, faulty);
    let broken = checker::check(&history, &promise);
    assert!(
        broken.is_empty(),
        "{} promises were broken (seed {seed}), the first of them:\n{}",
        broken.len(),
        broken[..broken.len().min(20)].join("\n")
    );
    assert_exercised(&history, &nemesis);
}

/// Stops the clients when it is dropped.
struct Over<'w>(&'w World);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Every fault once; then all of them in other orders, until the time is over.
fn afflict(nemesis: &mut Nemesis, world: &World, time: Duration, seed: u64) {
    for fault in Fault::ALL {
        nemesis.inflict(fault, world);
    }
    let (begin, mut dice) = (Instant::now(), Dice::new(seed));
    while begin.elapsed() < time {
        nemesis.follow();
        let mut round = Fault::ALL[..Fault::ALL.len() - 1].to_vec();
        while !round.is_empty() {
            nemesis.inflict(round.swap_remove(dice.pick(round.len())), world);
        }
        nemesis.inflict(Fault::PrimaryKilled, world);
    }
}

/// Asks once more for everything that was acknowledged, when nothing is at fault any more: logs in to each account,
/// and shows each token to each node. Answers from when on that was.
fn prove(world: &World, left: &[Left]) -> (Vec<Operation>, Duration) {
    let healed = world.start.elapsed();
    let accounts: Vec<Account> = left.iter().flat_map(|left| left.accounts.iter().copied()).collect();
    let unknown: Vec<Token> = world.unknown.lock().clone();
    // What has ended is refused also when it is dead by age; what has not is accepted only before that.
    let open = left
        .iter()
        .flat_map(|left| &left.open)
        .filter(|token| token.is_usable());
    let mut tokens = world.ended.lock().clone();
    tokens.extend(open.chain(&unknown).cloned());
    let mut history = ask_all(world, &accounts, &tokens);
    // Where nobody knows whether a session has ended, all nodes have to agree a bound later.
    let since = Instant::now();
    while since.elapsed() <= BOUND {
        std::thread::yield_now();
    }
    history.extend(ask_all(world, &[], &unknown));
    (history, healed)
}

/// Logs in to each account at some node, and shows each token to each node.
fn ask_all(world: &World, accounts: &[Account], tokens: &[Token]) -> Vec<Operation> {
    let asked = crate::http::at_once(NODES, |node| {
        let mut client = Client::new(world, 0, node, PATIENT);
        let again = |ask: &mut dyn FnMut() -> bool| assert!((0..ATTEMPTS).any(|_| ask()), "a node does not recover");
        for account in accounts.iter().skip(node).step_by(NODES) {
            again(&mut || client.login_to(node, *account));
        }
        for token in tokens {
            again(&mut || client.check(node, token));
        }
        client.into_history()
    });
    asked.into_iter().flatten().collect()
}

fn tell(kind: &str, history: &[Operation], nemesis: &Nemesis, faulty: Duration) {
    let late: Distribution = checker::last_acceptances(history).into_iter().collect();
    report(&format!(
        "fault run over {kind}: {} operations, {} s of faults\n{}  {}\n  logouts after whose answer somebody still \
         accepted: {}; for how long: {late}",
        history.len(),
        faulty.as_secs(),
        nemesis.done,
        Counts::of(history),
        late.count(),
    ));
}

/// A run in which nothing happened proves nothing.
fn assert_exercised(history: &[Operation], nemesis: &Nemesis) {
    for fault in Fault::ALL {
        assert!(nemesis.done.count(fault) > 0, "{fault:?} did not happen");
        assert!(nemesis.done.was_felt(fault), "{fault:?} did nothing to anything");
    }
    let counts = Counts::of(history);
    for (act, least) in [
        ("register", 20),
        ("login", 100),
        ("check", 500),
        ("logout", 50),
        ("refresh", 30),
    ] {
        let done = counts.count(act, "done");
        assert!(done >= least, "{act}: {done} were done");
    }
    assert!(counts.with_outcome("503") > 0, "nobody was told to come back");
    assert!(
        counts.with_outcome("no answer") > 0,
        "nobody was left without an answer"
    );
}
