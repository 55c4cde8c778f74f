//! `grow-postgres`: the same requests over PostgreSQL with a thousand and with ten million accounts, and how the server
//! finds its rows among them.
//!
//! The surprise: the statements are not listed here. PostgreSQL is asked which ones it was given while the requests
//! ran, how long each took, and how it would run it for values that it does not know.

use std::time::Duration;

use clap::Args;

use super::cluster::Cluster;
use crate::chart::{Chart, Kind, Series};
use crate::command::grow::{Asked, anywhere, short};
use crate::error::Result;
use crate::fill::{Size, postgres::fill};
use crate::folder::{Folder, read_through};
use crate::people::{self, grants};
use crate::record::{Draft, Goal};
use crate::server::{CHEAP, QUIET, Server};
use crate::statistics::{median, number};
use crate::table::{Cell, Table};
use crate::wire::{Wire, request};
use crate::{Options, print};

const CLIENTS: usize = 32;
const ASKED: u64 = 10_000;
/// Of a statement, so many characters are shown.
const SHOWN: usize = 110;

const ABOUT: [&str; 2] = [
    "Two databases on one PostgreSQL server, each with a doorward of its own; hashes are cheap (m=8 KiB, t=1). All take \
     turns in each round; 32 clients; accounts from anywhere in the table.",
    "The statements are those that PostgreSQL was given while profiles, logins, refreshes and logouts ran against the \
     larger database, without those of its own clients; the plans are generic ones, as prepared statements get.",
];

#[derive(Args)]
pub(crate) struct GrowPostgresArgs {
    /// Accounts of the larger database: ten million take 7 GB in the temporary folder and some minutes to fill
    #[arg(long, default_value_t = 10_000_000, value_parser = clap::value_parser!(u64).range(1_000..=50_000_000))]
    accounts: u64,
    /// Ended sessions of the larger database
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(0..=50_000_000))]
    ended: u64,
}

pub(crate) fn run(arguments: &GrowPostgresArgs, options: &Options) -> Result<()> {
    let title = "The same requests over PostgreSQL with more accounts";
    let mut draft = Draft::begin("grow-postgres", title, &ABOUT, options);
    let (accounts, ended) = options.pick((arguments.accounts, arguments.ended), (20_000, 2_000));
    let cluster = Cluster::start()?;
    let folder = Folder::new()?;
    let sizes = [("small", 1_000, 0), ("large", accounts, ended)];
    let mut cases = Vec::new();
    for (name, accounts, ended) in sizes {
        let url = cluster.database(name)?;
        let [memory, passes] = CHEAP;
        let settings = [QUIET, ("database", url.as_str()), memory, passes];
        people::settle(Server::doorward(&folder, &settings)?.address, 0..1)?;
        fill(&cluster, name, Size { accounts, ended })?;
        let server = Server::doorward(&folder, &settings)?;
        let (profiles, logins) = anywhere(server.address, accounts, options.pick(ASKED, 300))?;
        let at = [server.address];
        let asked = [
            Asked::new(&at, 200, profiles, CLIENTS)?,
            Asked::new(&at, 201, logins, CLIENTS)?,
        ];
        cases.push((accounts, server, asked));
    }
    cluster.sql(
        "large",
        "CREATE EXTENSION pg_stat_statements; SELECT pg_stat_statements_reset()",
    )?;
    let data = cluster.databases()?;
    let (rounds, time) = options.pick((5, Duration::from_secs(3)), (1, Duration::from_millis(200)));
    for round in 1..=rounds {
        print::progress(&format!("round {round} of {rounds}"));
        for (_, server, asked) in &mut cases {
            for asked in asked {
                read_through(&data)?;
                asked.round(&[&*server], time)?;
            }
        }
    }
    if let Some((accounts, server, _)) = cases.last() {
        everything_else(server, *accounts)?;
    }
    requests(&mut draft, &cases);
    rows(&mut draft, &cluster)?;
    statements(&mut draft, &cluster)?;
    draft.finish()
}

