//! What is forgotten, and when: checkpoints stay small.

use super::{Entry, Fold, RunLimit, at};
use std::sync::Arc;
use tollgate_core::{
    Money, Timestamp,
    account::{CounterKey, RUN},
};

const DAY_MS: u64 = 24 * 3_600_000;

/// How long counters are kept after their window ended: a month and a bit, so that last month can
/// be looked at.
pub const WINDOW_KEPT_MS: u64 = 40 * DAY_MS;

/// How long a run's budget is kept after its last hold. A day longer than in stores, which forget
/// at the first hold of a day: what a store still knows must never be forgotten here.
pub const RUN_KEPT_MS: u64 = tollgate_core::account::RUN_KEPT_MS + DAY_MS;

impl Fold {
    /// Forgets what nobody asks for any more, as of the latest entry.
    pub fn prune(&mut self) {
        let now = self.latest;
        for book in self.teams.values_mut() {
            let runs = &mut book.runs;
            runs.retain(|run, limit| {
                let counter = book.counters.get(&run_key(run));
                !is_stale(*limit, now) || counter.is_some_and(|c| c.held != Money::ZERO)
            });
            book.counters.retain(|key, counter| {
                counter.held != Money::ZERO
                    || if &*key.budget == RUN {
                        runs.contains_key(&key.window)
                    } else {
                        counter
                            .ends_at
                            .is_none_or(|end| end + WINDOW_KEPT_MS >= now)
                    }
            });
            let counters = &book.counters;
            book.top_ups
                .retain(|_, made| counters.contains_key(&made.counter));
        }
    }

    /// Notes the bounds of the runs. A run that was idle for too long begins anew, whether or not
    /// it was pruned in between: a fold must not depend on where it was cut.
    pub(super) fn touch_runs(&mut self, entry: &Entry) {
        for counter in &entry.counters {
            let Some(limit) = counter.limit_nano_usd.filter(|_| &*counter.budget == RUN) else {
                continue;
            };
            let now = at(entry);
            let book = self.book(&entry.team);
            let known = book.runs.get(&counter.window).copied();
            if known.is_some_and(|known| is_stale(known, now)) {
                let key = run_key(&counter.window);
                book.counters
                    .retain(|k, c| *k != key || c.held != Money::ZERO);
            }
            let last_used = known.map_or(now, |known| known.last_used.max(now));
            let limit = Money::from_nanos(limit);
            book.runs
                .insert(Arc::clone(&counter.window), RunLimit { limit, last_used });
        }
    }
}

pub(super) fn run_key(run: &Arc<str>) -> CounterKey {
    CounterKey {
        budget: RUN.into(),
        window: Arc::clone(run),
    }
}

fn is_stale(run: RunLimit, now: Timestamp) -> bool {
    run.last_used + RUN_KEPT_MS < now
}
