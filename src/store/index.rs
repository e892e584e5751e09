//! The index of a write-ahead log, `-shm`: a file that SQLite maps into memory, and that anybody who
//! may write to the folder can cut short. Whoever then touches the map is killed by SIGBUS.
//!
//! Nothing is in it that is not in the log as well. So what was cut off is put back as zeros, and its
//! header is wiped, so that SQLite, whoever comes next, makes it anew from the log: before anything is
//! asked of the database, where its size tells; by the handler of SIGBUS, where a thread has run into
//! it. Both count it. Somebody may have been at work meanwhile, and have given a header to what is not
//! all: he does not commit what he read, and whoever writes next wipes it once more, under SQLite's lock.

use std::ffi::{CStr, c_int, c_void};
use std::os::fd::{BorrowedFd, IntoRawFd};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, Once, PoisonError};

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc::siginfo_t;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::stat::{Mode, fstat, lstat, major, minor};
use nix::sys::uio::{pread, pwrite};
use rusqlite::{Connection, Transaction, TransactionBehavior};

use super::StoreError;
use super::identity::beside;

/// Both copies of the header, which say what is valid of the rest.
const HEADER: [u8; 96] = [0; 96];
/// As often it is made anew before somebody who goes on cutting it is let have his way.
const TRIES: usize = 20;
/// What SQLite maps at a time, and the least that it has of it.
const REGION: u64 = 32 * 1024;
const PAGE: u64 = 4096;
/// Index files that we have, or had, open: one each of store and snapshot, and some that were replaced.
const SLOTS: usize = 64;
/// Index files that a thread ran into before anybody had entered them, and that are not entered yet.
const STRAYS: usize = 16;
/// Signals that found nothing to do, since somebody last looked: then it is the disk that is at fault.
const FUTILE_MAX: u32 = 100;

/// One index file. The handler reads it: no lock, no memory that is given back.
struct Slot {
    /// Kept open: closing it would drop the locks that SQLite holds on the file (POSIX locks belong
    /// to the process). -1 where there is none.
    fd: AtomicI32,
    device: AtomicU64,
    inode: AtomicU64,
    /// Octets that it once had: all that may be mapped of it.
    size: AtomicU64,
    /// How often it was put right.
    cuts: AtomicU64,
    /// How many of these it was made anew after.
    healed: AtomicU64,
    /// Somebody is at it.
    is_mended: AtomicBool,
}

/// An index file that was put right while its database was being opened.
struct Stray {
    device: AtomicU64,
    inode: AtomicU64,
    /// Kept open, as in a slot. -1 where there is none, or it is being entered.
    fd: AtomicI32,
}

static STRAY: [Stray; STRAYS] = [const {
    Stray {
        device: AtomicU64::new(0),
        inode: AtomicU64::new(0),
        fd: AtomicI32::new(-1),
    }
}; STRAYS];

static INDEXES: [Slot; SLOTS] = [const {
    Slot {
        fd: AtomicI32::new(-1),
        device: AtomicU64::new(0),
        inode: AtomicU64::new(0),
        size: AtomicU64::new(0),
        cuts: AtomicU64::new(0),
        healed: AtomicU64::new(0),
        is_mended: AtomicBool::new(false),
    }
}; SLOTS];
/// Handlers that are at work now: no descriptor is closed under them.
static AT_WORK: AtomicU32 = AtomicU32::new(0);
/// `/proc/self/maps`, open from the beginning: a process that has no descriptor left to open it with is
/// the one that needs it most.
static MAPS: AtomicI32 = AtomicI32::new(-1);
/// A handler reads there. One at a time: the kernel tells it line by line only to who goes on reading.
static READS_MAPS: AtomicBool = AtomicBool::new(false);
/// How many there were.
static FUTILE: AtomicU32 = AtomicU32::new(0);
/// How often a file was left by its last user.
static LEFT: AtomicU64 = AtomicU64::new(0);
/// Which file is in each slot, for how many users.
static KNOWN: Mutex<[Option<Known>; SLOTS]> = Mutex::new([None; SLOTS]);

#[derive(Clone, Copy, PartialEq, Eq)]
struct Known {
    id: (u64, u64),
    users: usize,
    /// The greater the later its last user left.
    left: u64,
}

impl Slot {
    /// Puts back what was cut off since its size was last looked at, and says whether anything was.
    fn mend(&self) -> nix::Result<bool> {
        // It grows as the log does.
        self.mend_mapped(0)
    }

