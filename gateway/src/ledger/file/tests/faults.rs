//! What happens when the disk is full or loses what was written.

use super::*;
use crate::ledger::disk::Segment;
use std::sync::atomic::{AtomicBool, Ordering};

/// A disk that can be full or broken, and that is quick because it makes nothing durable.
#[derive(Clone, Default)]
pub(super) struct Faulty {
    full: Arc<AtomicBool>,
    syncs_fail: Arc<AtomicBool>,
}

struct FaultySegment(Arc<dyn Segment>, Faulty);

impl Faulty {
    fn room(&self) -> io::Result<()> {
        if self.full.load(Ordering::SeqCst) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

impl Disk for Faulty {
    fn segment(&self, path: &Path) -> io::Result<Arc<dyn Segment>> {
        self.room()?;
        Ok(Arc::new(FaultySegment(
            Machine.segment(path)?,
            self.clone(),
        )))
    }

    fn put(&self, path: &Path, content: &[u8]) -> io::Result<()> {
        self.room()?;
        fs::write(path, content)
    }

    fn sync_dir(&self, _: &Path) -> io::Result<()> {
        Ok(())
    }
}

impl Segment for FaultySegment {
    fn append(&self, lines: &[u8]) -> io::Result<()> {
        if let Err(error) = self.1.room() {
            // A full disk takes some of it.
            self.0.append(&lines[..lines.len() / 2])?;
            return Err(error);
        }
        self.0.append(lines)
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        // Worst case: what was half written can't be cut off either.
        self.1.room()?;
        self.0.cut(length)
    }

    fn sync(&self) -> io::Result<()> {
        if self.1.syncs_fail.load(Ordering::SeqCst) {
            return Err(io::Error::other("a page was lost"));
        }
        Ok(())
    }
}

fn open_faulty(dir: &Path) -> (Arc<Ledger>, Faulty) {
    let faulty = Faulty::default();
    let disk = Box::new(faulty.clone());
    let opened = Ledger::open_on(disk, options(dir), Timestamp::default());
    (opened.expect("opens").0, faulty)
}

#[test]
fn while_the_disk_is_full_no_hold_is_granted_and_no_ending_is_lost() {
    let (dir, entries) = (dir(), entries(30));
    let (ledger, faulty) = open_faulty(dir.path());
    let mut kept: Vec<Entry> = Vec::new();
    for (place, entry) in entries.iter().enumerate() {
        faulty
            .full
            .store((10..30).contains(&place), Ordering::SeqCst);
        if entry.kind != Kind::Held {
            ledger.queue(entry.clone());
            kept.push(entry.clone());
        } else if ledger.write(entry.clone()).is_ok() {
            kept.push(entry.clone());
        } else {
            assert!(ledger.health().failing);
        }
        // Whoever starts now finds whole lines.
        let (_after, restored) = open(copy(dir.path()).path());
        assert!(restored.fold.entries() <= u64::try_from(kept.len()).expect("small"));
    }
    assert!(kept.len() < entries.len());
    ledger.close().expect("closes");
    assert!(!ledger.health().failing);
    assert_eq!(said(&ledger.books()), said(&fold_of(&kept)));
    let (_ledger, restored) = open(dir.path());
    assert_eq!(said(&restored.fold), said(&fold_of(&kept)));
}

#[test]
fn what_is_queued_while_the_disk_is_full_is_written_when_there_is_room() {
    let (dir, entries) = (dir(), entries(3));
    let (ledger, faulty) = open_faulty(dir.path());
    faulty.full.store(true, Ordering::SeqCst);
    entries.iter().for_each(|entry| ledger.queue(entry.clone()));
    wait_for("the failure", || ledger.health().failing);
    assert!(rotate(&ledger.shared).is_err());
    faulty.full.store(false, Ordering::SeqCst);
    wait_for("the recovery", || !ledger.health().failing);
    let (_after, restored) = open(copy(dir.path()).path());
    assert_eq!(said(&restored.fold), said(&fold_of(&entries)));
}

#[test]
fn a_disk_with_room_again_is_noticed_though_nothing_is_to_be_written() {
    let (dir, entries) = (dir(), entries(3));
    let (ledger, faulty) = open_faulty(dir.path());
    ledger.write(entries[0].clone()).expect("writes");
    faulty.full.store(true, Ordering::SeqCst);
    assert!(ledger.write(entries[1].clone()).is_err());
    assert!(ledger.health().failing);
    faulty.full.store(false, Ordering::SeqCst);
    wait_for("the recovery", || !ledger.health().failing);
    ledger.write(entries[1].clone()).expect("writes");
    let (_after, restored) = open(copy(dir.path()).path());
    assert_eq!(said(&restored.fold), said(&fold_of(&entries[..2])));
}

#[test]
fn after_a_failed_fsync_the_balances_go_to_a_checkpoint_before_anything_else() {
    let (dir, entries) = (dir(), entries(30));
    let (ledger, faulty) = open_faulty(dir.path());
    entries[..10]
        .iter()
        .for_each(|entry| record(&ledger, entry));
    faulty.syncs_fail.store(true, Ordering::SeqCst);
    assert!(ledger.flush().is_err());
    assert!(ledger.health().failing);
    assert!(
        ledger.write(entries[0].clone()).is_err(),
        "not before it is durable"
    );
    entries[10..12]
        .iter()
        .for_each(|entry| ledger.queue(entry.clone()));
    faulty.syncs_fail.store(false, Ordering::SeqCst);
    wait_for("the recovery", || !ledger.health().failing);
    entries[12..]
        .iter()
        .for_each(|entry| record(&ledger, entry));
    ledger.close().expect("closes");
    // The suspect segment is not needed any more: let it have lost everything.
    fs::write(segment::path(dir.path(), 1), segment::header(1)).expect("writes");
    let (_ledger, restored) = open(dir.path());
    assert_eq!(said(&restored.fold), said(&fold_of(&entries)));
}
