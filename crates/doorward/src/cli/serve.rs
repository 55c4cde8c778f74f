//! `doorward serve`.
//!
//! The surprise: the end is in the right order. Connections go first, then the runtimes with all tasks, then the
//! last handle of the store, whose drop waits until everything that was handed in is on the disk.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::num::NonZero;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use axum::Router;
use clap::Args;
use doorward_core::{Auth, SetupError};
use doorward_http::{Connections, Settings};
use doorward_store::Schema;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Handle, Runtime};
use tokio::sync::oneshot;

use super::Failure;
use crate::assembly::Judged;
use crate::config::layers::{self, Flags, Layered};
use crate::server::{self, Limits, Stopped};
use crate::{Config, assembly, log, open_files, start_text, tasks, warnings};

/// Cores for each thread of the password runtime. A core makes some hundreds of hashes a second, and all else of a log-in
/// takes a tenth of a millisecond.
const CORES_A_THREAD: usize = 8;

#[derive(Args)]
pub(super) struct ServeArgs {
    /// Address and port [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDR")]
    pub(super) listen: Option<String>,
    /// Contract to serve in place of the built-in ones; can be repeated
    #[arg(long = "contract", value_name = "NAME_OR_FILE[@PREFIX]")]
    pub(super) contracts: Vec<String>,
    /// Configuration file [default: doorward.toml, if it is there]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// `sqlite:PATH`, made if it is not there, or `postgres://…` [default: sqlite:doorward.db]
    #[arg(long, value_name = "URL")]
    database: Option<String>,
}

impl ServeArgs {
    pub(super) fn load(self) -> Result<Layered, Failure> {
        let flags = Flags {
            file: self.config,
            listen: self.listen,
            database: self.database,
            contracts: self.contracts,
        };
        layers::load(flags).map_err(Failure::usage)
    }
}

pub(super) fn run(args: ServeArgs) -> Result<(), Failure> {
    let Layered {
        config, secret_files, ..
    } = args.load()?;
    log::start(config.log_format, &config.log_level).map_err(Failure::usage)?;
    let connections = Connections::new(open_files::connections(config.max_connections, open_files::raise()));
    let no_threads = |error| Failure::of(format!("no threads: {error}"), "raise the limits");
    let runtime = Runtime::new().map_err(no_threads)?;
    let password_runtime = password_runtime().map_err(no_threads)?;
    let serving = serve(&config, &secret_files, &connections, password_runtime.handle());
    let (auth, ended) = runtime.block_on(serving)?;
    // Whatever still runs is cut here, before the store is closed.
    drop(runtime);
    drop(password_runtime);
    drop(auth);
    tracing::info!("stopped");
    ended
}

/// Threads for what a log-in does before its hash and after it. So few that a core is left for other requests, however
/// many hashes are ready at once.
fn password_runtime() -> io::Result<Runtime> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    Builder::new_multi_thread()
        .worker_threads(cores.div_ceil(CORES_A_THREAD))
        .thread_name("passwords")
        .enable_all()
        .build()
}

/// Serves so many connections at once, until it is told to stop. The handle is for the caller to drop, after both
/// runtimes.
async fn serve(
    config: &Config,
    secret_files: &[PathBuf],
    connections: &Connections,
    password_runtime: &Handle,
) -> Result<(Arc<Auth>, Result<(), Failure>), Failure> {
    let settings = Settings {
        connections: Some(connections.clone()),
        password_runtime: Some(password_runtime.clone()),
        ..config.http()
    };
    let Judged { mounts, policy, plan } = assembly::judge(config, settings).map_err(Failure::usage)?;
    let hasher = assembly::hasher(config).map_err(Failure::usage)?;
    let proxies = plan.trusted_proxies().to_vec();
    let limits = Limits::new(connections.clone(), proxies, config.stop_timeout);
    // Whatever can refuse the start comes before the database, whose schema an older server may not know any more
    // afterwards: what was written, and whether the port is free.
    let (listener, address) = listen(&config.listen).await?;
    warnings::weak_hashes(config);
    warnings::lost_protection(config);
    warnings::open_files(config, secret_files);
    let auth = assembly::open(config, Schema::Update, policy, hasher).await;
    let auth = auth.map_err(Failure::run)?;
    let router = doorward_http::router(Arc::clone(&auth), plan);
    let router = router.await.map_err(Failure::run)?;
    let signals = Signals::new()?;
    tasks::start(&auth);
    let text = start_text::text(address, config, &mounts);
    // A server whose output nobody reads serves all the same.
    let mut out = io::stdout();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    Ok((auth, until_stopped(limits, listener, router, signals).await))
}

