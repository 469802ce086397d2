//! The state under the ledger's lock: what is buffered, and the segment that it goes to.

use super::{Entry, Place, disk::Segment};
use std::{
    collections::VecDeque,
    io::{self, Error},
    sync::Arc,
};

/// How many bytes of queued lines are kept while they can't be written. Open holds can hardly
/// have so many endings: no hold is granted meanwhile. Beyond it, lines are dropped and counted;
/// their holds are charged in full at the next start.
pub(super) const MOST_BUFFERED_BYTES: usize = 64 << 20;

/// How many entries may wait to be added to the balances. They wait while a checkpoint is made.
pub(super) const MOST_PENDING: usize = 1 << 17;

/// What is written and cut off again to see whether there is room: more than most lines.
const PROBE: [u8; 4096] = [b' '; 4096];

/// The buffer's usual size. It is given back down to this after a failure.
const USUAL_BUFFER_BYTES: usize = 1 << 20;

pub(super) struct Writer {
    pub(super) segment: Arc<dyn Segment>,
    pub(super) number: u64,
    /// The length of the segment's whole lines.
    pub(super) written: u64,
    /// The segment may be longer than that: a write failed half way.
    overhang: bool,
    /// Lines that are not written yet.
    buffer: Vec<u8>,
    /// Entries that are not in the balances yet, in the order of their lines.
    pending: VecDeque<Entry>,
    /// How many of them, at the end, are in the buffer only.
    buffered: usize,
    /// How many entries were added, in all.
    added: u64,
    pub(super) unsynced: bool,
    /// The system could not make lines durable and may have forgotten them: write nothing more
    /// here, until a checkpoint that has them is durable.
    pub(super) suspect: bool,
    failing: bool,
    dropped: u64,
    pub(super) closed: bool,
    pub(super) writer_idles: bool,
    pub(super) syncer_idles: bool,
}

impl Writer {
    pub(super) fn new(segment: Arc<dyn Segment>, number: u64, written: u64) -> Self {
        Self {
            segment,
            number,
            written,
            overhang: false,
            buffer: Vec::with_capacity(USUAL_BUFFER_BYTES),
            pending: VecDeque::new(),
            buffered: 0,
            added: 0,
            unsynced: true,
            suspect: false,
            failing: false,
            dropped: 0,
            closed: false,
            writer_idles: false,
            syncer_idles: false,
        }
    }

    /// Writes an entry and all that was queued before, or not this entry.
    pub(super) fn write(&mut self, entry: Entry) -> io::Result<()> {
        self.may_write()?;
        let mark = self.buffer.len();
        self.add(entry);
        let drained = self.drain();
        if drained.is_err() {
            self.buffer.truncate(mark);
            self.pending.pop_back();
            self.buffered -= 1;
            self.added -= 1;
        }
        drained
    }

    /// Queues an entry that is written before anything else happens.
    pub(super) fn enter(&mut self, entry: Entry) -> io::Result<Place> {
        self.may_write()?;
        if self.failing {
            // Else every call that is refused meanwhile would leave a line.
            return Err(Error::other("the ledger can't be written"));
        }
        self.add(entry);
        Ok(Place(self.added))
    }

    /// Writes what is buffered up to that place.
    pub(super) fn write_out(&mut self, place: Place) -> io::Result<()> {
        if place <= self.written_out() {
            return Ok(());
        }
        self.drain()
    }

    /// The last entry that is written.
    pub(super) fn written_out(&self) -> Place {
        Place(self.added - u64::try_from(self.buffered).expect("fits"))
    }

    fn may_write(&self) -> io::Result<()> {
        if self.closed {
            return Err(Error::other("the ledger is closed"));
        }
        if self.pending.len() >= MOST_PENDING {
            return Err(Error::other("the ledger's balances are too far behind"));
        }
        Ok(())
    }

