//! `GET /metrics`: at the control socket, and at a TCP address where the configuration names one.
//!
//! Whoever reaches that address can read zone names, serials and counts, and nothing else: there is
//! no other path, no body is read, and connections are few and short.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, header};
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::Server;
use super::api::{Failure, blocking};
use crate::metrics::{Scrape, Snapshot, State as ZoneState, Zone, classic};
use crate::zone::Served;

const OPENMETRICS: &str = "application/openmetrics-text";

/// Connections served at once; more wait for their turn.
const CONNECTIONS_MAX: usize = 8;
/// From accepting a connection to the last octet of the answer.
const CONNECTION_MAX: Duration = Duration::from_secs(20);
/// The least that the library takes.
const REQUEST_OCTETS_MAX: usize = 8192;
/// After an error of `accept`.
const ERROR_PAUSE: Duration = Duration::from_millis(100);

/// The TCP address at which metrics are read, bound; nobody is answered yet.
#[derive(Debug)]
pub struct Window(TcpListener);

impl Window {
    pub fn bind(address: SocketAddr) -> io::Result<Window> {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(Window(listener))
    }

    /// With the port that 0 became.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves for as long as the task lives; its connections end with it.
    pub(super) fn open(self, server: Server) -> io::Result<tokio::task::JoinHandle<()>> {
        let listener = tokio::net::TcpListener::from_std(self.0)?;
        Ok(tokio::spawn(serve(listener, router(server))))
    }
}

fn router(server: Server) -> Router {
    Router::new()
        .route("/metrics", get(metrics))
        .with_state(server)
}

async fn serve(listener: tokio::net::TcpListener, router: Router) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let place = places.clone().acquire_owned().await;
        let place = place.expect("nobody closes the semaphore");
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::debug!(%error, "accepting a connection for metrics fails");
                sleep(ERROR_PAUSE).await;
                continue;
            }
        };
        let service = TowerToHyperService::new(router.clone());
        connections.spawn(async move {
            let mut http = http1::Builder::new();
            http.keep_alive(false).max_buf_size(REQUEST_OCTETS_MAX);
            let served = http.serve_connection(TokioIo::new(stream), service);
            // What goes wrong between a client and us is the client's to tell.
            let _ = timeout(CONNECTION_MAX, served).await;
            drop(place);
        });
    }
}

pub(super) async fn metrics(
    State(server): State<Server>,
    headers: HeaderMap,
) -> Result<impl IntoResponse, Failure> {
    let page = blocking(move || Ok(server.counters.page(scrape(&server)))).await?;
    let accept = headers.get(header::ACCEPT);
    let modern = accept
        .and_then(|accept| accept.to_str().ok())
        .is_some_and(|accept| accept.contains(OPENMETRICS));
    Ok(match modern {
        true => (
            [(
                header::CONTENT_TYPE,
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            )],
            page,
        ),
        false => (
            [(
                header::CONTENT_TYPE,
                "text/plain; version=0.0.4; charset=utf-8",
            )],
            classic(&page),
        ),
    })
}

/// How the zones are served now, in the order of their names, and what of it is kept.
fn scrape(server: &Server) -> Scrape {
    let snapshot = server.change.snapshot();
    let mut revisions: Vec<(String, u64)> = snapshot
        .zones
        .iter()
        .map(|kept| (kept.zone.to_string(), kept.revision))
        .collect();
    revisions.sort_unstable();
    let published = server.reader.load();
    let mut zones: Vec<Zone> = published.zones().map(|served| zone(served)).collect();
    zones.sort_unstable_by(|a, b| a.name.cmp(&b.name));
    Scrape {
        zones,
        snapshot: Some(Snapshot {
            lag: Duration::from_secs(snapshot.lag_secs),
            is_failing: snapshot.trouble.is_some(),
            revisions,
        }),
    }
}

fn zone(served: &Served) -> Zone {
    let name = served.origin().to_string();
    match served {
        Served::Zone(zone) => Zone {
            name,
            serial: zone.image.soa().map(|soa| soa.serial.0),
            revision: Some(zone.revision),
            records: Some(zone.image.record_count() as u64),
            state: match &zone.hold {
                Some(hold) if hold.is_expired => ZoneState::Expired { since: hold.since },
                Some(hold) => ZoneState::Holding { since: hold.since },
                None => ZoneState::Live,
            },
        },
        Served::Unavailable { .. } => Zone {
            name,
            serial: None,
            revision: None,
            records: None,
            state: ZoneState::Unavailable,
        },
    }
}
