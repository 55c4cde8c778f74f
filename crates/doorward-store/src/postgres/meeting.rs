//! Where those who share a database meet: two locks and a channel. Each schema has its own, since each may be the
//! database of another doorward.
//!
//! The surprise: in the schema `public` they have the plain names. Before the schema was looked at these were the names
//! everywhere, and while nodes are replaced one by one, an older and a newer one have to wait for and to wake each other.

/// Under which everybody who migrates waits for each other: `doorward` in ASCII.
const MIGRATES: i64 = 0x646f_6f72_7761_7264;

/// What everybody holds who uses the database, and a move holds alone: `doorware`, beside the lock of the migrations.
const IN_USE: i64 = 0x646f_6f72_7761_7265;

/// The schema that the tables are in, unless it is the usual one. By its number: names may be longer than that of a
/// channel.
const SCHEMA: &str = "FROM pg_catalog.pg_namespace WHERE nspname = current_schema() AND nspname <> 'public'";

/// The lock of the migrations, for a statement.
pub(super) fn migrates() -> String {
    lock(MIGRATES)
}

/// The lock of those who use the database, for a statement.
pub(super) fn in_use() -> String {
    lock(IN_USE)
}

/// The last byte is what two locks of one schema differ in.
fn lock(key: i64) -> String {
    format!("{key} + COALESCE((SELECT 256 * oid::bigint {SCHEMA}), 0)")
}

/// The name of the channel on which nodes tell each other, for a statement.
pub(super) fn channel() -> String {
    format!("'doorward' || COALESCE((SELECT '_' || oid::text {SCHEMA}), '')")
}
