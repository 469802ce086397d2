//! A ledger in a directory.

use super::{
    Entry, Fold, Journal, LedgerError, Place, Restored,
    disk::{self, Disk, Machine},
    lock::DirLock,
    replay::{Replayed, replay},
    segment,
    workers::{self, Shared},
    writer::Writer,
};
use std::{
    io,
    path::PathBuf,
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
    time::Duration,
};
use tollgate_core::Timestamp;

/// How a ledger is kept.
#[derive(Clone, Debug)]
pub struct Options {
    /// The directory. It belongs to one process.
    pub dir: PathBuf,
    /// How long what is written may wait to be durable: a power cut may lose so much.
    pub fsync_interval: Duration,
    /// How long a segment grows before the next one is started.
    pub segment_bytes: u64,
    /// Whether the writer may repeat an entry, as a drain does after a crash. Endings are
    /// remembered for that, through two segments.
    pub may_repeat: bool,
}

impl Options {
    /// A ledger in `dir` that loses at most 100 ms in a power cut, in segments of 64 MiB, and that
    /// bears repetition.
    #[must_use]
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            fsync_interval: Duration::from_millis(100),
            segment_bytes: 64 << 20,
            may_repeat: true,
        }
    }
}

/// The durable ledger of one process.
pub struct Ledger {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    lock: Mutex<Option<DirLock>>,
}

/// How a ledger fares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether it can't be written, so that no holds are granted.
    pub failing: bool,
    /// What waits to be written.
    pub buffered_bytes: usize,
    /// Entries that were dropped because too much waited.
    pub dropped: u64,
    /// The segment that is written to.
    pub segment: u64,
}

impl Ledger {
    /// Opens the ledger in a directory, or starts one; mends what a crash tore.
    ///
    /// # Errors
    /// If another process has it open, if it is damaged, or if the file system refuses.
    pub fn open(options: Options, now: Timestamp) -> Result<(Arc<Self>, Restored), LedgerError> {
        Self::open_on(Box::new(Machine), options, now)
    }

    pub(super) fn open_on(
        disk: Box<dyn Disk>,
        options: Options,
        now: Timestamp,
    ) -> Result<(Arc<Self>, Restored), LedgerError> {
        let dir = &options.dir;
        disk::make_dir(dir).map_err(|source| LedgerError::io("make", dir, source))?;
        let lock = DirLock::take(dir)?;
        let replayed = replay(&*disk, dir)?.unwrap_or_else(Replayed::nothing);
        let (number, mut written) = (replayed.found.segment, replayed.bytes);
        let path = segment::path(dir, number);
        let opened = disk.segment(&path).and_then(|segment| {
            if written == 0 {
                let header = segment::header(number);
                segment.append(&header)?;
                written = u64::try_from(header.len()).expect("short");
            }
            segment.sync()?;
            disk.sync_dir(dir)?;
            Ok(segment)
        });
        let segment = opened.map_err(|source| LedgerError::io("write", &path, source))?;
        let restored = Restored {
            fold: replayed.fold.without_endings(),
            found: replayed.found,
        };
        let dir = options.dir.clone();
        let mut books = replayed.fold;
        if !options.may_repeat {
            books.trust_writer();
        }
        let shared = Arc::new(Shared {
            options,
            disk,
            writer: Mutex::new(Writer::new(segment, number, written)),
            books: Mutex::new(books),
            wake_writer: Condvar::new(),
            wake_syncer: Condvar::new(),
        });
        let threads = workers::start(&shared)
            .map_err(|source| LedgerError::io("start the threads of", &dir, source))?;
        tracing::info!(
            dir = %dir.display(),
            segment = number,
            entries_read = restored.found.entries_read,
            unclosed = restored.fold.open().count(),
            now_ms = now.millis(),
            "the ledger is open"
        );
        let ledger = Self {
            shared,
            threads: Mutex::new(threads),
            lock: Mutex::new(Some(lock)),
        };
        Ok((Arc::new(ledger), restored))
    }

    /// Writes all that was queued and makes it durable.
    ///
    /// # Errors
    /// If it could not be written or made durable.
    pub fn flush(&self) -> io::Result<()> {
        self.shared.writer().drain()?;
        self.shared.sync()
    }

    /// Flushes, and takes no more entries.
    ///
    /// # Errors
    /// If the rest could not be written or made durable. It is closed all the same.
    pub fn close(&self) -> io::Result<()> {
        let drained = {
            let mut writer = self.shared.writer();
            if writer.closed {
                return Ok(());
            }
            let drained = writer.drain();
            writer.closed = true;
            self.shared.wake_writer.notify_all();
            self.shared.wake_syncer.notify_all();
            drained
        };
        let flushed = drained.and_then(|()| self.shared.sync());
        let threads = self.threads.lock().map(|mut threads| threads.split_off(0));
        for thread in threads.unwrap_or_default() {
            if thread.join().is_err() {
                tracing::error!("a thread of the ledger has panicked");
            }
        }
        if let Ok(mut lock) = self.lock.lock() {
            lock.take();
        }
        flushed
    }

    /// How it fares.
    #[must_use]
    pub fn health(&self) -> Health {
        let writer = self.shared.writer();
        Health {
            failing: writer.is_failing(),
            buffered_bytes: writer.buffered_bytes(),
            dropped: writer.dropped(),
            segment: writer.number,
        }
    }

    #[cfg(test)]
    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// The balances as of what is written.
    #[must_use]
    pub fn books(&self) -> Fold {
        let mut books = self.shared.books();
        self.shared.add_up(&mut books);
        books.without_endings()
    }
}

impl Journal for Ledger {
    fn write(&self, entry: Entry) -> io::Result<()> {
        let mut writer = self.shared.writer();
        let written = writer.write(entry);
        self.shared.wake(&mut writer);
        written
    }

    fn queue(&self, entry: Entry) {
        let mut writer = self.shared.writer();
        writer.queue(entry);
        self.shared.wake(&mut writer);
    }

    fn enter(&self, entry: Entry) -> io::Result<Place> {
        self.shared.writer().enter(entry)
    }

    fn write_out(&self, place: Place) -> io::Result<()> {
        let mut writer = self.shared.writer();
        let written = writer.write_out(place);
        self.shared.wake(&mut writer);
        written
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "the ledger's last entries may be lost");
        }
    }
}

impl Replayed {
    fn nothing() -> Self {
        let mut nothing = Self {
            fold: Fold::default(),
            found: super::Found::default(),
            bytes: 0,
        };
        nothing.found.segment = 1;
        nothing
    }
}

#[cfg(test)]
mod tests;
