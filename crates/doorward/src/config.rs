//! How a server is set up: plain fields, each with a default that works.
//!
//! `doorward serve` fills a [`Config`] from its layers (defaults, file, environment, flags); a program that
//! embeds doorward fills one in code. The surprise: nothing is called a default anywhere else. The manual and
//! `doorward config` show what [`Config::default`] holds.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::Uri;
use doorward_core::SetupError;
use doorward_core::hasher::{HasherConfig, Scheme};
use doorward_core::password::{Blocklist, PasswordPolicy};
use doorward_core::secret::Secret;
use doorward_core::status_list::StatusListPolicy;
use doorward_core::throttle::ThrottleConfig;
use doorward_http::{SecureCookies, Settings};

mod chapters;
mod database;
pub(crate) mod environment;
pub(crate) mod file;
mod kind;
pub(crate) mod layers;
mod log_level;
pub(crate) mod manual;
pub(crate) mod network;
mod placement;
mod settings;
mod units;

pub use database::Database;
pub use log_level::LogLevel;
pub use placement::Placement;

/// Everything that can be set. `docs/configuration.md` says what each field is for, under the same name.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a setting of its own, as `true` or `false` in the file"
)]
pub struct Config {
    /// Where `doorward serve` listens: address or host name, and port. Port 0 takes a free one.
    pub listen: String,
    /// The database.
    pub database: Database,
    /// Whether the nodes of a PostgreSQL database tell each other of changes.
    pub database_notify: bool,
    /// The contracts to serve; none stands for all that are built in.
    pub contracts: Vec<Placement>,
    /// The origins whose pages may read answers; the word `loopback` stands for every origin on this machine.
    pub origins: Vec<String>,
    /// Addresses or CIDR networks of proxies that are believed about the requests that they pass on.
    pub trusted_proxies: Vec<String>,
    /// The sign-in pages that a proxy may have a browser sent to, by `/v1/verify?sign_in=…`.
    pub sign_in: Vec<String>,
    /// Whether cookies are `Secure`.
    pub secure_cookies: SecureCookies,
    /// Switches of contracts to turn on, as `contract.switch`.
    pub switches: Vec<String>,
    /// Whether an unknown account is answered like a wrong password, also where a contract tells them apart.
    pub hide_accounts: bool,

    /// The `iss` of every token (RFC 7519 section 4.1.1).
    pub issuer: String,
    /// A secret shared with other services, of 32 bytes at least: tokens are HS256 with it, else ES256.
    pub jwt_secret: Option<Secret>,
    /// Where this server is reached from outside: status lists have addresses below it, and without it there are none.
    pub public_url: Option<String>,
    /// Whether tokens name their place in a status list.
    pub status_list: bool,

    /// How new passwords are hashed.
    pub hash_scheme: HashScheme,
    /// Memory of an argon2id hash, in KiB.
    pub hash_memory_kib: u32,
    /// Passes of an argon2id hash over its memory.
    pub hash_passes: u32,
    /// Lanes of an argon2id hash.
    pub hash_lanes: u32,
    /// Two to the power of this many rounds of bcrypt.
    pub bcrypt_cost: u32,
    /// Threads that hash; 0 takes one for each core.
    pub hash_threads: u32,
    /// How long a password may wait for a hash thread.
    pub hash_wait: Duration,

    /// Code points from which on a new password is strong by its length.
    pub password_long: u32,
    /// Code points that a strong password has at least.
    pub password_short: u32,
    /// The least zxcvbn score, 0 to 4, of a strong password that is not long.
    pub password_min_score: u32,
    /// A file of passwords that are refused, one on each line.
    pub password_blocklist: Option<PathBuf>,

    /// Whether attempts at passwords are limited.
    pub throttle: bool,
    /// Attempts in a row on one account before the first delay.
    pub throttle_attempts: u32,
    /// The longest delay between two attempts on one account.
    pub throttle_max_delay: Duration,
    /// Failed attempts from one address in one window.
    pub throttle_per_address: u32,
    /// How long such a window lasts.
    pub throttle_window: Duration,
    /// Registrations from one address in one window.
    pub throttle_registrations: u32,

    /// How the log is written.
    pub log_format: LogFormat,
    /// What is logged: a level, or levels by target.
    pub log_level: LogLevel,
    /// Whether `/metrics` is served.
    pub metrics: bool,

    /// How many sessions an account may have: far more than devices, since some programs log in for each request.
    pub sessions_per_account: u32,
    /// How long the body of a request may take to arrive.
    pub body_timeout: Duration,
    /// How long a stop waits for requests in flight.
    pub stop_timeout: Duration,
    /// Connections at once; further ones wait until one closes.
    pub max_connections: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: "127.0.0.1:8080".into(),
            database: Database::Sqlite("doorward.db".into()),
            database_notify: true,
            contracts: Vec::new(),
            origins: vec!["loopback".into()],
            trusted_proxies: Vec::new(),
            sign_in: Vec::new(),
            secure_cookies: SecureCookies::Auto,
            switches: Vec::new(),
            hide_accounts: false,
            issuer: "doorward".into(),
            jwt_secret: None,
            public_url: None,
            status_list: false,
            hash_scheme: HashScheme::Argon2id,
            hash_memory_kib: 19_456,
            hash_passes: 2,
            hash_lanes: 1,
            bcrypt_cost: 12,
            hash_threads: 0,
            hash_wait: Duration::from_secs(5),
            password_long: 15,
            password_short: 8,
            password_min_score: 3,
            password_blocklist: None,
            throttle: true,
            throttle_attempts: 20,
            throttle_max_delay: Duration::from_mins(1),
            throttle_per_address: 200,
            throttle_window: Duration::from_mins(10),
            throttle_registrations: 100,
            log_format: LogFormat::Text,
            log_level: LogLevel::default(),
            metrics: true,
            sessions_per_account: 10_000,
            body_timeout: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(30),
            max_connections: 10_000,
        }
    }
}

