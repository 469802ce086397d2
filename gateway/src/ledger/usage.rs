//! What an entry adds to the usage of its team.

use super::{AttemptRecord, Entry, Kind};
use std::sync::Arc;
use tollgate_core::{
    Money, Usage,
    tally::{UsageKey, UsageSum},
};

/// The rows of usage that an entry adds to its team and day. Stores and the ledger both use this.
///
/// The costs add up to the entry's charge, so the sum of all usage is the spend. A call counts
/// once, at the model of its last attempt. Nobody knows what an expired hold was for: its charge
/// goes to the empty key, and a correction takes it from there.
#[must_use]
pub fn usage_of(entry: &Entry) -> Vec<(UsageKey, UsageSum)> {
    let charge = Money::from_nanos(entry.charge_nano_usd);
    let held = Money::from_nanos(entry.held_nano_usd);
    match entry.kind {
        Kind::Settled => settled(entry, charge),
        Kind::Corrected => {
            let mut rows = settled(entry, charge.plus(held));
            rows.push((UsageKey::default(), cost_of(Money::ZERO.minus(held))));
            rows
        }
        Kind::Expired => vec![(UsageKey::default(), cost_of(charge))],
        Kind::Held | Kind::Extended | Kind::Cancelled | Kind::ToppedUp | Kind::Crossed => {
            Vec::new()
        }
    }
}

fn settled(entry: &Entry, cost: Money) -> Vec<(UsageKey, UsageSum)> {
    let Some(call) = &entry.call else {
        let calls = 1;
        return vec![(
            UsageKey::default(),
            UsageSum {
                calls,
                ..cost_of(cost)
            },
        )];
    };
    let key = |model: &Arc<str>| UsageKey {
        pipeline: Arc::clone(&call.pipeline),
        run: Arc::clone(&call.run),
        step: Arc::clone(&call.step),
        model: Arc::clone(model),
    };
    let mut rows: Vec<(UsageKey, UsageSum)> = call
        .attempts
        .iter()
        .map(|attempt| (key(&attempt.model), sum_of(attempt)))
        .collect();
    if rows.is_empty() {
        rows.push((key(&"".into()), UsageSum::default()));
    }
    let counted: Money = rows.iter().map(|(_, sum)| sum.cost).sum();
    let last = rows.last_mut().expect("at least one row");
    last.1.calls = 1;
    last.1.cost = last.1.cost.plus(cost.minus(counted));
    rows
}

fn cost_of(cost: Money) -> UsageSum {
    UsageSum {
        cost,
        ..UsageSum::default()
    }
}

fn sum_of(attempt: &AttemptRecord) -> UsageSum {
    UsageSum {
        calls: 0,
        usage: Usage {
            input: attempt.input_tokens,
            cache_read: attempt.cache_read_tokens,
            cache_write: attempt.cache_write_tokens,
            output: attempt.output_tokens,
            reasoning: attempt.reasoning_tokens,
        },
        cost: Money::from_nanos(attempt.cost_nano_usd),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::CallRecord;

    fn entry(kind: Kind, held: i64, charge: i64, costs: &[i64]) -> Entry {
        let attempts = costs.iter().map(|cost| AttemptRecord {
            model: format!("model-{cost}").into(),
            output_tokens: 7,
            cost_nano_usd: *cost,
            ..AttemptRecord::default()
        });
        let call = CallRecord {
            step: "score".into(),
            attempts: attempts.collect(),
            ..CallRecord::default()
        };
        Entry {
            at_ms: 0,
            kind,
            team: "news".into(),
            hold: "h".into(),
            counters: Vec::new(),
            held_nano_usd: held,
            charge_nano_usd: charge,
            top_up_nano_usd: None,
            permille: None,
            call: Some(Arc::new(call)),
        }
    }

    fn total(rows: &[(UsageKey, UsageSum)]) -> i64 {
        rows.iter().map(|(_, sum)| sum.cost).sum::<Money>().nanos()
    }

    #[test]
    fn a_call_counts_once_and_at_its_last_model() {
        let rows = usage_of(&entry(Kind::Settled, 90, 50, &[20, 30]));
        assert_eq!(rows.len(), 2);
        assert_eq!((rows[0].1.calls, rows[1].1.calls), (0, 1));
        assert_eq!(&*rows[1].0.model, "model-30");
        assert_eq!(total(&rows), 50);
    }

    #[test]
    fn costs_add_up_to_the_charge_for_every_ending() {
        for (kind, held, charge, costs) in [
            (Kind::Settled, 90, 50, &[20, 10][..]),
            (Kind::Settled, 90, 50, &[]),
            (Kind::Expired, 90, 90, &[]),
            (Kind::Corrected, 90, -40, &[20, 30]),
            (Kind::Cancelled, 90, 0, &[]),
        ] {
            assert_eq!(
                total(&usage_of(&entry(kind, held, charge, costs))),
                charge,
                "{kind:?}"
            );
        }
    }

    #[test]
    fn a_correction_moves_the_charge_of_the_expiry_to_the_call() {
        let mut tally = tollgate_core::tally::Tally::default();
        let day = "2026-11-24".into();
        for entry in [
            entry(Kind::Expired, 90, 90, &[]),
            entry(Kind::Corrected, 90, -40, &[50]),
        ] {
            for (key, sum) in usage_of(&entry) {
                tally.add(&day, key, &sum);
            }
        }
        let costs: Vec<i64> = tally
            .rows(&day, &day)
            .map(|(_, _, sum)| sum.cost.nanos())
            .collect();
        assert_eq!(costs, [0, 50]);
    }
}
