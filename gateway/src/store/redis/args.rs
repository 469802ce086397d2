//! What scripts are told: limits, requests and endings as one packed argument.

use super::{fault::Fault, keys::Keys, pack::Packer};
use crate::ledger::{CallRecord, Entry, Kind, usage_of};
use std::sync::Arc;
use tollgate_core::{
    HoldId, Money, Timestamp,
    account::{Memory, RUN},
    budget::{BudgetSpec, Window},
    hold::{Ending, HoldRequest},
    limit::{BucketSpec, LARGEST_EXACT, Limits, Scope, Unit},
    tally::{KEPT_DAYS, MOST_ROWS, OTHER, UsageKey, UsageSum},
};

/// How far clocks of gateways and of Redis may differ without a second round trip.
const SLACK_MS: u64 = 60_000;

/// The mark at which a refusal counts as reaching it.
const FULL_PERMILLE: u16 = 1_000;

/// The end of what has no end.
const NEVER: i64 = (1 << 53) - 1;

/// The window around a time and the next one, of each budget. Redis chooses.
#[derive(Clone, Debug)]
pub(super) struct Windows {
    pub(super) from: Timestamp,
    /// In the order of the limits.
    pub(super) pairs: Vec<[Window; 2]>,
}

impl Windows {
    /// The windows around `reference`.
    pub(super) fn around(limits: &Limits, reference: Timestamp) -> Self {
        // From the full minute, so that a clock that jitters finds them as they are.
        let into_minute = u64::try_from(reference.millis().rem_euclid(60_000)).unwrap_or(0);
        let from = reference - into_minute - SLACK_MS;
        let pair = |spec: &BudgetSpec| {
            let first = spec.calendar.window_at(from);
            let next = first.ends_at.map(|end| spec.calendar.window_at(end));
            [first.clone(), next.unwrap_or(first)]
        };
        let pairs = limits.budgets.iter().map(pair).collect();
        Self { from, pairs }
    }

    /// The windows of that time and no others.
    pub(super) fn pinned(limits: &Limits, at: Timestamp) -> Self {
        let pair = |spec: &BudgetSpec| {
            let window = spec.calendar.window_at(at);
            [window.clone(), window]
        };
        let pairs = limits.budgets.iter().map(pair).collect();
        Self { from: at, pairs }
    }

    /// Whether they will do for another reference.
    pub(super) fn cover(&self, reference: Timestamp) -> bool {
        let late = |pair: &[Window; 2]| {
            pair[1]
                .ends_at
                .is_some_and(|end| reference + SLACK_MS >= end)
        };
        reference >= self.from + SLACK_MS && !self.pairs.iter().any(late)
    }

    pub(super) fn pack(&self, place: usize, args: &mut Packer) {
        for window in &self.pairs[place] {
            args.text(window.id.as_bytes());
            args.int(end_millis(window.ends_at));
        }
    }
}

/// The end of a window as scripts keep it.
pub(super) fn end(millis: i64) -> Option<Timestamp> {
    (millis != NEVER).then(|| Timestamp::from_millis(millis))
}

/// The same the other way.
pub(super) fn end_millis(end: Option<Timestamp>) -> i64 {
    end.map_or(NEVER, Timestamp::millis)
}

/// Refuses limits that a script could not compute exactly.
pub(super) fn check(limits: &Limits) -> Result<(), Fault> {
    let bucket = |spec: &&BucketSpec| {
        spec.capacity.saturating_mul(spec.period_ms) > LARGEST_EXACT || spec.limit > LARGEST_EXACT
    };
    if let Some(spec) = limits.buckets.iter().find(bucket) {
        return Err(Fault::OutOfRange(format!("the limit {}", spec.name)));
    }
    for spec in &limits.budgets {
        exact(spec.limit.unwrap_or(Money::ZERO), "a budget")?;
    }
    Ok(())
}

/// Refuses an amount that a script could not compute exactly.
pub(super) fn exact(amount: Money, what: &str) -> Result<(), Fault> {
    match u64::try_from(amount.nanos()) {
        Ok(nanos) if nanos <= LARGEST_EXACT => Ok(()),
        _ => Err(Fault::OutOfRange(format!(
            "{what} of {} nano-dollars",
            amount.nanos()
        ))),
    }
}

fn bucket_field(spec: &BucketSpec) -> String {
    format!("b:{}", spec.name)
}

fn is_team(limits: &Limits) -> bool {
    matches!(limits.scope, Scope::Team(_))
}

/// The bound that refuses, or -1.
fn bound(spec: &BudgetSpec) -> i64 {
    spec.limit
        .filter(|_| spec.hard)
        .map_or(-1, tollgate_core::Money::nanos)
}

