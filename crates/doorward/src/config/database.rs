//! Which database: `sqlite:PATH` or `postgres://…`.
//!
//! The surprise: there is no database in memory. Sign-in that forgets everybody when it stops is a mistake
//! more often than a wish, and a file in a temporary folder does as well.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use doorward_store::PostgresUrl;

/// A database to remember in. Prints without the password of a server.
#[derive(Clone, Debug)]
pub enum Database {
    /// SQLite in this file, which is made if need be.
    Sqlite(PathBuf),
    /// PostgreSQL, on a server that several nodes may share.
    Postgres(PostgresUrl),
}

/// What is right, for whoever wrote something else.
pub(super) const FORMS: &str = "`sqlite:PATH` or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`";

impl Database {
    /// Whether a text that was meant for a database may have a password in it.
    pub(super) fn may_hold_password(text: &str) -> bool {
        text.contains("//") || text.contains('@') || text.contains("password")
    }
}

impl FromStr for Database {
    /// What would be right.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.contains(char::is_control) {
            return Err(format!("write {FORMS}, without control characters"));
        }
        if text.starts_with("postgres:") || text.starts_with("postgresql:") {
            return text.parse().map(Self::Postgres);
        }
        let Some(path) = text.strip_prefix("sqlite:") else {
            return Err(
                if text.is_empty() || text.contains(':') || Self::may_hold_password(text) {
                    format!("write {FORMS}")
                } else {
                    format!("write `sqlite:{text}`")
                },
            );
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
        match self {
            Self::Sqlite(path) => write!(f, "sqlite:{}", path.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        for text in [
            "sqlite:doorward.db",
            "sqlite:/var/lib/doorward/db",
            "sqlite:a b.db",
            "postgres://ann@db.example:5432/door",
        ] {
            assert_eq!(text.parse::<Database>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn shows_no_password() {
        let database: Database = "postgresql://ann:hunter2@db.example/door".parse().unwrap();
        assert_eq!(database.to_string(), "postgres://ann@db.example:5432/door");
        assert!(!format!("{database:?}").contains("hunter2"));
    }

    #[test]
    fn says_what_would_be_right() {
        for (wrong, hint) in [
            ("doorward.db", "write `sqlite:doorward.db`"),
            ("", "write `sqlite:PATH` or `postgres://USER"),
            ("postgres:localhost/x", "write `postgres://USER"),
            (
                "mysql://ann:hunter2@localhost/x",
                "write `sqlite:PATH` or `postgres://USER",
            ),
            ("ann:hunter2@localhost", "write `sqlite:PATH` or `postgres://USER"),
            ("sqlite:", "name a file"),
            ("sqlite::memory:", "temporary"),
            ("sqlite://x.db", "write `sqlite:x.db` or `sqlite:/x.db`"),
        ] {
            let said = wrong.parse::<Database>().unwrap_err();
            assert!(said.contains(hint), "{wrong}: {said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}
