//! Reading a ledger at the start, and mending what a crash tore.

use super::{
    Fold, Found, LedgerError, checkpoint,
    disk::Disk,
    segment::{self, Next, Reader},
};
use std::path::Path;

/// A ledger as it was found.
pub(super) struct Replayed {
    pub(super) fold: Fold,
    pub(super) found: Found,
    /// How long the last segment is; 0 if not even its first line is there.
    pub(super) bytes: u64,
}

/// Reads what the newest checkpoint does not cover. `None` if there is no ledger yet.
pub(super) fn replay(disk: &dyn Disk, dir: &Path) -> Result<Option<Replayed>, LedgerError> {
    let (segments, checkpoints) = segment::numbers(dir)?;
    let missing = |number| LedgerError::Missing {
        file: segment::path(dir, number),
    };
    let (Some(first), Some(last)) = (segments.first().copied(), segments.last().copied()) else {
        return checkpoints
            .last()
            .map_or(Ok(None), |number| Err(missing(*number)));
    };
    if let Some(newest) = checkpoints.last().filter(|newest| **newest > last) {
        return Err(missing(*newest));
    }
    let usable = checkpoints.iter().rev().filter(|number| **number >= first);
    let found = usable
        .copied()
        .find_map(|number| usable_checkpoint(dir, number));
    let (base, mut fold) = match found {
        Some(found) => found,
        None if first == 1 => (1, Fold::default()),
        None => return Err(missing(first - 1)),
    };
    if base > first {
        remember_endings(dir, base - 1, &mut fold);
    }
    let mut replayed = Replayed {
        fold,
        found: Found {
            segment: last,
            ..Found::default()
        },
        bytes: 0,
    };
    for number in base..=last {
        if number > base {
            replayed.fold.turn();
        }
        replayed.read(disk, dir, number)?;
    }
    Ok(Some(replayed))
}

fn usable_checkpoint(dir: &Path, number: u64) -> Option<(u64, Fold)> {
    match checkpoint::read(dir, number) {
        Ok((fold, _)) => Some((number, fold)),
        Err(why) => {
            let file = segment::checkpoint_path(dir, number);
            tracing::warn!(file = %file.display(), why, "checkpoint not used; reading more");
            None
        }
    }
}

/// The segment before the checkpoint is counted already. It is read for what ended in it, so that
/// an ending that is repeated across the restart is known. Damage there can't hurt balances.
fn remember_endings(dir: &Path, number: u64, fold: &mut Fold) {
    let mut read = || -> Result<(), LedgerError> {
        let mut reader = Reader::open(dir, number)?;
        while let Next::Entry(entry) = reader.next()? {
            fold.remember(&entry);
        }
        Ok(())
    };
    if let Err(error) = read() {
        tracing::warn!(%error, "can't read which holds ended before the checkpoint");
    }
    fold.turn();
}

impl Replayed {
    /// Adds a segment. No checkpoint covers it, so its end may be torn: that part was never
    /// confirmed to anybody, and is cut off.
    fn read(&mut self, disk: &dyn Disk, dir: &Path, number: u64) -> Result<(), LedgerError> {
        let mut reader = Reader::open(dir, number)?;
        loop {
            match reader.next()? {
                Next::Entry(entry) => {
                    self.fold.apply(&entry);
                    self.found.entries_read += 1;
                }
                Next::Torn { whole, torn } => {
                    cut(disk, dir, number, whole)?;
                    let file = segment::path(dir, number);
                    tracing::warn!(
                        file = %file.display(),
                        bytes = torn,
                        "cut off a line that a crash tore"
                    );
                    self.found.torn_bytes += torn;
                    break;
                }
                Next::End => break,
            }
        }
        self.bytes = reader.offset();
        Ok(())
    }
}

fn cut(disk: &dyn Disk, dir: &Path, number: u64, length: u64) -> Result<(), LedgerError> {
    let path = segment::path(dir, number);
    let cut = disk.segment(&path).and_then(|segment| {
        segment.cut(length)?;
        segment.sync()
    });
    cut.map_err(|source| LedgerError::io("mend", path, source))
}
