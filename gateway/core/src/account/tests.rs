//! The rules of an account, one by one.

mod histories;

use super::*;
use crate::{
    account::SettleReply,
    budget::{Calendar, Mark, Window},
    hold::{Ending, RunTake},
    limit::{GaugeSpec, Scope, Unit},
};

const MEMORY: Memory = Memory {
    ended_ms: 60_000,
    expired_ms: 600_000,
};
const START: Timestamp = Timestamp::from_millis(1_000_000_000);
const DAY_MS: i64 = 10_000_000;

/// Days of ten million milliseconds, counted from the epoch.
#[derive(Debug)]
struct Days;

impl Calendar for Days {
    fn window_at(&self, now: Timestamp) -> Window {
        let day = now.millis() / DAY_MS;
        Window {
            id: day.to_string().into(),
            ends_at: Some(Timestamp::from_millis((day + 1) * DAY_MS)),
        }
    }
}

fn limits(tokens: u64, concurrency: u64, budget: i64) -> Limits {
    Limits {
        scope: Scope::Team("news".into()),
        buckets: vec![
            BucketSpec::per_minute(Unit::Requests, 1_000),
            BucketSpec::per_minute(Unit::Tokens, tokens),
        ],
        gauges: vec![GaugeSpec {
            name: "concurrency".into(),
            limit: concurrency,
        }],
        budgets: vec![BudgetSpec {
            name: "day".into(),
            limit: Some(Money::from_nanos(budget)),
            hard: true,
            calendar: Arc::new(Days),
            marks: [500, 800, 1_000].map(|permille| Mark { permille }).into(),
        }],
    }
}

fn id(number: u64) -> HoldId {
    HoldId::new(START, u128::from(number) << 8)
}

