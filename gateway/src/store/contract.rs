//! What every store must do, whatever it is made of. Run against memory and real Redis.
//!
//! A [`Subject`] brings a store and a way to let time pass; the suite looks at replies alone, so
//! that a store can't pass by keeping the right numbers where nobody reads them.

use super::{Settlement, Store, TopUp, ToppedUp};
use crate::{ledger::CallRecord, testing::OneWindow};
use futures_util::future::{BoxFuture, join_all};
use std::sync::Arc;
use tollgate_core::{
    HoldId, Money, Timestamp,
    account::{Cure, Held, HoldReply, Refusal, Refused, SettleReply},
    budget::{BudgetSpec, Mark},
    hold::{Ending, HoldRequest, Need, RunTake, State},
    limit::{BucketSpec, GaugeSpec, LARGEST_EXACT, Limits, Scope, Unit},
};

/// A store under test.
pub(crate) trait Subject: Send + Sync {
    /// The store.
    fn store(&self) -> Arc<dyn Store>;

    /// Lets at least `ms` milliseconds pass by the store's clock.
    fn pass(&self, ms: u64) -> BoxFuture<'_, ()>;
}

/// How long holds stand here: long enough for a slow machine, short enough to wait for.
const LEASE_MS: u64 = 400;

struct Case {
    subject: Arc<dyn Subject>,
    limits: Arc<Limits>,
    random: u128,
}

impl Case {
    /// A team of its own, so that tests can share one Redis.
    fn new(subject: &Arc<dyn Subject>, team: &str) -> Self {
        Self {
            subject: Arc::clone(subject),
            limits: Arc::new(limits(&format!("{team}-{:08x}", fastrand::u32(..)))),
            random: u128::from(fastrand::u64(..)) << 8,
        }
    }

    fn id(&self, number: u64) -> HoldId {
        HoldId::new(
            Timestamp::from_millis(1_700_000_000_000 + i64::try_from(number).expect("small")),
            self.random,
        )
    }

    fn request(&self, number: u64, tokens: u64, amount: i64) -> HoldRequest {
        HoldRequest {
            id: self.id(number),
            need: Need {
                requests: 1,
                input_tokens: tokens,
                output_tokens: 0,
            },
            amount: Money::from_nanos(amount),
            lease_ms: 60_000,
            max_wait_ms: None,
            floor_permille: 0,
            run: None,
            force: false,
        }
    }

    async fn ask(&self, request: HoldRequest) -> HoldReply {
        let store = self.subject.store();
        store.hold(&self.limits, request).await.expect("an answer")
    }

    async fn held(&self, request: HoldRequest) -> Held {
        match self.ask(request).await {
            HoldReply::Held(held) => held,
            other => panic!("expected a hold, not {other:?}"),
        }
    }

    async fn refused(&self, request: HoldRequest) -> Refused {
        match self.ask(request).await {
            HoldReply::Refused(refused) => refused,
            other => panic!("expected a refusal, not {other:?}"),
        }
    }

    async fn end(&self, number: u64, ending: Ending) -> SettleReply {
        let settlement = Settlement {
            limits: Arc::clone(&self.limits),
            id: self.id(number),
            ending,
            record: Some(Arc::new(record())),
        };
        let store = self.subject.store();
        store.settle(settlement).await.expect("an answer")
    }

    /// Spent and held of the first budget.
    async fn money(&self) -> (i64, i64) {
        let store = self.subject.store();
        let balances = store.balances(&self.limits).await.expect("an answer");
        (balances[0].spent.nanos(), balances[0].held.nanos())
    }
}

fn limits(team: &str) -> Limits {
    Limits {
        scope: Scope::Team(team.into()),
        buckets: vec![
            BucketSpec::per_minute(Unit::Requests, 600),
            BucketSpec::per_minute(Unit::Tokens, 60_000),
        ],
        gauges: vec![GaugeSpec {
            name: "concurrency".into(),
            limit: 8,
        }],
        budgets: vec![
            BudgetSpec {
                name: "day".into(),
                limit: Some(Money::from_nanos(10_000)),
                hard: true,
                calendar: Arc::new(OneWindow),
                marks: [500, 800, 1_000].map(|permille| Mark { permille }).into(),
            },
            BudgetSpec {
                name: "month".into(),
                limit: None,
                hard: false,
                calendar: Arc::new(OneWindow),
                marks: Arc::new([]),
            },
        ],
    }
}

