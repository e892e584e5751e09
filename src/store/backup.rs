//! A copy of the whole store in one file, as it was at one moment, while others write to it.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rusqlite::backup::StepResult;
use rusqlite::{Connection, OpenFlags};
use serde::{Deserialize, Serialize};

use super::identity::beside;
use super::verify::{self, Verification};
use super::{Settings, StoreError, open};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    pub file: PathBuf,
    pub octets: u64,
    pub verification: Verification,
}

/// The copy before it has its name: only one that is whole gets it.
struct Part(PathBuf);

impl Drop for Part {
    fn drop(&mut self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            // Mostly none of them is there any more.
            let _ = fs::remove_file(beside(&self.0, suffix));
        }
    }
}

/// Copies the store to a file that must not be there yet, and reads the copy back. Nobody waits for
/// it: readers are in nobody's way.
pub fn backup(settings: &Settings, file: &Path) -> Result<Backup, StoreError> {
    if fs::symlink_metadata(file).is_ok() {
        return Err(StoreError::InTheWay(file.to_owned()));
    }
    let part = part_beside(file)?;
    copy(settings, &part.0)?;
    let verification = read_back(&part.0)?;
    let octets = fs::metadata(&part.0)
        .map_err(StoreError::io(&part.0))?
        .len();
    put_in_place(&part.0, file)?;
    Ok(Backup {
        file: file.to_owned(),
        octets,
        verification,
    })
}

fn part_beside(file: &Path) -> Result<Part, StoreError> {
    let path = beside(file, &format!(".part-{}", std::process::id()));
    new_file(&path)?;
    Ok(Part(path))
}

/// Makes an empty file for its owner alone.
fn new_file(path: &Path) -> Result<(), StoreError> {
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path);
    match made {
        Ok(_) => Ok(()),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(StoreError::InTheWay(path.to_owned()))
        }
        Err(error) => Err(StoreError::io(path)(error)),
    }
}

fn copy(settings: &Settings, part: &Path) -> Result<(), StoreError> {
    let from = open::read_only(settings)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut to = Connection::open_with_flags(part, flags)?;
    {
        let backup = rusqlite::backup::Backup::new(&from, &mut to)?;
        // All in one step is all of one moment. In more of them it would begin anew after each
        // commit, and under load never end.
        match backup.step(-1)? {
            StepResult::Done => {}
            _ => return Err(StoreError::Busy),
        }
    }
    from.check()?;
    // One file, without a log beside it.
    to.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(()))?;
    to.close().map_err(|(_, error)| error.into())
}

fn read_back(part: &Path) -> Result<Verification, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let copy = Connection::open_with_flags(part, flags)?;
    let read = copy.unchecked_transaction()?;
    verify::all(&read, None)
}

fn put_in_place(part: &Path, file: &Path) -> Result<(), StoreError> {
    let sync = |path: &Path| File::open(path).and_then(|file| file.sync_all());
    sync(part).map_err(StoreError::io(part))?;
    // The name is taken first: a rename would go over what appeared there meanwhile.
    new_file(file)?;
    fs::rename(part, file).map_err(StoreError::io(file))?;
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    sync(folder).map_err(StoreError::io(folder))
}
