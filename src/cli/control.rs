//! Asking the running server: HTTP over its control socket.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

use super::{Exit, print};
use crate::admin::Report;

/// Longer than the server lets any question wait; a large import may take long to be written.
const PATIENCE: Duration = Duration::from_secs(600);

/// The control socket of a server that was there when it was opened.
pub(super) struct Control {
    runtime: tokio::runtime::Runtime,
    stream: UnixStream,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum ControlError {
    #[error("no server answers at {}", .0.display())]
    NoServer(PathBuf),
    #[error("the control socket {} is not for this user: run this as the server's user or as root", .0.display())]
    Forbidden(PathBuf),
    #[error("the control socket {}: {reason}", path.display())]
    Io { path: PathBuf, reason: io::Error },
}

/// What the server answered.
pub(super) struct Answer {
    pub status: StatusCode,
    pub body: Bytes,
}

/// The form of an error.
#[derive(serde::Deserialize)]
struct Failure {
    error: String,
}

impl Control {
    pub fn open(socket: &Path) -> Result<Control, ControlError> {
        let path = socket.to_owned();
        let io_error = |reason| ControlError::Io { path, reason };
        let runtime = match tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
        {
            Ok(runtime) => runtime,
            Err(error) => return Err(io_error(error)),
        };
        match runtime.block_on(UnixStream::connect(socket)) {
            Ok(stream) => Ok(Control { runtime, stream }),
            Err(error) => Err(match error.kind() {
                io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
                    ControlError::NoServer(socket.to_owned())
                }
                io::ErrorKind::PermissionDenied => ControlError::Forbidden(socket.to_owned()),
                _ => io_error(error),
            }),
        }
    }

    pub fn get(self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Answer> {
        self.request(Method::GET, path, query, "text/plain", Bytes::new())
    }

    pub fn post_json(self, path: &str, body: &impl Serialize) -> anyhow::Result<Answer> {
        let body = serde_json::to_vec(body)?;
        self.request(Method::POST, path, &[], "application/json", body.into())
    }

    pub fn post_text(
        self,
        path: &str,
        query: &[(&str, &str)],
        text: String,
    ) -> anyhow::Result<Answer> {
        self.request(Method::POST, path, query, "text/plain", text.into())
    }

    fn request(
        self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
        content_type: &str,
        body: Bytes,
    ) -> anyhow::Result<Answer> {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(query)
            .finish();
        let request = Request::builder()
            .method(method)
            .uri(format!("{path}?{query}"))
            .header(hyper::header::HOST, "localhost")
            .header(hyper::header::CONTENT_TYPE, content_type)
            .body(Full::new(body))?;
        let stream = self.stream;
        let answer = self
            .runtime
            .block_on(async { tokio::time::timeout(PATIENCE, exchange(stream, request)).await });
        answer
            .context("the server does not answer")?
            .context("the control socket")
    }
}

async fn exchange(stream: UnixStream, request: Request<Full<Bytes>>) -> hyper::Result<Answer> {
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let connection = tokio::spawn(connection);
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = response.into_body().collect().await?.to_bytes();
    drop(sender);
    connection.abort();
    Ok(Answer { status, body })
}

impl Answer {
    /// The answer as JSON; what was not found, or is not so, is told on standard error.
    pub fn json<T: DeserializeOwned>(&self) -> anyhow::Result<Option<T>> {
        if self.status.is_success() {
            let value = serde_json::from_slice(&self.body);
            return Ok(Some(
                value.context("the server's answer is not understood")?,
            ));
        }
        self.complain().map(|()| None)
    }

    /// The sentence of an error, on standard error. Errors that are not about the request are ours.
    pub fn complain(&self) -> anyhow::Result<()> {
        let error = match serde_json::from_slice::<Failure>(&self.body) {
            Ok(failure) => failure.error,
            Err(_) => format!("{}: {}", self.status, String::from_utf8_lossy(&self.body)),
        };
        if self.status.is_server_error() {
            anyhow::bail!(error);
        }
        eprintln!("{error}");
        Ok(())
    }

