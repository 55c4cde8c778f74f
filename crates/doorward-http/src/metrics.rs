//! Metrics in the text format of Prometheus (OpenMetrics 1.0).
//!
//! The surprise: labels hold only names from contract files, actions and statuses. Nothing that a caller sends
//! becomes a label, so nobody can make the table grow.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::StatusCode;
use doorward_core::Auth;
use doorward_core::hasher::HasherMetrics;
use prometheus_client::encoding::text::encode;
use prometheus_client::encoding::{
    EncodeLabel, EncodeLabelSet, EncodeMetric, LabelSetEncoder, MetricEncoder, NoLabelSet,
};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

use crate::connections::Connections;

/// Bounds of the buckets of durations, in seconds: from an answer out of memory to a log-in in a queue.
const BUCKETS: [f64; 13] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];

/// The label of a request that no contract has.
const NO_CONTRACT: &str = "none";

/// What is counted.
pub(crate) struct Metrics {
    contracts: Vec<Arc<str>>,
    none: Arc<str>,
    requests: Family<Labels, Counter>,
    durations: Family<[(&'static str, &'static str); 1], Histogram, fn() -> Histogram>,
}

/// The labels of a request. Made for each request, so nothing in them is copied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Labels {
    contract: Arc<str>,
    action: &'static str,
    status: u16,
}

impl EncodeLabelSet for Labels {
    fn encode(&self, encoder: &mut LabelSetEncoder<'_>) -> fmt::Result {
        ("contract", &*self.contract).encode(encoder.encode_label())?;
        ("action", self.action).encode(encoder.encode_label())?;
        ("status", self.status).encode(encoder.encode_label())
    }
}

impl Metrics {
    /// Counts requests of these contracts.
    pub(crate) fn new<'a>(contracts: impl Iterator<Item = &'a str>) -> Self {
        Self {
            contracts: contracts.map(Arc::from).collect(),
            none: NO_CONTRACT.into(),
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        }
    }

    /// Counts a request.
    pub(crate) fn request(&self, contract: &str, action: &'static str, status: StatusCode, took: Duration) {
        let known = self.contracts.iter().find(|known| ***known == *contract);
        let labels = Labels {
            contract: Arc::clone(known.unwrap_or(&self.none)),
            action,
            status: status.as_u16(),
        };
        self.requests.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&[("action", action)])
            .observe(took.as_secs_f64());
    }

    /// The page that Prometheus reads.
    pub(crate) fn page(&self, auth: &Auth, connections: Option<&Connections>) -> String {
        let mut registry = Registry::with_prefix("doorward");
        registry.register("requests", "Requests answered", self.requests.clone());
        registry.register(
            "request_duration_seconds",
            "Time from head to answer",
            self.durations.clone(),
        );
        if let Some(connections) = connections {
            let gauges = [
                ("connections", "Connections that are open", connections.open()),
                (
                    "connections_max",
                    "Connections that may be open at once",
                    connections.most(),
                ),
            ];
            register_gauges(
                &mut registry,
                gauges.map(|(name, help, value)| (name, help, value as u64)),
            );
        }
        let hasher = auth.hasher().metrics();
        let gauges = [
            ("hash_queue", "Passwords waiting for a hash thread", hasher.queued),
            ("hash_threads", "Hash threads", hasher.threads),
            (
                "hash_memory_per_thread_bytes",
                "Memory that one hash thread takes",
                hasher.memory_per_thread,
            ),
            (
                "ended_sessions",
                "Ended sessions kept in memory",
                auth.ended_sessions().len() as u64,
            ),
            (
                "event_streams",
                "Services that follow the feed of ended sessions",
                auth.ended_sessions().recent().followers() as u64,
            ),
            (
                "verified_tokens",
                "Verified tokens kept in memory",
                auth.remembered_tokens() as u64,
            ),
        ];
        register_gauges(&mut registry, gauges);
        let age = Gauge::<f64, AtomicU64>::default();
        age.set(auth.endings_age().as_secs_f64());
        registry.register(
            "ended_sessions_age_seconds",
            "Time since the database was asked for the ended sessions that are known",
            age,
        );
        register_hashes(&mut registry, hasher);
        let mut page = String::new();
        match encode(&mut page, &registry) {
            Ok(()) => page,
            Err(_) => String::new(),
        }
    }
}

/// What is so many now.
fn register_gauges(registry: &mut Registry, gauges: impl IntoIterator<Item = (&'static str, &'static str, u64)>) {
    for (name, help, value) in gauges {
        let gauge = Gauge::<u64, AtomicU64>::default();
        gauge.set(value);
        registry.register(name, help, gauge);
    }
}

/// What the hash pool counted.
fn register_hashes(registry: &mut Registry, hasher: HasherMetrics) {
    for (name, help, count) in [
        ("hashes", "Passwords hashed or verified", hasher.done),
        (
            "hashes_rescued",
            "Passwords hashed or verified by a rescuer, for want of processor time",
            hasher.rescued,
        ),
        (
            "hashes_paired",
            "Passwords hashed or verified two at once by one thread",
            hasher.paired,
        ),
    ] {
        let counter = Counter::<u64>::default();
        counter.inc_by(count);
        registry.register(name, help, counter);
    }
    let refused = Family::<[(&'static str, &'static str); 1], Counter>::default();
    for (reason, count) in hasher.refused {
        refused.get_or_create(&[("reason", reason)]).inc_by(count);
    }
    registry.register(
        "hashes_refused",
        "Passwords refused for want of a place or of time",
        refused,
    );
    for (name, help, histogram) in [
        (
            "hash_wait_seconds",
            "Time that a password waited for a hash thread",
            hasher.waits,
        ),
        (
            "hash_duration_seconds",
            "Time that a password took in a hash thread",
            hasher.hashes,
        ),
    ] {
        registry.register(name, help, Counted(histogram));
    }
}

/// A histogram that was counted elsewhere.
#[derive(Debug)]
struct Counted(doorward_core::hasher::Histogram);

impl EncodeMetric for Counted {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> fmt::Result {
        let Self(histogram) = self;
        encoder.encode_histogram::<NoLabelSet>(histogram.sum.as_secs_f64(), histogram.count, &histogram.buckets, None)
    }

    fn metric_type(&self) -> MetricType {
        MetricType::Histogram
    }
}
