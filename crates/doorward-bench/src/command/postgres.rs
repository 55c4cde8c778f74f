//! `postgres`: the same server over PostgreSQL, on one node and on three, beside the driver alone.
//!
//! The surprise: the database shares the cores with the nodes and the loader. So three nodes are no faster than one
//! here; what shows is what a second and a third one cost.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::task::JoinSet;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use self::cluster::Cluster;
use self::logout::Logouts;
use super::grow::{Asked, anywhere};
use crate::chart::{Chart, Kind, Series};
use crate::error::{Error, Result};
use crate::fill::{Size, postgres::fill};
use crate::folder::Folder;
use crate::people;
use crate::record::{Draft, Goal};
use crate::server::{CHEAP, QUIET, Server};
use crate::statistics::{median, number};
use crate::table::Table;
use crate::{Options, clock, print};

pub(crate) mod cluster;
pub(crate) mod grow;
mod logout;

/// Clients, and tasks of the driver alone.
const CLIENTS: usize = 64;
/// Connections that these share, as in the server.
const CONNECTIONS: usize = 2;
/// What is in the database.
const ACCOUNTS: u64 = 100_000;
/// Accounts that are asked for.
const ASKED: u64 = 2_000;
/// What the driver alone asks for: an account by its id, all of its columns.
const SELECT: &str = "SELECT id, realm, number, object_id, email, username, first_name, last_name, attributes, \
     created_at, updated_at, disabled_at, password_hash FROM accounts WHERE id = $1";

const ABOUT: [&str; 3] = [
    "A PostgreSQL server of its own on the same machine, asked over its socket, with 100,000 accounts and commits that \
     wait for the disk. The driver alone is `tokio-postgres` in this program: 64 tasks ask for accounts by their id, all \
     columns, pipelined on two connections; no HTTP, no token. All take turns in each round; 64 clients.",
    "Logins with cheap hashes (m=8 KiB, t=1) show what a login costs but for its hash.",
    "For the distribution of logouts, each of some sessions is ended on one of three nodes in turn, and from the moment \
     at which that is answered the two others are asked without pause until both refuse its token.",
];

pub(crate) fn run(options: &Options) -> Result<()> {
    let (rounds, time) = options.pick((5, Duration::from_secs(3)), (1, Duration::from_millis(300)));
    let mut draft = Draft::begin("postgres", "Over PostgreSQL", &ABOUT, options);
    let cluster = Cluster::start()?;
    let url = cluster.database("main")?;
    let folder = Folder::new()?;
    let database = ("database", url.as_str());
    let [memory, passes] = CHEAP;
    let cheap = [QUIET, database, memory, passes];
    let nodes = [(); 3].map(|()| Server::doorward(&folder, &cheap));
    let [one, two, three] = nodes;
    let nodes = [one?, two?, three?];
    let [one, ..] = &nodes;
    people::settle(one.address, 0..1)?;
    let accounts = options.pick(ACCOUNTS, 2_000);
    fill(&cluster, "main", Size { accounts, ended: 0 })?;
    let (profiles, logins) = anywhere(one.address, accounts, options.pick(ASKED, 200))?;
    let (first, all) = ([one.address], nodes.each_ref().map(|node| node.address));
    let mut asked = [
        Asked::new(&first, 200, profiles.clone(), CLIENTS)?,
        Asked::new(&all, 200, profiles, CLIENTS)?,
        Asked::new(&first, 201, logins.clone(), CLIENTS)?,
        Asked::new(&all, 201, logins, CLIENTS)?,
    ];
    let mut driver = Driver::new(&cluster, &url)?;
    for round in 1..=rounds {
        print::progress(&format!("round {round} of {rounds}"));
        driver.round(time)?;
        for (index, asked) in asked.iter_mut().enumerate() {
            let working: Vec<&Server> = nodes.iter().take(if index % 2 == 0 { 1 } else { 3 }).collect();
            asked.round(&working, time)?;
        }
    }
    tell(&mut draft, &driver, &asked);
    let refusals = Logouts::measure(&nodes, options)?;
    refusals.tell(&mut draft);
    draft.finish()
}

