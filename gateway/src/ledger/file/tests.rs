use super::*;
use crate::ledger::{
    Kind,
    disk::Segment,
    fold::tests::{START_MS, Script, Step, fold_of, said, steps},
    verify,
    workers::rotate,
};
use proptest::prelude::*;
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};
use tempfile::TempDir;

/// A ledger that starts segments when it is told to.
fn options(dir: &Path) -> Options {
    Options {
        segment_bytes: u64::MAX,
        fsync_interval: Duration::from_millis(1),
        ..Options::new(dir)
    }
}

fn open(dir: &Path) -> (Arc<Ledger>, Restored) {
    let disk = Box::new(Faulty::default());
    Ledger::open_on(disk, options(dir), Timestamp::from_millis(START_MS)).expect("opens")
}

fn dir() -> TempDir {
    tempfile::tempdir().expect("a directory")
}

/// What kill -9 leaves: the files as they are now.
fn copy(from: &Path) -> TempDir {
    let to = dir();
    for file in fs::read_dir(from).expect("is there") {
        let file = file.expect("is there");
        fs::copy(file.path(), to.path().join(file.file_name())).expect("copies");
    }
    to
}

fn entries(count: usize) -> Vec<Entry> {
    let mut steps = Vec::new();
    for number in 0..count {
        steps.push(Step::Hold { team: 0, run: Some(1), amount: 100 });
        if number % 3 > 0 {
            steps.push(Step::End { which: number, kind: Kind::Settled, cost: 7 });
        }
    }
    Script::of(&steps).entries
}

/// As a store does: holds are written, all else is queued.
fn record(ledger: &Ledger, entry: &Entry) {
    if entry.kind == Kind::Held {
        ledger.write(entry).expect("writes");
    } else {
        ledger.queue(entry);
    }
}

/// Waits for what another thread does soon.
fn wait_for(what: &str, happened: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !happened() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::yield_now();
    }
}

#[test]
fn what_was_written_is_restored() {
    let (dir, entries) = (dir(), entries(20));
    let now = Timestamp::from_millis(START_MS);
    let (ledger, restored) = Ledger::open(options(dir.path()), now).expect("opens");
    assert_eq!(restored.fold.entries(), 0);
    entries.iter().for_each(|entry| record(&ledger, entry));
    assert_eq!(ledger.health().segment, 1);
    ledger.close().expect("closes");
    assert_eq!(said(&ledger.books()), said(&fold_of(&entries)));
    let (_ledger, restored) = open(dir.path());
    assert_eq!(said(&restored.fold), said(&fold_of(&entries)));
    assert_eq!(restored.found.entries_read, u64::try_from(entries.len()).expect("small"));
}

#[test]
fn a_written_hold_outlives_the_process_and_takes_what_was_queued_along() {
    let (dir, entries) = (dir(), entries(20));
    let (ledger, _) = open(dir.path());
    entries.iter().for_each(|entry| record(&ledger, entry));
    let last_hold = entries.iter().rposition(|entry| entry.kind == Kind::Held).expect("one");
    let (_after, restored) = open(copy(dir.path()).path());
    assert!(restored.fold.entries() > u64::try_from(last_hold).expect("small"));
}

#[test]
fn what_was_queued_is_written_soon() {
    let (dir, entries) = (dir(), entries(2));
    let (ledger, _) = open(dir.path());
    entries.iter().for_each(|entry| ledger.queue(entry));
    wait_for("the leftovers", || ledger.health().buffered_bytes == 0);
    let (_after, restored) = open(copy(dir.path()).path());
    assert_eq!(said(&restored.fold), said(&fold_of(&entries)));
}