    pub(super) fn queue(&mut self, entry: Entry) {
        if self.closed || self.buffer.len() >= MOST_BUFFERED_BYTES {
            if self.dropped == 0 || self.closed {
                tracing::error!(
                    hold = %entry.hold, kind = ?entry.kind,
                    "the ledger dropped an entry: it is closed, or full and can't be written"
                );
            }
            self.dropped += 1;
            return;
        }
        self.add(entry);
    }

    /// Writes what is buffered.
    pub(super) fn drain(&mut self) -> io::Result<()> {
        let drained = self.append();
        if let Err(error) = &drained {
            self.note(Some(error));
        }
        drained
    }

    /// Finds out whether lines can be written again, though there is none to write: whoever stays
    /// away from a gateway that grants no holds would otherwise stay away for good.
    pub(super) fn probe(&mut self) {
        if !self.failing || self.suspect || !self.buffer.is_empty() || self.mend().is_err() {
            return;
        }
        // It has no end of line: a crash in between leaves a torn line, which a start cuts off.
        let probed = self.segment.append(&PROBE);
        self.overhang = true;
        if probed.and_then(|()| self.mend()).is_ok() {
            self.note(None);
        }
    }

    fn append(&mut self) -> io::Result<()> {
        if self.suspect {
            return Err(Error::other(
                "what was written before could not be made durable",
            ));
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        self.mend()?;
        if let Err(error) = self.segment.append(&self.buffer) {
            self.overhang = true;
            // If it can't be mended now, it is before the next write.
            let _ = self.mend();
            return Err(error);
        }
        self.written += u64::try_from(self.buffer.len()).expect("fits");
        self.buffer.clear();
        self.buffer.shrink_to(USUAL_BUFFER_BYTES);
        self.buffered = 0;
        self.unsynced = true;
        self.note(None);
        Ok(())
    }

    /// Cuts off what a failed write left behind.
    pub(super) fn mend(&mut self) -> io::Result<()> {
        if self.overhang {
            self.segment.cut(self.written)?;
            self.overhang = false;
        }
        Ok(())
    }

    /// Goes on in another segment.
    pub(super) fn switch(&mut self, segment: Arc<dyn Segment>, number: u64, written: u64) {
        self.segment = segment;
        self.number = number;
        self.written = written;
        self.unsynced = true;
    }

    /// Takes the entries that are written, for the balances.
    pub(super) fn take_written(&mut self) -> VecDeque<Entry> {
        let buffered = self.pending.split_off(self.pending.len() - self.buffered);
        std::mem::replace(&mut self.pending, buffered)
    }

    /// Makes the segment one that nothing is written to any more.
    pub(super) fn suspect(&mut self, error: &Error) {
        self.suspect = true;
        self.note(Some(error));
    }

    /// A checkpoint has all that was written: all is well again.
    pub(super) fn trust(&mut self) {
        self.suspect = false;
        self.note(None);
    }

    pub(super) fn has_leftovers(&self) -> bool {
        !self.buffer.is_empty() || !self.pending.is_empty()
    }

    pub(super) fn is_failing(&self) -> bool {
        self.failing
    }

    pub(super) fn buffered_bytes(&self) -> usize {
        self.buffer.len()
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped
    }

    fn add(&mut self, entry: Entry) {
        serde_json::to_writer(&mut self.buffer, &entry).expect("an entry is JSON");
        self.buffer.push(b'\n');
        self.pending.push_back(entry);
        self.buffered += 1;
        self.added += 1;
    }

    /// One log line per change, not per call.
    fn note(&mut self, trouble: Option<&Error>) {
        match (self.failing, trouble) {
            (false, Some(error)) => {
                tracing::error!(%error, "the ledger can't be written: no new holds are granted");
                self.failing = true;
            }
            (true, None) if !self.suspect => {
                tracing::info!(dropped = self.dropped, "the ledger is written again");
                self.failing = false;
            }
            (false, None) | (true, _) => {}
        }
    }
}
