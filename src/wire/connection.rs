//! One TCP connection: messages behind two octets of length (RFC 1035 §4.2.2), answered as they
//! become ready, in order or not (RFC 7766 §6.2.1.1).
//!
//! A reader and a writer, joined by a channel of answers. The reader takes a place in the channel
//! before it reads on, so a client that does not take its answers is not read from either.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::sync::mpsc::{self, OwnedPermit};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{sleep, timeout};

use super::seats::Seat;
use super::slow::{self, Reply};
use super::tcp::Terms;
use crate::answer::{Outcome, Transport};
use crate::rr::message::HEADER_OCTETS;

/// Messages of one connection that are being answered, or whose answers wait to be written.
const PIPELINE: usize = 16;
/// Octets of answers that wait to be written, before another is put to them: a client that asks for
/// much and reads nothing costs no more than this, and one answer.
const WAITING_OCTETS: usize = 1 << 16;
/// Answers are written together up to about this many octets.
const WRITE_OCTETS: usize = 16 << 10;
/// How long a connection that we close first is still read from.
const LINGER: Duration = Duration::from_secs(1);

pub(super) async fn serve(stream: TcpStream, peer: SocketAddr, terms: &Terms, seat: &Seat) {
    // Answers are whole segments already.
    let _ = stream.set_nodelay(true);
    let (read, write) = stream.into_split();
    let (answers, to_write) = mpsc::channel(PIPELINE);
    let mut read = BufReader::new(read);
    let reader = async {
        let end = read_requests(&mut read, &answers, peer, terms, seat).await;
        // The writer ends when the last answer under way is written.
        drop(answers);
        end
    };
    let writer = write_answers(write, to_write, terms.limits.message, seat);
    let (end, written) = tokio::join!(reader, writer);
    if matches!(end, End::Ours) && written.is_ok() {
        linger(&mut read).await;
    }
}

/// An answer, and the room it takes until it is written.
struct Waiting {
    octets: Vec<u8>,
    _room: OwnedSemaphorePermit,
}

/// Where the answer to one request goes.
struct Place {
    permit: OwnedPermit<Waiting>,
    room: Arc<Semaphore>,
}

impl Place {
    async fn put(self, octets: Vec<u8>) {
        // No answer is longer than all the room there is.
        let len = octets.len().min(WAITING_OCTETS) as u32;
        let Ok(_room) = self.room.acquire_many_owned(len).await else {
            return;
        };
        self.permit.send(Waiting { octets, _room });
    }
}

/// Who ended the requests of a connection.
enum End {
    /// The client, which may still read (half-close).
    Theirs,
    Ours,
}

async fn read_requests(
    read: &mut BufReader<OwnedReadHalf>,
    answers: &mpsc::Sender<Waiting>,
    peer: SocketAddr,
    terms: &Terms,
    seat: &Seat,
) -> End {
    let mut stopping = terms.stopping.clone();
    let mut life = pin!(sleep(terms.limits.life));
    let room = Arc::new(Semaphore::new(WAITING_OCTETS));
    let mut request = Vec::new();
    loop {
        let Ok(permit) = answers.clone().reserve_owned().await else {
            return End::Theirs;
        };
        let place = Place {
            permit,
            room: room.clone(),
        };
        let next = tokio::select! {
            // Requests that have come before we stop are answered.
            biased;
            next = read_request(read, &mut request, terms) => next,
            _ = stopping.wait_for(|stop| *stop) => return End::Ours,
            () = &mut life => return End::Ours,
            // The writer gave up: the client does not read.
            () = answers.closed() => return End::Theirs,
        };
        match next {
            Ok(()) if request.len() >= HEADER_OCTETS => {
                seat.used();
                answer(&request, peer, terms, place).await;
            }
            // Whatever sends this is not in step with us about where messages begin.
            Ok(()) => return End::Ours,
            Err(error) if error.kind() == io::ErrorKind::TimedOut => return End::Ours,
            Err(_) => return End::Theirs,
        }
    }
}

async fn read_request(
    read: &mut BufReader<OwnedReadHalf>,
    request: &mut Vec<u8>,
    terms: &Terms,
) -> io::Result<()> {
    let mut len = [0; 2];
    timeout(terms.limits.idle, read.read_exact(&mut len[..1])).await??;
    timeout(terms.limits.message, async {
        read.read_exact(&mut len[1..]).await?;
        request.resize(usize::from(u16::from_be_bytes(len)), 0);
        read.read_exact(request).await
    })
    .await??;
    Ok(())
}

async fn answer(request: &[u8], peer: SocketAddr, terms: &Terms, place: Place) {
    let mut out = Vec::new();
    match terms.service.answer(request, Transport::Tcp, 0, &mut out) {
        Outcome::Silent => {}
        Outcome::Answered(rcode) => {
            terms.service.count(Transport::Tcp, rcode.code());
            place.put(out).await;
        }
        Outcome::Elsewhere => match slow::take(&terms.service, request, peer, Transport::Tcp) {
            Reply::Silent => {}
            Reply::Ready(reply) => place.put(reply).await,
            Reply::Update(update) => {
                let answer = update.submit(&terms.service.change);
                tokio::spawn(async move {
                    if let Some(reply) = answer.await {
                        place.put(reply).await;
                    }
                });
            }
        },
    }
}

async fn write_answers(
    mut write: OwnedWriteHalf,
    mut answers: mpsc::Receiver<Waiting>,
    patience: Duration,
    seat: &Seat,
) -> io::Result<()> {
    let mut frames = Vec::new();
    while let Some(first) = answers.recv().await {
        frames.clear();
        let mut next = Some(first);
        while let Some(answer) = next {
            put_frame(&mut frames, &answer.octets)?;
            next = match frames.len() < WRITE_OCTETS {
                true => answers.try_recv().ok(),
                false => None,
            };
        }
        timeout(patience, write.write_all(&frames)).await??;
        seat.used();
    }
    write.shutdown().await
}

fn put_frame(frames: &mut Vec<u8>, answer: &[u8]) -> io::Result<()> {
    let too_long = |_| io::Error::other("an answer is longer than 65535 octets");
    let len = u16::try_from(answer.len()).map_err(too_long)?;
    frames.extend_from_slice(&len.to_be_bytes());
    frames.extend_from_slice(answer);
    Ok(())
}

/// Reads what still comes. Closing with octets unread sends a reset, which can take our last
/// answers from the client before it has read them.
async fn linger(read: &mut BufReader<OwnedReadHalf>) {
    let mut rest = [0; 4096];
    let drained = async { while matches!(read.read(&mut rest).await, Ok(1..)) {} };
    let _ = timeout(LINGER, drained).await;
}