/// How new passwords are hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashScheme {
    /// Argon2id (RFC 9106).
    Argon2id,
    /// bcrypt, for databases that other software reads too.
    Bcrypt,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for a person.
    Text,
    /// A JSON object for a machine.
    Json,
}

/// What the parts of the server are given.
impl Config {
    pub(crate) fn hasher(&self) -> HasherConfig {
        let scheme = match self.hash_scheme {
            HashScheme::Argon2id => Scheme::Argon2id {
                m_kib: self.hash_memory_kib,
                t: self.hash_passes,
                p: self.hash_lanes,
            },
            HashScheme::Bcrypt => Scheme::Bcrypt { cost: self.bcrypt_cost },
        };
        let threads = match self.hash_threads {
            0 => HasherConfig::default().threads,
            threads => threads as usize,
        };
        HasherConfig {
            scheme,
            threads,
            wait: self.hash_wait,
        }
    }

    pub(crate) fn throttle(&self) -> ThrottleConfig {
        ThrottleConfig {
            free_attempts: self.throttle_attempts,
            max_delay: self.throttle_max_delay,
            per_address: self.throttle_per_address,
            window: self.throttle_window,
            registrations: self.throttle_registrations,
            enabled: self.throttle,
        }
    }

    /// # Errors
    /// When the blocklist cannot be read or the lengths contradict each other.
    pub(crate) fn passwords(&self) -> Result<PasswordPolicy, SetupError> {
        if self.password_short > self.password_long {
            return Err(SetupError::new(
                format!(
                    "`password_short` ({}) is more than `password_long` ({})",
                    self.password_short, self.password_long
                ),
                "a password of `password_long` characters is strong; one of `password_short` has to be hard to guess",
            ));
        }
        let blocklist = match &self.password_blocklist {
            Some(path) => Blocklist::read(path)?,
            None => Blocklist::default(),
        };
        Ok(PasswordPolicy {
            long: self.password_long as usize,
            short: self.password_short as usize,
            min_score: u8::try_from(self.password_min_score).unwrap_or(u8::MAX),
            service_name: self.issuer.clone(),
            service_host: self.public_host().unwrap_or_default(),
            blocklist,
        })
    }

    /// The host of `public_url`.
    fn public_host(&self) -> Option<String> {
        let url: Uri = self.public_url.as_deref()?.parse().ok()?;
        url.host().map(str::to_owned)
    }

    /// # Errors
    /// When tokens are to name lists that have no address.
    pub(crate) fn status_lists(&self) -> Result<Option<StatusListPolicy>, SetupError> {
        if self.status_list && self.public_url.is_none() {
            return Err(SetupError::new(
                "`status_list` is on, and there is no `public_url`",
                "set `public_url` to where this server is reached from outside, as in `https://login.example.com`",
            ));
        }
        Ok(self.public_url.clone().map(|public_url| StatusListPolicy {
            public_url,
            in_tokens: self.status_list,
        }))
    }

    pub(crate) fn http(&self) -> Settings {
        Settings {
            origins: self.origins.clone(),
            trusted_proxies: self.trusted_proxies.clone(),
            sign_in: self.sign_in.clone(),
            secure_cookies: self.secure_cookies,
            body_timeout: self.body_timeout,
            switches: self.switches.clone(),
            metrics: self.metrics,
            ..Settings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_parts() {
        let config = Config::default();
        assert_eq!(config.hasher().scheme, HasherConfig::default().scheme);
        assert_eq!(config.hasher().wait, HasherConfig::default().wait);
        let (ours, theirs) = (config.throttle(), ThrottleConfig::default());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
        let (ours, theirs) = (config.passwords().unwrap(), PasswordPolicy::default());
        assert_eq!(format!("{ours:?}"), format!("{theirs:?}"));
    }

    #[test]
    fn the_host_of_the_server_is_no_password() {
        let config = Config {
            public_url: Some("https://anmelden.kontorhaus.example:8443/login".into()),
            ..Config::default()
        };
        let passwords = config.passwords().unwrap();
        assert!(passwords.weakness("anmelden.kontorhaus.example", &[]).is_some());
        assert!(passwords.weakness("Kontorhaus", &[]).is_some());
    }

    #[test]
    fn lengths_of_passwords_that_contradict_each_other_are_refused() {
        let config = Config {
            password_long: 7,
            ..Config::default()
        };
        let error = config.passwords().unwrap_err().to_string();
        assert!(error.contains("`password_short` (8)"), "{error}");
    }
}