#[test]
fn a_file_that_ends_anywhere_is_mended_and_loses_one_line_at_most() {
    let (dir, entries) = (dir(), entries(9));
    let (ledger, _) = open(dir.path());
    entries.iter().for_each(|entry| record(&ledger, entry));
    ledger.close().expect("closes");
    let whole = fs::read(segment::path(dir.path(), 1)).expect("is there");
    let torn = tempfile::tempdir().expect("a directory");
    for length in 0..=whole.len() {
        fs::write(segment::path(torn.path(), 1), &whole[..length]).expect("writes");
        let lines = whole[..length].iter().filter(|byte| **byte == b'\n').count();
        let kept = lines.saturating_sub(1);
        let (ledger, restored) = open(torn.path());
        assert_eq!(said(&restored.fold), said(&fold_of(&entries[..kept])), "at {length}");
        // The next line is whole too.
        let next = entries.get(kept).unwrap_or(&entries[0]);
        ledger.write(next).expect("writes");
        ledger.close().expect("closes");
        let report = verify(torn.path()).expect("reads");
        assert!(report.is_sound() && report.torn_bytes == 0, "{report:?}");
        assert_eq!(report.entries, u64::try_from(kept + 1).expect("small"));
    }
}

#[test]
fn a_restart_reads_no_more_than_the_checkpoint_leaves() {
    let (dir, entries) = (dir(), entries(30));
    let (ledger, _) = open(dir.path());
    for (place, entry) in entries.iter().enumerate() {
        record(&ledger, entry);
        if place % 10 == 9 {
            rotate(&ledger.shared).expect("rotates");
        }
    }
    let segments = ledger.health().segment;
    assert_eq!(usize::try_from(segments).expect("small"), 1 + entries.len() / 10);
    ledger.close().expect("closes");
    let (_ledger, restored) = open(dir.path());
    assert_eq!(said(&restored.fold), said(&fold_of(&entries)));
    assert!(restored.found.entries_read < 10);
}

#[test]
fn a_segment_that_is_full_is_followed_by_another() {
    let (dir, entries) = (dir(), entries(200));
    let small = Options { segment_bytes: 4_000, ..options(dir.path()) };
    let (ledger, _) = Ledger::open(small, Timestamp::default()).expect("opens");
    for (place, entry) in entries.iter().enumerate() {
        record(&ledger, entry);
        if place == entries.len() / 2 {
            wait_for("the second segment", || ledger.health().segment > 1);
        }
    }
    ledger.close().expect("closes");
    let report = verify(dir.path()).expect("reads");
    assert!(report.is_sound(), "{report:?}");
    assert!(!report.checkpoints.is_empty());
    let (_ledger, restored) = open(dir.path());
    assert_eq!(said(&restored.fold), said(&fold_of(&entries)));
}

#[test]
fn a_checkpoint_that_is_torn_or_gone_costs_time_only() {
    let (dir, entries) = (dir(), entries(12));
    let (ledger, _) = open(dir.path());
    for (place, entry) in entries.iter().enumerate() {
        record(&ledger, entry);
        if place == 5 || place == 10 {
            rotate(&ledger.shared).expect("rotates");
        }
    }
    ledger.close().expect("closes");
    let newest = segment::checkpoint_path(dir.path(), 3);
    let whole = fs::read(&newest).expect("is there");
    for length in (0..whole.len()).step_by(7) {
        fs::write(&newest, &whole[..length]).expect("writes");
        let (_ledger, restored) = open(dir.path());
        assert_eq!(said(&restored.fold), said(&fold_of(&entries)), "at {length}");
    }
    for number in [3, 2] {
        fs::remove_file(segment::checkpoint_path(dir.path(), number)).expect("is there");
        let (_ledger, restored) = open(dir.path());
        assert_eq!(said(&restored.fold), said(&fold_of(&entries)));
    }
}

#[test]
fn an_ending_that_is_repeated_after_a_restart_counts_once() {
    let (dir, entries) = (dir(), entries(6));
    let (ledger, _) = open(dir.path());
    entries.iter().for_each(|entry| record(&ledger, entry));
    rotate(&ledger.shared).expect("rotates");
    ledger.close().expect("closes");
    let (ledger, _) = open(dir.path());
    let endings = || entries.iter().filter(|entry| entry.kind == Kind::Settled);
    endings().for_each(|entry| ledger.queue(entry));
    ledger.close().expect("closes");
    let (_ledger, restored) = open(dir.path());
    for ((team, key), sum) in &spent_by(&entries) {
        assert_eq!(restored.fold.spent(team, key).nanos(), *sum);
    }
    let report = verify(dir.path()).expect("reads");
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.repeated, u64::try_from(endings().count()).expect("small"));
}

