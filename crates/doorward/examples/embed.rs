//! doorward inside another application: pages of one's own at the root, sign-in under `/auth-api`.
//!
//! `cargo run --example embed` serves at a free port and prints it. Give an address and the path of a database
//! to choose them: `cargo run --example embed 127.0.0.1:3000 my.db`. The surprise: that is all. The router
//! brings its threads and background tasks along.

use std::error::Error;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use axum::Router;
use axum::routing::get;
use doorward::config::Database;
use doorward::{Config, SetupError};
use tokio::net::TcpListener;

/// What is not as by default.
pub(crate) fn config(database: PathBuf) -> Config {
    Config {
        database: Database::Sqlite(database),
        origins: vec!["https://app.example.com".into()],
        ..Config::default()
    }
}

/// The application.
pub(crate) async fn app(config: Config) -> Result<Router, SetupError> {
    let auth = doorward::router(config).await?;
    Ok(Router::new()
        .route("/", get(|| async { "my own page" }))
        .nest("/auth-api", auth))
}

#[tokio::main]
#[cfg_attr(test, expect(dead_code, reason = "as a test, only the application is used"))]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let address = arguments.next().unwrap_or_else(|| "127.0.0.1:0".into());
    let database = arguments.next().unwrap_or_else(|| "doorward.db".into());
    let app = app(config(database.into())).await?;
    let listener = TcpListener::bind(address).await?;
    writeln!(std::io::stdout(), "listening on http://{}", listener.local_addr()?)?;
    // With the address of each client, by which attempts at passwords are limited.
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}
