//! Redis frozen, killed, restarted without its last writes, and failed over.

use super::*;

/// A short deadline, though longer than in production: test machines are shared.
fn hasty(url: &str) -> Settings {
    Settings {
        command_timeout: Duration::from_millis(100),
        ..settings(url)
    }
}

fn downs(events: &Events) -> usize {
    events.count(|event| matches!(event, StoreEvent::Down { .. }))
}

/// What this replica knew was told to another Redis, all of it.
fn reasserted(events: &Events) {
    let whole = |event: &StoreEvent| matches!(event, StoreEvent::Reasserted { failed: 0, .. });
    assert!(events.count(whole) >= 1, "{:?}", events.all());
}

async fn is_up(store: &RedisStore, within: Duration) -> bool {
    let until = Instant::now() + within;
    while Instant::now() < until {
        if store.is_up() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    false
}

async fn hold(store: &RedisStore, limits: &Arc<Limits>, amount: i64) -> HoldId {
    let id = new_id();
    // Loaded machines may miss a deadline now and then; what was refused so is cancelled.
    let reply = store.hold(limits, ask(id, amount)).await;
    assert!(matches!(reply, Ok(HoldReply::Held(_))), "{reply:?}");
    id
}

/// So many holds are refused, one after the other.
async fn refused(store: &RedisStore, limits: &Arc<Limits>, count: usize) {
    for _ in 0..count {
        assert!(store.hold(limits, ask(new_id(), 1)).await.is_err());
    }
}

/// Whether an ending is not answered yet. It is repeated all the same.
async fn waits(ending: Reply<'_, SettleReply>) -> bool {
    let answer = tokio::time::timeout(Duration::from_millis(200), ending);
    answer.await.is_err()
}

async fn settle(store: &RedisStore, limits: &Arc<Limits>, id: HoldId, cost: i64) {
    let reply = store.settle(ending(limits, id, settled(cost))).await;
    assert!(matches!(reply, Ok(SettleReply::Applied(_))), "{reply:?}");
}

/// Waits until spent and held are as expected.
async fn becomes(store: &RedisStore, limits: &Arc<Limits>, expected: (i64, i64)) {
    let mut last = None;
    for _ in 0..200 {
        if let Ok(balances) = store.balances(limits).await {
            let money = (balances[0].spent.nanos(), balances[0].held.nanos());
            last = Some(money);
            if money == expected {
                return;
            }
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{last:?} instead of {expected:?}");
}

/// Waits until a server's answer has this in it.
async fn says(server: &Server, command: &str, part: &str) {
    for _ in 0..400 {
        if server.command(command).contains(part) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{command} never says {part}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frozen_redis_is_treated_like_a_dead_one() {
    let server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    let limits = team_limits("frozen", 1_000_000);
    let store = bench.replica(&hasty(&server.url())).await;
    let open = hold(&bench.store, &limits, 500).await;
    // What the other replica does is nothing to this one.
    drop(bench.store);
    let before = downs(&bench.events);
    server.freeze();
    let started = Instant::now();
    let reply = store.hold(&limits, ask(new_id(), 500)).await;
    assert!(reply.is_err());
    assert!(
        started.elapsed() < Duration::from_millis(400),
        "one deadline"
    );
    let more = (0..8).map(|_| store.hold(&limits, ask(new_id(), 500)));
    assert!(join_all(more).await.iter().all(Result::is_err));
    assert!(!store.is_up());
    let started = Instant::now();
    refused(&store, &limits, 100).await;
    assert!(
        started.elapsed() < Duration::from_millis(50),
        "nobody waits"
    );
    assert_eq!(downs(&bench.events) - before, 1, "told once");
    assert!(waits(store.settle(ending(&limits, open, settled(300)))).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.thaw();
    assert!(
        is_up(&store, Duration::from_secs(2)).await,
        "{:?}",
        bench.events.all()
    );
    // What was asked meanwhile has not been left behind, and the ending has landed.
    becomes(&store, &limits, (300, 0)).await;
    bench.stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_redis_is_refused_at_once_and_heals() {
    let mut server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    let limits = team_limits("killed", 1_000_000);
    let (first, second) = (
        hold(&bench.store, &limits, 500).await,
        hold(&bench.store, &limits, 600).await,
    );
    settle(&bench.store, &limits, first, 400).await;
    bench.drained(limits.scope.name()).await;
    server.kill();
    let started = Instant::now();
    refused(&bench.store, &limits, 20).await;
    assert!(started.elapsed() < Duration::from_secs(1));
    assert!(waits(bench.store.settle(ending(&limits, second, settled(550)))).await);
    server.restart();
    let healed = Instant::now();
    // It came back empty: nothing is admitted before the balances are rebuilt.
    becomes(&bench.store, &limits, (950, 0)).await;
    println!("rebuilt after {:?}", healed.elapsed());
    let fold = bench.drained(limits.scope.name()).await;
    assert_eq!(fold.spent("killed", &day()).nanos(), 950);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_failover_lost_is_repeated() {
    let mut server = Server::with(&["--dbfilename", "dump.rdb"]);
    let bench = Bench::new(&settings(&server.url())).await;
    let limits = team_limits("promoted", 1_000_000);
    let store = &bench.store;
    let known = hold(store, &limits, 100).await;
    let settled_late = hold(store, &limits, 200).await;
    // The state of a replica that lags: what comes now is lost with the master.
    server.command("SAVE");
    let lost = hold(store, &limits, 400).await;
    settle(store, &limits, settled_late, 150).await;
    let lost_whole = hold(store, &limits, 800).await;
    settle(store, &limits, lost_whole, 700).await;
    let cancelled = hold(store, &limits, 5_000).await;
    let cancel = ending(&limits, cancelled, Ending::Cancelled);
    store.settle(cancel).await.expect("an answer");
    assert_eq!(money(&**store, &limits).await, (850, 500));
    server.kill();
    server.restart();
    becomes(store, &limits, (850, 500)).await;
    reasserted(&bench.events);
    settle(store, &limits, known, 90).await;
    settle(store, &limits, lost, 390).await;
    assert_eq!(money(&**store, &limits).await, (1_330, 0));
    let fold = bench.drained(limits.scope.name()).await;
    assert_eq!(
        fold.spent("promoted", &day()).nanos(),
        1_330,
        "entries that came twice count once"
    );
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ending_is_repeated_until_it_lands() {
    let server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    let limits = team_limits("repeated", 1_000_000);
    let store = bench.replica(&hasty(&server.url())).await;
    let ids = [
        hold(&bench.store, &limits, 100).await,
        hold(&bench.store, &limits, 100).await,
    ];
    server.freeze();
    for id in ids {
        assert!(waits(store.settle(ending(&limits, id, settled(70)))).await);
    }
    assert_eq!(store.endings_waiting(), 2);
    server.thaw();
    let left = store.flush(Instant::now() + Duration::from_secs(5)).await;
    assert_eq!(left, 0);
    becomes(&store, &limits, (140, 0)).await;
    drop(store);
    bench.stop().await;
}

/// On one thread: who waits without letting others run waits for ever.
#[tokio::test]
async fn a_flush_lets_those_run_who_repeat_already() {
    let server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    let limits = team_limits("flushed", 1_000_000);
    let id = hold(&bench.store, &limits, 100).await;
    let endings = &bench.store.shared.endings;
    let given_up = endings.push(Waiting {
        settlement: ending(&limits, id, settled(70)),
        first: Instant::now(),
        granted: None,
        told: None,
    });
    assert_eq!(given_up, None);
    let taken = endings.take();
    assert_eq!(taken.len(), 1);
    let soon = Instant::now() + Duration::from_millis(100);
    assert_eq!(bench.store.flush(soon).await, 1, "it is still under way");
    endings.put_back(1, taken);
    let later = Instant::now() + Duration::from_secs(5);
    assert_eq!(bench.store.flush(later).await, 0);
    becomes(&bench.store, &limits, (70, 0)).await;
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sentinels_lead_to_the_new_master() {
    let master = Server::start();
    let replica = Server::with(&["--replicaof", &format!("127.0.0.1 {}", master.port)]);
    says(&replica, "INFO replication", "master_link_status:up").await;
    let sentinel = Server::sentinel(master.port);
    says(&sentinel, "SENTINEL REPLICAS mymaster", "ip").await;
    let settings = Settings {
        topology: Topology::Sentinel {
            master: "mymaster".to_owned(),
            node: None,
        },
        ..settings(&sentinel.url())
    };
    let bench = Bench::new(&settings).await;
    let limits = team_limits("watched", 1_000_000);
    let open = hold(&bench.store, &limits, 500).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(master);
    says(&replica, "INFO replication", "role:master").await;
    becomes(&bench.store, &limits, (0, 500)).await;
    settle(&bench.store, &limits, open, 450).await;
    assert_eq!(money(&*bench.store, &limits).await, (450, 0));
    reasserted(&bench.events);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_redis_takes_no_holds_and_lets_endings_land() {
    let server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    let limits = team_limits("full", 1_000_000);
    let open = hold(&bench.store, &limits, 500).await;
    server.command("CONFIG SET maxmemory 1");
    for _ in 0..10 {
        let reply = bench.store.hold(&limits, ask(new_id(), 1)).await;
        assert!(reply.expect_err("no memory").detail.contains("full"));
    }
    assert!(bench.store.is_up(), "it answers");
    let link = &bench.store.shared.accounts.wire.link;
    checks::life(link).await.expect("a probe writes nothing");
    settle(&bench.store, &limits, open, 400).await;
    server.command("CONFIG SET maxmemory 0");
    assert_eq!(money(&*bench.store, &limits).await, (400, 0));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_the_policy_decides_and_redis_learns_of_it() {
    use crate::store::failover::{BudgetsWithout, Failover, LimitsWithout, Policy};
    let server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    let hard = team_limits("hard", 1_000_000);
    let mut soft = (*team_limits("soft", 1_000_000)).clone();
    soft.budgets[0].hard = false;
    let soft = Arc::new(soft);
    let store = bench.replica(&hasty(&server.url())).await;
    let policy = Policy {
        limits: LimitsWithout::LocalFraction,
        budgets: BudgetsWithout::Deny,
        replicas: std::num::NonZeroU32::MIN,
    };
    let observer = Arc::clone(&bench.events) as _;
    let clocks = (Arc::new(SystemClock) as _, observer);
    let failover = Failover::new(Arc::clone(&store) as _, policy, clocks, None, &bench.tasks);
    for limits in [&hard, &soft] {
        money(&*bench.store, limits).await;
    }
    server.freeze();
    let mut slowest = Duration::ZERO;
    for _ in 0..30 {
        let started = Instant::now();
        assert!(failover.hold(&hard, ask(new_id(), 10)).await.is_err());
        let id = new_id();
        let held = failover.hold(&soft, ask(id, 10)).await;
        assert!(matches!(held, Ok(HoldReply::Held(_))), "{held:?}");
        let end = failover.settle(ending(&soft, id, settled(7))).await;
        assert!(matches!(end, Ok(SettleReply::Applied(_))));
        slowest = slowest.max(started.elapsed());
    }
    println!("the slowest round with two holds took {slowest:?}");
    assert!(slowest < Duration::from_millis(600));
    let degraded = |event: &StoreEvent| matches!(event, StoreEvent::Degraded { .. });
    assert_eq!(bench.events.count(degraded), 2, "each scope told once");
    server.thaw();
    becomes(&store, &soft, (210, 0)).await;
    becomes(&store, &hard, (0, 0)).await;
    let held = failover.hold(&hard, ask(new_id(), 10)).await;
    assert!(matches!(held, Ok(HoldReply::Held(_))), "{held:?}");
    drop((failover, store));
    bench.stop().await;
}
