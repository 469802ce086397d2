//! What a journal remembers, whatever was cut off.

use super::*;
use crate::{ledger::CallRecord, store::Settlement};
use std::os::unix::fs::PermissionsExt as _;
use tempfile::TempDir;
use tollgate_core::{
    Timestamp,
    hold::RunTake,
    limit::{Limits, Scope},
};

fn id(number: u128) -> HoldId {
    HoldId::new(Timestamp::from_millis(1), number << 8)
}

fn request(number: u128, amount: i64) -> HoldRequest {
    HoldRequest {
        id: id(number),
        need: Need {
            requests: 1,
            input_tokens: 20,
            output_tokens: 300,
        },
        amount: Money::from_nanos(amount),
        lease_ms: 30_000,
        max_wait_ms: None,
        floor_permille: 0,
        run: Some(RunTake {
            run: "run-1".into(),
            limit: Money::from_nanos(9_000),
        }),
        force: true,
    }
}

fn settled(number: u128, cost: i64) -> Settlement {
    Settlement {
        limits: Arc::new(Limits::none(Scope::Team("news".into()))),
        id: id(number),
        ending: Ending::Settled {
            used: Need::default(),
            cost: Money::from_nanos(cost),
        },
        record: Some(Arc::new(CallRecord {
            step: "summarise".into(),
            ..CallRecord::default()
        })),
    }
}

fn hold(journal: &Journal, number: u128, amount: i64) {
    let team = "news".into();
    journal
        .held(&team, &request(number, amount))
        .expect("it is written");
}

fn text(dir: &TempDir) -> String {
    fs::read_to_string(dir.path().join(NAME)).expect("text")
}

fn open(dir: &TempDir) -> (Arc<Journal>, Vec<Unlanded>) {
    Journal::open(dir.path()).expect("it opens")
}

#[test]
fn what_has_not_landed_is_found_again_with_all_that_is_known() {
    let dir = TempDir::new().expect("a directory");
    let (journal, left) = open(&dir);
    assert_eq!(left, []);
    for number in 1..=4 {
        hold(&journal, number, 100);
    }
    journal
        .extended(id(1), Money::from_nanos(150))
        .expect("it is written");
    journal.ended(&settled(2, 70));
    journal.renumbered(id(2), 254);
    journal.landed(id(3));
    drop(journal);
    let (_, left) = open(&dir);
    let found: Vec<_> = left.iter().map(|one| one.request.id).collect();
    assert_eq!(found, [id(1), id(2), id(4)], "in the order of their grants");
    assert_eq!(left[0].request, request(1, 150));
    assert_eq!((left[0].ending.as_ref(), left[0].number), (None, None));
    let settlement = settled(2, 70);
    assert_eq!(
        left[1].ending,
        Some((settlement.ending, settlement.record.clone()))
    );
    assert_eq!(left[1].number, Some(254));
    assert_eq!(&*left[2].team, "news");
}

#[test]
fn it_begins_anew_when_all_have_landed() {
    let dir = TempDir::new().expect("a directory");
    let (journal, _) = open(&dir);
    let empty = text(&dir);
    hold(&journal, 1, 100);
    hold(&journal, 2, 100);
    journal.landed(id(1));
    assert!(text(&dir).len() > empty.len());
    journal.landed(id(2));
    assert_eq!(text(&dir), empty);
    hold(&journal, 3, 100);
    drop(journal);
    let (journal, left) = open(&dir);
    assert_eq!(left.len(), 1);
    journal.landed(id(3));
    assert_eq!(text(&dir), empty, "those of an earlier process too");
}

#[test]
fn a_torn_last_line_is_cut_off_at_whatever_byte() {
    let dir = TempDir::new().expect("a directory");
    let (journal, _) = open(&dir);
    hold(&journal, 1, 100);
    let one = text(&dir);
    hold(&journal, 2, 100);
    drop(journal);
    let two = text(&dir);
    for length in 0..two.len() {
        fs::write(dir.path().join(NAME), &two[..length]).expect("written");
        let (journal, left) = open(&dir);
        assert_eq!(left.len(), usize::from(length >= one.len()), "{length}");
        hold(&journal, 3, 100);
        drop(journal);
        let (_, left) = open(&dir);
        assert_eq!(left.last().map(|one| one.request.id), Some(id(3)));
    }
}

#[test]
fn damage_says_where_and_what_to_do() {
    let dir = TempDir::new().expect("a directory");
    let (journal, _) = open(&dir);
    hold(&journal, 1, 100);
    drop(journal);
    let whole = text(&dir);
    for (damaged, line) in [
        (whole.replace("\"held\"", "\"helt\""), "line 2"),
        (whole.replace("\"format\":1", "\"format\":7"), "line 1"),
        (whole.repeat(2), "line 3"),
        (whole.replace("\"hold\":\"0", "\"hold\":\"!"), "line 2"),
    ] {
        assert_ne!(damaged, whole);
        fs::write(dir.path().join(NAME), damaged).expect("written");
        let told = Journal::open(dir.path()).expect_err("it is damaged");
        assert!(told.to_string().contains(line), "{told}");
        assert!(told.to_string().contains("restore it"), "{told}");
    }
}

#[test]
fn it_is_its_owners_alone_and_one_gateways() {
    let dir = TempDir::new().expect("a directory");
    let inner = dir.path().join("a/b");
    let (journal, _) = Journal::open(&inner).expect("it is made");
    let mode = |path: &Path| {
        let there = fs::metadata(path).expect("it is there");
        there.permissions().mode() & 0o777
    };
    assert_eq!((mode(&inner), mode(&inner.join(NAME))), (0o700, 0o600));
    let told = Journal::open(&inner).expect_err("it is in use");
    assert!(
        told.to_string().contains("a directory of its own"),
        "{told}"
    );
    drop(journal);
    Journal::open(&inner).expect("it is free again");
}
