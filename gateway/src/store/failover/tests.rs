//! The policy without the shared store, and what it learns afterwards.

mod policies;
mod restart;

use super::*;
use crate::{
    store::{TopUp, ToppedUp},
    telemetry::Observer,
    testing::{ManualClock, OneWindow, VecJournal},
};
use std::sync::atomic::{AtomicBool, Ordering};
use tollgate_core::{
    Timestamp,
    budget::{BudgetSpec, Mark},
    hold::{Ending, Need, State},
    limit::{BucketSpec, GaugeSpec},
};

/// How long a grace lasts.
const LONGEST: Duration = Duration::from_secs(30);

/// A shared store that can be lost.
struct Losable {
    store: MemoryStore,
    lost: AtomicBool,
}

impl Losable {
    fn check(&self) -> Result<(), StoreError> {
        if self.lost.load(Ordering::SeqCst) {
            let detail = "it is lost".to_owned();
            return Err(StoreError { detail });
        }
        Ok(())
    }
}

macro_rules! lose {
    ($self:ident, $answer:expr) => {
        async move {
            $self.check()?;
            $answer.await
        }
        .boxed()
    };
}

impl Store for Losable {
    fn hold<'a>(&'a self, limits: &'a Arc<Limits>, request: HoldRequest) -> Reply<'a, HoldReply> {
        lose!(self, self.store.hold(limits, request))
    }
    fn probe<'a>(
        &'a self,
        limits: &'a Arc<Limits>,
        request: HoldRequest,
    ) -> Reply<'a, Vec<Refusal>> {
        lose!(self, self.store.probe(limits, request))
    }
    fn extend<'a>(&'a self, limits: &'a Arc<Limits>, id: HoldId, extra: Money) -> Reply<'a, bool> {
        lose!(self, self.store.extend(limits, id, extra))
    }
    fn settle(&self, settlement: Settlement) -> Reply<'_, SettleReply> {
        lose!(self, self.store.settle(settlement))
    }
    fn renew<'a>(
        &'a self,
        scope: &'a Scope,
        ids: &'a [HoldId],
        lease_ms: u64,
    ) -> Reply<'a, Vec<HoldId>> {
        lose!(self, self.store.renew(scope, ids, lease_ms))
    }
    fn sweep<'a>(&'a self, limits: &'a Arc<Limits>) -> Reply<'a, Vec<Swept>> {
        lose!(self, self.store.sweep(limits))
    }
    fn cool_down<'a>(&'a self, scope: &'a Scope, wait_ms: u64) -> Reply<'a, ()> {
        lose!(self, self.store.cool_down(scope, wait_ms))
    }
    fn observe<'a>(&'a self, limits: &'a Arc<Limits>, unit: Unit, remaining: u64) -> Reply<'a, ()> {
        lose!(self, self.store.observe(limits, unit, remaining))
    }
    fn balances<'a>(&'a self, limits: &'a Arc<Limits>) -> Reply<'a, Vec<Balance>> {
        lose!(self, self.store.balances(limits))
    }
    fn top_up<'a>(&'a self, limits: &'a Arc<Limits>, top_up: TopUp) -> Reply<'a, ToppedUp> {
        lose!(self, self.store.top_up(limits, top_up))
    }
    fn run_balance<'a>(&'a self, team: &'a Scope, run: &'a Arc<str>) -> Reply<'a, Option<Balance>> {
        lose!(self, self.store.run_balance(team, run))
    }
    fn usage<'a>(
        &'a self,
        team: &'a Scope,
        first: &'a str,
        last: &'a str,
    ) -> Reply<'a, Vec<UsageRow>> {
        lose!(self, self.store.usage(team, first, last))
    }
}

struct Case {
    failover: Arc<Failover>,
    primary: Arc<Losable>,
    tasks: TaskTracker,
}

