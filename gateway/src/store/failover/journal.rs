//! What this replica grants without the shared store, on its own disk: so that a kill loses no
//! charge.
//!
//! `failover.jsonl` has a line per step: granted (before its call is dispatched), extended, ended,
//! renumbered, and landed in the shared store. When all have landed the file is cut back to its
//! first line. What has not landed is told at the next start; a hold without an ending is charged
//! in full.

use crate::ledger::lock::lock;
use std::{
    collections::HashSet,
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};
use tollgate_core::{
    HoldId, Money,
    hold::{Ending, HoldRequest, Need},
};

mod line;
mod read;

use line::Line;
pub use read::Unlanded;

/// The largest journal. Beyond, nothing more is granted without the shared store.
const MOST_BYTES: u64 = 64 << 20;

/// The file in the directory.
const NAME: &str = "failover.jsonl";

/// Why a journal can't be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The file system refused.
    #[error("on_failure.journal: can't {doing} {}: {source}", path.display())]
    Io {
        /// What was tried.
        doing: &'static str,
        /// With what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Another gateway writes to it.
    #[error(
        "on_failure.journal: {} is in use by another gateway; give each one a directory of its own",
        path.display()
    )]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// A line that no crash can have left.
    #[error(
        "on_failure.journal: {}, line {line}: {why}. A crash tears only the last line, so this \
         file was damaged or edited: restore it, or move it away, and then what it has is never \
         charged",
        path.display()
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Which line, counted from 1.
        line: usize,
        /// What is wrong.
        why: String,
    },
}

/// The journal of one replica.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    /// Locked while this process lives.
    file: File,
    state: Mutex<State>,
    /// Whether something was written that may not be on the disk.
    unsynced: AtomicBool,
}

#[derive(Debug)]
struct State {
    /// What has not landed.
    open: HashSet<HoldId>,
    /// The length up to the last whole line.
    whole: u64,
    /// Whether part of a line may follow.
    torn: bool,
}

impl Journal {
    /// Opens the journal of a directory, and reads what it has to tell.
    ///
    /// # Errors
    /// If it can't be read or written, is damaged, or is another process's.
    pub fn open(dir: &Path) -> Result<(Arc<Self>, Vec<Unlanded>), JournalError> {
        let path = dir.join(NAME);
        let failed = |doing, path: &Path, source| JournalError::Io {
            doing,
            path: path.to_owned(),
            source,
        };
        let made = fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir);
        made.map_err(|source| failed("make", dir, source))?;
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true).mode(0o600);
        let opened = options.open(&path);
        let mut file = opened.map_err(|source| failed("open", &path, source))?;
        match lock(&file) {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(JournalError::InUse { path }),
            Err(fs::TryLockError::Error(source)) => return Err(failed("lock", &path, source)),
        }
        let mut bytes = Vec::new();
        let read = file.read_to_end(&mut bytes);
        read.map_err(|source| failed("read", &path, source))?;
        let found = read::all(&bytes).map_err(|(line, why)| JournalError::Damaged {
            path: path.clone(),
            line,
            why,
        })?;
        let journal = Self {
            path: path.clone(),
            file,
            state: Mutex::new(State {
                open: found.unlanded.iter().map(|one| one.request.id).collect(),
                whole: found.whole,
                // Its last line may be torn, and a new one has no first line yet.
                torn: true,
            }),
            unsynced: AtomicBool::new(true),
        };
        let mended = journal.mend(&mut journal.state());
        mended.map_err(|source| failed("write", &path, source))?;
        let named = File::open(dir).and_then(|dir| dir.sync_all());
        named.map_err(|source| failed("sync", dir, source))?;
        Ok((Arc::new(journal), found.unlanded))
    }

    /// Notes what is about to be granted.
    ///
    /// # Errors
    /// If it can't be written. Then it must not be granted.
    pub(super) fn held(&self, team: &Arc<str>, request: &HoldRequest) -> io::Result<()> {
        let mut state = self.state();
        if state.whole > MOST_BYTES {
            return Err(io::Error::other("it is full until the store answers"));
        }
        self.append(&mut state, &Line::held(team, request))?;
        state.open.insert(request.id);
        Ok(())
    }

    /// Notes how much a hold has in all.
    ///
    /// # Errors
    /// If it can't be written. Then nothing must be sent that needs it.
    pub(super) fn extended(&self, id: HoldId, amount: Money) -> io::Result<()> {
        let hold = id.to_string();
        let amount_nano_usd = amount.nanos();
        let line = Line::Extended {
            hold,
            amount_nano_usd,
        };
        self.append(&mut self.state(), &line)
    }

    /// Notes how a hold ended.
    pub(super) fn ended(&self, settlement: &crate::store::Settlement) {
        let (used, cost) = match settlement.ending {
            Ending::Settled { used, cost } => (used, cost),
            Ending::Cancelled | Ending::Expired => (Need::default(), Money::ZERO),
        };
        let call = settlement.record.clone();
        let line = Line::Ended {
            hold: settlement.id.to_string(),
            used: used.into(),
            cost_nano_usd: cost.nanos(),
            call,
        };
        self.note(&line);
    }

    /// Notes under which number a hold is told next.
    pub(super) fn renumbered(&self, id: HoldId, number: u8) {
        let hold = id.to_string();
        self.note(&Line::Renumbered { hold, number });
    }

    /// Notes that there is nothing more to tell of a hold. When that is so of all, the journal
    /// begins anew.
    pub(super) fn landed(&self, id: HoldId) {
        let mut state = self.state();
        state.open.remove(&id);
        if state.open.is_empty() {
            state.whole = Line::first().len() as u64;
            state.torn = true;
            let mended = self.mend(&mut state);
            self.warn(mended);
        } else {
            let hold = id.to_string();
            let noted = self.append(&mut state, &Line::Landed { hold });
            self.warn(noted);
        }
    }

    /// Makes what was written durable. Blocks for the disk.
    pub(super) fn sync(&self) {
        if self.unsynced.swap(false, Relaxed) {
            self.warn(self.file.sync_data());
        }
    }

    /// Whether there is something to make durable.
    pub(super) fn is_unsynced(&self) -> bool {
        self.unsynced.load(Relaxed)
    }

    /// Writes what only makes the next start know better. Without it a hold is charged in full
    /// then, or told twice, which counts once.
    fn note(&self, line: &Line) {
        let noted = self.append(&mut self.state(), line);
        self.warn(noted);
    }

    fn warn(&self, result: io::Result<()>) {
        if let Err(error) = result {
            let path = self.path.display();
            tracing::error!(%error, %path, "the journal of the failover can't be written");
        }
    }

    fn append(&self, state: &mut State, line: &Line) -> io::Result<()> {
        self.mend(state)?;
        let bytes = line.bytes();
        state.torn = true;
        (&self.file).write_all(&bytes)?;
        state.torn = false;
        state.whole += bytes.len() as u64;
        self.unsynced.store(true, Relaxed);
        Ok(())
    }

    /// Cuts off what is left of a line, and writes the first one if it is missing.
    fn mend(&self, state: &mut State) -> io::Result<()> {
        if !state.torn {
            return Ok(());
        }
        self.file.set_len(state.whole)?;
        if state.whole == 0 {
            let first = Line::first();
            (&self.file).write_all(first)?;
            state.whole = first.len() as u64;
        }
        state.torn = false;
        self.unsynced.store(true, Relaxed);
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests;
