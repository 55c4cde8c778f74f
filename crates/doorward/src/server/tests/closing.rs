//! Connections that are closing while their clients may go on sending: for how long they are kept.

use super::*;

/// Asks with a body that nobody reads, of which nothing is sent yet, and waits for the end of the answer.
async fn answered(server: &Running) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let head = format!(
        "GET /who HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n",
        usize::MAX >> 1
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let answer = rest(&mut stream).await;
    assert!(answer.contains("connection: close"), "{answer}");
    stream
}

/// That whoever waits for the only place gets it.
async fn is_next(server: &Running) {
    let mut next = TcpStream::connect(server.address).await.unwrap();
    let peer = next.local_addr().unwrap().to_string();
    ask(&mut next, "/who").await;
    assert!(until(&mut next, &peer).await.starts_with("HTTP/1.1 200 "));
}

#[tokio::test]
async fn whoever_sends_nothing_more_is_cut() {
    let mut limits = limits(1);
    limits.patience.close = lingering::Patience {
        pause: Duration::from_millis(100),
        all: Duration::from_secs(3600),
    };
    let server = run_with(limits).await;
    let _silent = answered(&server).await;
    is_next(&server).await;
}

#[tokio::test]
async fn whoever_sends_for_too_long_is_cut() {
    let mut limits = limits(1);
    limits.patience.close = lingering::Patience {
        pause: Duration::from_secs(3600),
        all: Duration::from_millis(100),
    };
    let server = run_with(limits).await;
    let mut slow = answered(&server).await;
    while slow.write_all(b"x").await.is_ok() {
        tokio::task::yield_now().await;
    }
    is_next(&server).await;
}

#[tokio::test]
async fn whoever_sends_without_end_is_cut() {
    let mut limits = limits(1);
    limits.patience.close = lingering::Patience {
        pause: Duration::from_secs(3600),
        all: Duration::from_secs(3600),
    };
    let server = run_with(limits).await;
    let mut endless = answered(&server).await;
    let (piece, mut sent) = (vec![b'x'; 1024 * 1024], 0);
    while endless.write_all(&piece).await.is_ok() {
        sent += piece.len();
    }
    assert!(sent >= lingering::MOST, "{sent} bytes");
    is_next(&server).await;
}

#[tokio::test]
async fn a_stop_waits_for_nobody_longer_than_it_may() {
    let mut limits = limits(1);
    limits.stop_timeout = Duration::from_millis(100);
    limits.patience.close = lingering::Patience {
        pause: Duration::from_secs(3600),
        all: Duration::from_secs(3600),
    };
    let server = run_with(limits).await;
    let _silent = answered(&server).await;
    server.stop.send(()).unwrap();
    assert_eq!(server.stopped.await.unwrap(), Stopped::Cut(1));
}
