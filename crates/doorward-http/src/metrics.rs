//! Metrics in the text format of Prometheus (OpenMetrics 1.0).
//!
//! The surprise: labels hold only names from contract files, actions and statuses. Nothing that a caller sends
//! becomes a label, so nobody can make the table grow.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use axum::http::StatusCode;
use doorward_core::Auth;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Bounds of the buckets of durations, in seconds: from an answer out of memory to a log-in in a queue.
const BUCKETS: [f64; 13] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0,
];

type Labels = [(&'static str, String); 3];

/// What is counted.
pub(crate) struct Metrics {
    requests: Family<Labels, Counter>,
    durations: Family<[(&'static str, String); 1], Histogram, fn() -> Histogram>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(|| Histogram::new(BUCKETS)),
        }
    }
}

impl Metrics {
    /// Counts a request.
    pub(crate) fn request(&self, contract: &str, action: &'static str, status: StatusCode, took: Duration) {
        let labels = [
            ("contract", contract.to_owned()),
            ("action", action.to_owned()),
            ("status", status.as_str().to_owned()),
        ];
        self.requests.get_or_create(&labels).inc();
        self.durations
            .get_or_create(&[("action", action.to_owned())])
            .observe(took.as_secs_f64());
    }

    /// The page that Prometheus reads.
    pub(crate) fn page(&self, auth: &Auth) -> String {
        let mut registry = Registry::with_prefix("doorward");
        registry.register("requests", "Requests answered", self.requests.clone());
        registry.register(
            "request_duration_seconds",
            "Time from head to answer",
            self.durations.clone(),
        );
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
                "verified_tokens",
                "Verified tokens kept in memory",
                auth.remembered_tokens() as u64,
            ),
        ];
        for (name, help, value) in gauges {
            let gauge = Gauge::<u64, AtomicU64>::default();
            gauge.set(value);
            registry.register(name, help, gauge);
        }
        for (name, help, value) in [
            ("hashes", "Passwords hashed or verified", hasher.done),
            (
                "hashes_refused",
                "Passwords refused because the queue was full",
                hasher.refused,
            ),
        ] {
            let counter = Counter::<u64>::default();
            counter.inc_by(value);
            registry.register(name, help, counter);
        }
        let mut page = String::new();
        match encode(&mut page, &registry) {
            Ok(()) => page,
            Err(_) => String::new(),
        }
    }
}
