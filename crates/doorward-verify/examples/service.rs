//! A service of one's own, whose callers sign in with doorward.
//!
//! `SERVICE_CLIENT_SECRET=… cargo run -p doorward-verify --example service -- http://127.0.0.1:8080 CLIENT_ID` serves
//! at a free port and prints it. The surprise: `/readyz` is the service's own. Whether it is ready while it cannot tell
//! who has logged out is for it to decide, and here it is not.

use std::error::Error;
use std::io::Write;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use doorward_verify::{Session, Settings, Verifier};
use tokio::net::TcpListener;

/// The application: one page for everybody, one for those who have signed in.
pub(crate) fn app(verifier: Verifier) -> Router {
    Router::new()
        .route("/me", get(me))
        // Every route above it; those below are for everybody.
        .layer(verifier.layer())
        .route("/", get(|| async { "anybody may read this\n" }))
        .route("/readyz", get(readyz))
        .with_state(verifier)
}

async fn me(session: Session) -> String {
    format!("account {}, session {}\n", session.sub, session.sid)
}

async fn readyz(State(verifier): State<Verifier>) -> (StatusCode, String) {
    let state = verifier.state();
    let status = if state.is_fresh() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (status, format!("{state:?}\n"))
}

#[tokio::main]
#[cfg_attr(test, expect(dead_code, reason = "as a test, only the application is used"))]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(client)) = (arguments.next(), arguments.next()) else {
        return Err("where is doorward, and as whom do I ask it?\nhint: give its URL and a client id".into());
    };
    #[expect(clippy::disallowed_methods, reason = "an application reads its environment itself")]
    let secret = std::env::var("SERVICE_CLIENT_SECRET")?;
    let verifier = Verifier::connect(Settings::new(url, client, secret))?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    axum::serve(listener, app(verifier)).await?;
    Ok(())
}
