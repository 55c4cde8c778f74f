//! What may be done to the schema of a database that is opened.
//!
//! The surprise: to be left alone is a wish of its own. Whoever only looks at a database must not be the one after whom
//! the servers that run on it cannot be started again.

use std::fmt;

use doorward_core::SetupError;

/// What may be done to the schema of a database that is opened. A newer one than this program knows is always refused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Schema {
    /// It is made, or brought up to date.
    #[default]
    Update,
    /// It is made where there is none; an older one is refused.
    Make,
    /// Nothing: an older one is refused, and so is a database without any.
    Keep,
}

impl Schema {
    /// # Errors
    /// When a database that has seen so many migrations would have to be changed, and may not be.
    pub(crate) fn allow(self, shown: impl fmt::Display, seen: usize, needed: usize) -> Result<(), SetupError> {
        if seen == needed || self == Self::Update || seen == 0 && self == Self::Make {
            return Ok(());
        }
        Err(match seen {
            0 => SetupError::new(
                format!("the database {shown} is empty"),
                "`doorward serve` makes what belongs in it; name the database that a server has used",
            ),
            _ => SetupError::new(
                format!("the database {shown} has schema version {seen}; this doorward needs {needed}"),
                "make a backup and start `doorward serve` once, which brings it up to date; older servers cannot use it \
                 after that",
            ),
        })
    }
}
