//! What is served where.
//!
//! The surprise: without any configuration a contract can be served twice, under its name and at the root, so
//! that a front end which knows nothing of prefixes works at once.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use doorward_core::SetupError;
use doorward_core::error::did_you_mean;
use doorward_http::Mount;
use doorward_http::contract::{self, Contract, builtin};

use crate::config::Placement;
use crate::printable::{printable, shown};

/// The most bytes of a contract file: more than ten times the longest that is built in.
const MAX_FILE: u64 = 1 << 20;

/// How much longer than the longest life of a token a rotated key goes on verifying, for clocks that differ.
const KEY_MARGIN: Duration = Duration::from_hours(1);

/// For how long a rotated key goes on verifying at least: contracts may be served later whose tokens live for
/// a day, as most do.
const LEAST_KEY_OVERLAP: Duration = Duration::from_hours(25);

/// The contracts to serve. None stands for every built-in one under `/<name>`, and at the root those that say
/// so.
///
/// # Errors
/// When there is no such contract, or its file cannot be read or has a fault.
pub(crate) fn mounts(placements: &[Placement]) -> Result<Vec<Mount>, SetupError> {
    if placements.is_empty() {
        return default_mounts();
    }
    let mounts = placements.iter().map(|placement| {
        let contract = Arc::new(find(placement)?);
        let prefix = placement.prefix.clone().unwrap_or_else(|| contract.prefix.clone());
        Ok(Mount { contract, prefix })
    });
    mounts.collect()
}

fn default_mounts() -> Result<Vec<Mount>, SetupError> {
    let all = builtin::ALL
        .iter()
        .map(|(name, text)| built_in(name, text).map(Arc::new));
    let all: Vec<Arc<Contract>> = all.collect::<Result<_, _>>()?;
    let named = all.iter().map(|contract| (contract, format!("/{}", contract.name)));
    let root = all
        .iter()
        .filter(|contract| contract.root)
        .map(|contract| (contract, String::new()));
    let mounts = named.chain(root).map(|(contract, prefix)| Mount {
        contract: Arc::clone(contract),
        prefix,
    });
    Ok(mounts.collect())
}

fn find(placement: &Placement) -> Result<Contract, SetupError> {
    if let Some(path) = placement.file() {
        return read(&path);
    }
    let name = placement.contract.as_str();
    if let Some(text) = builtin::find(name) {
        return built_in(name, text);
    }
    let hint = if Path::new(name).is_file() {
        format!("write `./{name}` for the file")
    } else {
        let meant = did_you_mean(name, builtin::ALL.iter().map(|(name, _)| *name));
        format!("{meant} (a file has a `/` in its path or ends in `.toml`)")
    };
    Err(SetupError::new(
        format!("there is no built-in contract `{}`", printable(name)),
        printable(&hint),
    ))
}

fn built_in(name: &str, text: &str) -> Result<Contract, SetupError> {
    Ok(contract::parse(&format!("{name}.toml"), text)?)
}

/// The contract in a file.
///
/// # Errors
/// When the file cannot be read or has a fault.
pub(crate) fn read(path: &Path) -> Result<Contract, SetupError> {
    let shown = shown(path);
    let mut text = String::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_string(&mut text));
    if let Err(error) = read {
        return Err(SetupError::new(
            format!("the contract file {shown} cannot be read: {error}"),
            "`doorward contract show NAME > mine.toml` makes one to start from",
        ));
    }
    if text.len() as u64 > MAX_FILE {
        return Err(SetupError::new(
            format!("the contract file {shown} has more than {MAX_FILE} bytes"),
            "name another file",
        ));
    }
    Ok(contract::parse(&shown, &text)?)
}

/// For how long a rotated key has to go on verifying: until every token it signed is dead by age.
pub(crate) fn key_overlap(mounts: &[Mount]) -> Duration {
    let lives = mounts.iter().map(|mount| mount.contract.token.lifetime);
    let longest = lives.max().unwrap_or_default();
    longest.saturating_add(KEY_MARGIN).max(LEAST_KEY_OVERLAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(placements: &[&str]) -> Result<Vec<(String, String)>, SetupError> {
        let placements: Vec<Placement> = placements.iter().map(|text| text.parse().unwrap()).collect();
        let mounts = mounts(&placements)?;
        Ok(mounts
            .iter()
            .map(|mount| (mount.contract.name.clone(), mount.prefix.clone()))
            .collect())
    }

    #[test]
    fn by_default_each_is_under_its_name_and_some_are_at_the_root() {
        let served = served(&[]).unwrap();
        for (name, _) in builtin::ALL {
            assert!(served.contains(&(name.to_owned(), format!("/{name}"))), "{name}");
        }
        let root: Vec<_> = served.iter().filter(|(_, prefix)| prefix.is_empty()).collect();
        assert_eq!(root.len(), 3, "{root:?}");
        assert_eq!(served.len(), builtin::ALL.len() + 3);
    }

    #[test]
    fn placements_replace_the_default() {
        let (first, _) = builtin::ALL[0];
        let here = served(&[first, &format!("{first}@/x/"), &format!("{first}@")]).unwrap();
        let prefixes: Vec<_> = here.into_iter().map(|(_, prefix)| prefix).collect();
        assert_eq!(prefixes, [format!("/{first}"), "/x".into(), String::new()]);
    }

    #[test]
    fn what_is_not_there_is_refused_with_a_hint() {
        let said = served(&["nobody"]).unwrap_err().to_string();
        assert!(
            said.contains("no built-in contract `nobody`\nhint: there are: "),
            "{said}"
        );
        let said = served(&["./nobody.toml"]).unwrap_err().to_string();
        assert!(
            said.contains("./nobody.toml cannot be read") && said.contains("hint: "),
            "{said}"
        );
    }

    #[test]
    fn a_fault_of_a_file_is_told_as_it_stands_in_the_file() {
        let folder = crate::tests::Folder::new("fault");
        let path = folder.join("contract.toml");
        std::fs::write(&path, "[contract]\nname = 5\n").unwrap();
        let said = served(&[&path.display().to_string()]).unwrap_err().to_string();
        assert!(said.starts_with("error: ") && said.contains("2 | name = 5"), "{said}");
        assert_eq!(
            said.matches("error: ").count() + said.matches("hint: ").count(),
            2,
            "{said}"
        );
    }

    #[test]
    fn keys_outlive_tokens() {
        assert_eq!(key_overlap(&[]), LEAST_KEY_OVERLAP);
        let longest = mounts(&[])
            .unwrap()
            .iter()
            .map(|mount| mount.contract.token.lifetime)
            .max()
            .unwrap();
        assert!(key_overlap(&mounts(&[]).unwrap()) >= longest + KEY_MARGIN);
    }
}
