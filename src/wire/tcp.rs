//! The TCP door: who gets a connection (RFC 7766 §6.1, §10).

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::warn;

use super::seats::{Leaving, Seat, Seats};
use super::seldom::Seldom;
use super::{Service, TcpLimits, connection};

/// After an error of `accept` that lasts, such as no more file descriptors.
const ERROR_PAUSE: Duration = Duration::from_millis(50);

/// A connection that has asked nothing for so long may go when the system has no file for another.
const UNUSED: Duration = Duration::from_secs(1);
/// Closing takes a moment of a busy machine.
const LEAVING: Duration = Duration::from_secs(1);

static ACCEPT_FAILS: Seldom = Seldom::new();
static SEATS_TAKEN: Seldom = Seldom::new();

/// On what terms connections are served.
pub(super) struct Terms {
    pub service: Arc<Service>,
    pub limits: TcpLimits,
    pub stopping: watch::Receiver<bool>,
}

/// Accepts until told to stop, and returns when the last connection has ended. No error of
/// `accept` ends it: a peer can cause most of them.
pub(super) async fn accept(listener: TcpListener, terms: Arc<Terms>, seats: Arc<Seats>) {
    let mut stopping = terms.stopping.clone();
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            Some(_) = connections.join_next() => continue,
            _ = stopping.wait_for(|stop| *stop) => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                let (seat, leaving) = Seats::take(&seats, peer.ip());
                if let Some(leaving) = leaving {
                    if let Some(unsaid) = SEATS_TAKEN.due() {
                        warn!(newest = %peer, unsaid, "too many TCP connections: the least used is closed");
                    }
                    see_out(leaving, &terms).await;
                }
                connections.spawn(serve(stream, peer, terms.clone(), seat));
            }
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                if let Some(unsaid) = ACCEPT_FAILS.due() {
                    warn!(%error, unsaid, "accepting TCP connections fails");
                }
                if is_lack_of_files(&error)
                    && let Some(leaving) = seats.evict(UNUSED)
                {
                    see_out(leaving, &terms).await;
                }
                tokio::time::sleep(ERROR_PAUSE).await;
            }
        }
    }
    drop(listener);
    while connections.join_next().await.is_some() {}
}

async fn serve(stream: TcpStream, peer: SocketAddr, terms: Arc<Terms>, seat: Seat) {
    let _counted = terms.service.counters.connection();
    tokio::select! {
        () = connection::serve(stream, peer, &terms, &seat) => {}
        () = seat.evicted() => {}
    }
}

/// Waits until a connection has closed, so that there are never more than there may be.
async fn see_out(leaving: Leaving, terms: &Terms) {
    terms.service.counters.connection_evicted();
    let _ = tokio::time::timeout(LEAVING, leaving.left()).await;
}

/// This process, or the system, has as many files open as it may.
fn is_lack_of_files(error: &io::Error) -> bool {
    let lacks = [Errno::EMFILE, Errno::ENFILE];
    lacks
        .map(|lack| Some(lack as i32))
        .contains(&error.raw_os_error())
}

/// The peer gave up before its turn came.
fn is_of_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}
