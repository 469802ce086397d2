//! Where drained entries are safe, and what is known from them.

use super::super::seed::Seed;
use crate::{
    clock::Clock,
    ledger::{Entry, Fold, Health, Journal as _, Ledger, Options, identity, recent},
};
use std::{
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tollgate_core::Timestamp;

/// The durable end of a drain. Its methods block.
pub trait Archive: Send + Sync {
    /// What tells it from others; `None` if nothing was ever kept there.
    ///
    /// # Errors
    /// If it can't be read.
    fn identity(&self) -> io::Result<Option<String>>;

    /// The role is this replica's: opens it, and returns its identity. Nothing is kept or asked
    /// for before.
    ///
    /// # Errors
    /// If it can't be used, as while another process still does.
    fn open(&self) -> io::Result<String>;

    /// The role will be another's: closes it. It is well if it was not open.
    ///
    /// # Errors
    /// If its end is not safe. It is closed all the same.
    fn close(&self) -> io::Result<()>;

    /// Adds entries, in order. They survive a power cut when this returns. An entry that was
    /// there before counts once.
    ///
    /// # Errors
    /// If they are not safe. They are offered again.
    fn keep(&self, entries: Vec<Entry>) -> io::Result<()>;

    /// The balances as of what was kept.
    ///
    /// # Errors
    /// If they can't be known.
    fn books(&self) -> io::Result<Fold>;

    /// What is known of a team, with the endings since a time.
    ///
    /// # Errors
    /// If it can't be read. Nothing is rebuilt then, and nothing admitted.
    fn seed(&self, team: &Arc<str>, since: Timestamp) -> io::Result<Seed>;
}

/// A ledger in a directory, open while the role is this replica's.
pub struct LedgerArchive {
    options: Options,
    clock: Arc<dyn Clock>,
    open: Mutex<Option<Arc<Ledger>>>,
}

impl LedgerArchive {
    /// The ledger that these options say. Nothing is opened yet.
    #[must_use]
    pub fn new(options: Options, clock: Arc<dyn Clock>) -> Self {
        Self {
            options,
            clock,
            open: Mutex::default(),
        }
    }

    /// How the ledger fares, while it is open here.
    #[must_use]
    pub fn health(&self) -> Option<Health> {
        self.slot().as_ref().map(|ledger| ledger.health())
    }

    fn slot(&self) -> MutexGuard<'_, Option<Arc<Ledger>>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self) -> io::Result<Arc<Ledger>> {
        let open = self.slot().as_ref().map(Arc::clone);
        open.ok_or_else(|| io::Error::other("the ledger is not open here"))
    }
}

impl Archive for LedgerArchive {
    fn identity(&self) -> io::Result<Option<String>> {
        identity::read(&self.options.dir)
    }

    fn open(&self) -> io::Result<String> {
        let now = self.clock.now();
        let opened = Ledger::open(self.options.clone(), now).map_err(io::Error::other)?;
        let (ledger, mut restored) = opened;
        // Redis writes no holds here: these are of a gateway with its store in memory, and it is
        // gone, for it would have this ledger open.
        for entry in restored.expire_unclosed(now) {
            ledger.write(entry)?;
        }
        ledger.flush()?;
        *self.slot() = Some(ledger);
        identity::read_or_make(&self.options.dir)
    }

    fn close(&self) -> io::Result<()> {
        let open = self.slot().take();
        open.map_or(Ok(()), |ledger| ledger.close())
    }

    fn keep(&self, entries: Vec<Entry>) -> io::Result<()> {
        let ledger = self.ledger()?;
        for entry in entries {
            ledger.enter(entry)?;
        }
        // Writes them all at once. What fails is written later, and counts once if it is offered
        // again.
        ledger.flush()
    }

    fn books(&self) -> io::Result<Fold> {
        let ledger = self.ledger()?;
        ledger.flush()?;
        Ok(ledger.books())
    }

    fn seed(&self, team: &Arc<str>, since: Timestamp) -> io::Result<Seed> {
        let books = self.books()?;
        let ended = recent(&self.options.dir, team, since).map_err(io::Error::other)?;
        Ok(Seed::new(books.team(team), ended))
    }
}
