//! doorward, a sign-in server that speaks the login API your front end already calls: the binary, and the same
//! thing as a library.
//!
//! ```no_run
//! # async fn embed() -> Result<(), doorward::SetupError> {
//! let auth = doorward::router(doorward::Config::default()).await?;
//! let app: axum::Router = axum::Router::new().nest("/auth-api", auth);
//! # Ok(())
//! # }
//! ```
//!
//! The surprise: there is no state to pass around. A router holds its database, its threads and its background
//! tasks, and takes them with it when it is dropped.

mod assembly;
pub mod cli;
pub mod config;
mod log;
mod mounts;
mod open_files;
mod printable;
mod server;
mod start_text;
mod tasks;
mod warnings;

use std::sync::Arc;

use axum::Router;
use doorward_store::Schema;

use self::assembly::Judged;

pub use config::Config;
pub use doorward_core::SetupError;
pub use doorward_core::secret::Secret;
pub use doorward_http::SecureCookies;

/// A router that serves the contracts of a configuration, to be nested into another application or served
/// alone. Everything but `listen`, `log_format`, `log_level`, `stop_timeout` and `max_connections` applies to it.
///
/// It has to be made and used within a Tokio runtime. Clients are told apart by address only where the
/// application serves with `into_make_service_with_connect_info::<SocketAddr>()`.
///
/// # Errors
/// When the configuration contradicts itself, a contract has a fault, or the database cannot be used.
pub async fn router(config: Config) -> Result<Router, SetupError> {
    let Judged { policy, plan, .. } = assembly::judge(&config, config.http())?;
    let hasher = assembly::hasher(&config)?;
    warnings::weak_hashes(&config);
    warnings::lost_protection(&config);
    warnings::open_files(&config, &[]);
    let auth = assembly::open(&config, Schema::Update, policy, hasher).await?;
    let router = doorward_http::router(Arc::clone(&auth), plan).await?;
    tasks::start(&auth);
    Ok(router)
}

// The example is a test, too: what it shows is what is tried here.
#[cfg(test)]
extern crate self as doorward;
#[cfg(test)]
#[path = "../examples/embed.rs"]
mod embed;

#[cfg(test)]
mod tests {
    use std::ops::Deref;
    use std::path::{Path, PathBuf};

    use axum::body::{Body, to_bytes};
    use axum::http::{Request, StatusCode};
    use doorward_http::contract::builtin;
    use doorward_http::{Plan, Settings};
    use tokio::runtime::Builder;
    use tower::ServiceExt;

    use super::*;
    use crate::config::Placement;

    /// A folder that is removed when dropped, also when its test fails.
    pub(crate) struct Folder(PathBuf);

    impl Folder {
        pub(crate) fn new(name: &str) -> Self {
            let folder = std::env::temp_dir().join(format!("doorward-{name}-{}", std::process::id()));
            std::fs::create_dir_all(&folder).unwrap();
            Self(folder)
        }
    }

    impl Deref for Folder {
        type Target = Path;

        fn deref(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            // A test that failed has said why; a folder that is left over is no second reason.
            drop(std::fs::remove_dir_all(&self.0));
        }
    }

    /// A configuration with cheap hashes, and the folder of its database.
    pub(crate) fn small(name: &str) -> (Folder, Config) {
        let folder = Folder::new(name);
        let config = Config {
            hash_memory_kib: 8,
            hash_passes: 1,
            hash_threads: 1,
            ..embed::config(folder.join("doorward.db"))
        };
        (folder, config)
    }