fn request(number: u64, tokens: u64, amount: i64) -> HoldRequest {
    HoldRequest {
        id: id(number),
        need: Need {
            requests: 1,
            input_tokens: tokens,
            output_tokens: 0,
        },
        amount: Money::from_nanos(amount),
        lease_ms: 30_000,
        max_wait_ms: None,
        floor_permille: 0,
        run: None,
        force: false,
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

fn spent(account: &Account, limits: &Limits, now: Timestamp) -> (i64, i64) {
    let balance = &account.balances(limits, now)[0];
    (balance.spent.nanos(), balance.held.nanos())
}

fn refusals(reply: HoldReply) -> Vec<Refusal> {
    match reply {
        HoldReply::Refused(refused) => refused.refusals,
        other => panic!("expected a refusal, not {other:?}"),
    }
}

#[test]
fn a_hold_that_does_not_fit_changes_no_balance() {
    let limits = limits(100, 10, 1_000);
    let mut account = Account::default();
    account.hold(&limits, &request(1, 50, 600), START);
    let level = account.level("tokens_per_minute");
    let all = refusals(account.hold(&limits, &request(2, 60, 600), START));
    assert_eq!(
        all.len(),
        2,
        "the bucket and the budget, both named: {all:?}"
    );
    assert_eq!(spent(&account, &limits, START), (0, 600));
    assert_eq!(account.level("tokens_per_minute"), level);
    assert_eq!(account.gauge("concurrency"), 1);
}

#[test]
fn a_budget_that_is_only_held_may_be_waited_for_and_a_spent_one_may_not() {
    let limits = limits(1_000, 10, 1_000);
    let mut account = Account::default();
    account.hold(&limits, &request(1, 1, 900), START);
    let refusal = &refusals(account.hold(&limits, &request(2, 1, 200), START))[0];
    assert_eq!(refusal.cure(), Cure::Release);
    account.end(&limits, id(1), settled(1, 900), START, MEMORY);
    let refusal = &refusals(account.hold(&limits, &request(3, 1, 200), START))[0];
    assert_eq!(refusal.cure(), Cure::None);
}

#[test]
fn overrun_is_charged_and_then_blocks() {
    let limits = limits(1_000, 10, 1_000);
    let mut account = Account::default();
    account.hold(&limits, &request(1, 10, 100), START);
    let SettleReply::Applied(applied) =
        account.end(&limits, id(1), settled(500, 1_500), START, MEMORY)
    else {
        panic!("an open hold settles");
    };
    assert_eq!(applied.overrun, Money::from_nanos(1_400));
    assert_eq!(spent(&account, &limits, START), (1_500, 0));
    assert_eq!(account.level("tokens_per_minute"), Some(500 * 60_000));
    assert!(matches!(
        account.hold(&limits, &request(2, 1, 1), START),
        HoldReply::Refused(_)
    ));
}

#[test]
fn an_expired_hold_is_charged_in_full_and_corrected_once() {
    let limits = limits(1_000, 10, 1_000);
    let mut account = Account::default();
    account.hold(&limits, &request(1, 10, 300), START);
    assert!(
        account
            .expire_due(&limits, START + 29_999, 10, MEMORY)
            .is_empty()
    );
    let expired = account.expire_due(&limits, START + 30_000, 10, MEMORY);
    assert_eq!(expired.len(), 1);
    assert_eq!(spent(&account, &limits, START), (300, 0));
    let late = account.end(&limits, id(1), settled(5, 40), START + 31_000, MEMORY);
    assert!(matches!(
        late,
        SettleReply::Applied(Applied {
            corrected: true,
            ..
        })
    ));
    assert_eq!(spent(&account, &limits, START), (40, 0));
    let again = account.end(&limits, id(1), settled(5, 40), START + 32_000, MEMORY);
    assert_eq!(again, SettleReply::Duplicate(State::Settled));
}

#[test]
fn a_renewed_lease_does_not_expire() {
    let limits = limits(1_000, 10, 1_000);
    let mut account = Account::default();
    account.hold(&limits, &request(1, 1, 1), START);
    assert!(account.renew(&[id(1)], 30_000, START + 20_000).is_empty());
    assert!(
        account
            .expire_due(&limits, START + 40_000, 10, MEMORY)
            .is_empty()
    );
    assert_eq!(account.renew(&[id(9)], 30_000, START), vec![id(9)]);
}

#[test]
fn a_cancel_that_overtakes_its_hold_keeps_it_out() {
    let limits = limits(1_000, 10, 1_000);
    let mut account = Account::default();
    let reply = account.end(&limits, id(1), Ending::Cancelled, START, MEMORY);
    assert_eq!(reply, SettleReply::Unknown);
    let reply = account.hold(&limits, &request(1, 1, 1), START);
    assert_eq!(reply, HoldReply::Duplicate(State::Cancelled));
}

#[test]
fn a_hold_is_settled_in_the_window_that_admitted_it() {
    let limits = limits(1_000, 10, 1_000);
    let mut account = Account::default();
    let evening = Timestamp::from_millis(DAY_MS * 200 - 1);
    account.hold(&limits, &request(1, 1, 100), evening);
    account.end(&limits, id(1), settled(1, 70), evening + 10, MEMORY);
    assert_eq!(spent(&account, &limits, evening), (70, 0));
    assert_eq!(spent(&account, &limits, evening + 10), (0, 0));
}

#[test]
fn each_mark_is_reported_once_per_window() {
    let limits = limits(100_000, 10, 1_000);
    let mut account = Account::default();
    let mut reported = Vec::new();
    for number in 0..10 {
        account.hold(&limits, &request(number, 1, 100), START);
        let reply = account.end(&limits, id(number), settled(1, 100), START, MEMORY);
        if let SettleReply::Applied(applied) = reply {
            reported.extend(applied.crossings.iter().map(|c| c.permille));
        }
    }
    assert_eq!(reported, [500, 800, 1_000]);
}

#[test]
fn the_first_refusal_of_a_budget_is_its_hundred_percent() {
    let limits = limits(1_000, 10, 1_000);
    let mut account = Account::default();
    account.hold(&limits, &request(1, 1, 900), START);
    let mut crossings = Vec::new();
    for number in 2..5 {
        if let HoldReply::Refused(refused) = account.hold(&limits, &request(number, 1, 200), START)
        {
            crossings.extend(refused.crossings.iter().map(|c| c.permille));
        }
    }
    assert_eq!(crossings, [1_000]);
}

#[test]
fn a_runs_budget_is_fixed_by_its_first_call() {
    let limits = limits(1_000, 10, 10_000);
    let mut account = Account::default();
    let with_run = |number, limit| HoldRequest {
        run: Some(RunTake {
            run: "r1".into(),
            limit: Money::from_nanos(limit),
        }),
        ..request(number, 1, 60)
    };
    assert!(matches!(
        account.hold(&limits, &with_run(1, 100), START),
        HoldReply::Held(_)
    ));
    let all = refusals(account.hold(&limits, &with_run(2, 100), START));
    assert!(matches!(&all[..], [Refusal::Budget { balance, .. }] if &*balance.name == RUN));
    assert_eq!(
        account.hold(&limits, &with_run(3, 200), START),
        HoldReply::RunBudgetConflict {
            limit: Money::from_nanos(100)
        }
    );
    assert_eq!(spent(&account, &limits, START), (0, 60));
}

#[test]
fn an_extension_is_taken_from_all_budgets_or_from_none() {
    let limits = limits(1_000, 10, 1_000);
    let mut account = Account::default();
    account.hold(&limits, &request(1, 1, 600), START);
    assert!(account.extend(&limits, id(1), Money::from_nanos(400), START));
    assert!(!account.extend(&limits, id(1), Money::from_nanos(1), START));
    assert!(!account.extend(&limits, id(2), Money::ZERO, START));
    assert_eq!(spent(&account, &limits, START), (0, 1_000));
    account.end(&limits, id(1), Ending::Cancelled, START, MEMORY);
    assert_eq!(spent(&account, &limits, START), (0, 0));
}

#[test]
fn a_large_waiter_is_not_starved_by_small_callers() {
    let limits = limits(600, 1_000, i64::from(i32::MAX));
    let mut account = Account::default();
    account.hold(&limits, &request(1, 600, 1), START);
    let large = HoldRequest {
        max_wait_ms: Some(120_000),
        ..request(2, 600, 1)
    };
    let mut admitted_at = None;
    let mut next_poll = 0;
    // Small callers ask for three times what flows in, every 100 ms.
    for step in 0..1_200u64 {
        let now = START + step * 100;
        if step * 100 >= next_poll {
            match account.hold(&limits, &large, now) {
                HoldReply::Held(_) => {
                    admitted_at = Some(step * 100);
                    break;
                }
                HoldReply::Refused(refused) => {
                    let waits = refused.refusals.iter().map(|refusal| match refusal.cure() {
                        Cure::After(ms) => ms,
                        other => panic!("only the rate refuses, not {other:?}"),
                    });
                    next_poll = step * 100 + waits.max().unwrap_or(0);
                }
                other => panic!("{other:?}"),
            }
        }
        account.hold(&limits, &request(1_000 + step, 3, 1), now);
    }
    let at = admitted_at.expect("the large caller gets in");
    assert!(
        at <= 60_000 + 200,
        "admitted after {at} ms, ideal is 60,000"
    );
}

#[test]
fn a_cooldown_refuses_until_it_is_over() {
    let limits = limits(1_000, 10, 1_000);
    let mut account = Account::default();
    account.cool_down(2_000, START);
    account.cool_down(500, START);
    let all = refusals(account.hold(&limits, &request(1, 1, 1), START + 500));
    assert_eq!(all, [Refusal::Cooldown { wait_ms: 1_500 }]);
    let reply = account.hold(&limits, &request(1, 1, 1), START + 2_000);
    assert!(matches!(reply, HoldReply::Held(_)));
}

#[test]
fn ended_holds_are_forgotten_in_time() {
    let limits = limits(100_000, 1_000, i64::from(i32::MAX));
    let mut account = Account::default();
    for number in 0..500 {
        let now = START + number * 1_000;
        account.hold(&limits, &request(number, 1, 1), now);
        account.end(&limits, id(number), settled(1, 1), now, MEMORY);
    }
    assert!(account.remembered() <= 61, "{}", account.remembered());
}