/// Refreshes, lists sessions and logs out, so that these statements are among the others.
fn everything_else(server: &Server, accounts: u64) -> Result<()> {
    let mut wire = Wire::open(server.address)?;
    for grant in grants(server.address, (0..20).map(|n| n * accounts / 20))? {
        let body = format!(r#"{{"refresh_token":"{}"}}"#, grant.refresh);
        wire.ask_for(200, &request("POST", "/v1/sessions/current/refresh", None, Some(&body)))?;
        wire.ask_for(200, &request("GET", "/v1/sessions", Some(&grant.access), None))?;
        wire.ask_for(204, &people::log_out(&grant.access))?;
    }
    Ok(())
}

fn requests(draft: &mut Draft, cases: &[(u64, Server, [Asked; 2])]) {
    let columns = [
        "request",
        "accounts",
        "a second",
        "p50 ms",
        "p99 ms",
        "node's µs",
        "from disk MiB",
    ];
    let mut table = Table::new("32 clients", columns);
    for (index, name) in ["profile", "login without its hash"].into_iter().enumerate() {
        let of = |case: &(u64, Server, [Asked; 2])| case.2.get(index).map(|asked| asked.rates.clone());
        for (accounts, _, asked) in cases {
            let Some(asked) = asked.get(index) else { continue };
            table.row([
                name.into(),
                (*accounts).into(),
                median(&asked.rates).into(),
                asked.latencies.ms(0.5).into(),
                asked.latencies.ms(0.99).into(),
                median(&asked.cpu_us).into(),
                asked.disk_mib.into(),
            ]);
        }
        let [small, large] = cases else { continue };
        let rates = [of(small).unwrap_or_default(), of(large).unwrap_or_default()];
        let [few, many] = &rates;
        let ratios: Vec<f64> = few.iter().zip(many).map(|(few, many)| few / many).collect();
        let what = format!(
            "PostgreSQL: time of a {name}, {} against {} accounts",
            short(large.0),
            short(small.0)
        );
        draft.figure(&what, median(&ratios), "×", Goal::AtMost(1.3));
    }
    draft.table(table);
    let series = |name: &str, index: usize| {
        let values = cases.iter().filter_map(|(_, _, asked)| asked.get(index));
        Series::new(name, values.map(|asked| median(&asked.rates)).collect())
    };
    draft.chart(Chart {
        title: "Over PostgreSQL: requests a second with more accounts".into(),
        kind: Kind::Bars(
            cases
                .iter()
                .map(|(accounts, ..)| format!("{} accounts", short(*accounts)))
                .collect(),
        ),
        measure: "a second (more is better)".into(),
        by_tens: false,
        series: vec![series("profile", 0), series("login without its hash", 1)],
    });
}

fn rows(draft: &mut Draft, cluster: &Cluster) -> Result<()> {
    let mut table = Table::new("The larger database", ["table", "rows", "MiB", "indexes MiB"]);
    let listed = cluster.sql(
        "large",
        "SELECT relname, reltuples::bigint, pg_table_size(oid) / 1048576, pg_indexes_size(oid) / 1048576 \
         FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace \
         AND relname IN ('accounts', 'identifiers', 'sessions', 'ended_sessions') ORDER BY relname",
    )?;
    for line in listed.lines() {
        let mut cells = line.split('|');
        let name = cells.next().unwrap_or_default().to_owned();
        let numbers = cells.map(|cell| Cell::Number(cell.parse().unwrap_or(0.0)));
        table.row([Cell::from(name)].into_iter().chain(numbers));
    }
    draft.table(table);
    Ok(())
}

fn statements(draft: &mut Draft, cluster: &Cluster) -> Result<()> {
    let listed = cluster.sql(
        "large",
        "SELECT calls, mean_exec_time, encode(convert_to(query, 'UTF8'), 'hex') FROM pg_stat_statements s \
         JOIN pg_database d ON d.oid = s.dbid WHERE d.datname = current_database() AND query ~ '[$]1' \
         AND query ~ 'accounts|identifiers|sessions' AND query !~ 'generate_series|pg_' ORDER BY calls DESC",
    )?;
    let mut table = Table::new(
        "Statements and how they find their rows",
        ["statement", "calls", "mean µs", "by"],
    );
    let mut walks = 0;
    for line in listed.lines() {
        let mut cells = line.split('|');
        let calls: f64 = cells.next().and_then(|cell| cell.parse().ok()).unwrap_or(0.0);
        let mean: f64 = cells.next().and_then(|cell| cell.parse().ok()).unwrap_or(0.0);
        let statement = text(cells.next().unwrap_or_default());
        let plan = plan(cluster, &statement)?;
        let (by, is_walk) = ways(&plan);
        walks += u64::from(is_walk);
        let words = statement.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut shown: String = words.chars().take(SHOWN).collect();
        if shown.len() < words.len() {
            shown.push('…');
        }
        table.row([
            Cell::from(format!("`{shown}`")),
            calls.into(),
            (mean * 1e3).into(),
            by.into(),
        ]);
    }
    draft.table(table);
    draft.figure(
        "statements of requests that walk through a whole table",
        number(walks),
        "",
        Goal::AtMost(0.0),
    );
    Ok(())
}

/// The text behind hexadecimal digits.
fn text(digits: &str) -> String {
    let digits: Vec<u32> = digits.chars().filter_map(|digit| digit.to_digit(16)).collect();
    let bytes = digits
        .chunks(2)
        .map(|two| two.iter().fold(0, |byte, digit| byte * 16 + digit));
    let bytes: Vec<u8> = bytes.filter_map(|byte| u8::try_from(byte).ok()).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The plan of a statement that knows nothing of its parameters, as a prepared one is run.
fn plan(cluster: &Cluster, statement: &str) -> Result<String> {
    let parameters = (1..=20)
        .take_while(|number| statement.contains(&format!("${number}")))
        .count();
    let nulls = vec!["NULL"; parameters].join(", ");
    cluster.sql(
        "large",
        &format!(
            "SET plan_cache_mode = force_generic_plan; PREPARE asked AS {statement}; EXPLAIN EXECUTE asked ({nulls})"
        ),
    )
}

/// The indexes of a plan, and whether it walks through a table that is not known to be small.
fn ways(plan: &str) -> (String, bool) {
    let (mut by, mut is_walk) = (Vec::new(), false);
    for line in plan.lines() {
        let line = line.trim_start_matches([' ', '-', '>']);
        let index = line
            .split_once("Index Scan using ")
            .or_else(|| line.split_once("Index Only Scan using "));
        let index = index.or_else(|| line.split_once("Bitmap Index Scan on "));
        if let Some((_, rest)) = index {
            by.extend(rest.split_whitespace().next().map(str::to_owned));
        } else if let Some((_, rest)) = line.split_once("Seq Scan on ") {
            let table = rest.split_whitespace().next().unwrap_or_default();
            by.push(format!("all of {table}"));
            is_walk |= !["signing_keys", "secrets", "endings", "realms"].contains(&table);
        }
    }
    by.dedup();
    let by = if by.is_empty() {
        "nothing to find".to_owned()
    } else {
        by.join(", ")
    };
    (by, is_walk)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plans_are_read() {
        let plan = "Nested Loop\n  ->  Index Scan using a_pkey on a  (cost)\n  ->  Seq Scan on endings  (cost)";
        assert_eq!(ways(plan), ("a_pkey, all of endings".into(), false));
        assert_eq!(ways("Seq Scan on accounts  (cost)"), ("all of accounts".into(), true));
        assert_eq!(ways("Result  (cost)"), ("nothing to find".into(), false));
        assert_eq!(text("53454c454354"), "SELECT");
    }
}
