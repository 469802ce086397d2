//! What a start finds.

use super::Fold;
use crate::ledger::{Entry, Kind};
use tollgate_core::Timestamp;

/// What a ledger says when it is opened.
#[derive(Debug)]
pub struct Restored {
    /// The balances, with the holds that were open when the last process ended.
    pub fold: Fold,
    /// What was read for it.
    pub found: Found,
}

/// What was read at the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// The segment that is written next to.
    pub segment: u64,
    /// Entries that were read, because no checkpoint covers them.
    pub entries_read: u64,
    /// Bytes of torn lines that were cut off.
    pub torn_bytes: u64,
}

impl Restored {
    /// Ends every hold that has no ending: nobody knows what became of its call, so it is charged
    /// in full. The entries are in the sums already and must be queued to the ledger.
    pub fn expire_unclosed(&mut self, now: Timestamp) -> Vec<Entry> {
        let entries: Vec<Entry> = self
            .fold
            .open()
            .map(|(id, hold)| Entry {
                at_ms: now.millis(),
                kind: Kind::Expired,
                team: hold.team.clone(),
                hold: id.clone(),
                counters: hold.counters.clone(),
                held_nano_usd: hold.amount.nanos(),
                charge_nano_usd: hold.amount.nanos(),
                top_up_nano_usd: None,
                permille: None,
                call: None,
            })
            .collect();
        for entry in &entries {
            self.fold.apply(entry);
        }
        entries
    }
}
