//! Connects to the first address of a host that answers.
//!
//! The surprise: an address that says nothing is not given up. The next one is tried beside it (RFC 8305 section 5),
//! because a packet that was lost is sent again, after a second.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// For how long an address is tried before the next one is, too.
const ALONE: Duration = Duration::from_millis(250);

/// A connection to the host.
pub(super) async fn connect(host: &str, port: u16) -> Result<TcpStream> {
    first(lookup_host((host, port)).await?).await
}

/// A connection to whichever address is there first.
async fn first(addresses: impl Iterator<Item = SocketAddr>) -> Result<TcpStream> {
    let mut attempts = JoinSet::new();
    let mut failed = Error::new(ErrorKind::NotFound, "the host has no address");
    for address in addresses {
        attempts.spawn(TcpStream::connect(address));
        let Ok(Some(ended)) = timeout(ALONE, attempts.join_next()).await else {
            continue;
        };
        match ended? {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    while let Some(ended) = attempts.join_next().await {
        match ended? {
            Ok(stream) => return Ok(stream),
            Err(error) => failed = error,
        }
    }
    Err(failed)
}

#[cfg(test)]
mod tests {
    use tokio::net::{TcpListener, TcpSocket};

    use super::*;

    /// Longer than a request waits for its answer.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// An address that answers no more packets: it has a place for one connection, and nobody takes that.
    async fn silent() -> (SocketAddr, TcpListener, Vec<TcpStream>) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut taken = Vec::new();
        while let Ok(Ok(stream)) = timeout(ALONE, TcpStream::connect(address)).await {
            taken.push(stream);
        }
        (address, listener, taken)
    }

    #[tokio::test]
    async fn an_address_that_says_nothing_keeps_nobody_from_the_next() {
        let (silent, _listener, _taken) = silent().await;
        let good = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = good.local_addr().unwrap();
        // Bound and never listening: it refuses, and is nobody else's meanwhile.
        let deaf = TcpSocket::new_v4().unwrap();
        deaf.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let refused = deaf.local_addr().unwrap();
        let stream = timeout(PATIENCE, first([refused, silent, silent, good].into_iter())).await;
        assert_eq!(stream.expect("in time").unwrap().peer_addr().unwrap(), good);
        assert!(first([refused, refused].into_iter()).await.is_err());
        assert!(first(std::iter::empty()).await.is_err());
    }
}
