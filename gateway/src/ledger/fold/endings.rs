//! The holds that ended lately.
//!
//! Writers may repeat an ending: a store that is drained to the ledger repeats what it sent since
//! the last fsync. Endings are remembered through the segment that they are in and the next one,
//! which bounds the memory by two segments and is far more than any writer repeats. The in-process
//! store repeats nothing, so for it nothing is remembered.

use super::{Entry, Kind};
use std::{collections::HashMap, mem, sync::Arc};
use tollgate_core::HoldId;

/// What ended. A top-up counts as its own ending.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in crate::ledger) enum Id {
    /// A hold.
    Hold(HoldId),
    /// A hold with an id that the gateway did not mint.
    Other(Arc<str>),
    /// A top-up, by team and request.
    TopUp(Arc<str>, Arc<str>),
}

impl Id {
    /// What the entry is about.
    pub(in crate::ledger) fn of(entry: &Entry) -> Self {
        if entry.kind == Kind::ToppedUp {
            return Self::TopUp(Arc::clone(&entry.team), Arc::clone(&entry.hold));
        }
        entry
            .hold
            .parse()
            .map_or_else(|_| Self::Other(Arc::clone(&entry.hold)), Self::Hold)
    }
}

/// Whether an ending was there before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::ledger) enum Seen {
    /// It is new.
    Never,
    /// The same.
    Same,
    /// Another one, after which this one can't be.
    Other,
}

/// What ended in this segment and in the one before, and how.
#[derive(Clone, Debug, Default)]
pub(in crate::ledger) struct Endings {
    /// Nothing is repeated.
    trusts: bool,
    current: Segment,
    previous: Segment,
}

/// What ended in one segment. Nearly all of it are holds, of which there can be 100,000: with a kind
/// beside it, an aligned id would take twice the room of its bytes.
#[derive(Clone, Debug, Default)]
struct Segment {
    holds: HashMap<[u8; 16], Kind>,
    others: HashMap<Id, Kind>,
}

impl Segment {
    fn state(&self, id: &Id) -> Option<Kind> {
        match id {
            Id::Hold(id) => self.holds.get(&id.to_bytes()).copied(),
            Id::Other(_) | Id::TopUp(..) => self.others.get(id).copied(),
        }
    }

    fn insert(&mut self, id: Id, kind: Kind) {
        match id {
            Id::Hold(id) => self.holds.insert(id.to_bytes(), kind),
            Id::Other(_) | Id::TopUp(..) => self.others.insert(id, kind),
        };
    }
}

impl Endings {
    /// Endings of a writer that repeats none: they are not remembered.
    pub(super) fn trusting() -> Self {
        Self {
            trusts: true,
            ..Self::default()
        }
    }

    /// Whether the hold of the entry has ended.
    pub(super) fn have(&self, entry: &Entry) -> bool {
        !self.trusts && self.state(&Id::of(entry)).is_some()
    }

    /// Remembers an ending, or remembers it for longer when it is repeated. Tells whether it was
    /// there before.
    pub(super) fn note(&mut self, entry: &Entry) -> Seen {
        if self.trusts {
            return Seen::Never;
        }
        let (id, kind) = (Id::of(entry), entry.kind);
        let (seen, state) = match self.state(&id) {
            None => (Seen::Never, kind),
            Some(Kind::Expired) if kind == Kind::Corrected => (Seen::Never, kind),
            // The expiry that was corrected since.
            Some(Kind::Corrected) if kind == Kind::Expired => (Seen::Same, Kind::Corrected),
            Some(known) if known == kind => (Seen::Same, known),
            Some(known) => (Seen::Other, known),
        };
        self.current.insert(id, state);
        seen
    }

    fn state(&self, id: &Id) -> Option<Kind> {
        self.current.state(id).or_else(|| self.previous.state(id))
    }

    pub(super) fn turn(&mut self) {
        self.previous = mem::take(&mut self.current);
    }
}
