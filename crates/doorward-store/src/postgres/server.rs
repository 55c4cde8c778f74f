//! The way to the server: making a connection, what it is set to, and what to tell a person when there is none.
//!
//! The surprise: a connection that may not write is refused although readers never write. A standby answers
//! with yesterday's endings; only the primary knows who has been logged out.

use std::error::Error as _;
use std::future::poll_fn;
use std::io;
use std::time::Duration;

use doorward_core::SetupError;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_postgres::config::TargetSessionAttrs;
use tokio_postgres::error::SqlState;
use tokio_postgres::{AsyncMessage, Client, Config};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::fault::{Fault, is_unknown, words};
use super::link::Link;
use super::meeting;
use super::tls;
use super::url::PostgresUrl;

/// How long one host may take to let us in, unless the URL says otherwise.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long all hosts together may take, with passwords and TLS.
pub(super) const OPEN_TIMEOUT: Duration = Duration::from_secs(10);

/// After this long without a word a peer is asked whether it is still there, and a few seconds later it counts
/// as gone. The system's own patience is two hours.
const KEEPALIVE: Duration = Duration::from_secs(10);

/// For how long what was sent may stay unacknowledged by the other machine.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// What every connection is set to.
/// - `statement_timeout`: no request waits longer for its database, and none that was given up goes on for long.
/// - `lock_timeout` is shorter, so that the log tells a wait for another transaction from a slow statement.
/// - `idle_in_transaction_session_timeout`: a node that stops in the middle of a transaction holds its locks no
///   longer than that.
/// - `READ COMMITTED`: what this engine's locks and conditions are made for, whatever the database's default is.
/// - `synchronous_commit`: an answer promises that the disk has it. A setting that is stricter than `on` stays.
const SESSION: &str = "SET statement_timeout = '5s'; SET lock_timeout = '4s'; \
     SET idle_in_transaction_session_timeout = '10s'; SET default_transaction_isolation = 'read committed'; \
     SET client_encoding = 'UTF8'; \
     SELECT set_config('synchronous_commit', 'on', false) \
     WHERE current_setting('synchronous_commit') IN ('off', 'local')";

/// Where the database is, and how to be let in.
pub(super) struct Server {
    config: Config,
    tls: MakeRustlsConnect,
    /// The URL without what is secret in it.
    pub(super) shown: String,
}

/// Why there is no connection.
pub(super) enum NoLink {
    /// No host answered in time.
    Silence,
    /// What the last host, or the way there, said.
    Refused(tokio_postgres::Error),
    /// Somebody moves what is in the database.
    Moving,
    /// What there is lasts for a transaction only.
    Pooled,
}

