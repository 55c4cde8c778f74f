//! Parameters of statements that nobody sees.
//!
//! The surprise: the driver itself writes what a statement is given to the log, at level debug and through the crate `log`.
//! Where doorward is part of another program that is the log of that program, and what is given are password hashes,
//! signing keys and e-mail addresses. So it is given what prints as `(..)`.

use std::error::Error;
use std::fmt;

use bytes::BytesMut;
use tokio_postgres::types::{Format, IsNull, ToSql, Type};

use super::link::Parameters;

pub(super) struct Hidden<'a>(&'a (dyn ToSql + Sync));

/// Every one of these, hidden.
pub(super) fn hide(parameters: Parameters<'_>) -> Vec<Hidden<'_>> {
    parameters.iter().map(|parameter| Hidden(*parameter)).collect()
}

/// What is hidden, as the driver takes it.
pub(super) fn given<'a>(hidden: &'a [Hidden<'_>]) -> Vec<&'a (dyn ToSql + Sync)> {
    let mut given: Vec<&(dyn ToSql + Sync)> = Vec::with_capacity(hidden.len());
    for hidden in hidden {
        given.push(hidden);
    }
    given
}

impl fmt::Debug for Hidden<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(..)")
    }
}

impl ToSql for Hidden<'_> {
    fn to_sql(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.to_sql_checked(kind, out)
    }

    /// Whether it is of the right kind is looked at where it is written.
    fn accepts(_: &Type) -> bool {
        true
    }

    fn to_sql_checked(&self, kind: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.to_sql_checked(kind, out)
    }

    fn encode_format(&self, kind: &Type) -> Format {
        self.0.encode_format(kind)
    }
}
