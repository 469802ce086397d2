//! The in-process store: one process, same semantics as Redis.
//!
//! Each scope has an account behind a lock that is never held across an await. Entries go to the
//! journal under the same lock, so that the ledger's order is the order of the decisions.

mod top_up;

use super::{Reply, Settlement, Store, Swept, TopUp, ToppedUp, UsageRow, top_up::Made};
use crate::{
    clock::{Clock, Days},
    error::StoreError,
    ledger::{CallRecord, CounterRef, Entry, Journal, Kind, Place, usage_of},
};
use futures_util::future::{self, FutureExt as _};
use std::{
    collections::HashMap,
    io,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock},
};
use tollgate_core::{
    HoldId, Money, Timestamp,
    account::{
        Account, Applied, Counter, CounterKey, HoldReply, Memory, RUN, Refusal, SettleReply,
    },
    budget::{Balance, Crossing},
    hold::{Ending, HoldRequest, State},
    limit::{Limits, Scope, Unit},
    tally::Tally,
};

/// Within one process nothing is repeated later than this: no reply is ever lost. At ten thousand
/// calls a second each second takes some megabytes.
const MEMORY: Memory = Memory {
    ended_ms: 100,
    expired_ms: 15 * 60_000,
};

/// The most holds that one sweep ends, so that a sweep never holds the lock for long.
const SWEEP_MOST: usize = 100;

/// Balances in the memory of this process, and a journal that outlives it.
pub struct MemoryStore {
    clock: Arc<dyn Clock>,
    journal: Arc<dyn Journal>,
    accounts: RwLock<HashMap<Scope, Arc<Mutex<Books>>>>,
}

/// What is kept of one scope.
#[derive(Debug, Default)]
struct Books {
    account: Account,
    tally: Tally,
    days: Days,
    /// By request.
    topped_up: HashMap<Arc<str>, Made>,
}