/// What `hold.lua` is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    /// Take, if nothing refuses.
    Take,
    /// Take, whatever refuses.
    Force,
    /// The same from the first window of each pair, whatever the time.
    Pinned,
    /// Say what refuses.
    Probe,
}

/// `hold.lua`.
pub(super) fn hold(
    limits: &Limits,
    request: &HoldRequest,
    windows: &Windows,
    mode: Mode,
) -> Result<Vec<u8>, Fault> {
    exact(request.amount, "a hold")?;
    let need = &request.need;
    let most = need
        .requests
        .max(need.input_tokens.saturating_add(need.output_tokens));
    if most > LARGEST_EXACT {
        return Err(Fault::OutOfRange("a need".to_owned()));
    }
    let mut args = Packer::new();
    args.text(request.id.to_string()).count(request.lease_ms);
    args.int(
        request
            .max_wait_ms
            .map_or(-1, |ms| i64::try_from(ms).unwrap_or(NEVER)),
    );
    args.int(match mode {
        Mode::Take => 0,
        Mode::Force | Mode::Pinned => 1,
        Mode::Probe => 2,
    });
    args.int(i64::from(mode == Mode::Pinned));
    // Even a team without budgets has counters; a deployment has none, and nothing to lose.
    args.int(i64::from(is_team(limits)));
    args.int(windows.from.millis());
    args.text(request.amount.nanos().to_string());
    args.count(need.requests);
    args.count(need.input_tokens).count(need.output_tokens);
    match &request.run {
        Some(run) => {
            exact(run.limit, "a run's budget")?;
            args.text(run.run.as_bytes());
            args.text(run.limit.nanos().to_string())
        }
        None => args.text("").text(""),
    };
    args.length(limits.buckets.len());
    args.length(limits.gauges.len());
    args.length(limits.budgets.len());
    for spec in &limits.buckets {
        let floor = spec
            .capacity
            .saturating_mul(u64::from(request.floor_permille))
            / 1_000;
        args.text(bucket_field(spec)).count(spec.limit);
        args.count(spec.period_ms).count(spec.capacity);
        args.count(spec.unit.of(need)).count(floor);
    }
    for gauge in &limits.gauges {
        args.text(format!("g:{}", gauge.name)).count(gauge.limit);
    }
    for (place, spec) in limits.budgets.iter().enumerate() {
        let alerts = spec.marks.iter().any(|mark| mark.permille == FULL_PERMILLE);
        args.text(spec.name.as_bytes());
        args.int(bound(spec)).int(i64::from(alerts));
        windows.pack(place, &mut args);
    }
    Ok(args.finish())
}

/// `settle.lua`.
pub(super) fn settle(
    limits: &Limits,
    id: HoldId,
    ending: &Ending,
    record: Option<&Arc<CallRecord>>,
    memory: Memory,
) -> Result<Vec<u8>, Fault> {
    let mut args = Packer::new();
    args.text(id.to_string());
    match ending {
        Ending::Settled { used, cost } => {
            exact(*cost, "a cost")?;
            args.text("S").count(used.requests);
            args.count(used.input_tokens).count(used.output_tokens);
            args.text(cost.nanos().to_string());
        }
        Ending::Cancelled => {
            args.text("C").int(0).int(0).int(0).text("0");
        }
        Ending::Expired => {
            args.text("X").int(0).int(0).int(0).text("0");
        }
    }
    args.count(memory.ended_ms).count(memory.expired_ms);
    args.int(i64::from(is_team(limits)));
    let rows = match ending {
        Ending::Settled { cost, .. } => rows(*cost, record),
        Ending::Cancelled | Ending::Expired => Vec::new(),
    };
    args.length(limits.buckets.len());
    args.length(limits.budgets.len());
    args.length(rows.len());
    args.text(row_field(&UsageKey::default()));
    args.length(MOST_ROWS).count(usage_kept_ms());
    for spec in &limits.buckets {
        args.text(bucket_field(spec)).count(spec.limit);
        args.count(spec.period_ms).count(spec.capacity);
        args.int(match spec.unit {
            Unit::Requests => 1,
            Unit::Tokens => 2,
            Unit::InputTokens => 3,
            Unit::OutputTokens => 4,
        });
    }
    for spec in &limits.budgets {
        args.text(spec.name.as_bytes());
        args.int(spec.limit.map_or(-1, Money::nanos));
        args.length(spec.marks.len());
        for mark in &*spec.marks {
            args.int(i64::from(mark.permille));
        }
    }
    for (key, sum) in rows {
        args.text(row_field(&key)).text(row_field(&rest_of(&key)));
        pack_sum(&sum, &mut args);
    }
    Ok(args.finish())
}

