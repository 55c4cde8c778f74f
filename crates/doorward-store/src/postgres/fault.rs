//! How a statement can fail, and what that means to the domain.
//!
//! The surprise: a lost connection is no reason to write again. The statement may have been committed before
//! its answer was lost; only what PostgreSQL itself has taken back is tried anew.

use std::error::Error as _;

use doorward_core::Error;
use tokio_postgres::error::SqlState;

/// Why there is no result.
#[derive(Debug)]
pub(super) enum Fault {
    /// PostgreSQL refused, or the connection broke.
    Postgres(tokio_postgres::Error),
    /// No answer within [`ANSWER_TIMEOUT`](super::link::ANSWER_TIMEOUT).
    Silence,
    /// There is no connection and none to be had now; nothing was sent. Why, in words.
    Unreachable(String),
    /// A row that the schema does not allow. What is wrong with it, in words.
    Nonsense(String),
}

/// What a transaction ends with that is not to be committed.
pub(super) enum Undo<T> {
    /// The answer is that it was not to be.
    Answer(T),
    /// It failed.
    Fault(Fault),
}

impl<T> From<Fault> for Undo<T> {
    fn from(fault: Fault) -> Self {
        Self::Fault(fault)
    }
}

impl From<tokio_postgres::Error> for Fault {
    fn from(error: tokio_postgres::Error) -> Self {
        Self::Postgres(error)
    }
}

impl Fault {
    fn code(&self) -> Option<&SqlState> {
        match self {
            Self::Postgres(error) => error.code(),
            _ => None,
        }
    }

    /// Whether PostgreSQL has taken the whole transaction back because of another one, so that it may go well
    /// the next time. Engines that speak its protocol answer the first of these more often.
    pub(super) fn is_conflict(&self) -> bool {
        matches!(
            self.code(),
            Some(&SqlState::T_R_SERIALIZATION_FAILURE | &SqlState::T_R_DEADLOCK_DETECTED)
        )
    }

    /// Whether the connection is of no more use: it is dead, its server is going away or has become a standby, an answer
    /// may still come for a question that nobody asks any more, or the server has forgotten what was prepared on it.
    pub(super) fn ends_connection(&self) -> bool {
        match self {
            Self::Silence => true,
            Self::Unreachable(_) | Self::Nonsense(_) => false,
            Self::Postgres(error) => match error.code() {
                Some(code) => {
                    *code == SqlState::READ_ONLY_SQL_TRANSACTION
                        || is_forgotten(error)
                        || code.code().starts_with("08")
                        || code.code().starts_with("57P")
                }
                None => is_broken(error),
            },
        }
    }

    /// Whether the answer was lost with its connection.
    pub(super) fn is_lost(&self) -> bool {
        !matches!(self, Self::Silence) && self.ends_connection()
    }

    fn is_passing(&self) -> bool {
        match self {
            Self::Silence | Self::Unreachable(_) => true,
            Self::Nonsense(_) => false,
            Self::Postgres(error) => match error.code() {
                Some(code) => is_passing(code),
                None => is_broken(error),
            },
        }
    }
}

/// Whether the connection failed rather than what was asked of it.
fn is_broken(error: &tokio_postgres::Error) -> bool {
    error.is_closed()
        || error
            .source()
            .is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
}

/// Whether the same may go well a while later, by SQLSTATE (appendix A of PostgreSQL's manual).
fn is_passing(code: &SqlState) -> bool {
    // Connection, transaction rollback, resources, operator intervention (a statement that took too long is one).
    let classes = ["08", "40", "53", "57", "58"];
    classes.iter().any(|class| code.code().starts_with(class))
        || [
            SqlState::LOCK_NOT_AVAILABLE,
            SqlState::READ_ONLY_SQL_TRANSACTION,
            SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
        ]
        .contains(code)
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        let passes = fault.is_passing();
        let why = match fault {
            Fault::Postgres(error) => words(&error),
            Fault::Silence => "PostgreSQL did not answer in time".to_owned(),
            Fault::Unreachable(why) | Fault::Nonsense(why) => why,
        };
        if passes {
            Self::unavailable(why)
        } else {
            Self::internal(why)
        }
    }
}

/// Whether the server does not know what was prepared, or knows of it from somebody else: a pooler has changed the
/// connection of the server behind ours.
pub(super) fn is_forgotten(error: &tokio_postgres::Error) -> bool {
    matches!(
        error.code(),
        Some(&(SqlState::INVALID_SQL_STATEMENT_NAME | SqlState::DUPLICATE_PSTATEMENT))
    )
}

/// Whether the engine does not know what was asked of it: SQLSTATE `0A` (not supported) and `42` (syntax). Some that
/// speak PostgreSQL's protocol do without what no request needs.
pub(super) fn is_unknown(error: &tokio_postgres::Error) -> bool {
    let code = error.code().map(SqlState::code);
    code.is_some_and(|code| code.starts_with("0A") || code.starts_with("42"))
}

/// An error in words for the log, without the values that PostgreSQL puts into its details: they are
/// somebody's e-mail address.
pub(super) fn words(error: &tokio_postgres::Error) -> String {
    if let Some(said) = error.as_db_error() {
        return format!("{} (SQLSTATE {})", said.message(), said.code().code());
    }
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let more = cause.to_string();
        if !words.contains(&more) {
            words = format!("{words}: {more}");
        }
        source = cause.source();
    }
    words
}