impl Server {
    /// # Errors
    /// When the certificates to trust cannot be read.
    pub(super) fn new(url: &PostgresUrl) -> Result<Self, SetupError> {
        let mut config = (*url.config).clone();
        if config.get_connect_timeout().is_none() {
            config.connect_timeout(CONNECT_TIMEOUT);
        }
        if config.get_application_name().is_none() {
            config.application_name("doorward");
        }
        config
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .keepalives_idle(KEEPALIVE)
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3)
            .tcp_user_timeout(UNACKNOWLEDGED);
        Ok(Self {
            tls: tls::connector(url)?,
            shown: url.to_string(),
            config,
        })
    }

    /// A new connection that may write, ready for use. The task that comes along drives it, and ends with it.
    pub(super) async fn connect(&self) -> Result<(Link, JoinHandle<()>), NoLink> {
        let (client, task) = self.connect_raw().await?;
        Ok((Link::new(client), task))
    }

    /// The same, and as long as it lasts nobody can move the database: the connections of one who uses it for long.
    pub(super) async fn connect_to_stay(&self) -> Result<(Client, JoinHandle<()>), NoLink> {
        let (client, task) = self.connect_raw().await?;
        let in_use = meeting::in_use();
        let claim =
            format!("SET lock_timeout = '2s'; SELECT pg_advisory_lock_shared({in_use}); SET lock_timeout = '4s'");
        if claimed(&client, &claim).await? {
            Ok((client, task))
        } else {
            Err(NoLink::Moving)
        }
    }

    /// A connection to move the database with: nobody else uses it until it ends. False when somebody does.
    pub(super) async fn connect_alone(&self) -> Result<(Client, bool), NoLink> {
        let (client, _task) = self.connect_raw().await?;
        let in_use = meeting::in_use();
        let claim = format!("SET lock_timeout = '2s'; SELECT pg_advisory_lock({in_use}); SET lock_timeout = '4s'");
        let alone = claimed(&client, &claim).await?;
        Ok((client, alone))
    }

    async fn connect_raw(&self) -> Result<(Client, JoinHandle<()>), NoLink> {
        self.connect_hearing(|_| {}).await
    }

    /// The same for one who listens: `hear` is given the payload of each notification.
    pub(super) async fn connect_hearing(
        &self,
        hear: impl Fn(&str) + Send + 'static,
    ) -> Result<(Client, JoinHandle<()>), NoLink> {
        let (client, task) = self.connect_bare(hear).await?;
        match timeout(OPEN_TIMEOUT, client.batch_execute(SESSION)).await {
            Ok(set) => set.map(|()| (client, task)).map_err(NoLink::Refused),
            Err(_) => Err(NoLink::Silence),
        }
    }

    /// The same, and nothing is set.
    pub(super) async fn connect_bare(
        &self,
        hear: impl Fn(&str) + Send + 'static,
    ) -> Result<(Client, JoinHandle<()>), NoLink> {
        let connected = timeout(OPEN_TIMEOUT, self.config.connect(self.tls.clone())).await;
        let (client, mut connection) = match connected {
            Ok(connected) => connected.map_err(NoLink::Refused)?,
            Err(_) => return Err(NoLink::Silence),
        };
        // What it ends with, the statements that wait for it are told.
        let task = tokio::spawn(async move {
            while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
                if let AsyncMessage::Notification(notification) = message {
                    hear(notification.payload());
                }
            }
        });
        Ok((client, task))
    }
}

/// Whether the database can be had, as a claim says. It waits for a moment: a server that was stopped just now, or a
/// move that has ended, is still leaving. An engine without such locks has nobody who could move it unnoticed but an
/// operator who was told.
async fn claimed(client: &Client, claim: &str) -> Result<bool, NoLink> {
    match timeout(OPEN_TIMEOUT, client.batch_execute(claim)).await {
        Err(_) => Err(NoLink::Silence),
        Ok(Err(error)) if error.code() == Some(&SqlState::LOCK_NOT_AVAILABLE) => Ok(false),
        Ok(Err(error)) if !is_unknown(&error) => Err(NoLink::Refused(error)),
        Ok(_) => Ok(true),
    }
}

impl NoLink {
    pub(super) fn words(&self) -> String {
        match self {
            Self::Silence => format!("no answer within {} s", OPEN_TIMEOUT.as_secs()),
            Self::Refused(error) => words(error),
            Self::Moving => "`doorward move` is at work on it".to_owned(),
            Self::Pooled => "a pooler lends its connections for a transaction at a time".to_owned(),
        }
    }

    pub(super) fn fault(&self) -> Fault {
        Fault::Unreachable(format!("there is no connection to PostgreSQL: {}", self.words()))
    }

    /// What a person is told who tries to start.
    pub(super) fn explain(&self, shown: &str) -> SetupError {
        let said = self.words();
        let code = match self {
            Self::Refused(error) => error.code(),
            Self::Silence => None,
            Self::Pooled => {
                return SetupError::new(
                    format!(
                        "the database {shown} is behind a pooler that lends its connections for a transaction at a time"
                    ),
                    "session pooling only, such as `pool_mode = session` of pgbouncer, or name the server itself in the URL",
                );
            }
            Self::Moving => {
                return SetupError::new(
                    format!("the database {shown} is being moved by `doorward move`"),
                    "wait until it has ended; then start on the database that it has moved to",
                );
            }
        };
        let (what, hint) = match code {
            Some(code) => refusal(code, shown, &said),
            None => match self.io() {
                Some(error) => unreachable(error, shown),
                None => (
                    format!("the database {shown} cannot be used: {said}"),
                    no_answer_hint(self, &said),
                ),
            },
        };
        SetupError::new(what, hint)
    }

    /// What the system said, if it was the system. TLS speaks through it, too, and is not meant.
    fn io(&self) -> Option<&io::Error> {
        let Self::Refused(error) = self else { return None };
        let cause = error.source()?.downcast_ref::<io::Error>()?;
        cause
            .get_ref()
            .is_none_or(|inner| !inner.is::<rustls::Error>())
            .then_some(cause)
    }
}