    /// What became of a change; `None` where that is not what was answered, and has been told.
    pub fn outcome(&self) -> anyhow::Result<Option<Report>> {
        match serde_json::from_slice(&self.body) {
            Ok(report) => Ok(Some(report)),
            Err(_) => self.complain().map(|()| None),
        }
    }

    /// Prints what became of a change.
    pub fn report(&self, json: bool) -> anyhow::Result<Exit> {
        let Some(report) = self.outcome()? else {
            return Ok(Exit::Wanting);
        };
        match json {
            true => print::json(&report)?,
            false => report.tell("")?,
        }
        match report {
            _ if report.is_done() => Ok(Exit::Done),
            Report::Unavailable { .. } => anyhow::bail!("nothing was changed"),
            _ => Ok(Exit::Wanting),
        }
    }
}

impl Report {
    pub(super) fn is_done(&self) -> bool {
        matches!(self, Report::Committed { .. } | Report::Unchanged { .. })
    }

    /// What was done on standard output, what was not on standard error, with `about` before it.
    pub(super) fn tell(&self, about: &str) -> anyhow::Result<()> {
        let lines = done(self);
        if !lines.is_empty() {
            print::out(&format!("{about}{lines}"))?;
        }
        if let Some(reason) = undone(self) {
            eprintln!("{about}{reason}");
        }
        Ok(())
    }
}

/// What was done, a line each.
fn done(report: &Report) -> String {
    let mut lines = Vec::new();
    let noted = match report {
        Report::Committed {
            reference,
            revision,
            old_serial,
            new_serial,
            removed,
            added,
            ignored,
            warnings,
        } => {
            let from = old_serial
                .filter(|old| old != new_serial)
                .map_or(String::new(), |serial| format!("{serial} to "));
            lines.push(format!(
                "{reference}: revision {revision}, serial {from}{new_serial}, \
                 {removed} records removed, {added} added"
            ));
            [ignored.as_slice(), warnings]
        }
        Report::Unchanged { reference, ignored } => {
            if ignored.is_empty() {
                lines.push(format!("{reference}: nothing to change"));
            }
            [ignored.as_slice(), &[]]
        }
        _ => [&[][..], &[]],
    };
    for note in noted.into_iter().flatten() {
        lines.push(print::one_line(note));
    }
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Why a change was not made.
fn undone(report: &Report) -> Option<String> {
    match report {
        Report::Committed { .. } | Report::Unchanged { .. } => None,
        Report::Refused {
            reference,
            rule,
            reason,
            accepted,
        } => {
            let reference = match reference.as_str() {
                "" => String::new(),
                reference => format!(" ({reference})"),
            };
            Some(format!(
                "refused by {rule}{reference}: {reason}\nwould be accepted: {accepted}"
            ))
        }
        Report::Failed { rcode, reason } => Some(format!("{rcode}: {reason}")),
        Report::Unavailable { reason } => Some(reason.clone()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_the_rule_its_reason_and_what_would_be_accepted() {
        let report = Report::Refused {
            reference: "7Q2K".to_owned(),
            rule: "min-members".to_owned(),
            reason: "api.example.com. A would go from 2 to 0; the least is 2".to_owned(),
            accepted: "a change that leaves 2".to_owned(),
        };
        assert_eq!(done(&report), "");
        assert_eq!(
            undone(&report).unwrap(),
            "refused by min-members (7Q2K): api.example.com. A would go from 2 to 0; \
             the least is 2\nwould be accepted: a change that leaves 2"
        );
    }

    #[test]
    fn where_nobody_listens_no_server_answers() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("control.sock");
        assert!(matches!(
            Control::open(&path),
            Err(ControlError::NoServer(_))
        ));
        drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
        assert!(matches!(
            Control::open(&path),
            Err(ControlError::NoServer(_))
        ));
    }
}
