//! What a table looks like to a move: a name, columns, a key, and rows of plain values.
//!
//! The surprise: nothing here knows what an account is. A row is moved as it is stored, so that nothing of it can
//! be understood differently on the other side.

use aws_lc_rs::digest::{Context, SHA256};

/// What a column holds.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    /// 64 bits with a sign.
    Integer,
    /// UTF-8.
    Text,
    Bytes,
    /// The 16 bytes of a UUID, which PostgreSQL has a type for.
    Id,
}

/// What is in one column of one row. Has no `Debug`: some of it is secret.
#[derive(Clone)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Text(String),
    Bytes(Vec<u8>),
}

/// The values of a row, in the order of the columns.
pub(crate) type Row = Vec<Value>;

pub(crate) struct Table {
    pub(crate) name: &'static str,
    pub(crate) columns: &'static [(&'static str, Kind)],
    /// The columns, by position, that tell its rows apart and put them in order.
    pub(crate) key: &'static [usize],
}

impl Table {
    /// The columns with a comma between them.
    pub(crate) fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// The columns of the key.
    pub(crate) fn key_columns(&self) -> impl Iterator<Item = (&'static str, Kind)> {
        self.key.iter().filter_map(|at| self.columns.get(*at)).copied()
    }

    /// The key of a row.
    pub(crate) fn key_of(&self, row: &Row) -> Row {
        self.key.iter().filter_map(|at| row.get(*at)).cloned().collect()
    }
}

/// Every table, those that are referred to before those that refer to them. Where the engines count endings is
/// no table of both, and moved apart.
///
/// A text that is part of a key is compared by its bytes, so that its order is the same on every engine.
pub(crate) const TABLES: &[Table] = &[
    Table {
        name: "realms",
        columns: &[
            ("id", Kind::Integer),
            ("name", Kind::Text),
            ("next_number", Kind::Integer),
        ],
        key: &[0],
    },
    Table {
        name: "accounts",
        columns: &[
            ("id", Kind::Id),
            ("realm", Kind::Integer),
            ("number", Kind::Integer),
            ("object_id", Kind::Bytes),
            ("email", Kind::Text),
            ("username", Kind::Text),
            ("first_name", Kind::Text),
            ("last_name", Kind::Text),
            ("attributes", Kind::Text),
            ("password_hash", Kind::Text),
            ("created_at", Kind::Integer),
            ("updated_at", Kind::Integer),
            ("disabled_at", Kind::Integer),
        ],
        key: &[0],
    },
    Table {
        name: "identifiers",
        columns: &[
            ("account", Kind::Id),
            ("realm", Kind::Integer),
            ("canonical", Kind::Text),
        ],
        key: &[0, 1, 2],
    },
    Table {
        name: "sessions",
        columns: &[
            ("id", Kind::Id),
            ("account", Kind::Id),
            ("created_at", Kind::Integer),
            ("used_at", Kind::Integer),
            ("expires_at", Kind::Integer),
            ("address", Kind::Text),
            ("user_agent", Kind::Text),
            ("refresh_hash", Kind::Bytes),
            ("refresh_previous", Kind::Bytes),
            ("refresh_rotated_at", Kind::Integer),
            ("refresh_address", Kind::Text),
            ("refresh_user_agent", Kind::Text),
            ("status_index", Kind::Integer),
            ("access_until", Kind::Integer),
        ],
        key: &[0],
    },
    Table {
        name: "ended_sessions",
        columns: &[
            ("sequence", Kind::Integer),
            ("session", Kind::Id),
            ("expires_at", Kind::Integer),
            ("status_index", Kind::Integer),
            ("mark", Kind::Integer),
        ],
        key: &[0],
    },
    Table {
        name: "status_indices",
        columns: &[("id", Kind::Integer), ("next_index", Kind::Integer)],
        key: &[0],
    },
    Table {
        name: "signing_keys",
        columns: &[
            ("position", Kind::Integer),
            ("id", Kind::Text),
            ("pkcs8", Kind::Bytes),
            ("created_at", Kind::Integer),
        ],
        key: &[0],
    },
    Table {
        name: "secrets",
        columns: &[("name", Kind::Text), ("value", Kind::Bytes)],
        key: &[0],
    },
    Table {
        name: "clients",
        columns: &[
            ("id", Kind::Id),
            ("name", Kind::Text),
            ("secret_hash", Kind::Bytes),
            ("created_at", Kind::Integer),
        ],
        key: &[0],
    },
];

/// A SHA-256 over rows, the same for the same rows on every engine.
pub(crate) struct Digest(Context);

impl Digest {
    pub(crate) fn new() -> Self {
        Self(Context::new(&SHA256))
    }

    /// Each value enters with its kind and its length, so that no two different rows look the same.
    pub(crate) fn add(&mut self, row: &Row) {
        for value in row {
            match value {
                Value::Null => self.0.update(&[0]),
                Value::Integer(number) => {
                    self.0.update(&[1]);
                    self.0.update(&number.to_be_bytes());
                }
                Value::Text(text) => self.add_bytes(2, text.as_bytes()),
                Value::Bytes(bytes) => self.add_bytes(3, bytes),
            }
        }
    }

    fn add_bytes(&mut self, kind: u8, bytes: &[u8]) {
        self.0.update(&[kind]);
        self.0.update(&(bytes.len() as u64).to_be_bytes());
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> [u8; 32] {
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(self.0.finish().as_ref());
        sha256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(row: &Row) -> [u8; 32] {
        let mut digest = Digest::new();
        digest.add(row);
        digest.finish()
    }

    #[test]
    fn different_rows_have_different_digests() {
        let text = |text: &str| Value::Text(text.to_owned());
        let rows = [
            vec![text("ab"), text("c")],
            vec![text("a"), text("bc")],
            vec![text("abc"), text("")],
            vec![text("abc"), Value::Null],
            vec![Value::Bytes(b"abc".to_vec()), Value::Null],
            vec![Value::Integer(0), Value::Null],
            vec![Value::Null, Value::Integer(0)],
        ];
        for (at, row) in rows.iter().enumerate() {
            for other in &rows[at + 1..] {
                assert_ne!(digest(row), digest(other));
            }
            assert_eq!(digest(row), digest(&row.clone()));
        }
    }
}
