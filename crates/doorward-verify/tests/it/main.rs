//! The verifier against servers that say whatever a test wants, most of it nonsense. That it does what it should with
//! the real one is tested where the real one is: `crates/doorward/tests/it/verifier.rs`.

#![expect(
    clippy::disallowed_methods,
    reason = "a test has deadlines and threads of its own; nothing here is served to anybody"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "in a test the panic is the message"
)]

mod feed;
mod introspection;
mod keys;
mod log;
mod stranger;
mod tls;
