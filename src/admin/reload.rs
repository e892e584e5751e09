//! Reading the configuration anew, as it is asked for and told of. What is done is the server's.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::Server;
use super::api::{Failure, blocking};

/// How a reload is asked for.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReloadRequest {
    /// Less protection than before is let in.
    #[serde(default)]
    pub weaker: bool,
}

/// What came of it, in sentences and names. The names of the fields are part of the interface.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "lowercase")]
pub enum ReloadReport {
    Done {
        /// What is otherwise than before.
        changed: Vec<String>,
        /// What the file says otherwise and a restart alone brings.
        restart: Vec<String>,
        /// Zones without a stanza; they and their protection stay.
        orphaned: Vec<String>,
        /// What protects less than before, as was asked for.
        weaker: Vec<String>,
        /// Zones whose file was brought in.
        imported: Vec<String>,
        /// Zones whose file could not be, and why.
        failed: Vec<String>,
        warnings: Vec<String>,
    },
    /// Nothing has changed.
    Refused {
        weaker: Vec<String>,
        /// Policy that the data served do not meet.
        unmet: Vec<String>,
    },
    /// The file, or a secret that it names, cannot be read; nothing has changed.
    Unreadable { reason: String },
    /// Nobody could do it.
    Unavailable { reason: String },
}

/// Does it. Blocks until it is done.
pub type Reload = Arc<dyn Fn(ReloadRequest) -> ReloadReport + Send + Sync>;

impl IntoResponse for ReloadReport {
    fn into_response(self) -> Response {
        let status = match self {
            ReloadReport::Done { .. } => StatusCode::OK,
            ReloadReport::Refused { .. } => StatusCode::CONFLICT,
            ReloadReport::Unreadable { .. } => StatusCode::UNPROCESSABLE_ENTITY,
            ReloadReport::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
        };
        (status, Json(self)).into_response()
    }
}

pub(super) async fn reload(
    State(server): State<Server>,
    Json(request): Json<ReloadRequest>,
) -> Result<ReloadReport, Failure> {
    blocking(move || Ok((server.reload)(request))).await
}
