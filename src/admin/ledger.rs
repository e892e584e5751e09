//! The past at the control socket: is it as it was written, what lies between two revisions, and a
//! copy of all of it.

use std::path::PathBuf;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::Server;
use super::api::{Failure, blocking};
use crate::rr::Name;
use crate::store::{self, Backup, Changes, History, StoreError, Verification};

#[derive(Debug, Deserialize)]
pub(super) struct Head {
    head: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Range {
    zone: Name,
    from: u64,
    to: u64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Target {
    file: PathBuf,
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Failure {
        let status = match error {
            StoreError::NoZone(_) | StoreError::NoRevision { .. } => StatusCode::NOT_FOUND,
            StoreError::Pruned { .. } => StatusCode::GONE,
            StoreError::InTheWay(_) => StatusCode::CONFLICT,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Failure {
            status,
            error: error.to_string(),
        }
    }
}

pub(super) async fn verify(
    State(server): State<Server>,
    Query(wanted): Query<Head>,
) -> Result<Json<Verification>, Failure> {
    blocking(move || {
        let found = store::verify(&server.store, wanted.head.as_deref())?;
        if !found.whole {
            // What is served has to do with it, perhaps: the writer hears of it now.
            server.change.scrub();
        }
        Ok(Json(found))
    })
    .await
}

pub(super) async fn diff(
    State(server): State<Server>,
    Query(range): Query<Range>,
) -> Result<Json<Changes>, Failure> {
    blocking(move || {
        let history = History::open(&server.store)?;
        Ok(Json(history.between(&range.zone, range.from, range.to)?))
    })
    .await
}

/// Writes a file where the client says, as the server's user, and only where none is.
pub(super) async fn backup(
    State(server): State<Server>,
    Json(target): Json<Target>,
) -> Result<Json<Backup>, Failure> {
    if !target.file.is_absolute() {
        return Err(Failure {
            status: StatusCode::BAD_REQUEST,
            error: "a path from the root on".to_owned(),
        });
    }
    blocking(move || {
        let made = store::backup(&server.store, &target.file)?;
        tracing::info!(file = %made.file.display(), octets = made.octets, "backup");
        Ok(Json(made))
    })
    .await
}
