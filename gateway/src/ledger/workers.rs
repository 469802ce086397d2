//! The ledger's two threads. One writes leftovers and keeps the balances; the other makes lines
//! durable and starts segments, which can take long when the disk is busy.

mod rotate;

use super::{Fold, Options, disk::Disk, writer::Writer};
pub(super) use rotate::rotate;
use std::{
    io,
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// How long a queued line may wait to be written.
const LEFTOVER_DELAY: Duration = Duration::from_millis(5);

/// How long to wait before something that failed is tried again.
const RETRY_DELAY: Duration = Duration::from_millis(200);

/// What callers and threads share. Whoever takes both locks takes `books` first.
pub(super) struct Shared {
    pub(super) options: Options,
    pub(super) disk: Box<dyn Disk>,
    pub(super) writer: Mutex<Writer>,
    /// The balances as of what is written, except for entries that are pending.
    pub(super) books: Mutex<Fold>,
    pub(super) wake_writer: Condvar,
    pub(super) wake_syncer: Condvar,
}

impl Shared {
    pub(super) fn writer(&self) -> MutexGuard<'_, Writer> {
        // After a panic a line may be half written: better no holds than a broken ledger.
        self.writer.lock().expect("no panic while writing")
    }

    pub(super) fn books(&self) -> MutexGuard<'_, Fold> {
        self.books.lock().expect("no panic while adding up")
    }

    /// Wakes the threads that have something to do now.
    pub(super) fn wake(&self, writer: &mut Writer) {
        if writer.writer_idles {
            writer.writer_idles = false;
            self.wake_writer.notify_one();
        }
        if writer.syncer_idles || self.is_full(writer) {
            writer.syncer_idles = false;
            self.wake_syncer.notify_one();
        }
    }

    /// Makes durable what is written. Does not hold the lock meanwhile.
    pub(super) fn sync(&self) -> io::Result<()> {
        let segment = {
            let mut writer = self.writer();
            if writer.suspect {
                return Err(io::Error::other("an earlier fsync failed"));
            }
            writer.unsynced = false;
            Arc::clone(&writer.segment)
        };
        let synced = segment.sync();
        if let Err(error) = &synced {
            let mut writer = self.writer();
            writer.suspect(error);
            self.wake(&mut writer);
        }
        synced
    }

    /// Brings the balances up to date.
    pub(super) fn add_up(&self, books: &mut Fold) {
        let written = self.writer().take_written();
        for entry in written {
            books.apply(&entry);
        }
    }

    fn is_full(&self, writer: &Writer) -> bool {
        writer.written >= self.options.segment_bytes
    }
}

/// Starts both threads.
pub(super) fn start(shared: &Arc<Shared>) -> io::Result<Vec<JoinHandle<()>>> {
    let (writer, syncer) = (Arc::clone(shared), Arc::clone(shared));
    Ok(vec![
        thread::Builder::new()
            .name("ledger-write".to_owned())
            .spawn(move || write_leftovers(&writer))?,
        thread::Builder::new()
            .name("ledger-sync".to_owned())
            .spawn(move || make_durable(&syncer))?,
    ])
}

fn write_leftovers(shared: &Shared) {
    let mut writer = shared.writer();
    while !writer.closed {
        if !writer.has_leftovers() && !writer.is_failing() {
            writer.writer_idles = true;
            writer = shared
                .wake_writer
                .wait(writer)
                .expect("no panic while writing");
            continue;
        }
        let delay = if writer.is_failing() {
            RETRY_DELAY
        } else {
            LEFTOVER_DELAY
        };
        writer = shared
            .wake_writer
            .wait_timeout_while(writer, delay, |writer| !writer.closed)
            .expect("no panic while writing")
            .0;
        writer.probe();
        if writer.drain().is_ok() {
            shared.wake(&mut writer);
        }
        drop(writer);
        // While a checkpoint is made, the balances stand still and entries wait.
        if let Ok(mut books) = shared.books.try_lock() {
            shared.add_up(&mut books);
        }
        writer = shared.writer();
    }
}

fn make_durable(shared: &Shared) {
    let mut not_before = Instant::now();
    loop {
        let mut writer = shared.writer();
        let mut due = writer.suspect || shared.is_full(&writer);
        if !writer.closed && !writer.unsynced && !due {
            writer.syncer_idles = true;
            drop(
                shared
                    .wake_syncer
                    .wait(writer)
                    .expect("no panic while writing"),
            );
            continue;
        }
        let delay = shared.options.fsync_interval;
        let waits = |writer: &mut Writer| {
            let rotates = shared.is_full(writer) && not_before <= Instant::now();
            !writer.closed && !rotates
        };
        writer = shared
            .wake_syncer
            .wait_timeout_while(writer, delay, waits)
            .expect("no panic while writing")
            .0;
        if writer.closed {
            return;
        }
        let unsynced = writer.unsynced && !writer.suspect;
        drop(writer);
        if unsynced {
            // It is logged and remembered where it fails.
            let _ = shared.sync();
        }
        let writer = shared.writer();
        due = writer.suspect || shared.is_full(&writer);
        drop(writer);
        if due
            && not_before <= Instant::now()
            && let Err(error) = rotate(shared)
        {
            tracing::warn!(%error, "can't start a segment of the ledger; trying again");
            not_before = Instant::now() + RETRY_DELAY;
        }
    }
}
