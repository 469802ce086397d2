//! What is kept, what is not, and that nothing grows without end.

use super::*;
use crate::{
    call::{Attribution, Message, Role, Sampling, Target},
    provider::Finish,
};
use serde_json::Value;
use std::{fs, path::Path};
use tempfile::TempDir;

fn settings(dir: &Path) -> config::interactions::Interactions {
    config::interactions::Interactions {
        dir: dir.to_owned(),
        max_body_bytes: 10,
        segment_bytes: 2_000,
        keep_segments: 3,
    }
}

fn interaction(bodies: Bodies) -> Interaction {
    let id = HoldId::new(Timestamp::from_millis(1), 1 << 8);
    Interaction {
        at: Timestamp::from_millis(1_764_000_000_000),
        id,
        team: "news".into(),
        bodies,
        call: Arc::new(Call {
            target: Target::Route("strong".to_owned()),
            messages: vec![Message {
                role: Role::User,
                parts: vec!["Zwölf Boxkämpfer".to_owned()],
            }],
            max_output_tokens: None,
            sampling: Sampling::default(),
            schema: None,
            attribution: Attribution::default(),
            idempotency_key: None,
            run_budget: None,
            priority: crate::call::Priority::default(),
            trace: None,
        }),
        outcome: "ok",
        attempts: Arc::default(),
        completion: Some(Arc::new(Completion {
            text: "short".to_owned(),
            finish: Finish::Stop,
            receipt: crate::complete::Receipt {
                id,
                route: "strong".into(),
                attempts: Arc::default(),
                held: tollgate_core::Money::ZERO,
                price_version: "1".into(),
                waited: Duration::ZERO,
                budgets: Vec::new(),
                replayed: false,
                under_pressure: false,
            },
        })),
        waited: Duration::ZERO,
    }
}

fn lines(dir: &Path) -> Vec<Value> {
    let mut files: Vec<_> = fs::read_dir(dir)
        .expect("there")
        .map(|e| e.expect("there").path())
        .collect();
    files.sort();
    let texts = files
        .iter()
        .map(|path| fs::read_to_string(path).expect("text"));
    let parse = |line: &str| serde_json::from_str(line).expect("JSON");
    texts
        .flat_map(|text| text.lines().map(parse).collect::<Vec<_>>())
        .collect()
}

fn one_line(bodies: Bodies) -> Value {
    let dir = TempDir::new().expect("a directory");
    let log = Interactions::open(&settings(dir.path())).expect("it opens");
    log.record(interaction(bodies));
    log.close();
    lines(dir.path()).remove(0)
}

#[test]
fn full_keeps_texts_up_to_their_bound() {
    let line = one_line(Bodies::Full);
    let asked = &line["request"][0]["parts"][0];
    assert_eq!(asked["text"], "Zwölf Box", "cut at a character");
    assert_eq!(
        (asked["truncated"].clone(), asked["bytes"].clone()),
        (true.into(), 18.into())
    );
    assert_eq!(line["response"]["text"], "short");
    assert_eq!(line["target"], "route:strong");
}

#[test]
fn hash_keeps_what_finds_equal_texts_and_no_text() {
    let line = one_line(Bodies::Hash);
    assert_eq!(line["response"]["sha256"].as_str().map(str::len), Some(64));
    assert!(!line.to_string().contains("Boxk") && !line.to_string().contains("short"));
}

#[test]
fn off_keeps_no_body_at_all() {
    let line = one_line(Bodies::Off);
    assert!(line.get("request").is_none() && line.get("response").is_none());
    assert_eq!(line["outcome"], "ok");
}

#[test]
fn only_the_newest_files_are_kept_and_only_their_owner_reads_them() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = TempDir::new().expect("a directory");
    let inner = dir.path().join("log");
    let log = Interactions::open(&settings(&inner)).expect("it opens");
    for _ in 0..100 {
        log.record(interaction(Bodies::Full));
    }
    log.close();
    log.record(interaction(Bodies::Full));
    assert_eq!(fs::read_dir(&inner).expect("there").count(), 3);
    for entry in fs::read_dir(&inner).expect("there") {
        let metadata = entry.expect("there").metadata().expect("known");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
        assert!(metadata.len() <= 2_000);
    }
}

#[test]
fn starts_alone_do_not_pile_files_up() {
    let dir = TempDir::new().expect("a directory");
    for _ in 0..10 {
        let log = Interactions::open(&settings(dir.path())).expect("it opens");
        log.record(interaction(Bodies::Full));
        log.close();
    }
    assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 3);
    assert_eq!(lines(dir.path()).len(), 3);
}

/// A log whose thread is stuck, with these bytes waiting, and what it would write.
fn stuck(waiting_bytes: usize) -> (Interactions, std::sync::mpsc::Receiver<Interaction>) {
    let (queue, records) = sync_channel(1);
    let log = Interactions {
        queue: Mutex::new(Some(queue)),
        thread: Mutex::new(None),
        waiting_bytes: Arc::new(AtomicUsize::new(waiting_bytes)),
        dropped: Arc::default(),
        cut: AtomicU64::new(0),
    };
    (log, records)
}

#[test]
fn when_too_much_waits_texts_go_first_and_records_after() {
    let (log, records) = stuck(MOST_WAITING_BYTES - 10);
    log.record(interaction(Bodies::Full));
    assert_eq!((log.cut(), log.dropped()), (1, 0));
    log.record(interaction(Bodies::Full));
    assert_eq!((log.cut(), log.dropped()), (2, 1));
    assert_eq!(log.waiting_bytes.load(Relaxed), MOST_WAITING_BYTES - 10);
    let kept = records.recv().expect("one");
    assert_eq!((kept.bytes(), kept.bodies), (0, Bodies::Off));
    assert_eq!(kept.call.target, Target::Route("strong".to_owned()));
    assert!(kept.completion.is_some());
}

#[test]
fn a_line_after_a_failed_write_begins_another_file() {
    let dir = TempDir::new().expect("a directory");
    let mut writer = Writer::open(&settings(dir.path())).expect("it opens");
    writer.add(&interaction(Bodies::Off));
    assert_eq!(writer.flush(), 0, "it writes");
    writer.fail_as_if_half_written();
    writer.add(&interaction(Bodies::Off));
    assert_eq!(writer.flush(), 0, "it writes");
    assert_eq!(fs::read_dir(dir.path()).expect("there").count(), 2);
}
