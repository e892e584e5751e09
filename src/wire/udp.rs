//! The UDP door: a thread for each socket answers plain queries where it receives them.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use nix::sys::socket::MsgFlags;
use tracing::{debug, error, warn};

use super::Service;
use super::datagram::{self, Door, Envelope, Inbox};
use super::seldom::Seldom;
use super::slow::SlowPath;
use crate::answer::{Outcome, Transport};
use crate::metrics::Tally;

/// After an error that is not about one datagram, so that a broken socket does not cost a core.
const ERROR_PAUSE: Duration = Duration::from_millis(50);
/// Batches still answered once told to stop: what had come by then, and an end even in a flood.
const LAST_BATCHES: usize = 256;

static PANICS: Seldom = Seldom::new();
static RECEIVE_FAILS: Seldom = Seldom::new();
static SLOW_IS_FULL: Seldom = Seldom::new();

/// Answers until told to stop, and then what has already come.
pub(super) fn serve(door: &Arc<Door>, service: &Service, slow: &SlowPath, stopping: &AtomicBool) {
    let mut tally = service.counters.tally();
    // No octets of a peer's should cause a panic. Should some do, they must not cost us the door.
    while catch_unwind(AssertUnwindSafe(|| {
        run(door, service, slow, stopping, &mut tally);
    }))
    .is_err()
    {
        if let Some(unsaid) = PANICS.due() {
            error!(unsaid, "a UDP thread has panicked and starts again");
        }
    }
}

fn run(
    door: &Arc<Door>,
    service: &Service,
    slow: &SlowPath,
    stopping: &AtomicBool,
    tally: &mut Tally,
) {
    let mut inbox = Inbox::new(door);
    let mut out = Vec::with_capacity(usize::from(u16::MAX));
    let mut each = |request: &[u8], envelope: Envelope, arrival| {
        out.clear();
        match service.answer(request, Transport::Udp, 0, &mut out) {
            Outcome::Silent => {}
            Outcome::Answered(rcode) => {
                tally.answered(rcode.code());
                if !send(door, &envelope, &out) {
                    tally.response_lost();
                }
            }
            Outcome::Elsewhere => {
                if !slow.pass(request, envelope, door, arrival) {
                    tally.slow_path_full();
                    if let Some(unsaid) = SLOW_IS_FULL.due() {
                        warn!(unsaid, "too many updates and signed queries wait: dropped");
                    }
                }
            }
        }
    };
    while !stopping.load(Ordering::Acquire) {
        match inbox.receive(door, MsgFlags::MSG_WAITFORONE, &mut each) {
            Ok(()) | Err(Errno::EAGAIN | Errno::EINTR) => {}
            Err(error) => {
                if let Some(unsaid) = RECEIVE_FAILS.due() {
                    warn!(%error, unsaid, "receiving datagrams fails");
                }
                std::thread::sleep(ERROR_PAUSE);
            }
        }
    }
    for _ in 0..LAST_BATCHES {
        if inbox
            .receive(door, MsgFlags::MSG_DONTWAIT, &mut each)
            .is_err()
        {
            break;
        }
    }
}

/// Sends, or logs why not: a forged source may be an address that nothing can be sent to. Tells
/// whether the system has taken it.
#[must_use]
pub(super) fn send(door: &Door, envelope: &Envelope, reply: &[u8]) -> bool {
    let sent = datagram::send(&door.socket, envelope, reply);
    if let Err(error) = &sent {
        debug!(%error, peer = %envelope.peer, "a reply could not be sent");
    }
    sent.is_ok()
}
