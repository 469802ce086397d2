//! The configurations of histories, and what must be seen in them.

use super::*;

/// Windows of so many days of ten million milliseconds.
#[derive(Debug)]
pub(in crate::store::redis::tests) struct Days(pub(in crate::store::redis::tests) i64);

impl Calendar for Days {
    fn window_at(&self, now: Timestamp) -> Window {
        let length = DAY_MS * self.0;
        let number = now.millis().div_euclid(length);
        Window {
            id: format!("{}d{number}", self.0).into(),
            ends_at: Some(Timestamp::from_millis((number + 1) * length)),
        }
    }
}

/// How often each kind of answer was given.
#[derive(Clone, Debug, Default)]
pub(in crate::store::redis::tests) struct Seen(BTreeMap<&'static str, u32>);

impl Seen {
    pub(super) fn note(&mut self, kind: &'static str) {
        *self.0.entry(kind).or_default() += 1;
    }

    /// Whether every kind was seen.
    pub(in crate::store::redis::tests) fn all_kinds(&self) -> bool {
        let all = [
            "held",
            "refused",
            "duplicate",
            "conflict",
            "rate",
            "never",
            "gauge",
            "cooldown",
            "budget",
            "run_budget",
            "settled",
            "corrected",
            "crossed",
            "crossed_by_refusal",
            "ended_before",
            "unknown",
            "alive",
            "swept",
            "extended",
            "not_extended",
            "overrun",
            "topped_up",
            "topped_up_before",
            "top_up_reused",
        ];
        all.iter().all(|kind| self.0.contains_key(kind))
    }
}

/// Three configurations of the same team.
pub(super) fn limits(team: &str, which: u64) -> Limits {
    let gauge = |name: &str, limit| GaugeSpec {
        name: name.into(),
        limit,
    };
    let budget = |name: &str, days, limit: Option<i64>, hard| BudgetSpec {
        name: name.into(),
        limit: limit.map(Money::from_nanos),
        hard,
        calendar: Arc::new(Days(days)),
        marks: [500, 800, 1_000].map(|permille| Mark { permille }).into(),
    };
    let mut limits = Limits {
        scope: Scope::Team(team.into()),
        buckets: vec![
            BucketSpec::per_minute(Unit::Requests, 40 + which),
            BucketSpec::per_minute(Unit::Tokens, 700 - 100 * which),
            BucketSpec::per_minute(Unit::OutputTokens, 333),
        ],
        gauges: vec![gauge("concurrency", 7), gauge("pipeline", 5 + which)],
        budgets: vec![
            budget("day", 1, Some(2_501), which != 2),
            budget("month", 3, Some(6_007), which == 0),
            budget("year", 50, None, false),
        ],
    };
    if which == 2 {
        limits.gauges.pop();
        limits.budgets.pop();
        limits.buckets[2].capacity = 100;
    }
    limits
}

pub(super) fn id(number: u64) -> HoldId {
    HoldId::new(Timestamp::from_millis(START), u128::from(number + 1) << 8)
}

pub(super) fn run(which: u8) -> Arc<str> {
    format!("run-{which}").into()
}

pub(super) fn request(ask: &Ask) -> HoldRequest {
    HoldRequest {
        id: id(ask.number),
        need: Need {
            requests: 1,
            input_tokens: ask.input,
            output_tokens: ask.output,
        },
        amount: Money::from_nanos(ask.amount),
        lease_ms: ask.lease_ms,
        max_wait_ms: ask.wait_ms,
        floor_permille: ask.floor,
        run: ask.run.map(|(which, limit)| RunTake {
            run: run(which),
            limit: Money::from_nanos(limit),
        }),
        force: ask.force,
    }
}

/// The same from both, or what differs.
pub(super) fn same<T: PartialEq + Debug>(model: &T, redis: &T) -> Result<(), String> {
    if model == redis {
        return Ok(());
    }
    Err(format!("\nmodel {model:?}\nredis {redis:?}"))
}
