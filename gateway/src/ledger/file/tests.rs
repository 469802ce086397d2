mod damage;
mod faults;

use super::*;
use crate::ledger::{
    Kind,
    fold::tests::{START_MS, Script, Step, fold_of, said, steps},
    verify,
    workers::rotate,
};
use faults::Faulty;
use proptest::prelude::*;
use std::{fs, path::Path, thread, time::Instant};
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
        steps.push(Step::Hold {
            team: 0,
            run: Some(1),
            amount: 100,
        });
        if number % 3 > 0 {
            steps.push(Step::End {
                which: number,
                kind: Kind::Settled,
                cost: 7,
            });
        }
    }
    Script::of(&steps).entries
}

/// As a store does: holds are written, all else is queued.
fn record(ledger: &Ledger, entry: &Entry) {
    if entry.kind == Kind::Held {
        ledger.write(entry.clone()).expect("writes");
    } else {
        ledger.queue(entry.clone());
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
    assert_eq!(
        restored.found.entries_read,
        u64::try_from(entries.len()).expect("small")
    );
}

#[test]
fn a_written_hold_outlives_the_process_and_takes_what_was_queued_along() {
    let (dir, entries) = (dir(), entries(20));
    let (ledger, _) = open(dir.path());
    entries.iter().for_each(|entry| record(&ledger, entry));
    let last_hold = entries
        .iter()
        .rposition(|entry| entry.kind == Kind::Held)
        .expect("one");
    let (_after, restored) = open(copy(dir.path()).path());
    assert!(restored.fold.entries() > u64::try_from(last_hold).expect("small"));
}

#[test]
fn what_was_queued_is_written_soon() {
    let (dir, entries) = (dir(), entries(2));
    let (ledger, _) = open(dir.path());
    entries.iter().for_each(|entry| ledger.queue(entry.clone()));
    wait_for("the leftovers", || ledger.health().buffered_bytes == 0);
    let (_after, restored) = open(copy(dir.path()).path());
    assert_eq!(said(&restored.fold), said(&fold_of(&entries)));
}

#[test]
fn a_file_that_ends_anywhere_is_mended_and_loses_one_line_at_most() {
    let (dir, entries) = (dir(), entries(4));
    let (ledger, _) = open(dir.path());
    entries.iter().for_each(|entry| record(&ledger, entry));
    ledger.close().expect("closes");
    let whole = fs::read(segment::path(dir.path(), 1)).expect("is there");
    let torn = tempfile::tempdir().expect("a directory");
    for length in 0..=whole.len() {
        fs::write(segment::path(torn.path(), 1), &whole[..length]).expect("writes");
        let lines = whole[..length]
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        let kept = lines.saturating_sub(1);
        let (ledger, restored) = open(torn.path());
        assert_eq!(
            said(&restored.fold),
            said(&fold_of(&entries[..kept])),
            "at {length}"
        );
        // The next line is whole too.
        let next = entries.get(kept).unwrap_or(&entries[0]);
        ledger.write(next.clone()).expect("writes");
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
    assert_eq!(
        usize::try_from(segments).expect("small"),
        1 + entries.len() / 10
    );
    ledger.close().expect("closes");
    let (_ledger, restored) = open(dir.path());
    assert_eq!(said(&restored.fold), said(&fold_of(&entries)));
    assert!(restored.found.entries_read < 10);
}

#[test]
fn a_segment_that_is_full_is_followed_by_another() {
    let (dir, entries) = (dir(), entries(200));
    let small = Options {
        segment_bytes: 4_000,
        ..options(dir.path())
    };
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
        assert_eq!(
            said(&restored.fold),
            said(&fold_of(&entries)),
            "at {length}"
        );
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
    endings().for_each(|entry| ledger.queue(entry.clone()));
    ledger.close().expect("closes");
    let (_ledger, restored) = open(dir.path());
    for ((team, key), sum) in &spent_by(&entries) {
        assert_eq!(restored.fold.spent(team, key).nanos(), *sum);
    }
    let report = verify(dir.path()).expect("reads");
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(
        report.repeated,
        u64::try_from(endings().count()).expect("small")
    );
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
fn a_closed_ledger_grants_no_holds() {
    let dir = dir();
    let (ledger, _) = open(dir.path());
    ledger.close().expect("closes");
    assert!(ledger.write(entries(1).remove(0)).is_err());
    ledger.queue(entries(1).remove(0));
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
                        ledger.write(entry.clone()).expect("writes");
                    } else {
                        ledger.queue(entry.clone());
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
    assert_eq!(
        count.expect("reads"),
        4 * u64::try_from(EACH).expect("small")
    );
    let text = String::from_utf8(shown).expect("text");
    for writer in 0..4 {
        let start = format!("\"hold\":\"{writer}-");
        let holds = text
            .lines()
            .filter_map(|line| line.split_once(&start)?.1.get(..4));
        let holds: Vec<&str> = holds.collect();
        assert!(holds.len() == EACH && holds.is_sorted(), "{holds:?}");
    }
    assert!(verify(dir.path()).expect("reads").is_sound());
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
            ledger.write(entry.clone()).expect("writes");
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
