//! The feed of ended sessions to a service that does not read it. The surprise: both systems keep little for the
//! connection, so that few endings are more than they take.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use doorward_core::Auth;
use doorward_http::Plan;
use doorward_store::Schema;
use tokio::net::TcpSocket;

use super::*;
use crate::tests::{Folder, small};
use crate::{assembly, mounts, tasks};

/// Endings of more than 100 bytes each.
const ENDINGS: usize = 5_000;

/// What a system keeps for a connection, in bytes. It makes more of it, and far less than the endings have.
const KEPT: u32 = 4_096;

/// A server with a feed, on one connection at most, which soon loses patience with who does not read.
struct Feed {
    folder: Folder,
    auth: Arc<Auth>,
    address: SocketAddr,
}

impl Feed {
    async fn serve() -> Self {
        let (folder, config) = small("unread");
        let mounts = mounts::mounts(&config.contracts).unwrap();
        let policy = assembly::policy(&config, mounts::key_overlap(&mounts)).unwrap();
        let hasher = assembly::hasher(&config).unwrap();
        let plan = Plan::new(mounts, config.http(), &policy).unwrap();
        let auth = assembly::open(&config, Schema::Update, policy, hasher).await.unwrap();
        let router = doorward_http::router(Arc::clone(&auth), plan).await.unwrap();
        tasks::start(&auth);
        let socket = TcpSocket::new_v4().unwrap();
        // Those that are accepted have it from the one that listens.
        socket.set_send_buffer_size(KEPT).unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(16).unwrap();
        let address = listener.local_addr().unwrap();
        let mut limits = limits(1);
        limits.patience.write = Duration::from_millis(100);
        let (stop, hurry) = (std::future::pending(), std::future::pending());
        tokio::spawn(serve(listener, router, limits, stop, hurry));
        Self { folder, auth, address }
    }

    /// What a service sends to follow the feed.
    async fn request(&self) -> String {
        let (id, secret) = self.auth.add_client("shop").await.unwrap();
        let credentials = STANDARD.encode(format!("{id}:{}", secret.reveal().expose()));
        format!(
            "GET /v1/ended-sessions HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\
             Authorization: Basic {credentials}\r\n\r\n"
        )
    }

    async fn send(&self, request: &str) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(KEPT).unwrap();
        let mut stream = socket.connect(self.address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        stream
    }

    /// Has as many sessions ended as that.
    fn end(&self, endings: usize) {
        let database = rusqlite::Connection::open(self.folder.join("doorward.db")).unwrap();
        let insert = format!(
            "WITH RECURSIVE past (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM past WHERE n < {endings}) \
             INSERT INTO ended_sessions (session, expires_at) SELECT randomblob(16), 9000000000000 FROM past"
        );
        let wait = database.busy_timeout(Duration::from_mins(1));
        wait.and_then(|()| database.execute_batch(&insert)).unwrap();
    }
}

#[tokio::test]
async fn whoever_does_not_read_the_feed_loses_the_connection_and_whoever_waits_for_news_does_not() {
    let feed = Feed::serve().await;
    let request = feed.request().await;
    let mut waiting = feed.send(&request).await;
    // Between two of them there is nothing to read for as long as the server waits for who does not.
    for _ in 0..5 {
        until(&mut waiting, "event: fresh\n").await;
    }
    drop(waiting);

    feed.end(ENDINGS);
    let mut unread = feed.send(&request).await;
    let mut next = feed.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(until(&mut next, "ok").await.starts_with("HTTP/1.1 200 "));
    // What is left is what the systems had taken.
    let mut taken = Vec::new();
    let _ = unread.read_to_end(&mut taken).await;
    let taken = String::from_utf8_lossy(&taken);
    assert!(taken.contains("text/event-stream"), "{taken}");
    let told = taken.matches("event: ended\n").count();
    assert!(told < ENDINGS, "{told} endings");
}