fn spent_by(
    entries: &[Entry],
) -> std::collections::BTreeMap<(Arc<str>, tollgate_core::account::CounterKey), i64> {
    let fold = fold_of(entries);
    let sums = fold.teams().flat_map(|(team, book)| {
        let sum = move |(key, counter): (&_, &tollgate_core::account::Counter)| {
            ((team.clone(), Clone::clone(key)), counter.spent.nanos())
        };
        book.counters.iter().map(sum)
    });
    sums.collect()
}

#[test]
fn damage_that_is_no_crash_is_named_by_file_and_line() {
    let (dir, entries) = (dir(), entries(9));
    let (ledger, _) = open(dir.path());
    entries.iter().for_each(|entry| record(&ledger, entry));
    ledger.close().expect("closes");
    let path = segment::path(dir.path(), 1);
    let whole = fs::read_to_string(&path).expect("is there");
    fs::write(&path, whole.replacen("\"kind\":\"settled\"", "\"kind\":\"setled\"", 1)).expect("writes");
    let error = Ledger::open(options(dir.path()), Timestamp::default()).err().expect("refused");
    let first = entries.iter().position(|entry| entry.kind == Kind::Settled).expect("one");
    assert!(matches!(&error, LedgerError::Corrupt { line, .. }
        if *line == u64::try_from(first).expect("small") + 2), "{error}");
    assert!(error.to_string().contains("ledger-0000000001.jsonl"), "{error}");
}

#[test]
fn a_segment_that_is_missing_is_named() {
    let (dir, entries) = (dir(), entries(9));
    let (ledger, _) = open(dir.path());
    for entry in &entries {
        record(&ledger, entry);
        rotate(&ledger.shared).expect("rotates");
    }
    ledger.close().expect("closes");
    // What a checkpoint covers may be moved away.
    fs::remove_file(segment::path(dir.path(), 1)).expect("is there");
    let (ledger, restored) = open(dir.path());
    assert_eq!(said(&restored.fold), said(&fold_of(&entries)));
    assert!(verify(dir.path()).expect("reads").is_sound());
    ledger.close().expect("closes");
    fs::remove_file(segment::path(dir.path(), 5)).expect("is there");
    let error = Ledger::open(options(dir.path()), Timestamp::default()).err().expect("refused");
    assert!(error.to_string().contains("ledger-0000000005.jsonl is missing"), "{error}");
}

#[test]
fn a_second_opener_is_told_whom_to_stop() {
    let dir = dir();
    let (ledger, _) = open(dir.path());
    let error = Ledger::open(options(dir.path()), Timestamp::default()).err().expect("refused");
    let process = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&process), "{error}");
    ledger.close().expect("closes");
    open(dir.path());
}

#[test]
fn a_closed_ledger_grants_no_holds() {
    let dir = dir();
    let (ledger, _) = open(dir.path());
    ledger.close().expect("closes");
    assert!(ledger.write(&entries(1)[0]).is_err());
    ledger.queue(&entries(1)[0]);
    assert_eq!(ledger.health().dropped, 1);
    ledger.close().expect("closing again is nothing");
}

#[test]
fn writers_that_run_at_once_keep_their_order() {
    const EACH: usize = 300;
    let dir = dir();
    let (ledger, _) = open(dir.path());
    thread::scope(|scope| {
        for writer in 0..4 {
            let ledger = &ledger;
            scope.spawn(move || {
                for number in 0..EACH {
                    let mut entry = entries(1)[0].clone();
                    entry.hold = format!("{writer}-{number:04}").into();
                    if number % 2 == 0 {
                        ledger.write(&entry).expect("writes");
                    } else {
                        ledger.queue(&entry);
                    }
                    if writer == 0 && number % 100 == 50 {
                        rotate(&ledger.shared).expect("rotates");
                    }
                }
            });
        }
    });
    ledger.close().expect("closes");
    let mut shown = Vec::new();
    let filter = crate::ledger::Filter::default();
    let count = crate::ledger::list(dir.path(), &filter, crate::ledger::Form::Json, &mut shown);
    assert_eq!(count.expect("reads"), 4 * u64::try_from(EACH).expect("small"));
    let text = String::from_utf8(shown).expect("text");
    for writer in 0..4 {
        let start = format!("\"hold\":\"{writer}-");
        let holds = text.lines().filter_map(|line| Some(line.split_once(&start)?.1.get(..4)?));
        let holds: Vec<&str> = holds.collect();
        assert!(holds.len() == EACH && holds.is_sorted(), "{holds:?}");
    }
    assert!(verify(dir.path()).expect("reads").is_sound());
}

