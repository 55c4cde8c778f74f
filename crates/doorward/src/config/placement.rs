//! Which contract is served where: `NAME_OR_FILE[@PREFIX]`.
//!
//! The surprise: an `@` begins a prefix only where a slash or nothing follows, so that files may have one in
//! their path.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use doorward_http::contract::{self, PREFIX_HINT};

/// A contract to serve, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// A built-in contract by its name, or the path of a file: whatever has a `/` in it or ends in `.toml`.
    pub contract: String,
    /// `""` for the root, `/x` for everything under `/x`, or the contract's own prefix if not set.
    pub prefix: Option<String>,
}

impl Placement {
    /// The file to read; none if the contract is a built-in one.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        let name = &self.contract;
        (is_toml(name) || name.contains(['/', std::path::MAIN_SEPARATOR])).then(|| PathBuf::from(name))
    }
}

impl FromStr for Placement {
    /// What would be right.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (contract, prefix) = match text.rsplit_once('@') {
            Some((contract, prefix)) if prefix.is_empty() || prefix.starts_with('/') => (contract, Some(prefix)),
            Some((contract, prefix)) if !is_toml(text) => {
                return Err(format!("a prefix begins with a slash: write `{contract}@/{prefix}`"));
            }
            _ => (text, None),
        };
        if contract.is_empty() {
            return Err("name a built-in contract (`doorward contract list`) or a file".into());
        }
        Ok(Self {
            contract: contract.to_owned(),
            prefix: prefix.map(checked).transpose()?,
        })
    }
}

fn is_toml(name: &str) -> bool {
    Path::new(name)
        .extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("toml"))
}

/// A prefix without a slash at its end, if it is one.
fn checked(prefix: &str) -> Result<String, String> {
    contract::prefix(prefix)
        .map(str::to_owned)
        .ok_or_else(|| PREFIX_HINT.to_owned())
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.prefix.as_deref() {
            None => f.write_str(&self.contract),
            Some("") => write!(f, "{}@/", self.contract),
            Some(prefix) => write!(f, "{}@{prefix}", self.contract),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> (String, Option<String>) {
        let Placement { contract, prefix } = text.parse().unwrap();
        (contract, prefix)
    }

    #[test]
    fn tells_the_contract_from_its_prefix() {
        for (text, contract, prefix) in [
            ("mine", "mine", None),
            ("mine@", "mine", Some("")),
            ("mine@/", "mine", Some("")),
            ("mine@/api", "mine", Some("/api")),
            ("./my.toml@/api/v2/", "./my.toml", Some("/api/v2")),
            ("a@b/my.toml", "a@b/my.toml", None),
            ("a@b/my.toml@/x", "a@b/my.toml", Some("/x")),
        ] {
            assert_eq!(read(text), (contract.to_owned(), prefix.map(str::to_owned)), "{text}");
        }
    }

    #[test]
    fn tells_files_from_names() {
        let file = |text: &str| text.parse::<Placement>().unwrap().file();
        assert_eq!(file("mine"), None);
        assert_eq!(file("mine@/x"), None);
        assert_eq!(file("mine.toml"), Some("mine.toml".into()));
        assert_eq!(file("./mine@/x"), Some("./mine".into()));
    }

    #[test]
    fn refuses_prefixes_that_no_request_can_have() {
        for wrong in ["x@api", "x@//", "x@/a//b", "x@/{id}", "x@/a/../b", "x@/a b", "@/x", ""] {
            assert!(wrong.parse::<Placement>().is_err(), "{wrong}");
        }
    }
}
