//! What a process that was killed leaves behind.

use super::*;

#[tokio::test(start_paused = true)]
async fn a_charge_counts_once_though_the_first_try_arrived_and_ran_out() {
    let case = Case::new(grace());
    let limits = limits(true);
    case.lose(true);
    for number in [1, 2] {
        assert!(is_held(case.hold(&limits, number, 80).await));
        // It was not answered, but it arrived; and whoever was to cancel it never did.
        let arrived = HoldRequest {
            lease_ms: 0,
            ..request(number, 80)
        };
        let arrived = case.primary.store.hold(&limits, arrived).await;
        assert!(is_held(arrived.ok()));
    }
    let swept = case.primary.store.sweep(&limits).await;
    assert_eq!(swept.expect("it is in memory").len(), 2);
    assert_eq!(case.spent(&limits).await, 160);
    case.settle(&limits, 1, 30).await;
    case.settle(&limits, 2, 50).await;
    case.lose(false);
    case.replayed().await;
    assert_eq!(case.spent(&limits).await, 80);
    let cancelled = request(3, 80);
    assert!(is_held(
        case.primary.store.hold(&limits, cancelled).await.ok()
    ));
    let left = Unlanded {
        team: "news".into(),
        request: request(3, 80),
        ending: None,
        number: None,
    };
    case.failover.restore(left, Arc::clone(&limits));
    case.replayed().await;
    assert_eq!(case.spent(&limits).await, 160, "an open one is taken back");
}

#[tokio::test(start_paused = true)]
async fn a_killed_process_leaves_its_charges_in_its_journal() {
    let longest = Duration::from_secs(3_600);
    let most = Money::from_nanos(2_000);
    let budgets = BudgetsWithout::Grace { most, longest };
    let dir = tempfile::TempDir::new().expect("a directory");
    let open = || OwnJournal::open(dir.path()).expect("it opens");
    let limits = limits(true);
    let primary = Case::new(BudgetsWithout::Deny).primary;
    let killed = Case::beside(Arc::clone(&primary), budgets, Some(open().0));
    killed.lose(true);
    for number in 1..=4 {
        assert!(is_held(killed.hold(&limits, number, 100).await));
    }
    killed.settle(&limits, 1, 60).await;
    let extra = Money::from_nanos(25);
    let extended = killed.failover.extend(&limits, id(2), extra).await;
    assert_eq!(extended, Ok(true));
    let cancel = ending(&limits, id(3), Ending::Cancelled);
    let cancelled = killed.failover.settle(cancel).await;
    assert!(cancelled.is_ok(), "nothing was sent");
    // As a kill would: nobody closes anything, and the lock goes.
    drop(killed);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (journal, left) = open();
    assert_eq!(left.len(), 3, "one ended and two did not");
    let next = Case::beside(primary, budgets, Some(journal));
    for one in left.clone() {
        next.failover.restore(one, Arc::clone(&limits));
    }
    next.lose(false);
    next.replayed().await;
    assert_eq!(next.spent(&limits).await, 60 + 125 + 100);
    // Killed after the shared store had them and before that was noted: told again.
    for one in left {
        next.failover.restore(one, Arc::clone(&limits));
    }
    next.replayed().await;
    assert_eq!(next.spent(&limits).await, 60 + 125 + 100, "once");
    let primary = Arc::clone(&next.primary);
    drop(next);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(open().1, [], "all of it has landed");
    drop(primary);
}
