//! What tells one ledger from another: a random name in a file of its directory.
//!
//! Gateways that share a Redis keep one ledger. By its name they notice when a replica would
//! begin a second one.

use super::{
    LedgerError,
    disk::{Disk as _, Machine},
    segment,
};
use std::{fs, io, path::Path};

/// The file in the directory of a ledger.
const FILE: &str = "id";

/// Whether there is a ledger in a directory.
///
/// # Errors
/// If it can't be read.
pub fn is_there(dir: &Path) -> Result<bool, LedgerError> {
    Ok(dir.is_dir() && !segment::numbers(dir)?.0.is_empty())
}

/// The name of the ledger in a directory; `None` if it has none yet.
///
/// # Errors
/// If it can't be read.
pub fn read(dir: &Path) -> io::Result<Option<String>> {
    match fs::read_to_string(dir.join(FILE)) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// The same, after giving it a name if it has none. Whoever calls this has the ledger open.
///
/// # Errors
/// If it can't be read or written.
pub fn read_or_make(dir: &Path) -> io::Result<String> {
    if let Some(known) = read(dir)? {
        return Ok(known);
    }
    let made = format!("{:032x}", fastrand::u128(..));
    Machine.put(&dir.join(FILE), format!("{made}\n").as_bytes())?;
    Ok(made)
}