/// The driver alone.
struct Driver {
    runtime: Runtime,
    clients: Vec<Arc<Client>>,
    ids: Arc<[Uuid]>,
    rates: Vec<f64>,
}

impl Driver {
    fn new(cluster: &Cluster, url: &str) -> Result<Self> {
        let listed = cluster.sql("main", "SELECT id FROM accounts ORDER BY md5(number::text) LIMIT 2000")?;
        let ids = listed.lines().map(str::parse).collect::<Result<Vec<Uuid>, _>>()?;
        let runtime = Runtime::new()?;
        let mut clients = Vec::new();
        for _ in 0..CONNECTIONS {
            let (client, connection) = runtime.block_on(tokio_postgres::connect(url, NoTls))?;
            runtime.spawn(connection);
            clients.push(Arc::new(client));
        }
        Ok(Self {
            runtime,
            clients,
            ids: ids.into(),
            rates: Vec::new(),
        })
    }

    fn round(&mut self, time: Duration) -> Result<()> {
        let end = clock::now() + time;
        let clients = self.clients.iter().cycle().take(CLIENTS);
        let tasks: Vec<_> = clients
            .map(|client| (Arc::clone(client), Arc::clone(&self.ids)))
            .collect();
        let count = self.runtime.block_on(async {
            let mut set = JoinSet::new();
            for (task, (client, ids)) in tasks.into_iter().enumerate() {
                set.spawn(async move {
                    let statement = client.prepare(SELECT).await?;
                    let (mut count, mut at) = (0_u64, task * 31);
                    while clock::now() < end {
                        let id = ids.get(at % ids.len().max(1)).copied().unwrap_or_default();
                        let row = client.query_one(&statement, &[&id]).await?;
                        // Read, as the server does.
                        let _: (Uuid, String) = (row.try_get(0)?, row.try_get(12)?);
                        (count, at) = (count + 1, at + 1);
                    }
                    Ok::<u64, Error>(count)
                });
            }
            let mut all = 0;
            while let Some(count) = set.join_next().await {
                all += count??;
            }
            Ok::<u64, Error>(all)
        })?;
        self.rates.push(number(count) / time.as_secs_f64());
        Ok(())
    }
}

fn tell(draft: &mut Draft, driver: &Driver, asked: &[Asked]) {
    let names = [
        "profile, one node",
        "profile, three nodes",
        "login without its hash, one node",
        "login without its hash, three nodes",
    ];
    let columns = ["", "a second", "to the driver alone", "p50 ms", "p99 ms", "nodes' µs"];
    let mut table = Table::new("64 clients", columns);
    let own = median(&driver.rates);
    table.row([
        "the driver alone, SELECT by id".into(),
        own.into(),
        1.0.into(),
        "".into(),
        "".into(),
        "".into(),
    ]);
    let mut bars = vec![own];
    for (name, asked) in names.into_iter().zip(asked) {
        let ratios: Vec<f64> = asked
            .rates
            .iter()
            .zip(&driver.rates)
            .map(|(is, own)| is / own)
            .collect();
        table.row([
            name.into(),
            median(&asked.rates).into(),
            median(&ratios).into(),
            asked.latencies.ms(0.5).into(),
            asked.latencies.ms(0.99).into(),
            median(&asked.cpu_us).into(),
        ]);
        bars.push(median(&asked.rates));
        if name == "profile, one node" {
            let what = "profiles/s on PostgreSQL against the driver's pipelined SELECT alone";
            draft.figure(what, median(&ratios), "×", Goal::AtLeast(0.5));
        }
    }
    draft.table(table);
    let names = ["the driver alone, SELECT by id"].into_iter().chain(names);
    draft.chart(Chart {
        title: "Over PostgreSQL: requests a second, everything on one machine".into(),
        kind: Kind::Bars(names.map(str::to_owned).collect()),
        measure: "a second (more is better)".into(),
        by_tens: false,
        series: vec![Series::new("a second", bars)],
    });
}
