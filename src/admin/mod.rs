//! The control socket: HTTP and JSON on a Unix socket that only its owner may open.
//!
//! Read in order: `socket` (taking the path), `api` (the endpoints), `report` (the JSON forms of
//! outcomes), `zones`, `verbs`, `kept`, `reload`, `history`, `ledger` (the handlers), `examine` (what
//! is wrong with a zone's text), `scrape` (metrics, which have a TCP address of their own as well if
//! the operator wants one).
//! Not here: judging and keeping changes (`change`), printing for people (`cli`). No endpoint reads
//! a path that a client names: clients send the text. One writes a new
//! file where a client says, as the server's user: `backup`.

mod api;
mod examine;
mod history;
mod kept;
mod ledger;
mod reload;
mod report;
mod scrape;
mod socket;
mod verbs;
mod zones;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

pub use examine::{Examined, examine};
pub use kept::{snapshot_status, snapshot_text};
pub use reload::{Reload, ReloadReport, ReloadRequest};
pub use report::Report;
pub use scrape::Window;
pub use socket::{Listener, SocketError};

use crate::change::Handle;
use crate::metrics::Counters;
use crate::rr::Name;
use crate::store;
use crate::zone::Reader;

/// How long a stop waits for commands that are being answered.
const DRAIN: Duration = Duration::from_secs(5);

#[derive(Debug, Clone)]
pub struct Settings {
    pub socket: PathBuf,
    /// The longest zone text that an import may send.
    pub import_octets_max: usize,
    /// Where metrics are read over TCP.
    pub metrics: Option<SocketAddr>,
}

impl Settings {
    pub fn at(socket: PathBuf) -> Settings {
        Settings {
            socket,
            import_octets_max: 1_000_000_000,
            metrics: None,
        }
    }
}

/// What `status` says of the process.
#[derive(Debug, Clone)]
pub struct About {
    pub config: PathBuf,
    pub addresses: Vec<SocketAddr>,
    /// Where metrics are read over TCP, the port resolved.
    pub metrics: Option<SocketAddr>,
    pub started: Instant,
    /// Log lines that nobody took.
    pub lost_log_lines: fn() -> usize,
}

/// What the handlers work with.
#[derive(Clone)]
pub struct Server {
    pub settings: Settings,
    pub about: About,
    pub store: store::Settings,
    pub reader: Reader,
    pub change: Handle,
    pub counters: Counters,
    /// Whether there is such a key now.
    pub has_key: Arc<dyn Fn(&Name) -> bool + Send + Sync>,
    pub reload: Reload,
}

/// The open control socket.
pub struct Running {
    bound: socket::Bound,
    quit: tokio::sync::oneshot::Sender<()>,
    task: tokio::task::JoinHandle<()>,
    window: Option<tokio::task::JoinHandle<()>>,
}

/// Answers on the socket from now on, and at the address for metrics. Must be called within a
/// runtime.
pub fn open(
    listener: Listener,
    window: Option<Window>,
    server: Server,
) -> std::io::Result<Running> {
    let (quit, asked) = tokio::sync::oneshot::channel();
    let (listener, bound) = listener.into_tokio()?;
    let window = match window {
        Some(window) => Some(window.open(server.clone())?),
        None => None,
    };
    let app = api::router(server).into_make_service_with_connect_info::<api::Caller>();
    let task = tokio::spawn(async move {
        let serving = axum::serve(listener, app).with_graceful_shutdown(async {
            // A dropped sender asks to stop as well.
            let _ = asked.await;
        });
        if let Err(error) = serving.await {
            tracing::error!(%error, "the control socket failed");
        }
    });
    Ok(Running {
        bound,
        quit,
        task,
        window,
    })
}

impl Running {
    /// Lets commands that are being answered finish, and removes the socket.
    pub async fn stop(mut self) {
        if let Some(window) = &self.window {
            window.abort();
        }
        // Nobody listens when the task has ended already.
        let _ = self.quit.send(());
        if tokio::time::timeout(DRAIN, &mut self.task).await.is_err() {
            tracing::warn!("a command at the control socket was cut off");
            self.task.abort();
        }
        if let Err(error) = self.bound.remove() {
            let path = self.bound.path().display();
            tracing::warn!(%error, "the control socket {path} stays");
        }
    }
}
