//! The audit at the control socket: why, and the log.

use axum::Json;
use axum::extract::{Query, State};
use serde::Deserialize;

use super::Server;
use super::api::{Failure, blocking};
use crate::rr::Name;
use crate::store::{AuditRow, History};

const ROWS_DEFAULT: usize = 20;
const ROWS_MAX: usize = 10_000;

#[derive(Debug, Deserialize)]
pub(super) struct Reference {
    reference: String,
}

#[derive(Debug, Deserialize)]
pub(super) struct Rows {
    zone: Option<Name>,
    limit: Option<usize>,
}

pub(super) async fn why(
    State(server): State<Server>,
    Query(wanted): Query<Reference>,
) -> Result<Json<AuditRow>, Failure> {
    blocking(move || {
        let history = History::open(&server.store).map_err(Failure::ours)?;
        let row = history.audit(&wanted.reference).map_err(Failure::ours)?;
        row.map(Json).ok_or_else(|| {
            Failure::not_found(format!(
                "no change has the reference {:?}",
                wanted.reference
            ))
        })
    })
    .await
}

/// The newest first.
pub(super) async fn log(
    State(server): State<Server>,
    Query(rows): Query<Rows>,
) -> Result<Json<Vec<AuditRow>>, Failure> {
    blocking(move || {
        let history = History::open(&server.store).map_err(Failure::ours)?;
        let limit = rows.limit.unwrap_or(ROWS_DEFAULT).min(ROWS_MAX);
        let rows = history.list(rows.zone.as_ref(), limit);
        rows.map(Json).map_err(Failure::ours)
    })
    .await
}