/// A disk that can be full or broken, and that is quick because it makes nothing durable.
#[derive(Clone, Default)]
struct Faulty {
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
        Ok(Arc::new(FaultySegment(Machine.segment(path)?, self.clone())))
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
        faulty.full.store((10..30).contains(&place), Ordering::SeqCst);
        if entry.kind != Kind::Held {
            ledger.queue(entry);
            kept.push(entry.clone());
        } else if ledger.write(entry).is_ok() {
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
    entries.iter().for_each(|entry| ledger.queue(entry));
    wait_for("the failure", || ledger.health().failing);
    assert!(rotate(&ledger.shared).is_err());
    faulty.full.store(false, Ordering::SeqCst);
    wait_for("the recovery", || !ledger.health().failing);
    let (_after, restored) = open(copy(dir.path()).path());
    assert_eq!(said(&restored.fold), said(&fold_of(&entries)));
}

#[test]
fn after_a_failed_fsync_the_balances_go_to_a_checkpoint_before_anything_else() {
    let (dir, entries) = (dir(), entries(30));
    let (ledger, faulty) = open_faulty(dir.path());
    entries[..10].iter().for_each(|entry| record(&ledger, entry));
    faulty.syncs_fail.store(true, Ordering::SeqCst);
    assert!(ledger.flush().is_err());
    assert!(ledger.health().failing);
    assert!(ledger.write(&entries[0]).is_err(), "not before it is durable");
    entries[10..12].iter().for_each(|entry| ledger.queue(entry));
    faulty.syncs_fail.store(false, Ordering::SeqCst);
    wait_for("the recovery", || !ledger.health().failing);
    entries[12..].iter().for_each(|entry| record(&ledger, entry));
    ledger.close().expect("closes");
    // The suspect segment is not needed any more: let it have lost everything.
    fs::write(segment::path(dir.path(), 1), segment::header(1)).expect("writes");
    let (_ledger, restored) = open(dir.path());
    assert_eq!(said(&restored.fold), said(&fold_of(&entries)));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, ..ProptestConfig::default() })]

    #[test]
    fn killed_again_and_again_it_never_forgets_what_was_written(
        steps in steps(100),
        acts in proptest::collection::vec(0..8u8, 60),
    ) {
        let script = Script::of(&steps);
        let mut dir = dir();
        let (mut ledger, _) = open(dir.path());
        let mut since = 0;
        for (entry, act) in script.entries.iter().zip(acts.iter().cycle()) {
            ledger.write(entry).expect("writes");
            since += 1;
            match act {
                // Not so often that an entry is repeated two segments later.
                0 if since > 20 => {
                    rotate(&ledger.shared).expect("rotates");
                    since = 0;
                }
                1 => {
                    let after = copy(dir.path());
                    drop(std::mem::replace(&mut ledger, open(after.path()).0));
                    dir = after;
                }
                _ => {}
            }
        }
        prop_assert_eq!(said(&ledger.books()), said(&fold_of(&script.entries)));
        drop(ledger);
        let report = verify(dir.path()).expect("reads");
        prop_assert!(report.is_sound(), "{:?}", report);
        for total in &report.totals {
            let key = tollgate_core::account::CounterKey {
                budget: total.budget.clone(),
                window: total.window.clone(),
            };
            let sum = script.spent.get(&(total.team.clone(), key)).copied().unwrap_or(0);
            prop_assert_eq!(total.spent_nano_usd, sum);
        }
    }
}
