//! Top-ups in the memory of this process.

use super::{MemoryStore, blank, lock, unwritten};
use crate::{
    error::StoreError,
    ledger::{CounterRef, Entry, Kind},
    store::top_up::{Made, TopUp, ToppedUp, is_exact},
};
use std::sync::Arc;
use tollgate_core::{
    HoldId, Money, Timestamp,
    account::CounterKey,
    limit::{Limits, Scope},
};

impl MemoryStore {
    /// Puts back a top-up of a team, so that its request is known.
    pub fn restore_top_up(&self, team: &Arc<str>, request: Arc<str>, made: Made) {
        let books = self.books(&Scope::Team(Arc::clone(team)));
        lock(&books).topped_up.insert(request, made);
    }

    /// Raises a bound. It is in the ledger before it is in force.
    pub(super) fn top_up_now(
        &self,
        limits: &Limits,
        top_up: &TopUp,
    ) -> Result<ToppedUp, StoreError> {
        let (Some((spec, limit)), Scope::Team(team)) = (top_up.spec(limits), &limits.scope) else {
            return Ok(ToppedUp::Unbounded);
        };
        let books = self.books(&limits.scope);
        let mut books = lock(&books);
        if let Some(made) = books.topped_up.get(&top_up.request) {
            return Ok(top_up.after(made));
        }
        let now = self.clock.now();
        let window = spec.calendar.window_at(now);
        let key = CounterKey {
            budget: Arc::clone(&spec.name),
            window: Arc::clone(&window.id),
        };
        let counter = books.account.counter_of(&key);
        let before = counter.map_or(Money::ZERO, |counter| counter.topped_up);
        if !is_exact(limit.plus(before).plus(top_up.amount)) {
            return Ok(ToppedUp::TooLarge);
        }
        let entry = Entry {
            hold: Arc::clone(&top_up.request),
            counters: vec![CounterRef {
                budget: key.budget,
                window: key.window,
                ends_at_ms: window.ends_at.map(Timestamp::millis),
                limit_nano_usd: None,
            }],
            top_up_nano_usd: Some(top_up.amount.nanos()),
            ..blank(Kind::ToppedUp, team, HoldId::new(now, 0), now)
        };
        self.journal
            .write(entry)
            .map_err(|error| unwritten(&error))?;
        books.account.top_up(spec, top_up.amount, now);
        let made = Made {
            budget: Arc::clone(&top_up.budget),
            amount: top_up.amount,
        };
        books.topped_up.insert(Arc::clone(&top_up.request), made);
        Ok(ToppedUp::Done)
    }
}
