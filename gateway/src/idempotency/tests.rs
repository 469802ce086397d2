//! A key has one answer at a time, for a bounded time, in bounded memory.

use super::*;
use crate::{
    call::{Attribution, Message, Role, Sampling, Target},
    complete::Receipt,
    provider::Finish,
};
use tokio_test::{assert_pending, assert_ready, task};
use tollgate_core::HoldId;

const NOW: Timestamp = Timestamp::from_millis(1_000_000);

fn call(text: &str) -> Call {
    Call {
        target: Target::Route("cheap".to_owned()),
        messages: vec![Message {
            role: Role::User,
            parts: vec![text.to_owned()],
        }],
        max_output_tokens: None,
        sampling: Sampling::default(),
        schema: None,
        attribution: Attribution::default(),
        idempotency_key: None,
        run_budget: None,
        priority: crate::call::Priority::default(),
        trace: None,
    }
}

fn answer(text: &str) -> Arc<Completion> {
    Arc::new(Completion {
        text: text.to_owned(),
        finish: Finish::Stop,
        receipt: Receipt {
            id: HoldId::new(NOW, 0),
            route: "cheap".into(),
            attempts: Arc::default(),
            held: Money::ZERO,
            price_version: "1".into(),
            waited: Duration::ZERO,
            budgets: Vec::new(),
            replayed: false,
            under_pressure: false,
        },
    })
}

fn enter(table: &Idempotency, key: &str, text: &str, now: Timestamp) -> Slot {
    table.enter(&"news".into(), &key.into(), &call(text), now)
}

fn first(table: &Idempotency, key: &str, now: Timestamp) -> First {
    match enter(table, key, "Hello", now) {
        Slot::First(first) => first,
        _ => panic!("nobody used the key"),
    }
}

#[test]
fn a_duplicate_waits_for_the_first_and_has_its_answer() {
    let table = Idempotency::new(Duration::from_secs(60));
    let running = first(&table, "k", NOW);
    let Slot::Running(duplicate) = enter(&table, "k", "Hello", NOW) else {
        panic!("the first runs");
    };
    let mut waiting = task::spawn(duplicate.outcome());
    assert_pending!(waiting.poll());
    running.finish(&Ok(answer("three rivers")), NOW);
    assert!(waiting.is_woken());
    let outcome = assert_ready!(waiting.poll());
    assert_eq!(outcome.expect("an answer").text, "three rivers");
    assert!(matches!(enter(&table, "k", "Hello", NOW), Slot::Stored(_)));
    assert!(matches!(enter(&table, "k", "Goodbye", NOW), Slot::Conflict));
}

#[test]
fn an_answer_is_forgotten_after_the_window() {
    let table = Idempotency::new(Duration::from_secs(60));
    first(&table, "k", NOW).finish(&Ok(answer("a")), NOW);
    assert!(matches!(
        enter(&table, "k", "Hello", NOW + 59_999),
        Slot::Stored(_)
    ));
    assert!(matches!(
        enter(&table, "k", "Hello", NOW + 60_000),
        Slot::First(_)
    ));
}

#[test]
fn a_failure_and_a_lost_call_free_the_key() {
    let table = Idempotency::new(Duration::from_secs(60));
    first(&table, "k", NOW).finish(&Err(Error::StoreUnavailable), NOW);
    let running = first(&table, "k", NOW);
    let Slot::Running(duplicate) = enter(&table, "k", "Hello", NOW) else {
        panic!("the first runs");
    };
    let mut waiting = task::spawn(duplicate.outcome());
    assert_pending!(waiting.poll());
    drop(running);
    assert!(assert_ready!(waiting.poll()).is_err(), "nobody will answer");
    drop(first(&table, "k", NOW));
}

#[test]
fn the_oldest_answers_go_first_when_memory_is_short() {
    let mut table = Idempotency::new(Duration::from_secs(60));
    table.most_bytes = 4_000;
    for number in 0..10 {
        first(&table, &number.to_string(), NOW).finish(&Ok(answer(&"a".repeat(500))), NOW);
    }
    assert!(matches!(enter(&table, "0", "Hello", NOW), Slot::First(_)));
    assert!(matches!(enter(&table, "9", "Hello", NOW), Slot::Stored(_)));
    assert!(table.lock().bytes <= 5_100);
}