    #[tokio::test]
    async fn paths_resolve_inside_another_application() {
        let (_folder, config) = small("embed");
        let app = embed::app(config).await.unwrap();
        let (name, _) = builtin::ALL[0];
        for (path, status, says) in [
            ("/", StatusCode::OK, "my own page"),
            ("/auth-api/healthz", StatusCode::OK, "ok"),
            ("/auth-api/readyz", StatusCode::OK, "ready"),
            ("/auth-api/.well-known/jwks.json", StatusCode::OK, "ES256"),
            (&format!("/auth-api/{name}/openapi.json"), StatusCode::OK, "3.1.0"),
            (&format!("/auth-api/{name}/nothing"), StatusCode::NOT_FOUND, "nothing"),
            ("/healthz", StatusCode::NOT_FOUND, ""),
        ] {
            let request = Request::builder().uri(path).body(Body::empty()).unwrap();
            let response = app.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            let body = to_bytes(response.into_body(), 1 << 20).await.unwrap();
            assert!(String::from_utf8_lossy(&body).contains(says), "{path}: {body:?}");
        }
    }

    #[tokio::test]
    async fn a_document_is_made_once() {
        let (_folder, config) = small("documents");
        let app = router(config).await.unwrap();
        for path in ["/docs", "/openapi.json", "/users/openapi.json"] {
            let ask = async || {
                let request = Request::get(path).body(Body::empty()).unwrap();
                let response = app.clone().oneshot(request).await.unwrap();
                to_bytes(response.into_body(), 1 << 20).await.unwrap()
            };
            let (first, second) = (ask().await, ask().await);
            assert!(!first.is_empty(), "{path}");
            assert_eq!(first.as_ptr(), second.as_ptr(), "{path}");
        }
    }

    #[tokio::test]
    async fn a_prefix_that_no_request_can_have_is_refused() {
        let (_folder, config) = small("prefix");
        let (name, _) = builtin::ALL[0];
        for (prefix, is_one) in [
            ("/:shop", false),
            ("/{shop}", false),
            ("shop", false),
            ("/a//b", false),
            ("/shop/", true),
            ("/", true),
        ] {
            let placement = Placement {
                contract: name.to_owned(),
                prefix: Some(prefix.to_owned()),
            };
            let config = Config {
                contracts: vec![placement],
                ..config.clone()
            };
            match router(config).await {
                Ok(app) => {
                    assert!(is_one, "{prefix}");
                    let path = format!("{}/openapi.json", prefix.trim_end_matches('/'));
                    let request = Request::get(&path).body(Body::empty()).unwrap();
                    assert_eq!(app.oneshot(request).await.unwrap().status(), StatusCode::OK, "{path}");
                }
                Err(error) => {
                    let said = error.to_string();
                    assert!(!is_one && said.contains(&format!("`{prefix}` is no prefix")), "{said}");
                }
            }
        }
    }

    #[tokio::test]
    async fn only_what_takes_a_password_runs_on_the_password_runtime() {
        let (_folder, config) = small("passwords");
        let mounts = mounts::mounts(&config.contracts).unwrap();
        let policy = assembly::policy(&config, mounts::key_overlap(&mounts)).unwrap();
        let hasher = assembly::hasher(&config).unwrap();
        // It has ended: what would run on it fails.
        let runtime = Builder::new_current_thread().build().unwrap();
        let settings = Settings {
            password_runtime: Some(runtime.handle().clone()),
            ..config.http()
        };
        runtime.shutdown_background();
        let plan = Plan::new(mounts, settings, &policy).unwrap();
        let auth = assembly::open(&config, Schema::Update, policy, hasher).await.unwrap();
        let app = doorward_http::router(auth, plan).await.unwrap();
        for (path, body, status) in [
            (
                "/v1/sessions",
                r#"{"email": "nobody@example.com", "password": "wrong"}"#,
                StatusCode::INTERNAL_SERVER_ERROR,
            ),
            (
                "/v1/sessions/current/refresh",
                r#"{"refresh_token": "wrong"}"#,
                StatusCode::UNAUTHORIZED,
            ),
        ] {
            let request = Request::post(path).header("content-type", "application/json");
            let request = request.body(Body::from(body)).unwrap();
            assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status, "{path}");
        }
    }
}
