//! The policies that are chosen rarely.

use super::*;

/// A replica that has lost the shared store.
fn lost(policy: (LimitsWithout, BudgetsWithout)) -> Case {
    let Case { primary, .. } = Case::new(policy.1);
    let case = Case::under(policy, primary, None);
    case.lose(true);
    case
}

#[tokio::test(start_paused = true)]
async fn open_limits_are_not_enforced_and_soft_budgets_are_counted() {
    let case = lost((LimitsWithout::Open, BudgetsWithout::Deny));
    let soft = limits(false);
    for number in 1..=30 {
        let held = case.hold(&soft, number, 10).await;
        assert!(is_held(held), "call {number}: 10 a minute are allowed");
    }
    for number in 1..=30 {
        let settled = case.settle(&soft, number, 7).await;
        assert!(matches!(settled, Some(SettleReply::Applied(_))));
    }
    case.lose(false);
    case.replayed().await;
    assert_eq!(
        case.spent(&soft).await,
        210,
        "the shared store learns of it"
    );
}

#[tokio::test(start_paused = true)]
async fn open_limits_do_not_open_hard_budgets() {
    let case = lost((LimitsWithout::Open, BudgetsWithout::Deny));
    assert_eq!(case.hold(&limits(true), 1, 10).await, None);
}

#[tokio::test(start_paused = true)]
async fn denied_limits_refuse_every_call() {
    let case = lost((LimitsWithout::Deny, BudgetsWithout::Open));
    for hard in [false, true] {
        assert_eq!(case.hold(&limits(hard), 1, 10).await, None);
    }
    case.lose(false);
    assert!(is_held(case.hold(&limits(true), 2, 10).await));
}

#[tokio::test(start_paused = true)]
async fn open_budgets_are_counted_and_become_debt() {
    let case = lost((LimitsWithout::Open, BudgetsWithout::Open));
    let hard = limits(true);
    // The budget has 10,000.
    for number in 1..=3 {
        assert!(is_held(case.hold(&hard, number, 6_000).await));
        assert!(case.settle(&hard, number, 6_000).await.is_some());
    }
    case.lose(false);
    case.replayed().await;
    assert_eq!(case.spent(&hard).await, 18_000);
    let refused = case.hold(&hard, 4, 1).await;
    assert!(
        matches!(refused, Some(HoldReply::Refused(_))),
        "the debt blocks: {refused:?}"
    );
}
