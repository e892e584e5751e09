//! All zones as they are served at one moment, and the pointer through which queries see them.

use std::sync::Arc;
use std::time::Instant;

use arc_swap::{ArcSwap, Guard};

use super::ZoneImage;
use crate::rr::{Key, Name};

/// Why and since when a zone is answered from an image that its live data no longer back.
#[derive(Debug, Clone)]
pub struct Hold {
    pub since: Instant,
    /// One sentence: what is wrong with the live data.
    pub reason: String,
    /// The image is older than the operator lets it be: it is kept, and not answered from.
    pub is_expired: bool,
}

#[derive(Debug, Clone)]
pub struct ServedZone {
    pub image: Arc<ZoneImage>,
    pub revision: u64,
    pub hold: Option<Hold>,
}

/// One zone of ours.
#[derive(Debug, Clone)]
pub enum Served {
    Zone(ServedZone),
    /// Ours, but there is no version fit to be served: SERVFAIL, never an empty zone.
    Unavailable {
        origin: Name,
        reason: String,
    },
}

impl Served {
    pub fn zone(&self) -> Option<&ServedZone> {
        match self {
            Served::Zone(zone) => Some(zone),
            Served::Unavailable { .. } => None,
        }
    }

    pub fn origin(&self) -> &Name {
        match self {
            Served::Zone(zone) => zone.image.origin(),
            Served::Unavailable { origin, .. } => origin,
        }
    }
}

/// Every zone served. Cloning is cheap, so that "as it would become" is one of these too.
#[derive(Debug, Clone, Default)]
pub struct Published {
    zones: imbl::HashMap<Key, Arc<Served>>,
}

impl Published {
    /// The zone with the longest origin at or above a name given in lower-case wire form.
    pub fn find(&self, name: &[u8]) -> Option<&Arc<Served>> {
        let mut rest = name;
        loop {
            if let Some(zone) = self.zones.get(rest) {
                return Some(zone);
            }
            match rest[0] {
                0 => return None,
                len => rest = &rest[1 + usize::from(len)..],
            }
        }
    }

    /// The zone whose origin this is.
    pub fn zone(&self, origin: &Name) -> Option<&Arc<Served>> {
        self.zones.get(&origin.key())
    }

    pub fn zones(&self) -> impl Iterator<Item = &Arc<Served>> {
        self.zones.values()
    }

    /// The same with one zone put in, or put in place of its older version.
    pub fn with(&self, zone: Served) -> Published {
        let key = zone.origin().key();
        Published {
            zones: self.zones.update(key, Arc::new(zone)),
        }
    }

    /// The same without a zone: for explicit removal alone.
    pub fn without(&self, origin: &Name) -> Published {
        Published {
            zones: self.zones.without(&origin.key()),
        }
    }
}

/// Reads what is published now. Load after a request has come in and let go before waiting for the
/// next, so that no answer is older than an update we acknowledged before the question came.
#[derive(Clone)]
pub struct Reader(Arc<ArcSwap<Published>>);

/// Replaces what is published. There is one, and `publish` holds it.
pub struct Writer(Arc<ArcSwap<Published>>);

/// The two ends of the published pointer, with nothing published yet.
pub fn pointer() -> (Writer, Reader) {
    let shared = Arc::new(ArcSwap::from_pointee(Published::default()));
    (Writer(shared.clone()), Reader(shared))
}

impl Reader {
    pub fn load(&self) -> Guard<Arc<Published>> {
        self.0.load()
    }
}

impl Writer {
    pub fn current(&self) -> Arc<Published> {
        self.0.load_full()
    }

    /// Swaps; returns what was published before, which the caller must outlive its readers with:
    /// a query thread should never be the one to free an image.
    pub fn replace(&mut self, next: Published) -> Arc<Published> {
        self.0.swap(Arc::new(next))
    }
}
