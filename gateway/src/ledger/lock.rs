//! One writer: the lock on a ledger's directory.

use super::LedgerError;
use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::Path,
    process, thread,
    time::Duration,
};

/// A moment of patience: a child process that is just being started by whoever had the lock before
/// keeps its descriptors until it has become another program.
const TRIES: u32 = 25;
const PAUSE: Duration = Duration::from_millis(20);

/// Locks a file that belongs to one process.
pub(crate) fn lock(file: &File) -> Result<(), TryLockError> {
    let mut tries = 1;
    let mut locked = file.try_lock();
    while matches!(locked, Err(TryLockError::WouldBlock)) && tries < TRIES {
        thread::sleep(PAUSE);
        tries += 1;
        locked = file.try_lock();
    }
    locked
}

/// Holds a directory until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub(super) struct DirLock {
    _file: File,
}

impl DirLock {
    /// Takes the lock, or says who has it.
    pub(super) fn take(dir: &Path) -> Result<Self, LedgerError> {
        let path = dir.join("lock");
        let opened = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path);
        let mut file = opened.map_err(|source| LedgerError::io("open", &path, source))?;
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(LedgerError::Locked {
                    dir: dir.to_owned(),
                    holder: holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => {
                return Err(LedgerError::io("lock", &path, source));
            }
        }
        let noted = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", process::id()));
        if let Err(error) = noted {
            // The note is a courtesy to whoever comes second; the lock is what counts.
            tracing::warn!(%error, "can't note the process in the ledger's lock file");
        }
        Ok(Self { _file: file })
    }
}

fn holder(file: &mut File) -> String {
    let mut text = String::new();
    match file.read_to_string(&mut text) {
        Ok(_) if !text.trim().is_empty() => format!("process {}", text.trim()),
        _ => "another process".to_owned(),
    }
}