    /// As [`Slot::mend`], of a map so long that a thread has run into the end of the file. False: another
    /// one has been here before.
    fn mend_mapped(&self, octets: u64) -> nix::Result<bool> {
        let Some(fd) = self.fd() else {
            return Ok(false);
        };
        // One at a time, so that whoever finds nothing to do knows that it is done and counted. Nothing
        // in here touches a map: no signal comes to the thread that is at it.
        while self.is_mended.swap(true, SeqCst) {
            std::thread::yield_now();
        }
        let mended = size(fd).and_then(|size| {
            let octets = octets.max(size);
            let octets = self.size.fetch_max(octets, SeqCst).max(octets);
            if size >= octets {
                return Ok(false);
            }
            self.cuts.fetch_add(1, SeqCst);
            stretch(fd, size, octets)?;
            Ok(true)
        });
        self.is_mended.store(false, SeqCst);
        mended
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
    // First: what is left of it is not all, though its header were whole.
    pwrite(fd, &HEADER, 0)?;
    // Octets and no hole: where the disk is full it is better told here than by a signal.
    for page in from / PAGE..to.div_ceil(PAGE) {
        let last = (page * PAGE + PAGE - 1).min(to - 1);
        if last >= from {
            pwrite(fd, &[0], last.cast_signed())?;
        }
    }
    Ok(())
}

fn size(fd: BorrowedFd<'_>) -> nix::Result<u64> {
    Ok(u64::try_from(fstat(fd)?.st_size).unwrap_or_default())
}

/// What the kernel says of a map: its file, and up to which octet of it.
struct Map {
    start: u64,
    end: u64,
    offset: u64,
    /// Of the device, major and minor.
    device: (u64, u64),
    inode: u64,
    /// Of its file, up to `named` octets; longer ones are not kept.
    name: [u8; NAME_MAX],
    named: usize,
}

const NAME_MAX: usize = 1024;

impl Map {
    const NONE: Map = Map {
        start: 0,
        end: 0,
        offset: 0,
        device: (0, 0),
        inode: 0,
        name: [0; NAME_MAX],
        named: 0,
    };

    fn octets(&self) -> u64 {
        self.offset + (self.end - self.start)
    }

    /// By the number of its file.
    fn may_be_of(&self, slot: &Slot) -> bool {
        slot.inode.load(SeqCst) == self.inode && slot.fd().is_some()
    }

