//! What is served: the one place where an image replaces another.
//!
//! A zone leaves what is published only by a newer image of it or by its explicit removal. Data
//! that are not fit to be served never arrive here: their zone holds, which means that its last
//! image stays and says so.
//! Start with [`Publisher`]; `keeper` writes the last-known-good snapshot behind it.
//! Not here: who decides what is fit (`check`, `guard`, by way of `change`).

mod keeper;

use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::{Duration, Instant};

pub use keeper::{BEHIND, Commit, Keeper, KeeperStatus, Since, SnapshotStatus, SnapshotZone};

use crate::rr::Name;
use crate::zone::{Hold, Published, Served, ServedZone, Writer, ZoneImage};

/// Holds the handle that replaces what queries read.
pub struct Publisher {
    writer: Writer,
    /// What was published, and is not given to the reaper yet: it is woken for many at once.
    replaced: Vec<Arc<Published>>,
    retired: Sender<Vec<Arc<Published>>>,
}

const REPLACED_MAX: usize = 64;

impl Publisher {
    pub fn new(writer: Writer) -> Publisher {
        let (retired, incoming) = mpsc::channel();
        // The thread ends by itself when the publisher and with it the sender is gone.
        thread::Builder::new()
            .name("reaper".into())
            .spawn(move || reap(&incoming))
            .expect("a thread can be started");
        Publisher {
            writer,
            replaced: Vec::new(),
            retired,
        }
    }

    pub fn current(&self) -> Arc<Published> {
        self.writer.current()
    }

    /// Makes `next` what every query from now on is answered from.
    pub fn publish(&mut self, next: Published) {
        self.replaced.push(self.writer.replace(next));
        if self.replaced.len() >= REPLACED_MAX {
            self.retire();
        }
    }

    /// Gives what was replaced to the reaper; to be called when there is nothing else to do.
    pub fn retire(&mut self) {
        if !self.replaced.is_empty() {
            // Without a reaper they are freed here, which costs the writer time and no query.
            let _ = self.retired.send(std::mem::take(&mut self.replaced));
        }
    }
}

/// Keeps what was published until no query reads it any more, so that none has to free it.
fn reap(incoming: &Receiver<Vec<Arc<Published>>>) {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut waiting: Vec<Arc<Published>> = Vec::new();
    loop {
        let next = match waiting.is_empty() {
            true => incoming
                .recv()
                .map_err(|_| mpsc::RecvTimeoutError::Disconnected),
            false => incoming.recv_timeout(PAUSE),
        };
        match next {
            Ok(old) => waiting.extend(old),
            Err(mpsc::RecvTimeoutError::Timeout) => {}
            Err(mpsc::RecvTimeoutError::Disconnected) => return,
        }
        waiting.retain(|old| Arc::strong_count(old) > 1);
    }
}

/// `published` with a fit image of a zone, which ends any hold.
pub fn live(published: &Published, image: ZoneImage, revision: u64) -> Published {
    published.with(Served::Zone(ServedZone {
        image: Arc::new(image),
        revision,
        hold: None,
    }))
}

/// `published` with a zone held: its image stays, and a hold that already was keeps its age. A zone
/// without any image is unavailable.
pub fn held(published: &Published, origin: &Name, reason: &str) -> Published {
    let served = published.zone(origin).and_then(|served| served.zone());
    published.with(match served {
        Some(zone) => {
            let known = zone.hold.as_ref();
            Served::Zone(ServedZone {
                hold: Some(Hold {
                    since: known.map_or_else(Instant::now, |hold| hold.since),
                    reason: reason.to_owned(),
                    is_expired: known.is_some_and(|hold| hold.is_expired),
                }),
                ..zone.clone()
            })
        }
        None => Served::Unavailable {
            origin: origin.clone(),
            reason: reason.to_owned(),
        },
    })
}

/// `published` with a held zone whose data are too old to be answered from, or are not any more. The
/// image stays for whoever repairs them.
pub fn aged(published: &Published, origin: &Name, is_expired: bool) -> Published {
    let served = published.zone(origin).and_then(|served| served.zone());
    let Some((zone, hold)) = served.and_then(|zone| Some((zone, zone.hold.clone()?))) else {
        return published.clone();
    };
    published.with(Served::Zone(ServedZone {
        hold: Some(Hold { is_expired, ..hold }),
        ..zone.clone()
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::zone::pointer;

    fn name(text: &str) -> Name {
        text.parse().unwrap()
    }

    #[test]
    fn a_held_zone_keeps_its_image_and_the_age_of_its_hold() {
        let (writer, reader) = pointer();
        let mut publisher = Publisher::new(writer);
        let image = ZoneImage::empty(name("example."));
        publisher.publish(live(&publisher.current(), image, 7));
        publisher.publish(held(&publisher.current(), &name("example."), "rows gone"));
        let since = |reader: &crate::zone::Reader| {
            let published = reader.load();
            let zone = published
                .zone(&name("example."))
                .unwrap()
                .zone()
                .unwrap()
                .clone();
            assert_eq!(zone.revision, 7);
            zone.hold.unwrap().since
        };
        let first = since(&reader);
        publisher.publish(held(&publisher.current(), &name("example."), "still gone"));
        assert_eq!(since(&reader), first);
    }

    #[test]
    fn a_zone_without_an_image_is_unavailable_and_not_absent() {
        let published = held(&Published::default(), &name("example."), "no data");
        let served = published.find(b"\x01a\x07example\0").unwrap();
        assert!(matches!(**served, Served::Unavailable { .. }));
    }
}