impl MemoryStore {
    /// A store without any spend. Restore what the ledger remembers before serving.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, journal: Arc<dyn Journal>) -> Self {
        Self {
            clock,
            journal,
            accounts: RwLock::default(),
        }
    }

    /// Puts back a counter of a team.
    pub fn restore_counter(&self, team: &Arc<str>, key: CounterKey, counter: Counter) {
        let books = self.books(&Scope::Team(Arc::clone(team)));
        lock(&books).account.restore(key, counter);
    }

    /// Puts back the bound of a run.
    pub fn restore_run(&self, team: &Arc<str>, run: Arc<str>, limit: Money, used: Timestamp) {
        let books = self.books(&Scope::Team(Arc::clone(team)));
        lock(&books).account.restore_run(run, limit, used);
    }

    /// Puts back the usage of a team.
    pub fn restore_tally(&self, team: &Arc<str>, tally: Tally) {
        let books = self.books(&Scope::Team(Arc::clone(team)));
        lock(&books).tally = tally;
    }

    fn books(&self, scope: &Scope) -> Arc<Mutex<Books>> {
        let known = self.accounts.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(books) = known.get(scope) {
            return Arc::clone(books);
        }
        drop(known);
        let mut accounts = self
            .accounts
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        Arc::clone(accounts.entry(scope.clone()).or_default())
    }

    /// Decides. The hold of a team is not to be used before its line is written out.
    fn hold_now(
        &self,
        limits: &Limits,
        request: &HoldRequest,
    ) -> Result<(HoldReply, Option<Place>), StoreError> {
        let books = self.books(&limits.scope);
        let mut books = lock(&books);
        let now = self.clock.now();
        let reply = books.account.hold(limits, request, now);
        let Scope::Team(team) = &limits.scope else {
            return Ok((reply, None));
        };
        let mut place = None;
        match &reply {
            HoldReply::Held(_) => {
                let counters = books.account.counters_held_by(request.id);
                let entry = Entry {
                    counters: refs(&books.account, &counters),
                    held_nano_usd: request.amount.nanos(),
                    ..blank(Kind::Held, team, request.id, now)
                };
                let entered = self.journal.enter(entry);
                place = Some(entered.map_err(|error| {
                    let ending = Ending::Cancelled;
                    books.account.end(limits, request.id, ending, now, MEMORY);
                    unwritten(&error)
                })?);
            }
            HoldReply::Refused(refused) => self.note_crossings(team, &refused.crossings, now),
            HoldReply::Duplicate(_) | HoldReply::RunBudgetConflict { .. } => {}
        }
        Ok((reply, place))
    }

    fn extend_now(&self, limits: &Limits, id: HoldId, extra: Money) -> Result<bool, StoreError> {
        let books = self.books(&limits.scope);
        let mut books = lock(&books);
        let now = self.clock.now();
        if !books.account.extend(limits, id, extra, now) {
            return Ok(false);
        }
        let Scope::Team(team) = &limits.scope else {
            return Ok(true);
        };
        let counters = books.account.counters_held_by(id);
        let entry = Entry {
            counters: refs(&books.account, &counters),
            // All that the hold has now, so that a repeated line adds nothing.
            held_nano_usd: books.account.amount_of(id).nanos(),
            ..blank(Kind::Extended, team, id, now)
        };
        // Before the attempt that it is for is dispatched, as with the hold itself.
        if let Err(error) = self.journal.write(entry) {
            books.account.take_back(id, extra);
            return Err(unwritten(&error));
        }
        Ok(true)
    }

    fn settle_now(&self, settlement: &Settlement) -> SettleReply {
        let Settlement {
            limits,
            id,
            ending,
            record,
        } = settlement;
        let books = self.books(&limits.scope);
        let mut books = lock(&books);
        let now = self.clock.now();
        let reply = books.account.end(limits, *id, *ending, now, MEMORY);
        if let (SettleReply::Applied(applied), Scope::Team(team)) = (&reply, &limits.scope) {
            self.note_ending(&mut books, team, *id, applied, record.as_ref());
        }
        reply
    }

    fn sweep_now(&self, limits: &Limits) -> Vec<Swept> {
        let books = self.books(&limits.scope);
        let mut books = lock(&books);
        let now = self.clock.now();
        let expired = books.account.expire_due(limits, now, SWEEP_MOST, MEMORY);
        if let Scope::Team(team) = &limits.scope {
            for (id, applied) in &expired {
                self.note_ending(&mut books, team, *id, applied, None);
            }
        }
        expired
            .into_iter()
            .map(|(id, applied)| Swept { id, applied })
            .collect()
    }

    /// Writes an ending to the ledger and to the sums of usage.
    fn note_ending(
        &self,
        books: &mut Books,
        team: &Arc<str>,
        id: HoldId,
        applied: &Applied,
        record: Option<&Arc<CallRecord>>,
    ) {
        let (kind, charge) = match (applied.state, applied.corrected) {
            (_, true) => (Kind::Corrected, applied.charged.minus(applied.held)),
            (State::Cancelled, _) => (Kind::Cancelled, Money::ZERO),
            (State::Expired, _) => (Kind::Expired, applied.charged),
            (State::Settled | State::Open, _) => (Kind::Settled, applied.charged),
        };
        let entry = Entry {
            counters: refs(&books.account, &applied.counters),
            held_nano_usd: applied.held.nanos(),
            charge_nano_usd: charge.nanos(),
            call: record.cloned(),
            ..blank(kind, team, id, applied.now)
        };
        let day = books.days.of(applied.now);
        for (key, sum) in usage_of(&entry) {
            books.tally.add(&day, key, &sum);
        }
        self.journal.queue(entry);
        self.note_crossings(team, &applied.crossings, applied.now);
    }

    fn note_crossings(&self, team: &Arc<str>, crossings: &[Crossing], now: Timestamp) {
        for crossing in crossings {
            let Balance { name, window, .. } = &crossing.balance;
            self.journal.queue(Entry {
                hold: format!("{name}:{}:{}", window.id, crossing.permille).into(),
                counters: vec![CounterRef {
                    budget: Arc::clone(name),
                    window: Arc::clone(&window.id),
                    ends_at_ms: window.ends_at.map(Timestamp::millis),
                    limit_nano_usd: None,
                }],
                permille: Some(crossing.permille),
                ..blank(Kind::Crossed, team, HoldId::new(now, 0), now)
            });
        }
    }
}

fn unwritten(error: &io::Error) -> StoreError {
    let detail = format!("the ledger can't be written: {error}");
    StoreError { detail }
}

fn blank(kind: Kind, team: &Arc<str>, id: HoldId, now: Timestamp) -> Entry {
    Entry {
        at_ms: now.millis(),
        kind,
        team: Arc::clone(team),
        hold: id.to_string().into(),
        counters: Vec::new(),
        held_nano_usd: 0,
        charge_nano_usd: 0,
        top_up_nano_usd: None,
        permille: None,
        call: None,
    }
}

fn refs(account: &Account, counters: &[CounterKey]) -> Vec<CounterRef> {
    let one = |key: &CounterKey| CounterRef {
        budget: Arc::clone(&key.budget),
        window: Arc::clone(&key.window),
        ends_at_ms: account
            .counter_of(key)
            .and_then(|counter| counter.ends_at)
            .map(Timestamp::millis),
        limit_nano_usd: (&*key.budget == RUN)
            .then(|| account.run_limit(&key.window))
            .flatten()
            .map(Money::nanos),
    };
    counters.iter().map(one).collect()
}

