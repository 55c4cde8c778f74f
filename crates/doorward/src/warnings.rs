//! What can be set or left so and should not be: said in the log, once, at the start.
//!
//! The surprise: none of it keeps a server from starting. Cheap hashes are right for tests and benchmarks, and whoever
//! cannot change the mode of a file that was mounted for them can still have it read by nobody else.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use doorward_http::SecureCookies;

use crate::config::network::is_everybody;
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

/// Warns of settings that take protection away.
pub(crate) fn lost_protection(config: &Config) {
    for loss in losses(config, memory_kib()) {
        tracing::warn!("{loss}");
    }
}

fn losses(config: &Config, memory_kib: Option<u64>) -> Vec<String> {
    let mut losses = Vec::new();
    if !config.throttle {
        losses.push("`throttle` is `false`: passwords can be tried without a limit; it is for load tests only".into());
    }
    for network in config.trusted_proxies.iter().filter(|text| is_everybody(text)) {
        losses.push(format!(
            "`{network}` in `trusted_proxies` is every address: whoever asks can say which one is theirs, and with it \
             pass every limit of attempts"
        ));
    }
    if config.secure_cookies == SecureCookies::Never && is_public(config) {
        losses.push(
            "`secure_cookies` is `never`, and this server is reached from other machines: browsers send its cookies \
             without TLS, too, where anybody on the way can read them"
                .into(),
        );
    }
    let threads = config.hasher().threads;
    let hashes = u64::from(config.hash_memory_kib).saturating_mul(threads as u64);
    if config.hash_scheme == HashScheme::Argon2id && memory_kib.is_some_and(|all| hashes > all) {
        losses.push(format!(
            "{threads} hash threads take {} MiB, more than the memory of this machine: it may end the server while many log \
             in; lower `hash_threads` or `hash_memory_kib`",
            hashes / 1024
        ));
    }
    losses
}

/// Whether more than this machine asks this server, as far as the settings tell.
fn is_public(config: &Config) -> bool {
    let (host, _) = config.listen.rsplit_once(':').unwrap_or((&config.listen, ""));
    let is_loopback = match config.listen.parse::<SocketAddr>() {
        Ok(address) => address.ip().is_loopback(),
        Err(_) => host == "localhost",
    };
    let is_https = |url: &String| url.starts_with("https:");
    !is_loopback || config.public_url.as_ref().is_some_and(is_https)
}

/// The memory of this machine in KiB, if it says so.
fn memory_kib() -> Option<u64> {
    let told = std::fs::read_to_string("/proc/meminfo").ok()?;
    let total = told.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix(" kB")?.parse().ok()
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

/// Whether others than its owner have any right to a file. One that is not there yet, is none, or cannot be looked at
/// is told of by whoever opens it.
#[cfg(unix)]
fn is_open(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    path.metadata()
        .is_ok_and(|file| file.is_file() && file.permissions().mode() & OTHERS != 0)
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
    fn what_takes_protection_away_is_told() {
        let losses = |config: Config| losses(&config, Some(8 << 20));
        assert!(losses(Config::default()).is_empty());
        let never = |listen: &str, public_url: Option<&str>| Config {
            secure_cookies: SecureCookies::Never,
            listen: listen.into(),
            public_url: public_url.map(str::to_owned),
            ..Config::default()
        };
        for (listen, public_url, count) in [
            ("127.0.0.1:80", None, 0),
            ("[::1]:80", None, 0),
            ("localhost:80", Some("http://localhost"), 0),
            ("0.0.0.0:80", None, 1),
            ("login.example.com:80", None, 1),
            ("127.0.0.1:80", Some("https://login.example.com"), 1),
        ] {
            let told = losses(never(listen, public_url));
            assert_eq!(told.len(), count, "{listen}: {told:?}");
        }
        // Eight of one GiB are as many as fit.
        let hashes = |hash_threads| Config {
            hash_memory_kib: 1 << 20,
            hash_threads,
            ..Config::default()
        };
        assert!(losses(hashes(8)).is_empty());
        assert!(losses(hashes(9))[0].contains("9 hash threads take 9216 MiB"));
        let bcrypt = Config {
            hash_scheme: HashScheme::Bcrypt,
            ..hashes(9)
        };
        assert!(losses(bcrypt).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_is_no_open_file() {
        use std::os::unix::fs::PermissionsExt;
        let folder = crate::tests::Folder::new("open");
        std::fs::set_permissions(&*folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(!is_open(&folder));
        let file = folder.join("secret");
        std::fs::write(&file, "x").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(is_open(&file));
    }

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