impl Case {
    fn new(budgets: BudgetsWithout) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(1_764_000_000_000));
        let ledger = Arc::new(VecJournal::default());
        let primary = Arc::new(Losable {
            store: MemoryStore::new(clock, ledger),
            lost: AtomicBool::new(false),
        });
        Self::beside(primary, budgets, None)
    }

    /// Another process beside the same shared store.
    fn beside(
        primary: Arc<Losable>,
        budgets: BudgetsWithout,
        journal: Option<Arc<OwnJournal>>,
    ) -> Self {
        Self::under((LimitsWithout::LocalFraction, budgets), primary, journal)
    }

    fn under(
        (limits, budgets): (LimitsWithout, BudgetsWithout),
        primary: Arc<Losable>,
        journal: Option<Arc<OwnJournal>>,
    ) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(1_764_000_000_000));
        let policy = Policy {
            limits,
            budgets,
            replicas: NonZeroU32::new(2).expect("not zero"),
        };
        let tasks = TaskTracker::new();
        let observer = Arc::new(Observer::default());
        let failover = Failover::new(
            Arc::clone(&primary) as _,
            policy,
            (clock, observer),
            journal,
            &tasks,
        );
        Self {
            failover,
            primary,
            tasks,
        }
    }

    fn lose(&self, lost: bool) {
        self.primary.lost.store(lost, Ordering::SeqCst);
    }

    async fn hold(&self, limits: &Arc<Limits>, number: u128, amount: i64) -> Option<HoldReply> {
        let request = request(number, amount);
        self.failover.hold(limits, request).await.ok()
    }

    async fn settle(&self, limits: &Arc<Limits>, number: u128, cost: i64) -> Option<SettleReply> {
        let settled = Ending::Settled {
            used: Need::default(),
            cost: Money::from_nanos(cost),
        };
        let settlement = ending(limits, id(number), settled);
        self.failover.settle(settlement).await.ok()
    }

    async fn spent(&self, limits: &Arc<Limits>) -> i64 {
        let balances = self.primary.store.balances(limits).await;
        balances.expect("memory answers")[0].spent.nanos()
    }

    async fn replayed(&self) {
        while self.failover.replays_waiting() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

fn id(number: u128) -> HoldId {
    HoldId::new(Timestamp::from_millis(1), number << 8)
}

fn request(number: u128, amount: i64) -> HoldRequest {
    HoldRequest {
        id: id(number),
        need: Need {
            requests: 1,
            input_tokens: 0,
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

fn limits(hard: bool) -> Arc<Limits> {
    Arc::new(Limits {
        scope: Scope::Team("news".into()),
        buckets: vec![BucketSpec::per_minute(Unit::Requests, 10)],
        gauges: vec![GaugeSpec {
            name: "concurrency".into(),
            limit: 100,
        }],
        budgets: vec![BudgetSpec {
            name: "day".into(),
            limit: Some(Money::from_nanos(10_000)),
            hard,
            calendar: Arc::new(OneWindow),
            marks: Arc::new([Mark { permille: 500 }]),
        }],
    })
}

fn ending(limits: &Arc<Limits>, id: HoldId, ending: Ending) -> Settlement {
    Settlement {
        limits: Arc::clone(limits),
        id,
        ending,
        record: None,
    }
}

/// A policy that lets this replica spend 200 of a grace of 400.
fn grace() -> BudgetsWithout {
    BudgetsWithout::Grace {
        most: Money::from_nanos(400),
        longest: LONGEST,
    }
}

fn is_held(reply: Option<HoldReply>) -> bool {
    matches!(reply, Some(HoldReply::Held(_)))
}

#[tokio::test(start_paused = true)]
async fn a_hard_budget_that_cant_be_looked_at_is_not_spent() {
    let case = Case::new(BudgetsWithout::Deny);
    let limits = limits(true);
    assert!(is_held(case.hold(&limits, 1, 100).await));
    case.lose(true);
    assert_eq!(case.hold(&limits, 2, 100).await, None);
    assert_eq!(
        case.settle(&limits, 1, 60).await,
        None,
        "it was granted there"
    );
    case.lose(false);
    assert!(case.settle(&limits, 1, 60).await.is_some());
    assert!(is_held(case.hold(&limits, 3, 100).await));
}

#[tokio::test(start_paused = true)]
async fn without_hard_budgets_a_replica_keeps_to_its_part() {
    let case = Case::new(BudgetsWithout::Deny);
    let limits = limits(false);
    case.lose(true);
    for number in 1..=4 {
        let held = case.hold(&limits, number, 100).await;
        assert!(is_held(held), "10 a minute, two replicas, 80 %");
    }
    let refused = case.hold(&limits, 5, 100).await;
    assert!(
        matches!(refused, Some(HoldReply::Refused(_))),
        "{refused:?}"
    );
    for number in 1..=4 {
        let settled = case.settle(&limits, number, 70).await;
        assert!(matches!(settled, Some(SettleReply::Applied(_))));
    }
    case.lose(false);
    case.replayed().await;
    assert_eq!(
        case.spent(&limits).await,
        280,
        "the shared store learns of it"
    );
    let again = case.settle(&limits, 1, 70).await;
    assert_eq!(
        again,
        Some(SettleReply::Duplicate(State::Cancelled)),
        "and only once"
    );
    case.replayed().await;
    assert_eq!(case.spent(&limits).await, 280);
}

#[tokio::test(start_paused = true)]
async fn a_grace_is_small_and_ends() {
    let case = Case::new(grace());
    let limits = limits(true);
    case.lose(true);
    assert!(is_held(case.hold(&limits, 1, 150).await));
    assert_eq!(
        case.hold(&limits, 2, 100).await,
        None,
        "200 of the grace are this replica's"
    );
    assert!(is_held(case.hold(&limits, 3, 50).await));
    case.settle(&limits, 1, 120).await;
    tokio::time::sleep(LONGEST).await;
    assert_eq!(case.hold(&limits, 4, 10).await, None, "not for ever");
    case.lose(false);
    case.replayed().await;
    assert_eq!(case.spent(&limits).await, 120);
    // What is still open here is settled here, whoever answers now.
    assert!(case.settle(&limits, 3, 50).await.is_some());
    case.replayed().await;
    assert_eq!(case.spent(&limits).await, 170);
}

#[tokio::test(start_paused = true)]
async fn a_deployment_has_no_budget_and_goes_on() {
    let case = Case::new(BudgetsWithout::Deny);
    let mut limits = (*limits(false)).clone();
    limits.scope = Scope::Deployment("openai/gpt-4".into());
    limits.budgets.clear();
    let limits = Arc::new(limits);
    case.lose(true);
    assert!(is_held(case.hold(&limits, 1, 0).await));
    assert!(case.settle(&limits, 1, 0).await.is_some());
    assert_eq!(case.failover.replays_waiting(), 0);
    case.tasks.close();
    drop(case.failover);
    case.tasks.wait().await;
}

#[tokio::test(start_paused = true)]
async fn a_charge_is_told_though_the_first_try_was_cancelled() {
    let case = Case::new(grace());
    let limits = limits(true);
    case.lose(true);
    assert!(is_held(case.hold(&limits, 1, 150).await));
    // A try that is not answered in time leaves a tombstone behind.
    for number in [255, 254] {
        let cancel = ending(&limits, id(1).attempt(number), Ending::Cancelled);
        let buried = case.primary.store.settle(cancel).await;
        buried.expect("it is in memory");
    }
    case.settle(&limits, 1, 120).await;
    case.lose(false);
    case.replayed().await;
    assert_eq!(case.spent(&limits).await, 120);
}
