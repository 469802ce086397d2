//! The in-process store keeps the contract, and its journal adds up to its balances.

use super::*;
use crate::{
    store::contract::{Subject, check},
    testing::{ManualClock, VecJournal},
};
use futures_util::future::BoxFuture;
use std::sync::atomic::Ordering;
use tollgate_core::hold::Need;

struct InMemory {
    store: Arc<MemoryStore>,
    clock: Arc<ManualClock>,
    journal: Arc<VecJournal>,
}

fn subject() -> InMemory {
    let clock = Arc::new(ManualClock::at(1_764_000_000_000));
    let journal = Arc::new(VecJournal::default());
    let store = MemoryStore::new(Arc::clone(&clock) as _, Arc::clone(&journal) as _);
    let store = Arc::new(store);
    InMemory {
        store,
        clock,
        journal,
    }
}

impl Subject for InMemory {
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as _
    }

    fn pass(&self, ms: u64) -> BoxFuture<'_, ()> {
        self.clock.step(i64::try_from(ms).expect("small"));
        future::ready(()).boxed()
    }
}

fn request(number: u128) -> HoldRequest {
    HoldRequest {
        id: HoldId::new(Timestamp::from_millis(1), number << 8),
        need: Need::default(),
        amount: Money::from_nanos(5),
        lease_ms: 1_000,
        max_wait_ms: None,
        floor_permille: 0,
        run: None,
        force: false,
    }
}

#[tokio::test]
async fn it_keeps_the_contract() {
    check(Arc::new(subject())).await;
}

#[tokio::test]
async fn the_journal_adds_up_to_the_balances() {
    let subject = subject();
    let entries = Arc::clone(&subject.journal);
    let store = Arc::clone(&subject.store);
    check(Arc::new(subject)).await;
    let mut spent: HashMap<(Arc<str>, CounterKey), i64> = HashMap::new();
    for entry in entries.entries.lock().expect("no panic").iter() {
        for counter in &entry.counters {
            let key = CounterKey {
                budget: Arc::clone(&counter.budget),
                window: Arc::clone(&counter.window),
            };
            *spent.entry((Arc::clone(&entry.team), key)).or_default() += entry.charge_nano_usd;
        }
    }
    assert!(spent.values().any(|sum| *sum > 0));
    for ((team, key), sum) in spent {
        let books = store.books(&Scope::Team(team));
        let counter = lock(&books).account.counter_of(&key).cloned();
        assert_eq!(counter.expect("it was used").spent.nanos(), sum, "{key:?}");
    }
}

#[tokio::test]
async fn a_hold_that_the_ledger_could_not_write_is_not_granted() {
    let subject = subject();
    let limits = Arc::new(Limits::none(Scope::Team("news".into())));
    subject.journal.failing.store(true, Ordering::SeqCst);
    let refused = subject.store.hold(&limits, request(1)).await;
    assert!(refused.is_err());
    let books = subject.store.books(&limits.scope);
    assert_eq!(lock(&books).account.open_holds(), 0);
    subject.journal.failing.store(false, Ordering::SeqCst);
    let held = subject.store.hold(&limits, request(2)).await;
    assert!(matches!(held, Ok(HoldReply::Held(_))));
}

#[tokio::test]
async fn an_extension_is_in_the_ledger_as_a_whole_or_not_granted() {
    let subject = subject();
    let limits = Arc::new(Limits::none(Scope::Team("news".into())));
    let held = subject.store.hold(&limits, request(1)).await;
    assert!(matches!(held, Ok(HoldReply::Held(_))));
    let extra = Money::from_nanos(7);
    let extended = subject.store.extend(&limits, request(1).id, extra).await;
    assert_eq!(extended, Ok(true));
    let last = subject
        .journal
        .entries
        .lock()
        .expect("no panic")
        .last()
        .cloned();
    let last = last.expect("it was written");
    assert_eq!((last.kind, last.held_nano_usd), (Kind::Extended, 12));
    subject.journal.failing.store(true, Ordering::SeqCst);
    let refused = subject.store.extend(&limits, request(1).id, extra).await;
    assert!(refused.is_err());
    let books = subject.store.books(&limits.scope);
    assert_eq!(lock(&books).account.amount_of(request(1).id).nanos(), 12);
}
