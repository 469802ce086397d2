//! The ledger: the durable list of holds and their endings.
//!
//! Money is what the ledger says it is: `spent` of every budget is the sum of its entries, to the
//! nano-dollar, and an empty store is rebuilt from it. Entries are JSON lines in segment files,
//! `ledger-0000000001.jsonl` and on; `checkpoint-0000000002.json` has the balances of all that was
//! written before segment 2, so that a restart reads the end of the ledger only.
//!
//! What survives: an entry that was written survives the process; an entry that was queued does
//! after about 5 milliseconds; both survive a power cut after the fsync interval. So a killed
//! process loses at most some endings, whose holds are then charged in full, and a power cut may
//! lose the last fsync interval.

mod checkpoint;
mod disk;
pub mod drift;
pub mod entry;
mod error;
mod file;
pub mod fold;
pub mod identity;
pub mod listing;
pub(crate) mod lock;
mod replay;
mod segment;
mod usage;
pub mod verify;
mod workers;
mod writer;

pub use entry::{AttemptRecord, CallRecord, CounterRef, Entry, Kind};
pub use error::LedgerError;
pub use file::{Health, Ledger, Options};
pub use fold::{Book, Fold, Found, OpenEntry, Restored, RunLimit, TopUpMade};
pub use listing::{Filter, Form, list, recent};
use std::io;
pub use usage::usage_of;
pub use verify::verify;

/// Which entry of a journal, counted from its opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place(pub(crate) u64);

/// Where entries go. The in-process store writes to it inside each decision, so that the order of
/// the entries is the order of the decisions.
pub trait Journal: Send + Sync {
    /// Writes an entry that must outlive the process before anything else happens: a `held` line
    /// before its call is dispatched. What was queued before is written first.
    ///
    /// # Errors
    /// If it could not be written. Then the hold must not be granted.
    fn write(&self, entry: Entry) -> io::Result<()>;

    /// Queues an entry. It is written soon, in order, and retried while writing fails.
    fn queue(&self, entry: Entry);

    /// Queues an entry that must outlive the process before anything else happens, so that those
    /// of calls that begin together are written at once: see [`Journal::write_out`].
    ///
    /// # Errors
    /// If nothing can be written now. Then it is not queued.
    fn enter(&self, entry: Entry) -> io::Result<Place>;

    /// Writes what was queued up to that entry, if that was not done yet.
    ///
    /// # Errors
    /// If it could not be written. It is tried again later, so whoever can't wait for that takes
    /// it back with another entry.
    fn write_out(&self, place: Place) -> io::Result<()>;
}