    /// Of the index of a database that is still there under its name.
    fn path(&self) -> Option<&CStr> {
        let name = self.name.get(..=self.named)?;
        let path = CStr::from_bytes_with_nul(name).ok()?;
        path.to_bytes().ends_with(b"-shm").then_some(path)
    }
}

/// The map that an address lies in.
fn map_of(address: u64) -> Option<Map> {
    while READS_MAPS.swap(true, SeqCst) {
        std::thread::yield_now();
    }
    let map = match MAPS.load(SeqCst) {
        fd if fd < 0 => None,
        // SAFETY: it is never closed.
        fd => find(unsafe { BorrowedFd::borrow_raw(fd) }, address),
    };
    READS_MAPS.store(false, SeqCst);
    map
}

/// A line `start-end perms offset major:minor inode path` for each.
fn find(maps: BorrowedFd<'_>, address: u64) -> Option<Map> {
    let mut octets = [0; 2048];
    let (mut map, mut field, mut at) = (Map::NONE, 0, 0);
    loop {
        let count = pread(maps, &mut octets, at).ok().filter(|&n| n > 0)?;
        at += count.cast_signed() as i64;
        for &octet in &octets[..count] {
            let digit = char::from(octet).to_digit(16).map_or(0, u64::from);
            match (field, octet) {
                (_, b'\n') if (map.start..map.end).contains(&address) => return Some(map),
                (_, b'\n') => (map, field) = (Map::NONE, 0),
                (0, b'-') | (1..=4, b' ') => field += 1,
                // What stands between inode and name differs.
                (5, b' ') if map.inode == 0 => {}
                (5, b' ') => field = 6,
                (6, b' ') if map.named == 0 => {}
                (6, octet) => {
                    if let Some(place) = map.name.get_mut(map.named) {
                        *place = octet;
                    }
                    map.named += 1;
                }
                (0, _) => map.start = map.start << 4 | digit,
                (1, _) => map.end = map.end << 4 | digit,
                (3, _) => map.offset = map.offset << 4 | digit,
                (4, b':') => map.device = (map.device.1, 0),
                (4, _) => map.device.1 = map.device.1 << 4 | digit,
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
    let mended = match slot_of(&map) {
        Some(slot) => slot.mend_mapped(map.octets()),
        None => put_stray_right(&map),
    };
    match mended {
        Ok(true) => true,
        // Another one has been here before.
        Ok(false) => FUTILE.fetch_add(1, SeqCst) < FUTILE_MAX,
        // Mostly a disk that is full.
        Err(_) => false,
    }
}

/// The slot of the file that is mapped: there are as many files of one number as there are file systems.
fn slot_of(map: &Map) -> Option<&'static Slot> {
    let of = |device: u64| {
        let is_it = move |slot: &&Slot| slot.device.load(SeqCst) == device && map.may_be_of(slot);
        INDEXES.iter().find(is_it)
    };
    let is_told = |slot: &&Slot| {
        let device = slot.device.load(SeqCst);
        map.device == (major(device), minor(device)) && map.may_be_of(slot)
    };
    if let Some(slot) = INDEXES.iter().find(is_told) {
        return Some(slot);
    }
    // Layered file systems tell of another device here than there.
    match map.path().map(lstat) {
        Some(Ok(stat)) if stat.st_ino == map.inode => of(stat.st_dev),
        // It has another name by now, or none.
        _ => INDEXES.iter().find(|slot| map.may_be_of(slot)),
    }
}

/// Puts an index right that is just being opened: nobody has entered it yet.
fn put_stray_right(map: &Map) -> nix::Result<bool> {
    let octets = map.octets();
    let mend = |fd| {
        let size = size(fd)?;
        if size < octets {
            stretch(fd, size, octets)?;
        }
        Ok(size < octets)
    };
    let named = map.path().and_then(|path| Some((path, lstat(path).ok()?)));
    let named = named.filter(|(_, stat)| stat.st_ino == map.inode);
    for stray in &STRAY {
        let fd = stray.fd.load(SeqCst);
        let device = stray.device.load(SeqCst);
        let is_there = named.is_none_or(|(_, stat)| stat.st_dev == device);
        if fd >= 0 && stray.inode.load(SeqCst) == map.inode && is_there {
            // SAFETY: it stays open until it is entered, and then stands in a slot.
            return mend(unsafe { BorrowedFd::borrow_raw(fd) });
        }
    }
    let (path, stat) = named.ok_or(Errno::ENOENT)?;
    let flags = OFlag::O_RDWR | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW;
    // Never closed: that would drop the locks that SQLite holds on the file.
    let fd = nix::fcntl::open(path, flags, Mode::empty())?.into_raw_fd();
    // SAFETY: opened just now.
    let file = unsafe { BorrowedFd::borrow_raw(fd) };
    if fstat(file)?.st_ino != map.inode {
        return Err(Errno::ENOENT);
    }
    let claim = |stray: &&Stray| {
        let claim = stray.inode.compare_exchange(0, map.inode, SeqCst, SeqCst);
        claim.is_ok()
    };
    // Where there are as many, one of them is of somebody who has given up opening long ago.
    let stray = STRAY.iter().find(claim).unwrap_or_else(|| {
        let stray = &STRAY[(map.inode % STRAYS as u64) as usize];
        stray.fd.store(-1, SeqCst);
        stray.inode.store(map.inode, SeqCst);
        stray
    });
    stray.device.store(stat.st_dev, SeqCst);
    stray.fd.store(fd, SeqCst);
    mend(file)
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

/// Once in the life of the process, before any database is read from.
pub(super) fn catch_sigbus() {
    static CAUGHT: Once = Once::new();
    CAUGHT.call_once(|| {
        let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC;
        match nix::fcntl::open(c"/proc/self/maps", flags, Mode::empty()) {
            Ok(maps) => MAPS.store(maps.into_raw_fd(), SeqCst),
            Err(error) => tracing::warn!("/proc/self/maps cannot be read: {error}"),
        }
        let handler = SigHandler::SigAction(on_sigbus);
        // On the stack of whoever ran into it, which is not what was cut off.
        let flags = SaFlags::SA_SIGINFO;
        let action = SigAction::new(handler, flags, SigSet::empty());
        // SAFETY: what the handler calls is `open`, `pread`, `lstat`, `fstat`, `pwrite`, `sigaction` and
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
}

impl Index {
    /// Of a database that was read from, so that the file is there.
    pub fn of(database: &Path) -> Index {
        let path = beside(database, "-shm");
        let slot = enter(&path);
        Index { path, slot }
    }

    fn slot(&self) -> Option<&'static Slot> {
        self.slot.map(|slot| &INDEXES[slot])
    }

    /// Puts it right, where it was cut, so that the map can be touched. Whether it is to be made anew
    /// all the same: somebody may have given a header to it who was at work when it was cut.
    pub fn is_doubtful(&self) -> Result<bool, StoreError> {
        let Some(slot) = self.slot() else {
            return Ok(false);
        };
        FUTILE.store(0, SeqCst);
        slot.mend().map_err(|error| self.failed(error))?;
        Ok(slot.cuts.load(SeqCst) != slot.healed.load(SeqCst))
    }

    /// As [`Index::is_doubtful`], for what is to be given up then.
    pub fn check(&self) -> Result<(), StoreError> {
        match self.is_doubtful()? {
            true => Err(StoreError::Truncated(self.path.clone())),
            false => Ok(()),
        }
    }

    /// Begins to write, on an index that holds all that is in the log.
    pub fn begin<'a>(&self, connection: &'a Connection) -> Result<Transaction<'a>, StoreError> {
        for _ in 0..TRIES {
            // Before the map is touched.
            self.is_doubtful()?;
            let immediate = TransactionBehavior::Immediate;
            let tx = Transaction::new_unchecked(connection, immediate)?;
            if !self.wipe()? {
                return Ok(tx);
            }
        }
        Err(StoreError::Truncated(self.path.clone()))
    }

    /// Makes it anew, where that is to be done.
    pub fn heal(&self, connection: &Connection) -> Result<(), StoreError> {
        if self.is_doubtful()? {
            self.begin(connection)?.finish()?;
        }
        self.check()
    }

    /// With the lock of whoever writes or makes it anew: nobody gives it another header meanwhile.
    fn wipe(&self) -> Result<bool, StoreError> {
        let Some(slot) = self.slot().filter(|_| self.is_doubtful().unwrap_or(true)) else {
            return Ok(false);
        };
        let cuts = slot.cuts.load(SeqCst);
        if let Some(fd) = slot.fd() {
            pwrite(fd, &HEADER, 0).map_err(|error| self.failed(error))?;
        }
        slot.healed.store(cuts, SeqCst);
        tracing::error!(
            file = %self.path.display(),
            "store: it was truncated while in use; it is made anew from the log, nothing is lost"
        );
        Ok(true)
    }

    /// Commits, unless what was read since the beginning may have been older than what it is written to.
    pub fn commit(&self, tx: Transaction<'_>) -> Result<(), StoreError> {
        self.check()?;
        Ok(tx.commit()?)
    }

    fn failed(&self, error: Errno) -> StoreError {
        StoreError::io(&self.path)(error.into())
    }
}

impl Drop for Index {
    fn drop(&mut self) {
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = self.slot.and_then(|slot| known[slot].as_mut()) {
            known.users -= 1;
            known.left = LEFT.fetch_add(1, SeqCst);
        }
    }
}

/// The size of an index that SQLite has in use: it may have been cut since.
fn whole(octets: u64) -> u64 {
    octets.next_multiple_of(REGION).max(REGION)
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
            INDEXES[slot].size.store(whole(meta.size()), SeqCst);
        }
        known.users += 1;
        return Some(slot);
    }
    let stray = stray_of(id);
    let fd = match stray {
        Some(fd) => fd,
        None => {
            let file = std::fs::OpenOptions::new()
                .read(true)
                .write(true)
                .custom_flags(nix::libc::O_NOFOLLOW)
                .open(path);
            // SQLite has not got it for writing either then.
            file.ok()?.into_raw_fd()
        }
    };
    // A free one, or one that nobody has used for the longest time: one that was left just now may be
    // about to be opened again, and closing it would drop the locks of whoever is at it.
    let unused = known
        .iter()
        .enumerate()
        .filter_map(|(slot, entry)| match entry {
            None => Some((None, slot)),
            Some(known) => (known.users == 0).then_some((Some(known.left), slot)),
        });
    let Some((_, slot)) = unused.min() else {
        // Not to be closed either.
        return None;
    };
    give_up(slot);
    let entry = &INDEXES[slot];
    entry.healed.store(entry.cuts.load(SeqCst), SeqCst);
    entry.size.store(whole(meta.size()), SeqCst);
    entry.device.store(id.0, SeqCst);
    entry.inode.store(id.1, SeqCst);
    entry.fd.store(fd, SeqCst);
    // One that came meanwhile stays open: see there.
    if stray.or_else(|| stray_of(id)).is_some() {
        // Whoever ran into it may have read from what was not all.
        entry.cuts.fetch_add(1, SeqCst);
    }
    known[slot] = Some(Known {
        id,
        users: 1,
        left: 0,
    });
    Some(slot)
}

/// The descriptor of a file that somebody ran into before it stood in a slot.
fn stray_of(id: (u64, u64)) -> Option<c_int> {
    let mut found = None;
    for stray in &STRAY {
        if (stray.device.load(SeqCst), stray.inode.load(SeqCst)) == id
            && let fd = stray.fd.swap(-1, SeqCst)
            && fd >= 0
        {
            stray.inode.store(0, SeqCst);
            found = Some(fd);
        }
    }
    found
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