fn record() -> CallRecord {
    CallRecord {
        pipeline: "content-analysis".into(),
        outcome: "ok".into(),
        ..CallRecord::default()
    }
}

fn settled(tokens: u64, cost: i64) -> Ending {
    Ending::Settled {
        used: Need {
            requests: 1,
            input_tokens: tokens,
            output_tokens: 0,
        },
        cost: Money::from_nanos(cost),
    }
}

/// The whole suite.
pub(crate) async fn check(subject: Arc<dyn Subject>) {
    holds_and_settles(&Case::new(&subject, "settles")).await;
    refuses_as_a_whole(&Case::new(&subject, "refuses")).await;
    tells_held_from_spent(&Case::new(&subject, "held")).await;
    repeats_change_nothing(&Case::new(&subject, "repeats")).await;
    cancels_before_the_hold(&Case::new(&subject, "tomb")).await;
    charges_an_expiry_and_corrects_it(&Case::new(&subject, "expiry")).await;
    renews_leases(&Case::new(&subject, "renews")).await;
    keeps_debt(&Case::new(&subject, "debt")).await;
    extends_all_or_nothing(&Case::new(&subject, "extends")).await;
    keeps_a_runs_budget(&Case::new(&subject, "run")).await;
    reports_marks_once(&Case::new(&subject, "marks")).await;
    forces_a_forgotten_hold(&Case::new(&subject, "force")).await;
    waits_as_told(&Case::new(&subject, "waits")).await;
    keeps_floors(&Case::new(&subject, "floors")).await;
    sums_usage(&Case::new(&subject, "usage")).await;
    never_overspends_under_a_crowd(&Case::new(&subject, "crowd")).await;
    tops_up_once(&Case::new(&subject, "top-up")).await;
    cools_down_and_observes(&subject).await;
}

async fn tops_up_once(case: &Case) {
    let store = case.subject.store();
    let ask = async |request: &str, budget: &str, amount| {
        let top_up = TopUp {
            budget: budget.into(),
            amount: Money::from_nanos(amount),
            request: request.into(),
        };
        let answer = store.top_up(&case.limits, top_up).await;
        answer.expect("an answer")
    };
    case.refused(case.request(1, 1, 10_001)).await;
    // It was marked as full, and can be so again.
    assert_eq!(ask("one", "day", 5_000).await, ToppedUp::Done);
    assert_eq!(ask("one", "day", 5_000).await, ToppedUp::Done);
    let reused = ToppedUp::Reused(Money::from_nanos(5_000));
    assert_eq!(ask("one", "day", 6_000).await, reused);
    assert_eq!(ask("two", "month", 1).await, ToppedUp::Unbounded);
    assert_eq!(ask("two", "year", 1).await, ToppedUp::Unbounded);
    let most = i64::try_from(LARGEST_EXACT).expect("it fits");
    assert_eq!(ask("two", "day", most - 14_999).await, ToppedUp::TooLarge);
    let held = case.held(case.request(2, 1, 15_000)).await;
    assert_eq!(held.budgets[0].limit, Some(Money::from_nanos(15_000)));
    let refused = case.refused(case.request(3, 1, 1)).await;
    assert_eq!(refused.crossings.len(), 1, "a higher bound is reached anew");
    assert_eq!(ask("two", "day", 1).await, ToppedUp::Done);
    case.held(case.request(4, 1, 1)).await;
}

async fn holds_and_settles(case: &Case) {
    let held = case.held(case.request(1, 1_000, 4_000)).await;
    assert_eq!(held.budgets[0].held, Money::from_nanos(4_000));
    assert_eq!(&*held.budgets[0].window.id, "2026-11-24");
    assert_eq!(held.budgets[0].limit, Some(Money::from_nanos(10_000)));
    assert_eq!(held.budgets[1].limit, None);
    assert_eq!(held.remaining.len(), 2);
    assert!(held.remaining[0] <= 599 && held.remaining[1] >= 59_000);
    assert_eq!(case.money().await, (0, 4_000));
    let SettleReply::Applied(applied) = case.end(1, settled(500, 3_210)).await else {
        panic!("an open hold settles");
    };
    assert_eq!((applied.state, applied.corrected), (State::Settled, false));
    assert_eq!(applied.charged, Money::from_nanos(3_210));
    assert_eq!(applied.overrun, Money::ZERO);
    assert_eq!(case.money().await, (3_210, 0));
}

