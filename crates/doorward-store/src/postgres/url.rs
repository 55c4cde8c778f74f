//! Where a PostgreSQL database is: `postgres://USER:PASSWORD@HOST:PORT/DATABASE?OPTIONS`.
//!
//! The surprise: nothing of the text is ever shown, not even where it is wrong. What is shown is put together
//! from what was understood, so that no mistake in a URL brings its password to the screen.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode};

/// A PostgreSQL database, with the password to it. Prints without the password.
///
/// Takes what PostgreSQL's own clients take: several hosts with a comma between them, `?host=/run/postgresql` for
/// a socket, `sslmode` (`disable`, `prefer`, and as one `require`, `verify-ca`, `verify-full`: each checks the
/// certificate and the name in it), `sslrootcert` (a file of certificates to trust in place of the system's),
/// `connect_timeout`, `options`, `application_name` and more.
#[derive(Clone)]
pub struct PostgresUrl {
    /// Boxed, since it is large and most databases are the name of a file.
    pub(super) config: Box<Config>,
    pub(super) root_certificates: Option<PathBuf>,
}

/// What is right, in one line.
const FORM: &str = "write `postgres://USER:PASSWORD@HOST:PORT/DATABASE`";

impl FromStr for PostgresUrl {
    /// What would be right.
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if !["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return Err(FORM.to_owned());
        }
        // What is before the first `@` is user and password, whatever characters it has.
        let (credentials, place) = text.split_once('@').map_or(("", text), |(user, place)| (user, place));
        if place.contains('@') {
            return Err("write `%40` for an `@` in the user or the password".to_owned());
        }
        let (place, query) = place.split_once('?').unwrap_or((place, ""));
        let mut root_certificates = None;
        let mut kept = Vec::new();
        for option in query.split('&').filter(|option| !option.is_empty()) {
            match option.split_once('=') {
                Some(("sslrootcert", path)) => {
                    let path = percent_decode_str(path).decode_utf8();
                    let path = path.map_err(|_| "`sslrootcert` names a file in UTF-8".to_owned())?;
                    root_certificates = Some(PathBuf::from(path.into_owned()));
                }
                Some(("sslmode", "verify-ca" | "verify-full")) => kept.push("sslmode=require"),
                _ => kept.push(option),
            }
        }
        let at = if credentials.is_empty() { "" } else { "@" };
        let query = kept.join("&");
        let config: Config = format!("{credentials}{at}{place}?{query}")
            .parse()
            .map_err(|error: tokio_postgres::Error| wrong(&error))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            return Err(format!(
                "{FORM}, or `postgres:///DATABASE?host=/run/postgresql` for a socket"
            ));
        }
        if root_certificates.is_some() && config.get_ssl_mode() != SslMode::Require {
            return Err(
                "write `sslmode=verify-full` beside `sslrootcert`, or nobody looks at the certificate".to_owned(),
            );
        }
        Ok(Self {
            config: Box::new(config),
            root_certificates,
        })
    }
}

/// The options whose value can be wrong.
const OPTIONS: [&str; 12] = [
    "host",
    "hostaddr",
    "port",
    "sslmode",
    "sslnegotiation",
    "connect_timeout",
    "tcp_user_timeout",
    "keepalives",
    "target_session_attrs",
    "channel_binding",
    "load_balance_hosts",
    "sslrootcert",
];

/// Which option is wrong, if it is one that we know: an unknown one may be the rest of a password.
fn wrong(error: &tokio_postgres::Error) -> String {
    let cause = std::error::Error::source(error)
        .map(ToString::to_string)
        .unwrap_or_default();
    let named = OPTIONS.iter().find(|option| cause.contains(&format!("`{option}`")));
    match named {
        Some(option) => format!("correct `{option}` in the URL; {FORM}"),
        None => format!("{FORM}; an option in it is unknown or not finished"),
    }
}

/// What an option is not shown as it is.
const OF_AN_OPTION: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b',');

