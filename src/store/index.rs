//! The index of a write-ahead log, `-shm`: a file that SQLite maps into memory, and that anybody who
//! may write to the folder can cut short. Whoever then touches the map is killed by SIGBUS.
//!
//! Nothing is in it that is not in the log as well. So what was cut off is put back as zeros, and its
//! header is wiped, so that SQLite, whoever comes next, makes it anew from the log: before anything is
//! asked of the database, where its size tells; by the handler of SIGBUS, where a thread has run into
//! it. Both count it, and who was at work meanwhile takes what he did for doubtful.

use std::cell::Cell;
use std::ffi::{c_int, c_void};
use std::os::fd::{BorrowedFd, IntoRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI32, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, Once, PoisonError};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc::siginfo_t;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::stat::{Mode, fstat};
use nix::sys::uio::pwrite;

use super::StoreError;
use super::identity::beside;

/// Both copies of the header, which say what is valid of the rest.
const HEADER: [u8; 96] = [0; 96];
const PAGE: u64 = 4096;
/// Index files that we have, or had, open: one each of store and snapshot, and some that were replaced.
const SLOTS: usize = 64;
/// Signals that found nothing to do, since somebody last looked: then it is the disk that is at fault.
const FUTILE_MAX: u32 = 100;

/// One index file. The handler reads it: no lock, no memory that is given back.
struct Slot {
    /// Kept open: closing it would drop the locks that SQLite holds on the file (POSIX locks belong
    /// to the process). -1 where there is none.
    fd: AtomicI32,
    inode: AtomicU64,
    /// Octets that it once had: all that may be mapped of it.
    size: AtomicU64,
    /// How often it was put right.
    cuts: AtomicU64,
}

static INDEXES: [Slot; SLOTS] = [const {
    Slot {
        fd: AtomicI32::new(-1),
        inode: AtomicU64::new(0),
        size: AtomicU64::new(0),
        cuts: AtomicU64::new(0),
    }
}; SLOTS];
/// Handlers that are at work now: no descriptor is closed under them.
static AT_WORK: AtomicU32 = AtomicU32::new(0);
/// How many there were.
static FUTILE: AtomicU32 = AtomicU32::new(0);
/// Which file is in each slot, for how many users.
static KNOWN: Mutex<[Option<Known>; SLOTS]> = Mutex::new([None; SLOTS]);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    id: (u64, u64),
    users: usize,
}

impl Slot {
    /// Puts back what was cut off since its size was last looked at, and says whether anything was.
    fn mend(&self) -> nix::Result<bool> {
        let Some(fd) = self.fd() else {
            return Ok(false);
        };
        // It grows as the log does.
        let octets = self.size.fetch_max(size(fd)?, SeqCst);
        self.mend_mapped(octets)
    }

    /// Puts back what was cut off of a map so long that a thread has run into it. Whether there was
    /// anything to do: another thread may have been here before.
    fn mend_mapped(&self, octets: u64) -> nix::Result<bool> {
        let Some(fd) = self.fd() else {
            return Ok(false);
        };
        let size = size(fd)?;
        let octets = self.size.fetch_max(octets, SeqCst).max(octets);
        if size >= octets {
            return Ok(false);
        }
        stretch(fd, size, octets)?;
        self.cuts.fetch_add(1, SeqCst);
        Ok(true)
    }

    fn fd(&self) -> Option<BorrowedFd<'static>> {
        let fd = self.fd.load(SeqCst);
        // SAFETY: it stays open as long as it stands in a slot, and as long as a handler may have
        // read it from there: see `give_up`.
        (fd >= 0).then(|| unsafe { BorrowedFd::borrow_raw(fd) })
    }
}

/// Gives a file octets up to a size that it had.
fn stretch(fd: BorrowedFd<'_>, from: u64, to: u64) -> nix::Result<()> {
    // Octets and no hole: where the disk is full it is better told here than by a signal.
    for page in from / PAGE..to.div_ceil(PAGE) {
        let last = (page * PAGE + PAGE - 1).min(to - 1);
        if last >= from {
            pwrite(fd, &[0], last.cast_signed())?;
        }
    }
    // What is left of it may not be all, though its header were whole.
    pwrite(fd, &HEADER, 0)?;
    Ok(())
}

