//! Changes of a whole zone that bring no text: remove, accept, restore. Whatever can be overridden
//! is overridden here in the same words.

use axum::Json;
use axum::extract::{ConnectInfo, State};
use axum::http::StatusCode;
use serde::Deserialize;

use super::api::{Caller, Failure, submit};
use super::{Report, Server};
use crate::change::Body;
use crate::guard::{self, Override, Path};
use crate::rr::Name;

/// One rule set aside, as clients ask for it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Overriding {
    #[serde(rename = "override")]
    rule: Option<String>,
    reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Verb {
    zone: Name,
    #[serde(flatten)]
    overriding: Overriding,
}

impl Overriding {
    pub fn checked(self) -> Result<Option<Override>, Failure> {
        let bad = |error: String| Failure {
            status: StatusCode::BAD_REQUEST,
            error,
        };
        let Some(rule) = self.rule else {
            return Ok(None);
        };
        if !guard::OVERRIDABLE.contains(&rule.as_str()) {
            let rules = guard::OVERRIDABLE.join(", ");
            return Err(bad(format!(
                "{rule:?} is no rule that can be overridden: {rules}"
            )));
        }
        match self.reason.filter(|reason| !reason.trim().is_empty()) {
            Some(reason) => Ok(Some(Override { rule, reason })),
            None => Err(bad("an override needs a reason".to_owned())),
        }
    }
}

async fn ask(server: &Server, caller: &Caller, verb: Verb, body: Body) -> Result<Report, Failure> {
    let override_ = verb.overriding.checked()?;
    Ok(submit(server, caller, verb.zone, Path::Cli, body, override_).await)
}

pub(super) async fn remove(
    State(server): State<Server>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(verb): Json<Verb>,
) -> Result<Report, Failure> {
    ask(&server, &caller, verb, Body::Remove).await
}

pub(super) async fn accept(
    State(server): State<Server>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(verb): Json<Verb>,
) -> Result<Report, Failure> {
    ask(&server, &caller, verb, Body::Accept).await
}

pub(super) async fn restore(
    State(server): State<Server>,
    ConnectInfo(caller): ConnectInfo<Caller>,
    Json(verb): Json<Verb>,
) -> Result<Report, Failure> {
    ask(&server, &caller, verb, Body::Restore).await
}
