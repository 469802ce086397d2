//! What can be wrong with a ledger, with what to do about it.

use std::{io, path::PathBuf};

/// Why a ledger can't be opened or read.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The file system refused.
    #[error("can't {doing} {}: {source}", path.display())]
    Io {
        /// What was tried, such as `read`.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another process writes to it.
    #[error(
        "the ledger in {} is written by {holder}; stop that process, or give this one a \
         directory of its own in `ledger.dir`",
        dir.display()
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Who writes, as far as is known.
        holder: String,
    },
    /// A line is not an entry, where no crash can have torn it.
    #[error(
        "{}, line {line}: {why}. A crash tears only the last line, so this file was damaged or \
         edited: restore it from a backup, then run `tollgate ledger verify`",
        file.display()
    )]
    Corrupt {
        /// The file.
        file: PathBuf,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong.
        why: String,
    },
    /// A segment is not there.
    #[error(
        "{} is missing. Put it back; segments may only be moved away, oldest first, while a \
         checkpoint covers them",
        file.display()
    )]
    Missing {
        /// The file.
        file: PathBuf,
    },
}

impl LedgerError {
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>, source: io::Error) -> Self {
        let path = path.into();
        Self::Io {
            doing,
            path,
            source,
        }
    }
}
