//! Rebuilding the balances of a team that Redis has lost.
//!
//! An empty Redis is not zero spend: without an epoch nothing is admitted. What the ledger knows
//! is put back first, and the epoch last. Tombstones of the holds that ended lately go with it, so
//! that an ending that is repeated after the loss is not charged twice.

use super::{
    args, fault::Fault, keys::Keys, pack::Packer, reply, script::Scripts, top_up, wire::Wire,
};
use crate::{
    ledger::{Book, Entry, Kind, fold::WINDOW_KEPT_MS},
    store::{UsageRow, top_up::Made},
};
use chrono::NaiveDate;
use std::sync::Arc;
use tollgate_core::{
    HoldId, Money, Timestamp,
    account::{Counter, CounterKey, Memory, RUN, RUN_KEPT_MS},
    limit::Scope,
};

/// How many things go into one script, so that others wait no longer than for a few holds.
const PART: usize = 100;

/// What the ledger knows of a team.
#[derive(Clone, Debug, Default)]
pub struct Seed {
    /// Money by budget and window, those of runs included.
    pub counters: Vec<(CounterKey, Counter)>,
    /// The bounds of runs, with their last use.
    pub runs: Vec<(Arc<str>, Money, Timestamp)>,
    /// The sums of usage.
    pub usage: Vec<UsageRow>,
    /// Top-ups by their requests, with the end of their windows.
    pub top_ups: Vec<(Arc<str>, Made, Timestamp)>,
    /// Endings of the last minutes: those that a replica may repeat.
    pub ended: Vec<Entry>,
}

impl Seed {
    /// What a ledger's book says; the endings come from its lines.
    #[must_use]
    pub fn new(book: Option<&Book>, ended: Vec<Entry>) -> Self {
        let Some(book) = book else {
            return Self {
                ended,
                ..Self::default()
            };
        };
        let counters = book.counters.iter();
        let runs = book.runs.iter();
        let rows = book.tally.rows("0000-00-00", "9999-99-99");
        let top_ups = book.top_ups.iter().filter_map(|(request, made)| {
            let ends_at = book.counters.get(&made.counter)?.ends_at?;
            let (budget, amount) = (Arc::clone(&made.counter.budget), made.amount);
            Some((Arc::clone(request), Made { budget, amount }, ends_at))
        });
        Self {
            counters: counters.map(|(k, c)| (k.clone(), c.clone())).collect(),
            runs: runs
                .map(|(run, known)| (Arc::clone(run), known.limit, known.last_used))
                .collect(),
            usage: rows
                .map(|(day, key, sum)| UsageRow {
                    day: Arc::clone(day),
                    key: key.clone(),
                    sum: *sum,
                })
                .collect(),
            top_ups: top_ups.collect(),
            ended,
        }
    }
}

/// One call of `seed.lua`.
#[derive(Default)]
struct Part {
    counters: Vec<(String, Counter)>,
    runs: Vec<(String, Money, Money, u64)>,
    rows: Vec<UsageRow>,
    tombs: Vec<(String, Vec<u8>, u64)>,
}

/// Puts back what the ledger knows, then sets the epoch. Nothing is overwritten: a second rebuild
/// at the same time does no harm.
pub(super) async fn sow(
    wire: &Wire,
    scripts: &Scripts,
    (team, memory): (&Arc<str>, Memory),
    (seed, now): (&Seed, Timestamp),
) -> Result<(), Fault> {
    let keys = Keys::of(&Scope::Team(Arc::clone(team)));
    let mut parts: Vec<Part> = Vec::new();
    counters(seed, &mut parts);
    runs(seed, &keys, now, &mut parts);
    for rows in seed.usage.chunks(PART) {
        let rows = rows.to_vec();
        parts.push(Part {
            rows,
            ..Part::default()
        });
    }
    tombs(seed, &keys, (memory, now), &mut parts)?;
    for part in parts {
        send(wire, scripts, &keys, &part, false).await?;
    }
    send(wire, scripts, &keys, &Part::default(), true).await
}

fn counters(seed: &Seed, parts: &mut Vec<Part>) {
    let budgets = seed.counters.iter().filter(|(key, _)| &*key.budget != RUN);
    let named: Vec<_> = budgets
        .map(|(key, counter)| (format!("{}:{}", key.budget, key.window), counter.clone()))
        .collect();
    for counters in named.chunks(PART) {
        let counters = counters.to_vec();
        parts.push(Part {
            counters,
            ..Part::default()
        });
    }
}

