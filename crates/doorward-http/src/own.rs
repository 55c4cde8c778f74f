//! The paths that are the server's own, at the root, whatever is mounted there. The routers that answer them and the
//! table that keeps contracts away from them name the same ones.

pub(crate) const HEALTHZ: &str = "/healthz";
pub(crate) const READYZ: &str = "/readyz";
pub(crate) const METRICS: &str = "/metrics";
pub(crate) const DOCS: &str = "/docs";
pub(crate) const JWKS: &str = "/.well-known/jwks.json";
pub(crate) const VERIFY: &str = "/v1/verify";
pub(crate) const INTROSPECT: &str = "/v1/introspect";
pub(crate) const REVOKE: &str = "/v1/revoke";
pub(crate) const ENDED_SESSIONS: &str = "/v1/ended-sessions";
pub(crate) const STATUS_LIST: &str = "/v1/status-lists/{list}";

/// All of them, also those that a setting turns off: turning one on must not break a contract.
pub(crate) const PATHS: [&str; 10] = [
    HEALTHZ,
    READYZ,
    METRICS,
    DOCS,
    JWKS,
    VERIFY,
    INTROSPECT,
    REVOKE,
    ENDED_SESSIONS,
    STATUS_LIST,
];

/// Where the OpenAPI document of what is mounted under a prefix is.
pub(crate) fn document(prefix: &str) -> String {
    format!("{prefix}/openapi.json")
}
