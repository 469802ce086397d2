//! A load that reaches everything that the gateway can tell.

use super::fixture::{NOW, attempt, call, completion, deployment, failure, id, limits};
use crate::{
    call::Target,
    catalog::{Catalog, Team},
    complete::AttemptOutcome,
    error::{Denial, Error},
    health::Condition,
    ledger::CallRecord,
    provider::FailureKind,
    store::{Settlement, Swept, event::StoreObserver as _},
    telemetry::{
        Lengths, Observer,
        labels::{Closed as _, Component, Delivery, Limiter, Rpc, StoreCommand, all_errors},
    },
};
use std::{sync::Arc, time::Duration};
use tollgate_core::{
    Money,
    account::{Applied, Held, Refusal, SettleReply},
    breaker::Breaker,
    budget::{Balance, Crossing, Window},
    hold::{Ending, Need, State},
    limit::Scope,
};

/// Calls every method of the observer, with every outcome, failure and ending.
pub(super) fn everything(observer: &Arc<Observer>, catalog: &Catalog) {
    let team = &catalog.teams["team-0"];
    calls(observer, team);
    refusals(observer, team);
    attempts(observer);
    endings(observer, team);
    gateway(observer);
}

fn calls(observer: &Arc<Observer>, team: &Arc<Team>) {
    let call = call(Target::Route("route-0".into()), "content-analysis");
    let (first, second) = (Arc::from("model-0"), Arc::from("model-1"));
    let mut seen = observer.call_started(team, &call);
    seen.named(id(1));
    seen.planned(&"route-0".into(), &first, &"2026-11-24".into());
    drop(seen.waiting());
    seen.admitted(&held(), Duration::ZERO);
    let deployment = "provider/deployment-0".into();
    seen.attempting(&deployment, &first);
    seen.attempt_ended(Some(&failure(FailureKind::Throttled)));
    seen.attempting_after(&first, FailureKind::Throttled, &first);
    seen.attempting(&deployment, &first);
    seen.attempt_ended(Some(&failure(FailureKind::Unavailable)));
    for kind in FailureKind::ALL {
        seen.attempting_after(&first, kind, &second);
    }
    seen.attempting(&deployment, &second);
    seen.attempt_ended(None);
    seen.answered(&completion(false));
    observer
        .call_started(team, &call)
        .answered(&completion(true));
    drop(observer.call_started(team, &call));
    for error in all_errors() {
        observer.call_started(team, &call).failed(&error);
        observer.refused_early(&error);
    }
    // Left open: in flight.
    std::mem::forget(observer.call_started(team, &call));
}

fn refusals(observer: &Arc<Observer>, team: &Arc<Team>) {
    let call = call(Target::Model("model-0".into()), "");
    let rate = |name: &str| Refusal::Rate {
        limit: name.into(),
        wait_ms: 5,
    };
    let mut refusals: Vec<Refusal> = Limiter::NAMES.iter().map(|name| rate(name)).collect();
    refusals.push(Refusal::Cooldown { wait_ms: 5 });
    for name in ["day", "month", "run"] {
        let balance = balance(name);
        let need = Money::from_nanos(5);
        refusals.push(Refusal::Budget { balance, need });
    }
    observer.quota_refused(&"provider/deployment-0".into(), &refusals);
    let denial = Denial {
        refusals: refusals.clone(),
        retry_after_ms: None,
    };
    for error in [
        Error::LimitUnsatisfiable(refusals),
        Error::BudgetExhausted(denial),
        Error::StoreUnavailable,
    ] {
        let mut seen = observer.call_started(team, &call);
        seen.denied(&error);
        seen.failed(&error);
    }
}

fn attempts(observer: &Arc<Observer>) {
    let deployment = deployment("provider/deployment-0");
    for outcome in AttemptOutcome::ALL {
        let failure = match outcome {
            AttemptOutcome::Ok => None,
            AttemptOutcome::Failed(kind) => Some(failure(*kind)),
        };
        observer.attempted(id(1), &deployment, &attempt(*outcome, 5), failure.as_ref());
    }
    observer.breaker_opened(&deployment.id);
    observer.attempted(id(1), &deployment, &attempt(AttemptOutcome::Ok, 5), None);
    let condition = Condition {
        breaker: Breaker::Open { until: NOW },
        cooldown_ms: Some(1_500),
        drained: true,
    };
    observer.condition_seen(&deployment.id, &condition);
}

