//! How far a store and its ledger are apart.

use super::Fold;
use std::{collections::HashMap, sync::Arc};
use tollgate_core::{Money, account::CounterKey};

/// What a store says was spent, by team and counter.
pub type Spend = HashMap<(Arc<str>, CounterKey), Money>;

/// The largest difference of one counter between the ledger and a store that was asked before the
/// ledger was read and after. Both change meanwhile, so the ledger may be anywhere in between.
#[must_use]
pub fn drift(books: &Fold, before: &Spend, after: &Spend) -> Money {
    let mut largest = Money::ZERO;
    for (counter, before) in before {
        // A window that the store has dropped meanwhile is long over.
        let Some(after) = after.get(counter) else {
            continue;
        };
        let (team, key) = counter;
        let ours = books.spent(team, key);
        // A correction may have lowered it.
        let (low, high) = (*before.min(after), *before.max(after));
        largest = largest.max(low.minus(ours)).max(ours.minus(high));
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{CounterRef, Entry, Kind};

    fn spend(nanos: i64) -> Spend {
        let key = CounterKey {
            budget: "day".into(),
            window: "2026-11-24".into(),
        };
        Spend::from([(("news".into(), key), Money::from_nanos(nanos))])
    }

    fn books(nanos: i64) -> Fold {
        let mut books = Fold::default();
        books.apply(&Entry {
            at_ms: 1_764_000_000_000,
            kind: Kind::Settled,
            team: "news".into(),
            hold: "01".into(),
            counters: vec![CounterRef {
                budget: "day".into(),
                window: "2026-11-24".into(),
                ends_at_ms: Some(1_764_028_800_000),
                limit_nano_usd: None,
            }],
            held_nano_usd: nanos,
            charge_nano_usd: nanos,
            top_up_nano_usd: None,
            permille: None,
            call: None,
        });
        books
    }

    #[test]
    fn what_lies_in_between_is_no_drift() {
        let between =
            |ledger, before, after| drift(&books(ledger), &spend(before), &spend(after)).nanos();
        assert_eq!(between(150, 100, 200), 0);
        assert_eq!(between(100, 100, 100), 0);
        assert_eq!(between(90, 100, 200), 10, "the ledger lacks some");
        assert_eq!(between(230, 100, 200), 30, "the store lacks some");
        assert_eq!(between(150, 200, 100), 0, "a correction");
        assert_eq!(drift(&books(1), &spend(9), &Spend::new()), Money::ZERO);
    }
}
