//! Many replicas on one tight budget, with everything that goes wrong between them.

use super::*;

const REPLICAS: usize = 8;
const BUDGET: i64 = 50_000_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_replicas_never_overspend_a_tight_budget() {
    let server = Arc::new(Server::start());
    let settings = settings(&server.url());
    let bench = Bench::with_teams(&settings, vec!["tight".into()]).await;
    let limits = team_limits("tight", BUDGET);
    // The first hold waits for the balances.
    let first = bench.store.balances(&limits).await;
    first.expect("an answer");
    let mut work = tokio::task::JoinSet::new();
    for _ in 0..REPLICAS {
        let store = bench.replica(&settings).await;
        let (limits, server) = (Arc::clone(&limits), Arc::clone(&server));
        work.spawn(async move { replica(store, limits, server).await });
    }
    let mut totals = Totals::default();
    while let Some(done) = work.join_next().await {
        let done = done.expect("no panic");
        totals.charged += done.charged;
        totals.abandoned += done.abandoned;
        totals.refused += done.refused;
    }
    assert!(totals.refused > 0, "the budget was tight");
    // Leases of what was abandoned end.
    tokio::time::sleep(Duration::from_millis(400)).await;
    let mut swept = 0;
    loop {
        let some = bench.store.sweep(&limits).await.expect("an answer");
        if some.is_empty() {
            break;
        }
        swept += some.len();
        totals.charged += some.iter().map(|s| s.applied.charged.nanos()).sum::<i64>();
    }
    assert_eq!(
        swept, totals.abandoned,
        "each abandoned hold was swept once"
    );
    let (spent, held) = money(&*bench.store, &limits).await;
    assert_eq!(held, 0);
    assert_eq!(spent, totals.charged, "to the nano");
    assert!(spent <= BUDGET, "{spent} of {BUDGET}");
    assert!(spent > BUDGET / 100 * 95, "and it is used: {spent}");
    let fold = bench.drained(&"tight".into()).await;
    assert_eq!(
        fold.spent("tight", &day()).nanos(),
        spent,
        "the ledger agrees"
    );
    bench.stop().await;
}

#[derive(Default)]
struct Totals {
    charged: i64,
    abandoned: usize,
    refused: usize,
}

/// Holds and settles until the budget refuses for a while.
async fn replica(store: Arc<RedisStore>, limits: Arc<Limits>, server: Arc<Server>) -> Totals {
    let mut totals = Totals::default();
    let mut refusals_in_a_row = 0;
    while refusals_in_a_row < 30 {
        let amount = fastrand::i64(1_000..200_000);
        let id = new_id();
        let request = HoldRequest {
            lease_ms: 300_000,
            ..ask(id, amount)
        };
        let abandon = fastrand::u8(..50) == 0;
        let request = HoldRequest {
            lease_ms: if abandon { 300 } else { request.lease_ms },
            ..request
        };
        if fastrand::u8(..100) == 0 {
            server.command("SCRIPT FLUSH");
        }
        let reply = store.hold(&limits, request.clone()).await;
        match reply.expect("an answer") {
            HoldReply::Held(_) => refusals_in_a_row = 0,
            HoldReply::Refused(_) => {
                refusals_in_a_row += 1;
                totals.refused += 1;
                tokio::time::sleep(Duration::from_millis(2)).await;
                continue;
            }
            other => panic!("{other:?}"),
        }
        if abandon {
            totals.abandoned += 1;
            continue;
        }
        if fastrand::u8(..10) == 0 {
            let again = store.hold(&limits, request).await.expect("an answer");
            assert_eq!(again, HoldReply::Duplicate(State::Open));
        }
        let end = match fastrand::u8(..5) {
            0 => Ending::Cancelled,
            _ => settled(fastrand::i64(0..=amount)),
        };
        for turn in 0..fastrand::u8(1..3) {
            let reply = store.settle(ending(&limits, id, end)).await;
            match (turn, reply.expect("an answer")) {
                (0, SettleReply::Applied(applied)) => totals.charged += applied.charged.nanos(),
                (_, SettleReply::Duplicate(_)) => {}
                (turn, other) => panic!("try {turn}: {other:?}"),
            }
        }
    }
    totals
}