async fn refuses_as_a_whole(case: &Case) {
    let refused = case.refused(case.request(1, 60_001, 10_001)).await;
    let limits: Vec<_> = refused
        .refusals
        .iter()
        .map(|refusal| match refusal {
            Refusal::Unsatisfiable {
                limit, capacity, ..
            } => format!("{limit} {capacity}"),
            Refusal::Budget { balance, need } => format!("{} {}", balance.name, need.nanos()),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(limits, ["tokens_per_minute 60000", "day 10001"]);
    assert_eq!(case.money().await, (0, 0));
    let store = case.subject.store();
    let probed = store
        .probe(&case.limits, case.request(9, 60_001, 10_001))
        .await;
    assert_eq!(probed.expect("an answer"), refused.refusals);
    let probed = store
        .probe(&case.limits, case.request(9, 60_000, 10_000))
        .await;
    assert_eq!(probed.expect("an answer"), []);
    let held = case.held(case.request(2, 60_000, 10_000)).await;
    assert_eq!(
        held.remaining[0], 599,
        "neither refusal nor probe took a request"
    );
}

async fn tells_held_from_spent(case: &Case) {
    case.held(case.request(1, 1, 9_000)).await;
    let refused = case.refused(case.request(2, 1, 2_000)).await;
    assert_eq!(refused.refusals[0].cure(), Cure::Release);
    case.end(1, settled(1, 9_000)).await;
    let refused = case.refused(case.request(3, 1, 2_000)).await;
    assert_eq!(refused.refusals[0].cure(), Cure::None);
    case.held(case.request(4, 1, 1_000)).await;
}

async fn repeats_change_nothing(case: &Case) {
    case.held(case.request(1, 100, 1_000)).await;
    let again = case.ask(case.request(1, 100, 1_000)).await;
    assert_eq!(again, HoldReply::Duplicate(State::Open));
    assert!(matches!(
        case.end(1, settled(100, 700)).await,
        SettleReply::Applied(_)
    ));
    for ending in [settled(100, 9_999), Ending::Cancelled, Ending::Expired] {
        let again = case.end(1, ending).await;
        assert_eq!(again, SettleReply::Duplicate(State::Settled));
    }
    let again = case.ask(case.request(1, 100, 1_000)).await;
    assert_eq!(again, HoldReply::Duplicate(State::Settled));
    assert_eq!(case.money().await, (700, 0));
    case.held(case.request(2, 100, 1_000)).await;
    assert!(matches!(
        case.end(2, Ending::Cancelled).await,
        SettleReply::Applied(_)
    ));
    assert_eq!(case.money().await, (700, 0));
    assert_eq!(
        case.end(2, settled(1, 1)).await,
        SettleReply::Duplicate(State::Cancelled)
    );
}

async fn cancels_before_the_hold(case: &Case) {
    assert_eq!(case.end(1, Ending::Cancelled).await, SettleReply::Unknown);
    assert_eq!(
        case.ask(case.request(1, 1, 1)).await,
        HoldReply::Duplicate(State::Cancelled)
    );
    assert_eq!(case.end(2, settled(1, 1)).await, SettleReply::Unknown);
    assert_eq!(case.money().await, (0, 0));
}

async fn charges_an_expiry_and_corrects_it(case: &Case) {
    let request = HoldRequest {
        lease_ms: LEASE_MS,
        ..case.request(1, 100, 2_500)
    };
    case.held(request).await;
    assert_eq!(case.end(1, Ending::Expired).await, SettleReply::Alive);
    case.subject.pass(LEASE_MS + 20).await;
    let store = case.subject.store();
    let swept = store.sweep(&case.limits).await.expect("an answer");
    assert_eq!(swept.len(), 1);
    assert_eq!(swept[0].id, case.id(1));
    assert_eq!(swept[0].applied.charged, Money::from_nanos(2_500));
    assert_eq!(case.money().await, (2_500, 0));
    let swept = store.sweep(&case.limits).await.expect("an answer");
    assert!(swept.is_empty());
    let SettleReply::Applied(applied) = case.end(1, settled(50, 900)).await else {
        panic!("an expiry may be corrected");
    };
    assert!(applied.corrected);
    assert_eq!(case.money().await, (900, 0));
    assert_eq!(
        case.end(1, settled(50, 800)).await,
        SettleReply::Duplicate(State::Settled)
    );
}

async fn renews_leases(case: &Case) {
    let request = HoldRequest {
        lease_ms: LEASE_MS,
        ..case.request(1, 1, 1)
    };
    case.held(request).await;
    let store = case.subject.store();
    let ids = [case.id(1), case.id(2)];
    let gone = store.renew(&case.limits.scope, &ids, 60_000).await;
    assert_eq!(gone.expect("an answer"), [case.id(2)]);
    case.subject.pass(LEASE_MS + 20).await;
    let swept = store.sweep(&case.limits).await.expect("an answer");
    assert!(swept.is_empty());
}

async fn keeps_debt(case: &Case) {
    case.held(case.request(1, 10, 100)).await;
    let SettleReply::Applied(applied) = case.end(1, settled(180_000, 12_000)).await else {
        panic!("an open hold settles");
    };
    assert_eq!(applied.overrun, Money::from_nanos(11_900));
    assert_eq!(case.money().await, (12_000, 0));
    let refused = case.refused(case.request(2, 1, 1)).await;
    let [Refusal::Rate { limit, wait_ms }, Refusal::Budget { .. }] = &refused.refusals[..] else {
        panic!("both refuse: {refused:?}");
    };
    assert_eq!(&**limit, "tokens_per_minute");
    assert!(
        (110_000..=120_001).contains(wait_ms),
        "two minutes of debt: {wait_ms}"
    );
}

async fn extends_all_or_nothing(case: &Case) {
    case.held(case.request(1, 1, 6_000)).await;
    let store = case.subject.store();
    let extend = |number, extra| {
        let (store, case) = (Arc::clone(&store), &case);
        async move {
            let extra = Money::from_nanos(extra);
            let extended = store.extend(&case.limits, case.id(number), extra).await;
            extended.expect("an answer")
        }
    };
    assert!(extend(1, 4_000).await);
    assert!(!extend(1, 1).await);
    assert!(!extend(2, 1).await);
    assert_eq!(case.money().await, (0, 10_000));
    case.end(1, settled(1, 500)).await;
    assert!(!extend(1, 1).await, "it has ended");
    assert_eq!(case.money().await, (500, 0));
}

async fn keeps_a_runs_budget(case: &Case) {
    let in_run = |number, limit| HoldRequest {
        run: Some(RunTake {
            run: "run-1".into(),
            limit: Money::from_nanos(limit),
        }),
        ..case.request(number, 1, 600)
    };
    let held = case.held(in_run(1, 1_000)).await;
    assert_eq!(&*held.budgets.last().expect("the run's").name, "run");
    let refused = case.refused(in_run(2, 1_000)).await;
    assert!(matches!(
        &refused.refusals[..],
        [Refusal::Budget { balance, .. }] if &*balance.name == "run"
    ));
    assert_eq!(
        case.ask(in_run(3, 2_000)).await,
        HoldReply::RunBudgetConflict {
            limit: Money::from_nanos(1_000)
        }
    );
    case.end(1, settled(1, 150)).await;
    let store = case.subject.store();
    let balance = store.run_balance(&case.limits.scope, &"run-1".into()).await;
    let balance = balance.expect("an answer").expect("it has a budget");
    assert_eq!((balance.spent.nanos(), balance.held.nanos()), (150, 0));
    assert_eq!(balance.limit, Some(Money::from_nanos(1_000)));
    case.held(in_run(4, 1_000)).await;
    let none = store.run_balance(&case.limits.scope, &"run-2".into()).await;
    assert_eq!(none.expect("an answer"), None);
}

async fn reports_marks_once(case: &Case) {
    let mut marks = Vec::new();
    for number in 0..10 {
        case.held(case.request(number, 1, 900)).await;
        let SettleReply::Applied(applied) = case.end(number, settled(1, 900)).await else {
            panic!("an open hold settles");
        };
        marks.extend(applied.crossings.iter().map(|crossing| crossing.permille));
    }
    assert_eq!(marks, [500, 800]);
    let mut marks = Vec::new();
    for number in 20..23 {
        let refused = case.refused(case.request(number, 1, 5_000)).await;
        marks.extend(refused.crossings.iter().map(|crossing| crossing.permille));
    }
    assert_eq!(marks, [1_000], "the first refusal is the budget's 100 %");
}

async fn forces_a_forgotten_hold(case: &Case) {
    case.held(case.request(1, 1, 9_000)).await;
    let forced = HoldRequest {
        force: true,
        ..case.request(2, 1, 9_000)
    };
    case.held(forced).await;
    assert_eq!(case.money().await, (0, 18_000));
}

async fn waits_as_told(case: &Case) {
    case.held(case.request(1, 60_000, 1)).await;
    let waiting = HoldRequest {
        max_wait_ms: Some(5_000),
        ..case.request(2, 300, 1)
    };
    let refused = case.refused(waiting.clone()).await;
    let [Refusal::Rate { wait_ms, .. }] = &refused.refusals[..] else {
        panic!("only the rate refuses: {refused:?}");
    };
    assert!(
        (200..=301).contains(wait_ms),
        "300 tokens at one a millisecond: {wait_ms}"
    );
    // The earmark keeps smaller callers out until the waiter was served.
    case.subject.pass(*wait_ms - 100).await;
    case.refused(case.request(3, 1, 1)).await;
    case.subject.pass(101).await;
    case.held(waiting).await;
}

async fn keeps_floors(case: &Case) {
    let batch = |number, tokens| HoldRequest {
        floor_permille: 300,
        ..case.request(number, tokens, 1)
    };
    let refused = case.refused(batch(1, 42_001)).await;
    assert!(matches!(
        refused.refusals[..],
        [Refusal::Unsatisfiable { .. }]
    ));
    case.held(batch(2, 41_000)).await;
    case.refused(batch(3, 5_000)).await;
    case.held(case.request(4, 19_000, 1)).await;
}

async fn sums_usage(case: &Case) {
    for number in 0..3 {
        case.held(case.request(number, 1, 100)).await;
        let settlement = Settlement {
            limits: Arc::clone(&case.limits),
            id: case.id(number),
            ending: settled(10, 70),
            record: Some(Arc::new(CallRecord {
                attempts: vec![crate::ledger::AttemptRecord {
                    model: "gpt-4".into(),
                    input_tokens: 8,
                    output_tokens: 2,
                    cost_nano_usd: 70,
                    ..crate::ledger::AttemptRecord::default()
                }],
                ..record()
            })),
        };
        let store = case.subject.store();
        store.settle(settlement).await.expect("an answer");
    }
    let store = case.subject.store();
    let scope = &case.limits.scope;
    let rows = store
        .usage(scope, "0000-00-00", "9999-99-99")
        .await
        .expect("an answer");
    assert_eq!(rows.len(), 1, "{rows:?}");
    assert_eq!(&*rows[0].key.pipeline, "content-analysis");
    assert_eq!(&*rows[0].key.model, "gpt-4");
    assert_eq!(rows[0].sum.calls, 3);
    assert_eq!(rows[0].sum.usage.input, 24);
    assert_eq!(rows[0].sum.cost, Money::from_nanos(210));
}

/// 64 callers at once on a budget for 10: never more than ten get in, and all ten do.
async fn never_overspends_under_a_crowd(case: &Case) {
    let mut limits = limits(&format!("{}-crowd", case.limits.scope.name()));
    limits.gauges.clear();
    let crowd = Case {
        subject: Arc::clone(&case.subject),
        limits: Arc::new(limits),
        random: case.random,
    };
    let asks = (0..64).map(|number| crowd.ask(crowd.request(number, 1, 1_000)));
    let replies = join_all(asks).await;
    let admitted = |reply: &&HoldReply| matches!(reply, HoldReply::Held(_));
    assert_eq!(replies.iter().filter(admitted).count(), 10);
    assert_eq!(crowd.money().await, (0, 10_000));
}

async fn cools_down_and_observes(subject: &Arc<dyn Subject>) {
    let name = format!("openai/gpt-4-{:08x}", fastrand::u32(..));
    let scope = Scope::Deployment(name.as_str().into());
    let limits = Limits {
        scope: scope.clone(),
        budgets: Vec::new(),
        ..limits("unused")
    };
    let case = Case {
        subject: Arc::clone(subject),
        limits: Arc::new(limits),
        random: 1 << 8,
    };
    let store = subject.store();
    case.held(case.request(1, 10, 0)).await;
    let observed = store.observe(&case.limits, Unit::Tokens, 100).await;
    observed.expect("an answer");
    let refused = case.refused(case.request(2, 5_000, 0)).await;
    assert!(matches!(refused.refusals[..], [Refusal::Rate { .. }]));
    store.cool_down(&scope, 300).await.expect("an answer");
    let refused = case.refused(case.request(3, 1, 0)).await;
    let [Refusal::Cooldown { wait_ms }] = refused.refusals[..] else {
        panic!("it is left alone: {refused:?}");
    };
    assert!(wait_ms <= 300);
    subject.pass(320).await;
    case.held(case.request(4, 1, 0)).await;
    assert!(matches!(
        case.end(4, settled(1, 0)).await,
        SettleReply::Applied(_)
    ));
}
