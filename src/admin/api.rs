//! The endpoints, and how errors look.

use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, DefaultBodyLimit, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::IncomingStream;
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::json;
use tokio::net::UnixListener;

use super::{Report, Server, history, kept, ledger, reload, scrape, verbs, zones};
use crate::change::{Body, Submission};
use crate::guard::{Actor, FreezeScope, Override, Path};
use crate::rr::Name;

/// Enough for every request but the text of a zone.
const REQUEST_OCTETS_MAX: usize = 64 * 1024;

pub(super) fn router(server: Server) -> Router {
    let whole_zones = DefaultBodyLimit::max(server.settings.import_octets_max);
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/zones", get(zones::list))
        .route("/v1/zone/export", get(zones::export))
        .route("/v1/zone/check", post(zones::check).layer(whole_zones))
        .route("/v1/zone/import", post(zones::import).layer(whole_zones))
        .route("/v1/zone/remove", post(verbs::remove))
        .route("/v1/zone/accept", post(verbs::accept))
        .route("/v1/snapshot", get(kept::show))
        .route("/v1/snapshot/export", get(kept::export))
        .route("/v1/snapshot/restore", post(verbs::restore))
        .route("/v1/reload", post(reload::reload))
        .route("/v1/why", get(history::why))
        .route("/v1/log", get(history::log))
        .route("/v1/verify", get(ledger::verify))
        .route("/v1/diff", get(ledger::diff))
        .route("/v1/backup", post(ledger::backup))
        .route("/v1/freeze", post(freeze))
        .route("/v1/thaw", post(thaw))
        .route("/metrics", get(scrape::metrics))
        .layer(DefaultBodyLimit::max(REQUEST_OCTETS_MAX))
        .with_state(server)
}

/// Who is at the other end, as the kernel says.
#[derive(Debug, Clone)]
pub(super) struct Caller {
    user: String,
}

impl Connected<IncomingStream<'_, UnixListener>> for Caller {
    fn connect_info(stream: IncomingStream<'_, UnixListener>) -> Caller {
        let uid = stream.io().peer_cred().map(|peer| peer.uid());
        Caller {
            user: uid.map_or("unknown".to_owned(), user_name),
        }
    }
}

fn user_name(uid: u32) -> String {
    match nix::unistd::User::from_uid(uid.into()) {
        Ok(Some(user)) => user.name,
        _ => format!("uid {uid}"),
    }
}

impl Caller {
    pub fn actor(&self) -> Actor {
        Actor {
            name: format!("cli {}", self.user),
            key: None,
        }
    }
}

/// A request that was not carried out, with a sentence for the person who made it.
#[derive(Debug)]
pub(super) struct Failure {
    pub status: StatusCode,
    pub error: String,
}

impl Failure {
    pub fn not_found(error: impl Into<String>) -> Failure {
        Failure {
            status: StatusCode::NOT_FOUND,
            error: error.into(),
        }
    }

    pub fn ours(error: impl ToString) -> Failure {
        Failure {
            status: StatusCode::INTERNAL_SERVER_ERROR,
            error: error.to_string(),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        (self.status, Json(json!({ "error": self.error }))).into_response()
    }
}

impl IntoResponse for Report {
    fn into_response(self) -> Response {
        let status = match self {
            Report::Committed { .. } | Report::Unchanged { .. } => StatusCode::OK,
            Report::Refused { .. } => StatusCode::CONFLICT,
            Report::Failed { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            Report::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(self)).into_response()
    }
}

/// Runs what reads the disk or a whole zone's text, off the runtime's threads.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(Failure::ours(error)))
}

/// Hands a change of the command line to the one path that changes zones.
pub(super) async fn submit(
    server: &Server,
    caller: &Caller,
    zone: Name,
    path: Path,
    body: Body,
    override_: Option<Override>,
) -> Report {
    let outcome = server.change.submit(Submission {
        zone,
        actor: caller.actor(),
        path,
        source: None,
        transport: None,
        body,
        override_,
    });
    match outcome.await {
        Ok(outcome) => outcome.into(),
        Err(_) => Report::Unavailable {
            reason: "the server is stopping".to_owned(),
        },
    }
}

async fn status(State(server): State<Server>) -> impl IntoResponse {
    let zones = server.change.status();
    let totals = server.counters.totals();
    let snapshot = server.change.snapshot();
    Json(json!({
        "server": {
            "version": env!("CARGO_PKG_VERSION"),
            "pid": std::process::id(),
            "uptime_secs": server.about.started.elapsed().as_secs(),
            "listen": server.about.addresses,
            "config": server.about.config,
            "store": server.store.path,
            "metrics": server.about.metrics,
            "queries": totals.queries,
            "updates": totals.updates,
            "refusals": totals.refusals,
            "observed": totals.observed,
            "tsig_failures": totals.tsig_failures,
            "unsigned_updates": totals.unsigned_updates,
            "log_lines_lost": (server.about.lost_log_lines)(),
        },
        "snapshot": {
            "path": snapshot.path,
            "lag_secs": snapshot.lag_secs,
            "trouble": snapshot.trouble,
        },
        "freezes": server.change.freezes(),
        "failing": server.change.failing(),
        "notices": server.change.notices(),
        "zones": zones,
    }))
}

/// What a freeze or thaw is about: neither, the whole server.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scope {
    zone: Option<Name>,
    key: Option<Name>,
    #[serde(default)]
    reason: String,
}

impl Scope {
    fn scope(&self) -> Result<FreezeScope, Failure> {
        match (&self.zone, &self.key) {
            (None, None) => Ok(FreezeScope::Server),
            (Some(zone), None) => Ok(FreezeScope::Zone(zone.clone())),
            (None, Some(key)) => Ok(FreezeScope::Key(key.clone())),
            (Some(_), Some(_)) => Err(Failure {
                status: StatusCode::BAD_REQUEST,
                error: "a zone or a key, not both".to_owned(),
            }),
        }
    }

    /// Somebody who freezes what is not there believes to have stopped something.
    fn must_be_known(&self, server: &Server) -> Result<(), Failure> {
        if let Some(zone) = &self.zone
            && server.reader.load().zone(zone).is_none()
        {
            return Err(Failure::not_found(format!("{zone} is not served here")));
        }
        match &self.key {
            Some(key) if !(server.has_key)(key) => {
                Err(Failure::not_found(format!("there is no key {key}")))
            }
            _ => Ok(()),
        }
    }

    /// The zone that the submission is filed under; the root where it is about no zone.
    fn zone(&self) -> Name {
        self.zone.clone().unwrap_or_else(Name::root)
    }
}

async fn freeze(
    State(server): State<Server>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(request): Json<Scope>,
) -> Result<Report, Failure> {
    request.must_be_known(&server)?;
    let body = Body::Freeze {
        scope: request.scope()?,
        reason: request.reason.clone(),
    };
    Ok(submit(&server, &caller, request.zone(), Path::Cli, body, None).await)
}

async fn thaw(
    State(server): State<Server>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(request): Json<Scope>,
) -> Result<Report, Failure> {
    let scope = request.scope()?;
    let frozen = server.change.freezes();
    if !frozen.iter().any(|freeze| freeze.scope == scope) {
        return Err(Failure::not_found(match scope {
            FreezeScope::Server => "the server is not frozen as a whole".to_owned(),
            scope => format!("{scope} is not frozen"),
        }));
    }
    let body = Body::Thaw { scope };
    Ok(submit(&server, &caller, request.zone(), Path::Cli, body, None).await)
}
