//! The counters of money add up to the account.

use super::{
    fixture::{NOW, USAGE, attempt, catalog, id, limits, observer},
    scrape::Scrape,
};
use crate::{
    complete::AttemptOutcome,
    ledger::CallRecord,
    provider::FailureKind,
    store::{Settlement, Swept},
    telemetry::Observer,
};
use std::sync::{Arc, Mutex};
use tollgate_core::{
    HoldId, Money, Timestamp,
    account::{Account, HoldReply, Memory, SettleReply},
    hold::{Ending, HoldRequest, Need, State},
    limit::{Limits, Scope},
};

const MEMORY: Memory = Memory {
    ended_ms: 600_000,
    expired_ms: 600_000,
};
const LEASE_MS: u64 = 1_000;

/// A team's account, whose every decision is told to an observer.
struct Told {
    observer: Arc<Observer>,
    account: Account,
    limits: Arc<Limits>,
}

impl Told {
    fn hold(&mut self, id: HoldId, amount: i64) {
        let request = HoldRequest {
            id,
            need: Need::default(),
            amount: Money::from_nanos(amount),
            lease_ms: LEASE_MS,
            max_wait_ms: None,
            floor_permille: 0,
            run: None,
            force: false,
        };
        let reply = self.account.hold(&self.limits, &request, NOW);
        assert!(matches!(reply, HoldReply::Held(_)), "{reply:?}");
    }

    fn end(&mut self, id: HoldId, costs: &[i64], now: Timestamp) -> (Settlement, SettleReply) {
        let unknown = AttemptOutcome::Failed(FailureKind::Unknown);
        let record = CallRecord {
            pipeline: "content-analysis".into(),
            attempts: costs
                .iter()
                .map(|cost| (&attempt(unknown, *cost)).into())
                .collect(),
            ..CallRecord::default()
        };
        let cost = costs.iter().map(|cost| Money::from_nanos(*cost)).sum();
        let used = Need::default();
        let ending = if costs.is_empty() {
            Ending::Cancelled
        } else {
            Ending::Settled { used, cost }
        };
        let reply = self.account.end(&self.limits, id, ending, now, MEMORY);
        let settlement = Settlement {
            limits: Arc::clone(&self.limits),
            id,
            ending,
            record: Some(Arc::new(record)),
        };
        (settlement, reply)
    }

    fn tell(&self, (settlement, reply): &(Settlement, SettleReply)) {
        self.observer.settled(settlement, reply);
    }

    fn spent(&self) -> i64 {
        let balances = self.account.balances(&self.limits, NOW);
        balances[0].spent.nanos()
    }
}