fn size(fd: BorrowedFd<'_>) -> nix::Result<u64> {
    Ok(u64::try_from(fstat(fd)?.st_size).unwrap_or_default())
}

/// What the kernel says of a map: its file, and up to which octet of it.
#[derive(Default)]
struct Map {
    start: u64,
    end: u64,
    offset: u64,
    inode: u64,
}

/// The map that an address lies in: a line `start-end perms offset device inode path` for each.
fn map_of(address: u64) -> Option<Map> {
    let maps = c"/proc/self/maps";
    let maps = nix::fcntl::open(maps, OFlag::O_RDONLY | OFlag::O_CLOEXEC, Mode::empty()).ok()?;
    let mut octets = [0; 2048];
    let (mut map, mut field) = (Map::default(), 0);
    loop {
        let count = nix::unistd::read(&maps, &mut octets)
            .ok()
            .filter(|&n| n > 0)?;
        for &octet in &octets[..count] {
            let digit = char::from(octet).to_digit(16).map_or(0, u64::from);
            match (field, octet) {
                (_, b'\n') if (map.start..map.end).contains(&address) => return Some(map),
                (_, b'\n') => (map, field) = (Map::default(), 0),
                (0, b'-') | (1..=5, b' ') => field += 1,
                (0, _) => map.start = map.start << 4 | digit,
                (1, _) => map.end = map.end << 4 | digit,
                (3, _) => map.offset = map.offset << 4 | digit,
                (5, _) => map.inode = map.inode * 10 + digit,
                _ => {}
            }
        }
    }
}

/// Whether a thread that ran into an address may try again.
fn put_right(address: u64) -> bool {
    let Some(map) = map_of(address) else {
        return false;
    };
    let is_it = |slot: &&Slot| slot.inode.load(SeqCst) == map.inode && slot.fd().is_some();
    let Some(slot) = INDEXES.iter().find(is_it) else {
        return false;
    };
    match slot.mend_mapped(map.offset + (map.end - map.start)) {
        Ok(true) => true,
        Ok(false) => FUTILE.fetch_add(1, SeqCst) < FUTILE_MAX,
        // Mostly a disk that is full.
        Err(_) => false,
    }
}

extern "C" fn on_sigbus(_: c_int, info: *mut siginfo_t, _: *mut c_void) {
    let errno = Errno::last_raw();
    AT_WORK.fetch_add(1, SeqCst);
    // SAFETY: the kernel gives a handler with SA_SIGINFO what it points to, and SIGBUS has an address.
    let address = unsafe { (*info).si_addr() };
    if !put_right(address.addr() as u64) {
        // It ends as it would have without us.
        let default = SigAction::new(SigHandler::SigDfl, SaFlags::empty(), SigSet::empty());
        // SAFETY: no handler, no flags.
        let _ = unsafe { sigaction(Signal::SIGBUS, &default) };
    }
    AT_WORK.fetch_sub(1, SeqCst);
    Errno::set_raw(errno);
}

/// Once in the life of the process.
fn catch_sigbus() {
    static CAUGHT: Once = Once::new();
    CAUGHT.call_once(|| {
        let handler = SigHandler::SigAction(on_sigbus);
        let flags = SaFlags::SA_ONSTACK | SaFlags::SA_SIGINFO;
        let action = SigAction::new(handler, flags, SigSet::empty());
        // SAFETY: what the handler calls is `open`, `read`, `close`, `fstat`, `pwrite`, `sigaction` and
        // atomics, all of which may come anywhere in the midst of anything; no lock, no allocation.
        if let Err(error) = unsafe { sigaction(Signal::SIGBUS, &action) } {
            tracing::warn!("SIGBUS cannot be caught: {error}");
        }
    });
}

/// The index of a database that somebody in this process has open.
#[derive(Debug)]
pub(super) struct Index {
    path: PathBuf,
    /// None where it cannot be written, and so not be put right.
    slot: Option<usize>,
    seen: Cell<u64>,
}

impl Index {
    /// Of a database that was read from, so that the file is there.
    pub fn of(database: &Path) -> Index {
        catch_sigbus();
        let path = beside(database, "-shm");
        let slot = enter(&path);
        let seen = slot.map_or(0, |slot| INDEXES[slot].cuts.load(SeqCst));
        Index {
            path,
            slot,
            seen: Cell::new(seen),
        }
    }

