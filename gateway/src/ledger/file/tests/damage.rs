//! What a ledger says when it can't be opened.

use super::*;

#[test]
fn damage_that_is_no_crash_is_named_by_file_and_line() {
    let (dir, entries) = (dir(), entries(9));
    let (ledger, _) = open(dir.path());
    entries.iter().for_each(|entry| record(&ledger, entry));
    ledger.close().expect("closes");
    let path = segment::path(dir.path(), 1);
    let whole = fs::read_to_string(&path).expect("is there");
    fs::write(
        &path,
        whole.replacen("\"kind\":\"settled\"", "\"kind\":\"setled\"", 1),
    )
    .expect("writes");
    let error = Ledger::open(options(dir.path()), Timestamp::default())
        .err()
        .expect("refused");
    let first = entries
        .iter()
        .position(|entry| entry.kind == Kind::Settled)
        .expect("one");
    assert!(
        matches!(&error, LedgerError::Corrupt { line, .. }
        if *line == u64::try_from(first).expect("small") + 2),
        "{error}"
    );
    assert!(
        error.to_string().contains("ledger-0000000001.jsonl"),
        "{error}"
    );
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
    let error = Ledger::open(options(dir.path()), Timestamp::default())
        .err()
        .expect("refused");
    assert!(
        error
            .to_string()
            .contains("ledger-0000000005.jsonl is missing"),
        "{error}"
    );
}

#[test]
fn a_second_opener_is_told_whom_to_stop() {
    let dir = dir();
    let (ledger, _) = open(dir.path());
    let error = Ledger::open(options(dir.path()), Timestamp::default())
        .err()
        .expect("refused");
    let process = format!("process {}", std::process::id());
    assert!(error.to_string().contains(&process), "{error}");
    ledger.close().expect("closes");
    open(dir.path());
}
