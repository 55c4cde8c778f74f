//! How long after a logout the other nodes still take the token.
//!
//! The surprise: the time is counted from the answer to the logout, which comes after its commit. A node that refuses
//! before that has taken no time at all.

use std::time::Duration;

use crate::chart::{Chart, Kind, Series};
use crate::error::{Error, Result};
use crate::histogram::Histogram;
use crate::people::{grants, log_out, profile};
use crate::record::{Draft, Goal};
use crate::server::Server;
use crate::table::Table;
use crate::wire::Wire;
use crate::{Options, clock, print};

/// The bound that the documents promise.
const BOUND: Duration = Duration::from_secs(1);
/// No more than this is waited for one refusal, and for all.
const PATIENCE: Duration = Duration::from_secs(10);
const ALL: Duration = Duration::from_secs(240);

pub(super) struct Logouts {
    /// Until the last of the other nodes refused.
    last: Histogram,
}

impl Logouts {
    pub(super) fn measure(nodes: &[Server; 3], options: &Options) -> Result<Self> {
        let count = options.pick(1000, 20);
        print::progress(&format!("{count} logouts on three nodes"));
        let [first, ..] = nodes;
        let grants = grants(first.address, 0..count)?;
        let mut wires = Vec::new();
        for node in nodes {
            wires.push(Wire::open(node.address)?);
        }
        let mut last = Histogram::default();
        let end = clock::now() + ALL;
        for (turn, grant) in grants.iter().enumerate() {
            if clock::now() > end {
                break;
            }
            let asked = profile(&grant.access);
            for wire in &mut wires {
                wire.ask_for(200, &asked)?;
            }
            wires.rotate_left(turn % 3);
            let Some((ending, others)) = wires.split_first_mut() else {
                break;
            };
            ending.ask_for(204, &log_out(&grant.access))?;
            let ended = clock::now();
            let mut accept: Vec<&mut Wire> = others.iter_mut().collect();
            while !accept.is_empty() {
                let mut still = Vec::new();
                for wire in accept {
                    match wire.ask(&asked)?.status {
                        401 => {}
                        _ => still.push(wire),
                    }
                }
                accept = still;
                if ended.elapsed() > PATIENCE {
                    return Err(Error::new("a node takes a token ten seconds after its logout"));
                }
            }
            last.record(clock::now() - ended);
        }
        Ok(Self { last })
    }

    pub(super) fn tell(&self, draft: &mut Draft) {
        let columns = ["logouts", "p50 ms", "p99 ms", "p99.9 ms", "max ms"];
        let mut table = Table::new(
            "From the answer to a logout until every other node refuses its token",
            columns,
        );
        let last = &self.last;
        let row = [last.ms(0.5), last.ms(0.99), last.ms(0.999), last.max_ms()];
        table.row([last.count().into()].into_iter().chain(row.map(Into::into)));
        draft.table(table);
        let bound = BOUND.as_secs_f64() * 1e3;
        let what = "from a logout to its refusal on every node, the slowest";
        draft.figure(what, last.max_ms(), "ms", Goal::AtMost(bound));
        let shares: Vec<f64> = (0..=200).map(|part| f64::from(part) / 200.0).collect();
        draft.chart(Chart {
            title: "How soon after a logout all three nodes refuse the token".into(),
            kind: Kind::Curve {
                axis: "milliseconds after the answer".into(),
                x: vec![shares.iter().map(|share| last.ms(*share)).collect()],
            },
            measure: "percent of logouts".into(),
            by_tens: false,
            series: vec![Series::new(
                "refused",
                shares.iter().map(|share| share * 100.0).collect(),
            )],
        });
    }
}