    /// Puts it right, where it was cut. Whether that was done by anybody since it was last asked: what
    /// was read or written in between may be by half then.
    pub fn was_cut(&self) -> Result<bool, StoreError> {
        let Some(slot) = self.slot.map(|slot| &INDEXES[slot]) else {
            return Ok(false);
        };
        FUTILE.store(0, SeqCst);
        slot.mend()
            .map_err(|error| StoreError::io(&self.path)(error.into()))?;
        let cuts = slot.cuts.load(SeqCst);
        let was_cut = self.seen.replace(cuts) != cuts;
        if was_cut {
            tracing::error!(
                file = %self.path.display(),
                "store: it was truncated while in use; it is made anew from the log, nothing is lost"
            );
        }
        Ok(was_cut)
    }

    /// After a commit: whoever wrote may have given a header to what was put back as zeros.
    pub fn committed(&self) {
        if let Ok(true) = self.was_cut()
            && let Some(slot) = self.slot.map(|slot| &INDEXES[slot])
            && let Some(fd) = slot.fd()
        {
            let _ = pwrite(fd, &HEADER, 0);
        }
    }

    /// As [`Index::was_cut`], for what is to be given up then.
    pub fn check(&self) -> Result<(), StoreError> {
        match self.was_cut()? {
            true => Err(StoreError::Truncated(self.path.clone())),
            false => Ok(()),
        }
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.slot.and_then(|slot| known[slot].as_mut()) {
            known.users -= 1;
        }
    }
}

/// Puts the index of a database right, where somebody in this process has it open, before another
/// connection reads from it.
pub(super) fn look_at(database: &Path) -> Result<(), StoreError> {
    let path = beside(database, "-shm");
    let Ok(meta) = std::fs::metadata(&path) else {
        return Ok(());
    };
    let known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let id = (meta.dev(), meta.ino());
    let in_use =
        |entry: &Option<Known>| entry.is_some_and(|known| known.id == id && known.users > 0);
    if let Some(slot) = known.iter().position(in_use) {
        let mended = INDEXES[slot].mend();
        mended.map_err(|error| StoreError::io(&path)(error.into()))?;
    }
    Ok(())
}

/// The slot of a file, an old one or a new one.
fn enter(path: &Path) -> Option<usize> {
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let meta = std::fs::metadata(path).ok()?;
    let id = (meta.dev(), meta.ino());
    let is_it = |entry: &Option<Known>| entry.is_some_and(|known| known.id == id);
    if let Some(slot) = known.iter().position(is_it) {
        let known = known[slot].as_mut()?;
        if known.users == 0 {
            // Whoever opens a database that nobody has open cuts its index short, and that is right.
            INDEXES[slot].size.store(meta.size(), SeqCst);
        }
        known.users += 1;
        return Some(slot);
    }
    let file = std::fs::OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(nix::libc::O_NOFOLLOW)
        .open(path);
    // SQLite has not got it for writing either then.
    let file = file.ok()?;
    let is_unused = |entry: &Option<Known>| entry.is_none_or(|known| known.users == 0);
    let free = known.iter().position(Option::is_none);
    let Some(slot) = free.or_else(|| known.iter().position(is_unused)) else {
        // Not to be closed either.
        let _ = file.into_raw_fd();
        return None;
    };
    let meta = file.metadata().ok();
    give_up(slot);
    INDEXES[slot]
        .size
        .store(meta.map_or(0, |meta| meta.size()), SeqCst);
    INDEXES[slot].inode.store(id.1, SeqCst);
    INDEXES[slot].fd.store(file.into_raw_fd(), SeqCst);
    known[slot] = Some(Known { id, users: 1 });
    Some(slot)
}

/// Closes what was in a slot that nobody uses any more.
fn give_up(slot: usize) {
    let fd = INDEXES[slot].fd.swap(-1, SeqCst);
    while AT_WORK.load(SeqCst) > 0 {
        std::thread::yield_now();
    }
    if fd >= 0 {
        let _ = nix::unistd::close(fd);
    }
}