fn lock(books: &Mutex<Books>) -> MutexGuard<'_, Books> {
    // A panic while the lock was held is a bug of ours; the balances are whole after each step.
    books.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store for MemoryStore {
    fn hold<'a>(&'a self, limits: &'a Arc<Limits>, request: HoldRequest) -> Reply<'a, HoldReply> {
        async move {
            let (reply, place) = self.hold_now(limits, &request)?;
            let Some(place) = place else {
                return Ok(reply);
            };
            // Whoever else is about to hold does so now, and then one write is for all. A caller
            // that hangs up here leaves a hold that its guard cancels.
            tokio::task::yield_now().await;
            self.journal.write_out(place).map_err(|error| {
                // Should its line be written after all, the line of this one takes it back.
                self.settle_now(&Settlement {
                    limits: Arc::clone(limits),
                    id: request.id,
                    ending: Ending::Cancelled,
                    record: None,
                });
                unwritten(&error)
            })?;
            Ok(reply)
        }
        .boxed()
    }

    fn probe<'a>(
        &'a self,
        limits: &'a Arc<Limits>,
        request: HoldRequest,
    ) -> Reply<'a, Vec<Refusal>> {
        let books = self.books(&limits.scope);
        let refusals = lock(&books)
            .account
            .probe(limits, &request, self.clock.now());
        future::ready(Ok(refusals)).boxed()
    }

    fn extend<'a>(&'a self, limits: &'a Arc<Limits>, id: HoldId, extra: Money) -> Reply<'a, bool> {
        future::ready(self.extend_now(limits, id, extra)).boxed()
    }

    fn settle(&self, settlement: Settlement) -> Reply<'_, SettleReply> {
        future::ready(Ok(self.settle_now(&settlement))).boxed()
    }

    fn settle_at_once(&self, settlement: &Settlement) -> Option<SettleReply> {
        Some(self.settle_now(settlement))
    }

    fn renew<'a>(
        &'a self,
        scope: &'a Scope,
        ids: &'a [HoldId],
        lease_ms: u64,
    ) -> Reply<'a, Vec<HoldId>> {
        let books = self.books(scope);
        let gone = lock(&books).account.renew(ids, lease_ms, self.clock.now());
        future::ready(Ok(gone)).boxed()
    }

    fn sweep<'a>(&'a self, limits: &'a Arc<Limits>) -> Reply<'a, Vec<Swept>> {
        future::ready(Ok(self.sweep_now(limits))).boxed()
    }

    fn cool_down<'a>(&'a self, scope: &'a Scope, wait_ms: u64) -> Reply<'a, ()> {
        let books = self.books(scope);
        lock(&books).account.cool_down(wait_ms, self.clock.now());
        future::ready(Ok(())).boxed()
    }

    fn observe<'a>(&'a self, limits: &'a Arc<Limits>, unit: Unit, remaining: u64) -> Reply<'a, ()> {
        let books = self.books(&limits.scope);
        let now = self.clock.now();
        lock(&books).account.observe(limits, unit, remaining, now);
        future::ready(Ok(())).boxed()
    }

    fn balances<'a>(&'a self, limits: &'a Arc<Limits>) -> Reply<'a, Vec<Balance>> {
        let books = self.books(&limits.scope);
        let balances = lock(&books).account.balances(limits, self.clock.now());
        future::ready(Ok(balances)).boxed()
    }

    fn top_up<'a>(&'a self, limits: &'a Arc<Limits>, top_up: TopUp) -> Reply<'a, ToppedUp> {
        future::ready(self.top_up_now(limits, &top_up)).boxed()
    }

    fn run_balance<'a>(&'a self, team: &'a Scope, run: &'a Arc<str>) -> Reply<'a, Option<Balance>> {
        let books = self.books(team);
        let balance = lock(&books).account.run(run);
        future::ready(Ok(balance)).boxed()
    }

    fn usage<'a>(
        &'a self,
        team: &'a Scope,
        first: &'a str,
        last: &'a str,
    ) -> Reply<'a, Vec<UsageRow>> {
        let books = self.books(team);
        let rows = lock(&books)
            .tally
            .rows(first, last)
            .map(|(day, key, sum)| UsageRow {
                day: Arc::clone(day),
                key: key.clone(),
                sum: *sum,
            })
            .collect();
        future::ready(Ok(rows)).boxed()
    }
}

#[cfg(test)]
mod tests;
