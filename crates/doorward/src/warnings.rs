//! What can be set or left so and should not be: said in the log, once, at the start.
//!
//! The surprise: none of it keeps a server from starting. Cheap hashes are right for tests and benchmarks, and whoever
//! cannot change the mode of a file that was mounted for them can still have it read by nobody else.

use std::path::{Path, PathBuf};

use crate::config::{Config, Database, HashScheme};

/// The least that OWASP's Password Storage Cheat Sheet advises for argon2id: KiB and passes, each row as
/// good as another.
const OWASP_ARGON2ID: [(u32, u32); 5] = [(47_104, 1), (19_456, 2), (12_288, 3), (9_216, 4), (7_168, 5)];

/// The least cost that it advises for bcrypt.
const OWASP_BCRYPT: u32 = 10;

/// The bits of a file's mode that let others than its owner read, write or run it.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// Warns of new hashes that are cheaper to guess by than they should be.
pub(crate) fn weak_hashes(config: &Config) {
    if let Some(weakness) = weakness(config) {
        tracing::warn!("{weakness}");
    }
}

fn weakness(config: &Config) -> Option<String> {
    let (memory, passes, cost) = (config.hash_memory_kib, config.hash_passes, config.bcrypt_cost);
    match config.hash_scheme {
        HashScheme::Argon2id => {
            let is_enough = |(least, times): &(u32, u32)| memory >= *least && passes >= *times;
            let rows = OWASP_ARGON2ID.map(|(memory, passes)| format!("{memory} with {passes}"));
            (!OWASP_ARGON2ID.iter().any(is_enough)).then(|| {
                format!(
                    "new passwords are hashed with less than OWASP advises at least: `hash_memory_kib` is {memory} \
                     with `hash_passes` {passes}, and should be one of {}",
                    rows.join(", ")
                )
            })
        }
        HashScheme::Bcrypt => (cost < OWASP_BCRYPT).then(|| {
            format!(
                "new passwords are hashed with less than OWASP advises at least: `bcrypt_cost` is {cost}, and should \
                 be {OWASP_BCRYPT}"
            )
        }),
    }
}

/// Warns of files with secrets that others on the machine may read: those of settings, and a SQLite database, which has
/// password hashes and signing keys. doorward makes it for its owner alone; a copy of it may be another's.
pub(crate) fn open_files(config: &Config, secret_files: &[PathBuf]) {
    let database = match &config.database {
        Database::Sqlite(path) => Some(path),
        Database::Postgres(_) => None,
    };
    for path in secret_files.iter().chain(database).filter(|path| is_open(path)) {
        let file = path.display();
        tracing::warn!("others on this machine may read this file, and it holds secrets: `chmod 600 {file}`");
    }
}

/// Whether others than its owner have any right to a file. One that is not there yet, or cannot be looked at, is
/// told of by whoever opens it.
#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|file| file.permissions().mode() & OTHERS != 0)
}

/// The same where files have no such mode.
#[cfg(not(unix))]
fn is_open(_path: &Path) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_below_what_owasp_advises_are_told() {
        let argon2id = |hash_memory_kib, hash_passes| Config {
            hash_memory_kib,
            hash_passes,
            bcrypt_cost: 4,
            ..Config::default()
        };
        assert_eq!(weakness(&Config::default()), None);
        for (memory, passes) in OWASP_ARGON2ID {
            assert_eq!(weakness(&argon2id(memory, passes)), None, "{memory} {passes}");
            let said = weakness(&argon2id(memory - 1, passes)).unwrap();
            assert!(said.contains("19456 with 2") && said.contains("7168 with 5"), "{said}");
        }
        assert!(weakness(&argon2id(8, 64)).is_some());
        assert!(weakness(&argon2id(1_048_576, 1)).is_none());
        let bcrypt = |bcrypt_cost| Config {
            hash_scheme: HashScheme::Bcrypt,
            hash_memory_kib: 8,
            bcrypt_cost,
            ..Config::default()
        };
        assert_eq!(weakness(&bcrypt(10)), None);
        assert!(
            weakness(&bcrypt(9))
                .unwrap()
                .contains("`bcrypt_cost` is 9, and should be 10")
        );
    }
}