fn runs(seed: &Seed, keys: &Keys, now: Timestamp, parts: &mut Vec<Part>) {
    let mut all = Vec::new();
    for (run, limit, last_used) in &seed.runs {
        let of_run = |(key, _): &&(CounterKey, Counter)| &*key.budget == RUN && key.window == *run;
        let counter = seed.counters.iter().find(of_run);
        let spent = counter.map_or(Money::ZERO, |(_, counter)| counter.spent);
        let left = RUN_KEPT_MS.saturating_sub(now.since(*last_used));
        if left > 0 {
            all.push((keys.run(run), *limit, spent, left));
        }
    }
    for runs in all.chunks(PART) {
        let runs = runs.to_vec();
        parts.push(Part {
            runs,
            ..Part::default()
        });
    }
}

fn tombs(
    seed: &Seed,
    keys: &Keys,
    (memory, now): (Memory, Timestamp),
    parts: &mut Vec<Part>,
) -> Result<(), Fault> {
    let mut all = Vec::new();
    for (request, made, ends_at) in &seed.top_ups {
        let kept = (*ends_at + WINDOW_KEPT_MS).since(now);
        if kept > 0 {
            all.push((keys.top_up(request), top_up::record(made), kept));
        }
    }
    // Later lines say more: a correction comes after its expiry.
    for entry in seed.ended.iter().rev() {
        let Ok(id) = entry.hold.parse::<HoldId>() else {
            continue;
        };
        let tomb = match entry.kind {
            Kind::Settled | Kind::Corrected => (b"S".to_vec(), memory.ended_ms),
            Kind::Cancelled => (b"C".to_vec(), memory.ended_ms),
            Kind::Expired => {
                let amount = Money::from_nanos(entry.held_nano_usd);
                args::exact(amount, "an expired hold")?;
                let body = args::expired_record(amount, &entry.counters, keys);
                (body, memory.expired_ms)
            }
            Kind::Held | Kind::Extended | Kind::ToppedUp | Kind::Crossed => continue,
        };
        all.push((keys.record(id), tomb.0, tomb.1));
    }
    for tombs in all.chunks(PART) {
        let tombs = tombs.to_vec();
        parts.push(Part {
            tombs,
            ..Part::default()
        });
    }
    Ok(())
}

async fn send(
    wire: &Wire,
    scripts: &Scripts,
    keys: &Keys,
    part: &Part,
    last: bool,
) -> Result<(), Fault> {
    let mut args = Packer::new();
    args.int(i64::from(last));
    args.length(part.counters.len()).length(part.runs.len());
    args.length(part.rows.len()).length(part.tombs.len());
    for (name, counter) in &part.counters {
        args.text(name).int(args::end_millis(counter.ends_at));
        args.text(counter.spent.nanos().to_string());
        args.int(counter.topped_up.nanos());
        args.int(i64::from(counter.crossed_permille));
    }
    for (key, limit, spent, left) in &part.runs {
        args.text(key).text(limit.nanos().to_string());
        args.text(spent.nanos().to_string()).count(*left);
    }
    let usage = keys.usage();
    for row in &part.rows {
        args.text(format!("{usage}{}", day_number(&row.day)));
        args.text(args::row_field(&row.key));
        args.count(args::usage_kept_ms());
        args::pack_sum(&row.sum, &mut args);
    }
    for (key, value, kept) in &part.tombs {
        args.text(key).text(value).count(*kept);
    }
    let names = [keys.account(), keys.leases()];
    let packed = args.finish();
    let prefix = keys.records();
    let args: [&[u8]; 2] = [&packed, prefix.as_bytes()];
    let answer = wire.run("drain", &scripts.seed, &names, &args).await?;
    reply::open(&answer)?;
    Ok(())
}

/// Days from the epoch, as in the names of keys.
fn day_number(day: &str) -> i64 {
    let date = NaiveDate::parse_from_str(day, "%Y-%m-%d").unwrap_or_default();
    date.signed_duration_since(NaiveDate::default()).num_days()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_from_the_epoch() {
        assert_eq!(day_number("1970-01-01"), 0);
        assert_eq!(day_number("2026-11-24"), 20_781);
    }
}
