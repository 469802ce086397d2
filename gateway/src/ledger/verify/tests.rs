use super::*;
use crate::ledger::{
    Journal as _, Ledger, Options,
    fold::tests::{Script, Step},
    workers::rotate,
};
use std::fs;
use tempfile::TempDir;
use tollgate_core::Timestamp;

fn entries() -> Vec<Entry> {
    let mut steps = Vec::new();
    for _ in 0..8 {
        steps.push(Step::Hold {
            team: 0,
            run: None,
            amount: 1_000_000,
        });
        steps.push(Step::Hold {
            team: 1,
            run: Some(2),
            amount: 2_000_000,
        });
        steps.push(Step::End {
            which: 0,
            kind: Kind::Settled,
            cost: 12_345,
        });
        steps.push(Step::TopUp {
            team: 0,
            amount: 5_000_000_000,
        });
    }
    Script::of(&steps).entries
}

/// A ledger of three segments.
fn ledger() -> TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let (ledger, _) = Ledger::open(Options::new(dir.path()), Timestamp::default()).expect("opens");
    for (place, entry) in entries().iter().enumerate() {
        ledger.write(entry.clone()).expect("writes");
        if place % 12 == 11 && place < 30 {
            rotate(ledger.shared()).expect("rotates");
        }
    }
    ledger.close().expect("closes");
    dir
}

fn edit(dir: &TempDir, number: u64, from: &str, to: &str) {
    let path = segment::path(dir.path(), number);
    let text = fs::read_to_string(&path).expect("is there");
    assert!(text.contains(from), "{text}");
    fs::write(&path, text.replacen(from, to, 1)).expect("writes");
}

#[test]
fn a_sound_ledger_is_told_so_with_its_totals() {
    let report = verify(ledger().path()).expect("reads");
    assert!(report.is_sound(), "{report:?}");
    assert_eq!(report.entries, 32);
    assert_eq!(report.checkpoints, [2, 3]);
    assert_eq!(report.by_kind[&Kind::Settled], 8);
    assert_eq!(report.unclosed.len(), 8);
    let spent: i64 = report
        .totals
        .iter()
        .filter(|total| &*total.budget == "day")
        .map(|total| total.spent_nano_usd)
        .sum();
    assert_eq!(spent, 8 * 12_345);
    let mut text = Vec::new();
    report.write_text(&mut text).expect("writes");
    let text = String::from_utf8(text).expect("text");
    assert!(
        text.contains("sound: every balance is the sum of its lines"),
        "{text}"
    );
    assert!(text.contains("team-0  day"), "{text}");
    assert!(serde_json::to_string(&report).is_ok());
}

#[test]
fn a_charge_that_was_edited_is_found() {
    let dir = ledger();
    edit(
        &dir,
        1,
        "\"charge_nano_usd\":12345",
        "\"charge_nano_usd\":2345",
    );
    let report = verify(dir.path()).expect("reads");
    let all = report.problems.join("\n");
    assert!(
        all.contains("ledger-0000000001.jsonl was changed after it was closed"),
        "{all}"
    );
    assert!(all.contains("checkpoint 2: team team-0, day"), "{all}");
    let mut text = Vec::new();
    report.write_text(&mut text).expect("writes");
    assert!(String::from_utf8(text).expect("text").contains("NOT SOUND"));
}

#[test]
fn a_line_that_was_taken_out_is_found() {
    let dir = ledger();
    let path = segment::path(dir.path(), 1);
    let text = fs::read_to_string(&path).expect("is there");
    let gone: Vec<&str> = text
        .lines()
        .enumerate()
        .filter(|(n, _)| *n != 3)
        .map(|(_, l)| l)
        .collect();
    fs::write(&path, gone.join("\n") + "\n").expect("writes");
    let report = verify(dir.path()).expect("reads");
    assert!(
        report
            .problems
            .iter()
            .any(|problem| problem.contains("it counts 12 entries"))
    );
}

#[test]
fn an_ending_that_was_counted_twice_is_found_however_far_apart() {
    let dir = tempfile::tempdir().expect("a directory");
    let (ledger, _) = Ledger::open(Options::new(dir.path()), Timestamp::default()).expect("opens");
    let entries = entries();
    let settled = entries
        .iter()
        .find(|entry| entry.kind == Kind::Settled)
        .expect("one");
    for _ in 0..2 {
        ledger.write(settled.clone()).expect("writes");
        rotate(ledger.shared()).expect("rotates");
        rotate(ledger.shared()).expect("rotates");
    }
    ledger.close().expect("closes");
    let report = verify(dir.path()).expect("reads");
    assert!(
        report.problems[0].contains("was counted twice"),
        "{report:?}"
    );
}

#[test]
fn two_endings_of_one_hold_are_found() {
    let dir = tempfile::tempdir().expect("a directory");
    let (ledger, _) = Ledger::open(Options::new(dir.path()), Timestamp::default()).expect("opens");
    let mut entry = entries()
        .into_iter()
        .find(|entry| entry.kind == Kind::Settled)
        .expect("one");
    ledger.write(entry.clone()).expect("writes");
    entry.kind = Kind::Expired;
    ledger.write(entry.clone()).expect("writes");
    ledger.close().expect("closes");
    let report = verify(dir.path()).expect("reads");
    assert!(
        report.problems[0].contains("comes after another ending"),
        "{report:?}"
    );
}

#[test]
fn a_torn_end_is_told_and_left_alone() {
    let dir = ledger();
    let path = segment::path(dir.path(), 3);
    let whole = fs::read(&path).expect("is there");
    fs::write(&path, &whole[..whole.len() - 5]).expect("writes");
    let report = verify(dir.path()).expect("reads");
    assert!(report.is_sound() && report.torn_bytes > 0, "{report:?}");
    assert_eq!(fs::read(&path).expect("is there").len(), whole.len() - 5);
}

#[test]
fn a_directory_without_a_ledger_is_told_so() {
    let dir = tempfile::tempdir().expect("a directory");
    let error = verify(dir.path()).expect_err("nothing there");
    assert!(
        error
            .to_string()
            .contains("ledger-0000000001.jsonl is missing"),
        "{error}"
    );
}