fn no_answer_hint(why: &NoLink, said: &str) -> &'static str {
    match why {
        NoLink::Silence => "check the host and the port in the URL, and what is between here and there",
        NoLink::Refused(_) if said.contains("password missing") => {
            "write the password into the URL, `postgres://USER:PASSWORD@HOST/DATABASE`, and keep that in the \
             environment or in a file"
        }
        NoLink::Refused(_) if said.contains("server does not support TLS") => {
            "turn TLS on at the server (`ssl = on`), or write `sslmode=disable` if nobody can listen in between"
        }
        NoLink::Refused(_) if said.to_lowercase().contains("certificate") => {
            "name the certificate of the authority with `sslrootcert=FILE`, and the host as the certificate does"
        }
        NoLink::Refused(_) | NoLink::Moving | NoLink::Pooled => {
            "check that a PostgreSQL server answers there, and its log"
        }
    }
}

fn unreachable(error: &io::Error, shown: &str) -> (String, &'static str) {
    match error.kind() {
        io::ErrorKind::ConnectionRefused | io::ErrorKind::NotFound => (
            format!("nothing listens at {shown}"),
            "start PostgreSQL, or correct the host and the port in the URL",
        ),
        io::ErrorKind::TimedOut => (
            format!("the database {shown} does not answer"),
            "check the host and the port in the URL, and what is between here and there",
        ),
        // Two words of tokio-postgres, which has no kind for it.
        io::ErrorKind::PermissionDenied if error.to_string().contains("allow writes") => (
            format!("the database {shown} can only be read"),
            "name the primary, or all servers: `postgres://USER@A,B,C/DATABASE`",
        ),
        _ if error.to_string().contains("lookup") => (
            format!("the host of {shown} is not known: {error}"),
            "correct the host in the URL",
        ),
        _ => (
            format!("the database {shown} cannot be reached: {error}"),
            "check the host and the port in the URL, and what is between here and there",
        ),
    }
}

fn refusal(code: &SqlState, shown: &str, said: &str) -> (String, &'static str) {
    if *code == SqlState::INVALID_PASSWORD {
        return (
            format!("the database {shown} does not accept the password"),
            "correct the user or the password in the URL; in it `@`, `/`, `?`, `#` and `%` are written `%40`, `%2F`, \
             `%3F`, `%23` and `%25`",
        );
    }
    let what = format!("the database {shown} cannot be used: {said}");
    let hint = if *code == SqlState::INVALID_CATALOG_NAME {
        "make it with `createdb NAME`, or correct the name in the URL"
    } else if *code == SqlState::INVALID_AUTHORIZATION_SPECIFICATION {
        "correct the user in the URL, or let it in by the server's pg_hba.conf"
    } else if *code == SqlState::TOO_MANY_CONNECTIONS {
        "raise `max_connections` of the server, or start fewer nodes"
    } else if *code == SqlState::CANNOT_CONNECT_NOW {
        "wait until the server has started, and try again"
    } else if *code == SqlState::INSUFFICIENT_PRIVILEGE {
        "make the user in the URL the owner of the database: `ALTER DATABASE NAME OWNER TO USER`"
    } else if *code == SqlState::INVALID_SCHEMA_NAME {
        "make the schema that `search_path` names, or `public`"
    } else {
        "look into the log of the server"
    };
    (what, hint)
}

/// What PostgreSQL said to a statement of the start, for a person.
pub(super) fn explain(error: tokio_postgres::Error, shown: &str) -> SetupError {
    NoLink::Refused(error).explain(shown)
}

/// The pause before the next attempt to connect, after so many that failed: doubled each time, and different
/// for each node, so that a server that comes back is not met by all of them at once.
pub(super) fn pause(failures: u32) -> Duration {
    let full = FIRST_PAUSE.saturating_mul(1 << failures.min(16)).min(LONGEST_PAUSE);
    // Without random bytes all nodes come at once, which the server survives.
    let [random] = doorward_core::random::bytes().unwrap_or_default();
    full / 2 + full * u32::from(random) / 512
}

/// The pause before the first attempt to connect again.
const FIRST_PAUSE: Duration = Duration::from_millis(50);

/// The longest pause: what the end of an outage is noticed later by.
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