fn endings(observer: &Arc<Observer>, team: &Arc<Team>) {
    let record = CallRecord {
        pipeline: "content-analysis".into(),
        attempts: vec![(&attempt(AttemptOutcome::Ok, 900)).into()],
        ..CallRecord::default()
    };
    let settlement = Settlement {
        limits: Arc::new(limits(&team.name)),
        id: id(1),
        ending: Ending::Settled {
            used: Need::default(),
            cost: Money::from_nanos(900),
        },
        record: Some(Arc::new(record)),
    };
    for (state, corrected) in [
        (State::Settled, false),
        (State::Settled, true),
        (State::Cancelled, false),
    ] {
        let reply = SettleReply::Applied(applied(state, corrected));
        observer.settled(&settlement, &reply);
    }
    for reply in [
        SettleReply::Duplicate(State::Settled),
        SettleReply::Unknown,
        SettleReply::Alive,
    ] {
        observer.settled(&settlement, &reply);
    }
    let swept = Swept {
        id: id(2),
        applied: applied(State::Expired, false),
    };
    observer.expired(&Scope::Team(Arc::clone(&team.name)), &swept);
    observer.expired(&Scope::Deployment("provider/deployment-0".into()), &swept);
    observer.budget_balances(
        &team.name,
        &[balance("day"), balance("month"), balance("run")],
    );
}

fn gateway(observer: &Arc<Observer>) {
    for rpc in Rpc::NAMES {
        for code in 0..17 {
            observer.rpc_started(&format!("/{rpc}")).handled(code);
        }
    }
    drop(observer.rpc_started("/tollgate.v1.CompletionService/Complete"));
    let shed = observer.rpc_started("/tollgate.v1.CompletionService/Complete");
    shed.refused(&Error::Overloaded { retry_after_ms: 1 });
    for reason in ["draining", "in_flight", "memory"] {
        observer.shed(reason);
    }
    observer.authenticated(true);
    observer.authenticated(false);
    observer.bounded(100);
    observer.certificate_shown(1_893_456_000);
    observer.draining();
    observer.panicked();
    observer.store_down("timeout");
    observer.ledger_failed("the disk is full");
    observer.ledger_writer(true);
    for decision in ["held", "refused", "unavailable"] {
        observer.decided_locally(&Scope::Team("news".into()), decision);
    }
    observer.ledger_compared(Money::from_nanos(-3));
    for component in Component::ALL {
        observer.store_degraded(*component);
    }
    for command in StoreCommand::ALL {
        let took = Duration::from_millis(2);
        observer.store_called(*command, took, &Err::<(), ()>(()));
    }
    for delivery in Delivery::ALL {
        observer.alert_handled(*delivery);
    }
    observer.lengths_seen(Lengths {
        settlement_backlog: 1,
        holds_open: 2,
        ledger_buffered_bytes: 3,
        ledger_dropped: 4,
        log_lines_dropped: 5,
        interactions_dropped: 6,
    });
    observer.config_rejected(&"routes.x: no such model");
}

fn held() -> Held {
    Held {
        now: NOW,
        budgets: vec![balance("day"), balance("month"), balance("run")],
        remaining: vec![500, 250, 125, 0],
    }
}

fn balance(name: &str) -> Balance {
    Balance {
        name: name.into(),
        window: Window {
            id: "2026-11-24".into(),
            ends_at: Some(NOW + 3_600_000),
        },
        limit: Some(Money::from_nanos(2_000_000)),
        hard: true,
        spent: Money::from_nanos(900_000),
        held: Money::from_nanos(1_000),
    }
}

fn applied(state: State, corrected: bool) -> Applied {
    let crossing = |name, permille| Crossing {
        balance: balance(name),
        permille,
    };
    Applied {
        now: NOW,
        state,
        corrected,
        held: Money::from_nanos(1_000),
        charged: Money::from_nanos(if state == State::Cancelled { 0 } else { 1_200 }),
        counters: Vec::new(),
        crossings: vec![
            crossing("day", 500),
            crossing("month", 800),
            crossing("day", 123),
        ],
        overrun: Money::from_nanos(200),
    }
}
