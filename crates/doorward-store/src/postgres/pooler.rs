//! Whether a connection is one of the server for as long as it lasts.
//!
//! The surprise: a pooler that lends connections of the server for a transaction at a time lets everybody in and answers
//! what is asked first. But whatever a connection was set to is lost with the transaction, that a commit waits for the
//! disk among it, and so are its locks and its prepared statements; others have them then.

use tokio::time::timeout;
use tokio_postgres::{Client, Error, Statement};

use super::fault::{is_forgotten, is_unknown};
use super::server::{NoLink, OPEN_TIMEOUT, Server};

/// Which process of the server answers. Some engines have none, and say -1.
const PROCESS: &str = "SELECT pg_backend_pid()";

/// Refuses a pooler that does not lend for as long as a connection lasts. Nothing is set before: it would be set for
/// whoever has that connection of the server next.
///
/// # Errors
/// When it is such a one, or there is no connection.
pub(super) async fn refuse(server: &Server) -> Result<(), NoLink> {
    let (one, _task) = server.connect_bare(|_| {}).await?;
    let (other, _task) = server.connect_bare(|_| {}).await?;
    match timeout(OPEN_TIMEOUT, is_shared(&one, &other)).await {
        Err(_) => Err(NoLink::Silence),
        Ok(Ok(false)) => Ok(()),
        Ok(Ok(true)) => Err(NoLink::Pooled),
        Ok(Err(error)) if is_forgotten(&error) => Err(NoLink::Pooled),
        // An engine that does not know the question.
        Ok(Err(error)) if is_unknown(&error) => Ok(()),
        Ok(Err(error)) => Err(NoLink::Refused(error)),
    }
}

/// Whether two connections are one process of the server in turn, or one of them is several. A pooler gives what came
/// back last, or what was not used for the longest: so the first is asked twice before the other keeps what it is given.
async fn is_shared(one: &Client, other: &Client) -> Result<bool, Error> {
    let asked = one.prepare(PROCESS).await?;
    let first = process(one, &asked).await?;
    let second = process(one, &asked).await?;
    other.batch_execute("BEGIN").await?;
    let begun = process(other, &other.prepare(PROCESS).await?).await?;
    if first <= 0 {
        return Ok(false);
    }
    // Not asked again where the other one has it: with one connection of the server the answer would not come.
    Ok(begun == first || second != first || process(one, &asked).await? != first)
}

async fn process(client: &Client, asked: &Statement) -> Result<i32, Error> {
    client.query_one(asked, &[]).await?.try_get(0)
}
