//! The last-known-good snapshot, as it lies on the disk.

use axum::Json;
use axum::extract::{Query, State};
use axum::http::header;
use axum::response::IntoResponse;
use serde::Deserialize;

use super::Server;
use super::api::{Failure, blocking};
use crate::change::{SnapshotStatus, SnapshotZone};
use crate::rr::Name;
use crate::store::{self, Snapshot, StoreError};
use crate::zonefile;

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    zone: Name,
}

pub(super) async fn show(State(server): State<Server>) -> Json<SnapshotStatus> {
    Json(server.change.snapshot())
}

pub(super) async fn export(
    State(server): State<Server>,
    Query(which): Query<Which>,
) -> Result<impl IntoResponse, Failure> {
    let text = blocking(move || {
        let text = snapshot_text(&server.store, &which.zone).map_err(Failure::ours)?;
        text.ok_or_else(|| {
            Failure::not_found(format!(
                "the snapshot does not know the zone {}",
                which.zone
            ))
        })
    });
    Ok((
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        text.await?,
    ))
}

/// A zone of the snapshot file as a zone file, when it adds up to the digest it was written with.
pub fn snapshot_text(store: &store::Settings, zone: &Name) -> Result<Option<String>, StoreError> {
    let snapshot = Snapshot::open_existing(&store.snapshot)?;
    let rows = snapshot.zones()?;
    let Some(row) = rows.iter().find(|row| row.origin == *zone) else {
        return Ok(None);
    };
    Ok(Some(zonefile::print(&snapshot.load(row)?)))
}

/// What the snapshot file holds, read where no server runs; every zone is verified.
pub fn snapshot_status(store: &store::Settings) -> Result<SnapshotStatus, StoreError> {
    let snapshot = Snapshot::open_existing(&store.snapshot)?;
    let ceilings = snapshot.ceilings()?;
    let mut rows = snapshot.zones()?;
    rows.sort_by(|a, b| a.origin.cmp(&b.origin));
    let mut trouble = None;
    let mut zones = Vec::new();
    for row in rows {
        let records = match snapshot.load(&row) {
            Ok(image) => image.record_count(),
            Err(error) => {
                trouble.get_or_insert(error.to_string());
                usize::try_from(row.records).unwrap_or(usize::MAX)
            }
        };
        zones.push(SnapshotZone {
            ceiling: ceilings.get(&row.origin).copied(),
            zone: row.origin,
            revision: row.revision,
            records,
            lag_secs: 0,
        });
    }
    Ok(SnapshotStatus {
        path: store.snapshot.clone(),
        zones,
        lag_secs: 0,
        trouble,
    })
}