async fn until_stopped(
    limits: Limits,
    listener: TcpListener,
    router: Router,
    mut signals: Signals,
) -> Result<(), Failure> {
    // One listener for both: a signal that comes right after the first one is kept until it is asked for.
    let (hand_on, handed_on) = oneshot::channel();
    let stop = async {
        signals.next().await;
        // Whoever stops hurries later, so the other end is still there.
        let _ = hand_on.send(signals);
    };
    // Whoever presses Ctrl-C twice does not want to wait.
    let hurry = async {
        match handed_on.await {
            Ok(mut signals) => signals.next().await,
            Err(_) => std::future::pending().await,
        }
    };
    match server::serve(listener, router, limits, stop, hurry).await {
        Stopped::Finished => Ok(()),
        Stopped::Cut(connections) => Err(Failure::of(
            format!("connections that were cut while a request was in flight: {connections}"),
            "a longer `stop_timeout` leaves them more time",
        )),
    }
}

async fn listen(address: &str) -> Result<(TcpListener, SocketAddr), Failure> {
    let listening = TcpListener::bind(address).await;
    let listening = listening.and_then(|listener| listener.local_addr().map(|address| (listener, address)));
    listening.map_err(|error| {
        let hint = match error.kind() {
            io::ErrorKind::AddrInUse => "another program uses this port: choose another one with `--listen`",
            io::ErrorKind::PermissionDenied => "ports below 1024 need a privilege: choose a higher one with `--listen`",
            io::ErrorKind::AddrNotAvailable => "this machine has no such address: `--listen 0.0.0.0:8080` takes all",
            _ => "choose another address with `--listen`, for instance 127.0.0.1:8080",
        };
        Failure::run(SetupError::new(format!("cannot listen on {address}: {error}"), hint))
    })
}

/// What tells a server to stop: SIGTERM, Ctrl-C, and a terminal that goes away (SIGHUP).
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    interrupt: tokio::signal::unix::Signal,
    /// None where it stays ignored.
    #[cfg(unix)]
    hang_up: Option<tokio::signal::unix::Signal>,
}

impl Signals {
    #[cfg(unix)]
    fn new() -> Result<Self, Failure> {
        use tokio::signal::unix::{SignalKind, signal};
        let failed =
            |error: io::Error| Failure::of(format!("signals: {error}"), "the system refuses to hand them over");
        Ok(Self {
            terminate: signal(SignalKind::terminate()).map_err(failed)?,
            interrupt: signal(SignalKind::interrupt()).map_err(failed)?,
            hang_up: if ignores_hang_up() {
                None
            } else {
                Some(signal(SignalKind::hangup()).map_err(failed)?)
            },
        })
    }

    #[cfg(unix)]
    async fn next(&mut self) {
        let hang_up = async {
            match &mut self.hang_up {
                Some(signal) => signal.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            _ = hang_up => {}
        }
    }

    #[cfg(not(unix))]
    fn new() -> Result<Self, Failure> {
        Ok(Self {})
    }

    #[cfg(not(unix))]
    async fn next(&mut self) {
        // Without it there is only the task manager, and nothing to wait for.
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Whether whoever started the server has it ignore SIGHUP, as `nohup` does: to listen for it would undo that. Where the
/// system does not say, nobody listens.
#[cfg(unix)]
fn ignores_hang_up() -> bool {
    let told = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = told.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok());
    // Signals count from 1, which is this one.
    ignored.is_none_or(|bits| bits & 1 != 0)
}
