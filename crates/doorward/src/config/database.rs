//! Which database: `sqlite:PATH`.
//!
//! The surprise: there is no database in memory. Sign-in that forgets everybody when it stops is a mistake
//! more often than a wish, and a file in a temporary folder does as well.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// A database to remember in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Database {
    /// SQLite in this file, which is made if need be.
    Sqlite(PathBuf),
}

impl Database {
    /// The file.
    pub(crate) fn path(&self) -> &Path {
        let Self::Sqlite(path) = self;
        path
    }
}

impl FromStr for Database {
    /// What would be right.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let Some(path) = text.strip_prefix("sqlite:") else {
            return Err(match text.split_once(':') {
                Some(("postgres" | "postgresql", _)) => {
                    "this version remembers in SQLite only: write `sqlite:PATH`".to_owned()
                }
                Some(_) => "write `sqlite:PATH`".to_owned(),
                None => format!("write `sqlite:{text}`"),
            });
        };
        if path.is_empty() {
            return Err("name a file, as in `sqlite:doorward.db`".into());
        }
        if path.contains(":memory:") {
            return Err("name a file; for a trial one in a temporary folder will do".into());
        }
        // Two slashes would be a host in other URLs, and the root folder here.
        match path.strip_prefix("//") {
            Some(rest) if !rest.starts_with('/') => Err(format!("write `sqlite:{rest}` or `sqlite:/{rest}`")),
            _ => Ok(Self::Sqlite(PathBuf::from(path))),
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite:{}", self.path().display())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in ["sqlite:doorward.db", "sqlite:/var/lib/doorward/db", "sqlite:a b.db"] {
            assert_eq!(text.parse::<Database>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn says_what_would_be_right() {
        for (wrong, hint) in [
            ("doorward.db", "write `sqlite:doorward.db`"),
            ("postgres://localhost/x", "SQLite only"),
            ("sqlite:", "name a file"),
            ("sqlite::memory:", "temporary"),
            ("sqlite://x.db", "write `sqlite:x.db` or `sqlite:/x.db`"),
        ] {
            let said = wrong.parse::<Database>().unwrap_err();
            assert!(said.contains(hint), "{wrong}: {said}");
        }
    }
}