/// With the options: they may name the schema, and two of one database are not the same.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = self.config.get_user() {
            write!(f, "{user}@")?;
        }
        let (hosts, ports) = (self.config.get_hosts(), self.config.get_ports());
        let port_of = |at: usize| ports.get(at).or(ports.first()).copied().unwrap_or(5432);
        let mut socket = None;
        for (at, host) in hosts.iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            match host {
                Host::Tcp(host) if host.contains(':') => write!(f, "{comma}[{host}]:{}", port_of(at))?,
                Host::Tcp(host) => write!(f, "{comma}{host}:{}", port_of(at))?,
                Host::Unix(path) => socket = Some((path, port_of(at))),
            }
        }
        if hosts.is_empty() {
            for (at, address) in self.config.get_hostaddrs().iter().enumerate() {
                let comma = if at == 0 { "" } else { "," };
                write!(f, "{comma}{address}:{}", port_of(at))?;
            }
        }
        write!(f, "/{}", self.config.get_dbname().unwrap_or_default())?;
        match socket {
            Some((path, 5432)) => write!(f, "?host={}", path.display())?,
            Some((path, port)) => write!(f, "?host={}&port={port}", path.display())?,
            None => {}
        }
        if let Some(options) = self.config.get_options() {
            let mark = if socket.is_some() { '&' } else { '?' };
            write!(f, "{mark}options={}", utf8_percent_encode(options, OF_AN_OPTION))?;
        }
        Ok(())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> PostgresUrl {
        text.parse().unwrap()
    }

    #[test]
    fn shows_where_and_who_and_no_password() {
        for (text, shown) in [
            (
                "postgres://ann:hunter2@db.example/door",
                "postgres://ann@db.example:5432/door",
            ),
            (
                "postgresql://ann:hunt%40er2@[::1]:6000/door",
                "postgres://ann@[::1]:6000/door",
            ),
            (
                "postgres://ann:hunter2@a:1,b:2/door?sslmode=require",
                "postgres://ann@a:1,b:2/door",
            ),
            (
                "postgres://localhost/door?user=ann&password=hunter2",
                "postgres://ann@localhost:5432/door",
            ),
            (
                "postgres:///door?host=/run/postgresql",
                "postgres:///door?host=/run/postgresql",
            ),
            (
                "postgres://ann:hunter2@h/door?sslmode=require&options=-c%20search_path=inner,public",
                "postgres://ann@h:5432/door?options=-c%20search_path%3Dinner,public",
            ),
            (
                "postgres:///door?host=/run/postgresql&options=-csearch_path%3Dinner",
                "postgres:///door?host=/run/postgresql&options=-csearch_path%3Dinner",
            ),
            (
                "postgres://ann:hun?ter/2#@localhost/door",
                "postgres://ann@localhost:5432/door",
            ),
        ] {
            let url = read(text);
            assert_eq!(url.to_string(), shown);
            assert!(!format!("{url:?}").contains("hun"), "{url:?}");
        }
        assert_eq!(
            read("postgres://ann:hunt%40er2@h/d").config.get_password(),
            Some(&b"hunt@er2"[..])
        );
    }

    #[test]
    fn says_what_would_be_right_and_no_password() {
        for (wrong, hint) in [
            ("mysql://x", "write `postgres://"),
            ("postgres://ann:hunter2@a:port/door", "correct `port`"),
            ("postgres://ann:hunter2@a/door?sslmode=maybe", "correct `sslmode`"),
            ("postgres://ann:hun@ter2@localhost/door", "write `%40`"),
            (
                "postgres://localhost/door?password=a&hunter2=b",
                "unknown or not finished",
            ),
            (
                "postgres://localhost/door?password=a&hunter2",
                "unknown or not finished",
            ),
            ("postgres:///door", "?host=/run/postgresql"),
            ("postgres://h/door?sslrootcert=/ca.pem", "sslmode=verify-full"),
        ] {
            let said = wrong.parse::<PostgresUrl>().unwrap_err();
            assert!(said.contains(hint), "{wrong}: {said}");
            assert!(!said.contains("hun") && !said.contains("ter2"), "{said}");
        }
    }

    #[test]
    fn takes_the_words_of_other_clients_for_tls() {
        for mode in ["require", "verify-ca", "verify-full"] {
            let url = read(&format!(
                "postgres://h/d?sslrootcert=%2Fetc%2Fca.pem&sslmode={mode}&connect_timeout=1"
            ));
            assert_eq!(url.config.get_ssl_mode(), SslMode::Require);
            assert_eq!(url.root_certificates, Some(PathBuf::from("/etc/ca.pem")));
        }
        assert_eq!(read("postgres://h/d").config.get_ssl_mode(), SslMode::Prefer);
        assert_eq!(
            read("postgres://h/d?sslmode=disable").config.get_ssl_mode(),
            SslMode::Disable
        );
    }
}