#[test]
fn cost_less_corrections_is_what_the_account_spent() {
    let catalog = catalog(2, 4, 2);
    let crossed = Arc::new(Mutex::new(Vec::new()));
    let mut told = Told {
        observer: observer(&catalog),
        account: Account::default(),
        limits: Arc::new(limits("team-0")),
    };
    let sink = Arc::clone(&crossed);
    told.observer.alert_through(Arc::new(move |team, crossing| {
        let mut sink = sink.lock().expect("no panic");
        sink.push((
            Arc::clone(team),
            Arc::clone(&crossing.balance.name),
            crossing.permille,
        ));
    }));
    for number in 1..=5 {
        told.hold(id(number), 100_000);
    }
    // Settled above its hold, by two attempts.
    let settled = told.end(id(1), &[90_000, 30_000], NOW);
    told.tell(&settled);
    let cancelled = told.end(id(2), &[], NOW);
    told.tell(&cancelled);
    // The store did it and its answer was lost: the next try is told that it was done.
    let lost = told.end(id(3), &[7_000], NOW);
    let again = told.end(id(3), &[7_000], NOW);
    assert_eq!(again.1, SettleReply::Duplicate(State::Settled));
    told.tell(&(lost.0, again.1));
    // Two expire, one of them is corrected.
    let later = NOW + LEASE_MS;
    for (id, applied) in told.account.expire_due(&told.limits, later, 10, MEMORY) {
        let scope = Scope::Team("team-0".into());
        told.observer.expired(&scope, &Swept { id, applied });
    }
    let corrected = told.end(id(4), &[400_000], later);
    told.tell(&corrected);
    let repeated = told.end(id(4), &[400_000], later);
    assert_eq!(repeated.1, SettleReply::Duplicate(State::Settled));

    let scrape = Scrape::of(&told.observer.render());
    let of_team = |name: &str| scrape.sum(name, &[("team", "team-0")]);
    let of_model = |model| {
        let labels = [("team", "team-0"), ("model", model)];
        scrape.sum("tollgate_cost_nano_usd_total", &labels)
    };
    assert_eq!(of_model("model-0"), 120_000.0 + 7_000.0 + 400_000.0);
    assert_eq!(of_model("unknown"), 200_000.0, "two expiries in full");
    let cost = of_team("tollgate_cost_nano_usd_total");
    let corrected = of_team("tollgate_cost_corrected_nano_usd_total");
    assert_eq!(corrected, 100_000.0);
    assert_eq!(cost - corrected, told.spent() as f64);
    assert_eq!(of_team("tollgate_pipeline_cost_nano_usd_total"), cost);
    assert_eq!(of_team("tollgate_budget_overrun_nano_usd_total"), 320_000.0);
    let ended = |ending| {
        let labels = [("team", "team-0"), ("ending", ending)];
        scrape.sum("tollgate_holds_ended_total", &labels)
    };
    assert_eq!(
        ["settled", "cancelled", "expired", "corrected"].map(ended),
        [2.0, 1.0, 2.0, 1.0]
    );
    let crossed = crossed.lock().expect("no panic").clone();
    let day = ("team-0".into(), "day".into(), 500);
    assert!(crossed.contains(&day), "{crossed:?}");
    let labels = [("team", "team-0"), ("threshold", "500")];
    let counted = scrape.sum("tollgate_budget_threshold_crossings_total", &labels);
    assert_eq!(
        counted,
        crossed.iter().filter(|c| c.2 == 500).count() as f64
    );
}

#[test]
fn tokens_are_those_of_all_attempts() {
    let catalog = catalog(2, 4, 2);
    let mut told = Told {
        observer: observer(&catalog),
        account: Account::default(),
        limits: Arc::new(limits("team-0")),
    };
    told.hold(id(1), 100_000);
    let settled = told.end(id(1), &[90, 30, 0], NOW);
    told.tell(&settled);
    let scrape = Scrape::of(&told.observer.render());
    let tokens = |class| {
        let labels = [("team", "team-0"), ("model", "model-0"), ("class", class)];
        scrape.sum("tollgate_tokens_total", &labels)
    };
    let of_three = |tokens: u64| (tokens * 3) as f64;
    assert_eq!(tokens("input"), of_three(USAGE.input));
    assert_eq!(tokens("cache_read"), of_three(USAGE.cache_read));
    assert_eq!(tokens("cache_write"), of_three(USAGE.cache_write));
    assert_eq!(tokens("output"), of_three(USAGE.output));
    assert_eq!(tokens("reasoning"), of_three(USAGE.reasoning));
}

#[test]
fn a_deployments_hold_is_no_money() {
    let catalog = catalog(2, 4, 2);
    let observer = observer(&catalog);
    let before = observer.render();
    let limits = Limits::none(Scope::Deployment("provider/deployment-0".into()));
    let settlement = Settlement {
        limits: Arc::new(limits),
        id: id(1),
        ending: Ending::Cancelled,
        record: None,
    };
    observer.settled(&settlement, &SettleReply::Unknown);
    let (before, after) = (Scrape::of(&before), Scrape::of(&observer.render()));
    let moved = after.changed_since(&before);
    assert!(
        moved
            .iter()
            .all(|series| series.name.starts_with("process_")),
        "{moved:?}"
    );
}
