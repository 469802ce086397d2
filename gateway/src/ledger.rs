//! The ledger: the durable list of holds and their endings.
//!
//! Money is what the ledger says it is: `spent` of every budget is the sum of its entries, to the
//! nano-dollar, and an empty store is rebuilt from it. Entries are JSON lines in segment files.

pub mod entry;

pub use entry::{AttemptRecord, CallRecord, CounterRef, Entry, Kind};
use std::io;

/// Where entries go. The in-process store writes to it inside each decision, so that the order of
/// the entries is the order of the decisions.
pub trait Journal: Send + Sync {
    /// Writes an entry that must outlive the process before anything else happens: a `held` line
    /// before its call is dispatched. What was queued before is written first.
    ///
    /// # Errors
    /// If it could not be written. Then the hold must not be granted.
    fn write(&self, entry: &Entry) -> io::Result<()>;

    /// Queues an entry. It is written soon, in order, and retried while writing fails.
    fn queue(&self, entry: &Entry);
}
