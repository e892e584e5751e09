//! Where log lines go: to standard error, for people or as JSON, on a thread of its own. Whoever
//! reads there and hangs can stop that thread and no other; lines that it does not take are counted.

use std::io::IsTerminal;
use std::sync::OnceLock;
use std::sync::mpsc;
use std::time::Duration;

use tracing_appender::non_blocking::{ErrorCounter, NonBlockingBuilder, WorkerGuard};
use tracing_subscriber::EnvFilter;

use crate::config::LogFormat;

/// Lines that wait for the reader; those beyond are lost.
const LINES_MAX: usize = 16 * 1024;
/// How long the last lines have at the end.
const LAST_LINES: Duration = Duration::from_secs(2);

static LOST: OnceLock<ErrorCounter> = OnceLock::new();

/// Lines of log are written for as long as this is kept.
#[must_use]
pub struct LogLines(Option<WorkerGuard>);

/// Sets up the logs of a server; `RUST_LOG` says how much, `info` when it does not.
pub fn init(format: LogFormat) -> LogLines {
    init_from(format, "info")
}

/// Sets up the logs of a command that does a server's work: what went wrong, and no more.
pub fn init_quiet() -> LogLines {
    init_from(LogFormat::Human, "error")
}

fn init_from(format: LogFormat, level: &str) -> LogLines {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new(level));
    let (writer, guard) = NonBlockingBuilder::default()
        .lossy(true)
        .buffered_lines_limit(LINES_MAX)
        .thread_name("log")
        .finish(std::io::stderr());
    // Only the first is used, as is the first subscriber.
    let _ = LOST.set(writer.error_counter());
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(writer)
        // Where standard error has gone away, telling it so would panic, in whichever thread.
        .log_internal_errors(false)
        .with_target(false);
    let result = match format {
        LogFormat::Human => lines.with_ansi(std::io::stderr().is_terminal()).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    if let Err(error) = result {
        eprintln!("logs were set up before: {error}");
    }
    LogLines(Some(guard))
}

/// Lines that nobody took.
pub fn lost_lines() -> usize {
    LOST.get().map_or(0, ErrorCounter::dropped_lines)
}

impl Drop for LogLines {
    /// Writes what still waits, unless nobody takes it.
    fn drop(&mut self) {
        let guard = self.0.take();
        let (done, written) = mpsc::channel::<()>();
        // The guard tells of a reader that hangs on standard output, which may hang as well.
        let _ = std::thread::Builder::new().spawn(move || {
            drop(guard);
            drop(done);
        });
        let _ = written.recv_timeout(LAST_LINES);
    }
}
