//! The integration tests of doorward: one binary, so that they are linked once. Each test starts the real program
//! on a port of its own with a database of its own.

#![expect(
    clippy::disallowed_methods,
    reason = "a test has deadlines, threads and an environment of its own; nothing here is served to anybody"
)]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "in a test the panic is the message"
)]

mod cluster;
mod commands;
mod documents;
mod faults;
mod feed;
mod hashes;
mod hostile;
mod http;
mod introspection;
mod large;
mod load;
mod log;
mod model;
mod node;
mod operating;
mod operator;
mod postgres;
mod proxies;
mod races;
mod relay;
mod restart;
mod rules;
mod schema;
mod server;
mod service;
mod settings;
mod sqlite;
mod start;
mod status_lists;
mod stop;
mod theft;
mod tidy;
mod transcript;
mod verifier;
mod warnings;
mod work;
