//! Where drained entries are safe, and what is known from them.

use super::super::seed::Seed;
use crate::ledger::{Entry, Filter, Form, Journal as _, Ledger, list};
use std::{io, path::PathBuf, sync::Arc};
use tollgate_core::Timestamp;

/// The durable end of a drain. Its methods block.
pub trait Archive: Send + Sync {
    /// Adds entries, in order. They survive a power cut when this returns. An entry that was
    /// there before counts once.
    ///
    /// # Errors
    /// If they are not safe. They are offered again.
    fn keep(&self, entries: &[Entry]) -> io::Result<()>;

    /// What is known of a team, with the endings since a time.
    ///
    /// # Errors
    /// If it can't be read. Nothing is rebuilt then, and nothing admitted.
    fn seed(&self, team: &Arc<str>, since: Timestamp) -> io::Result<Seed>;
}

/// The ledger of this process.
pub struct LedgerArchive {
    /// The ledger.
    pub ledger: Arc<Ledger>,
    /// Its directory.
    pub dir: PathBuf,
}

impl Archive for LedgerArchive {
    fn keep(&self, entries: &[Entry]) -> io::Result<()> {
        for entry in entries {
            self.ledger.write(entry)?;
        }
        self.ledger.flush()
    }

    fn seed(&self, team: &Arc<str>, since: Timestamp) -> io::Result<Seed> {
        self.ledger.flush()?;
        let books = self.ledger.books();
        let mut lines = Vec::new();
        let filter = Filter {
            team: Some(Arc::clone(team)),
            run: None,
        };
        list(&self.dir, &filter, Form::Json, &mut lines)
            .map_err(|error| io::Error::other(error.to_string()))?;
        let mut ended = Vec::new();
        for line in lines.split(|byte| *byte == b'\n').filter(|l| !l.is_empty()) {
            let entry: Entry = serde_json::from_slice(line)?;
            if entry.at_ms >= since.millis() {
                ended.push(entry);
            }
        }
        Ok(Seed::new(books.team(team), ended))
    }
}
