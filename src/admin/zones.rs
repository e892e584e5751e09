//! Zones at the control socket: list, export, check, import (`verbs` has the others).

use axum::Json;
use axum::body::Bytes;
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use serde::Deserialize;

use super::api::{Caller, Failure, blocking, submit};
use super::verbs::Overriding;
use super::{Examined, Report, Server, examine};
use crate::change::{Body, ZoneStatus};
use crate::guard::Path;
use crate::rr::{Name, Record};
use crate::zonefile::{self, Parsed};

/// Problems quoted in one error.
const QUOTED_MAX: usize = 20;

#[derive(Debug, Deserialize)]
pub(super) struct Which {
    zone: Name,
}

#[derive(Debug, Deserialize)]
pub(super) struct Import {
    zone: Name,
    #[serde(default)]
    replace: bool,
    #[serde(flatten)]
    overriding: Overriding,
}

pub(super) async fn list(State(server): State<Server>) -> Json<Vec<ZoneStatus>> {
    Json(server.change.status())
}

/// The zone as it is served now, held or not.
pub(super) async fn export(
    State(server): State<Server>,
    Query(which): Query<Which>,
) -> Result<impl IntoResponse, Failure> {
    let zone = which.zone;
    let served = server.reader.load().zone(&zone).cloned();
    let served = served.ok_or_else(|| Failure::not_found(format!("{zone} is not served here")))?;
    let text = blocking(move || match served.zone() {
        Some(served) => Ok(zonefile::print(&served.image)),
        None => Err(Failure {
            status: StatusCode::SERVICE_UNAVAILABLE,
            error: format!("{zone} has no version fit to be served"),
        }),
    });
    Ok((
        [(header::CONTENT_TYPE, "text/plain; charset=utf-8")],
        text.await?,
    ))
}

pub(super) async fn check(
    Query(which): Query<Which>,
    text: Bytes,
) -> Result<Json<Examined>, Failure> {
    blocking(move || Ok(Json(examine(&which.zone, parse(&which.zone, &text))))).await
}

pub(super) async fn import(
    State(server): State<Server>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Query(request): Query<Import>,
    text: Bytes,
) -> Result<Report, Failure> {
    let override_ = request.overriding.clone().checked()?;
    let origin = request.zone.clone();
    let records = blocking(move || records(parse(&origin, &text))).await?;
    let body = Body::Import {
        records,
        replace: request.replace,
    };
    Ok(submit(
        &server,
        &caller,
        request.zone,
        Path::Import,
        body,
        override_,
    )
    .await)
}

/// Clients resolve `$INCLUDE` themselves: files named in what they send are not read.
fn parse(origin: &Name, text: &[u8]) -> Parsed {
    zonefile::parse(text, origin, &|_, _| {
        Err(std::io::Error::new(
            std::io::ErrorKind::Unsupported,
            "files named in a zone's text are not read here",
        ))
    })
}

/// All records, or the first problems: nothing is imported by halves.
fn records(parsed: Parsed) -> Result<Vec<Record>, Failure> {
    if parsed.problems.is_empty() {
        return Ok(parsed.records);
    }
    let more = parsed.problems.len().saturating_sub(QUOTED_MAX);
    let mut lines: Vec<String> = parsed
        .problems
        .iter()
        .take(QUOTED_MAX)
        .map(ToString::to_string)
        .collect();
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    Err(Failure {
        status: StatusCode::UNPROCESSABLE_ENTITY,
        error: lines.join("\n"),
    })
}
