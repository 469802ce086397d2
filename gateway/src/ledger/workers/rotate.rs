//! Starting a segment.

use super::Shared;
use crate::ledger::{checkpoint, segment};
use std::{fs, io, sync::Arc};

/// How many checkpoints are kept. Older segments can be read without.
pub(in crate::ledger) const KEPT_CHECKPOINTS: u64 = 16;

/// Goes on in a new segment, and puts a checkpoint in place that covers all before it.
///
/// Callers wait for the switch only, not for the checkpoint. If this fails after the switch, the
/// next start reads more; if the segment before was suspect, it stays so and this is tried again.
pub(in crate::ledger) fn rotate(shared: &Shared) -> io::Result<()> {
    let dir = &shared.options.dir;
    let mut books = shared.books();
    let (number, previous) = {
        let writer = shared.writer();
        (writer.number + 1, Arc::clone(&writer.segment))
    };
    let header = segment::header(number);
    let next = shared.disk.segment(&segment::path(dir, number))?;
    // An attempt that failed may have left something.
    next.cut(0)?;
    next.append(&header)?;
    next.sync()?;
    shared.disk.sync_dir(dir)?;
    {
        let mut writer = shared.writer();
        writer.mend()?;
        if writer.closed {
            return Ok(());
        }
        let written = writer.take_written();
        writer.switch(next, number, u64::try_from(header.len()).expect("short"));
        drop(writer);
        for entry in written {
            books.apply(&entry);
        }
    }
    books.turn();
    books.prune();
    if let Err(error) = previous.sync() {
        // What is lost there is in the checkpoint, if only that becomes durable.
        shared.writer().suspect(&error);
    }
    let print =
        checkpoint::fingerprint(&segment::path(dir, number - 1)).map_err(io::Error::other)?;
    let page = checkpoint::encode(&books, number, print);
    drop(books);
    shared
        .disk
        .put(&segment::checkpoint_path(dir, number), &page)?;
    shared.writer().trust();
    if let Some(old) = number.checked_sub(KEPT_CHECKPOINTS) {
        let _ = fs::remove_file(segment::checkpoint_path(dir, old));
    }
    Ok(())
}