/// What a settlement adds to the sums of usage, by the ledger's own rule. What a correction takes
/// from nobody's row besides is known to the script alone.
fn rows(cost: Money, record: Option<&Arc<CallRecord>>) -> Vec<(UsageKey, UsageSum)> {
    usage_of(&Entry {
        at_ms: 0,
        kind: Kind::Settled,
        team: "".into(),
        hold: "".into(),
        counters: Vec::new(),
        held_nano_usd: 0,
        charge_nano_usd: cost.nanos(),
        top_up_nano_usd: None,
        permille: None,
        call: record.cloned(),
    })
}

/// Where a row goes when a day has too many.
fn rest_of(key: &UsageKey) -> UsageKey {
    let other: Arc<str> = OTHER.into();
    UsageKey {
        pipeline: Arc::clone(&other),
        run: Arc::clone(&other),
        step: other,
        model: Arc::clone(&key.model),
    }
}

/// How long a day's sums are kept.
pub(super) fn usage_kept_ms() -> u64 {
    let days = u64::try_from(KEPT_DAYS).expect("a month");
    days * 24 * 3_600_000
}

/// The name of a row.
pub(super) fn row_field(key: &UsageKey) -> Vec<u8> {
    let mut field = Packer::new();
    for part in [&key.pipeline, &key.run, &key.step, &key.model] {
        field.text(part.as_bytes());
    }
    field.finish()
}

/// The numbers of a row.
pub(super) fn pack_sum(sum: &UsageSum, args: &mut Packer) {
    args.count(sum.calls).count(sum.usage.input);
    args.count(sum.usage.cache_read)
        .count(sum.usage.cache_write);
    args.count(sum.usage.output).count(sum.usage.reasoning);
    args.int(sum.cost.nanos());
}

/// `extend.lua`.
pub(super) fn extend(limits: &Limits, extra: Money) -> Result<Vec<u8>, Fault> {
    exact(extra, "an extension")?;
    let mut args = Packer::new();
    args.text(extra.nanos().to_string());
    args.int(i64::from(is_team(limits)));
    args.length(limits.budgets.len());
    for spec in &limits.budgets {
        args.text(spec.name.as_bytes()).int(bound(spec));
    }
    Ok(args.finish())
}

/// `renew.lua`.
pub(super) fn renew(ids: &[HoldId], lease_ms: u64) -> Vec<u8> {
    let mut args = Packer::new();
    args.count(lease_ms);
    for id in ids {
        args.text(id.to_string());
    }
    args.finish()
}

/// `provider.lua`, for a wait.
pub(super) fn cool_down(wait_ms: u64) -> Vec<u8> {
    let mut args = Packer::new();
    args.count(wait_ms.min(LARGEST_EXACT / 2)).int(0).int(0);
    args.finish()
}

/// `provider.lua`, for what is left.
pub(super) fn observe(limits: &Limits, unit: Unit, remaining: u64) -> Vec<u8> {
    let specs = || limits.buckets.iter().filter(|spec| spec.unit == unit);
    let mut args = Packer::new();
    args.int(-1).count(remaining.min(LARGEST_EXACT));
    args.length(specs().count());
    for spec in specs() {
        args.text(bucket_field(spec)).count(spec.limit);
        args.count(spec.period_ms).count(spec.capacity);
    }
    args.finish()
}

/// `balances.lua`.
pub(super) fn balances(limits: &Limits, windows: &Windows) -> Vec<u8> {
    let mut args = Packer::new();
    args.int(windows.from.millis());
    args.length(limits.budgets.len());
    for (place, spec) in limits.budgets.iter().enumerate() {
        args.text(spec.name.as_bytes());
        windows.pack(place, &mut args);
    }
    args.finish()
}

/// The value of a record that has expired, so that it can be corrected: what `hold.lua` writes.
pub(super) fn expired_record(
    amount: Money,
    counters: &[crate::ledger::CounterRef],
    keys: &Keys,
) -> Vec<u8> {
    let run = counters.iter().find(|counter| &*counter.budget == RUN);
    let budgets = || counters.iter().filter(|counter| &*counter.budget != RUN);
    let mut body = Packer::new();
    body.text(amount.nanos().to_string()).int(0).int(0).int(0);
    match run {
        Some(run) => {
            let limit = run.limit_nano_usd.unwrap_or(0);
            body.text(run.window.as_bytes()).text(limit.to_string());
            body.text(keys.run(&run.window))
        }
        None => body.text("").text("").text(""),
    };
    body.int(0).length(budgets().count());
    for counter in budgets() {
        body.text(counter.budget.as_bytes());
        body.text(counter.window.as_bytes());
        body.int(counter.ends_at_ms.unwrap_or(NEVER));
    }
    let mut value = vec![b'X'];
    value.extend_from_slice(&body.finish());
    value
}
