//! An empty Redis is not zero spend.

use super::*;
use tollgate_core::hold::RunTake;

fn in_run(id: HoldId, amount: i64) -> HoldRequest {
    HoldRequest {
        run: Some(RunTake {
            run: "run-1".into(),
            limit: Money::from_nanos(2_000),
        }),
        ..ask(id, amount)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_that_asked_for_nothing_meanwhile_repeats_what_a_flush_took() {
    let server = Server::start();
    let settings = settings(&server.url());
    let bench = Bench::new(&settings).await;
    let quiet = bench.replica(&settings).await;
    let limits = team_limits("flushed-too", 10_000);
    let before = new_id();
    quiet.hold(&limits, ask(before, 900)).await.expect("held");
    let end = ending(&limits, before, settled(800));
    quiet.settle(end).await.expect("an answer");
    // Its line may not be in the ledger yet, and then only this replica knows of it.
    server.command("FLUSHALL");
    let other = new_id();
    bench
        .store
        .hold(&limits, ask(other, 50))
        .await
        .expect("held");
    let known = async {
        while money(&*bench.store, &limits).await != (800, 50) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let known = tokio::time::timeout(Duration::from_secs(20), known).await;
    known.expect("it is repeated");
    let fold = bench.drained(limits.scope.name()).await;
    assert_eq!(fold.spent("flushed-too", &day()).nanos(), 800);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flushed_redis_is_rebuilt_from_the_ledger_and_not_free() {
    let server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    let limits = team_limits("flushed", 10_000);
    let (store, scope) = (&bench.store, &limits.scope);
    let done = new_id();
    store.hold(&limits, in_run(done, 900)).await.expect("held");
    let end = ending(&limits, done, settled(800));
    store.settle(end.clone()).await.expect("an answer");
    let dear = new_id();
    store.hold(&limits, ask(dear, 7_000)).await.expect("held");
    let end_dear = ending(&limits, dear, settled(7_000));
    store.settle(end_dear).await.expect("an answer");
    let open = new_id();
    store.hold(&limits, in_run(open, 600)).await.expect("held");
    let rows = store.usage(scope, "0000", "9999").await.expect("rows");
    bench.drained(scope.name()).await;
    server.command("FLUSHALL");

    // 7,800 of 10,000 are spent, and still are.
    let refused = store.hold(&limits, ask(new_id(), 3_000)).await;
    assert!(matches!(refused, Ok(HoldReply::Refused(_))), "{refused:?}");
    let unseeded = |event: &StoreEvent| matches!(event, StoreEvent::Unseeded { .. });
    assert!(bench.events.count(unseeded) >= 1);
    let run = store.run_balance(scope, &"run-1".into()).await;
    let run = run.expect("an answer").expect("it is known");
    assert_eq!(
        (run.spent.nanos(), run.limit),
        (800, Some(Money::from_nanos(2_000)))
    );
    let again = store.usage(scope, "0000", "9999").await.expect("rows");
    assert_eq!(again, rows, "and the usage");
    // An ending that is repeated after the loss is not charged twice.
    let again = store.settle(end).await.expect("an answer");
    assert_eq!(again, SettleReply::Duplicate(State::Settled));
    assert_eq!(money(&**store, &limits).await, (7_800, 0));
    // A hold that is still open is put back when it is renewed.
    let gone = store
        .renew(scope, &[open], 60_000)
        .await
        .expect("an answer");
    assert!(gone.is_empty());
    assert_eq!(money(&**store, &limits).await, (7_800, 600));
    let end = ending(&limits, open, settled(500));
    store.settle(end).await.expect("an answer");
    assert_eq!(money(&**store, &limits).await, (8_300, 0));
    let fold = bench.drained(scope.name()).await;
    assert_eq!(fold.spent("flushed", &day()).nanos(), 8_300);
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_not_drained_yet_is_repeated_after_a_rebuild() {
    let server = Server::start();
    let settings = settings(&server.url());
    let bench = Bench::new(&settings).await;
    let limits = team_limits("tail", 10_000);
    let spend = async |cost| {
        let id = new_id();
        let held = bench.store.hold(&limits, ask(id, cost)).await;
        assert!(matches!(held, Ok(HoldReply::Held(_))));
        let end = ending(&limits, id, settled(cost));
        bench.store.settle(end).await.expect("an answer");
    };
    spend(1_000).await;
    bench.drained(limits.scope.name()).await;
    bench.stop.cancel();
    tokio::time::sleep(Duration::from_millis(200)).await;
    // Nobody drains these.
    spend(300).await;
    let open = new_id();
    bench
        .store
        .hold(&limits, ask(open, 50))
        .await
        .expect("held");
    server.command("FLUSHALL");
    let stop = CancellationToken::new();
    let observer = Arc::clone(&bench.events) as _;
    let drain = Drain::connect(
        &settings,
        Arc::clone(&bench.lines) as _,
        Arc::new(Vec::new),
        (Arc::new(SystemClock), observer),
    );
    let drain = drain.await.expect("Redis runs");
    bench.tasks.spawn(drain.run(stop.clone()));
    let mut last = (0, 0);
    for _ in 0..200 {
        last = money(&*bench.store, &limits).await;
        if last == (1_300, 50) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(last, (1_300, 50));
    let fold = bench.drained(limits.scope.name()).await;
    assert_eq!(fold.spent("tail", &day()).nanos(), 1_300);
    stop.cancel();
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_ledger_an_empty_redis_admits_nothing() {
    let server = Server::start();
    let settings = Settings {
        rebuild_wait: Duration::from_millis(100),
        ..settings(&server.url())
    };
    let tasks = TaskTracker::new();
    let events = Arc::new(Events::default());
    let observer = Arc::clone(&events) as _;
    let store = RedisStore::connect(&settings, Arc::new(SystemClock), observer, &tasks);
    let store = store.await.expect("Redis runs");
    let limits = team_limits("nobody", 10_000);
    for _ in 0..3 {
        let reply = store.hold(&limits, ask(new_id(), 1)).await;
        assert!(reply.expect_err("refused").detail.contains("rebuilt"));
    }
    assert!(store.balances(&limits).await.is_err());
    let unseeded = |event: &StoreEvent| matches!(event, StoreEvent::Unseeded { .. });
    assert_eq!(events.count(unseeded), 1, "told once");
    // A deployment has no money to lose.
    let mut rates = (*limits).clone();
    rates.scope = Scope::Deployment("openai/gpt-4".into());
    rates.budgets.clear();
    let reply = store.hold(&Arc::new(rates), ask(new_id(), 0)).await;
    assert!(matches!(reply, Ok(HoldReply::Held(_))));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn open_holds_that_outlive_their_account_are_counted_again() {
    let server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    let limits = team_limits("halved", 10_000);
    let id = new_id();
    bench.store.hold(&limits, ask(id, 700)).await.expect("held");
    let account = Keys::of(&limits.scope).account();
    server.command(&format!("DEL {account}"));
    assert_eq!(money(&*bench.store, &limits).await, (0, 700));
    let end = ending(&limits, id, settled(600));
    bench.store.settle(end).await.expect("an answer");
    assert_eq!(money(&*bench.store, &limits).await, (600, 0));
    bench.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_drain_at_a_time_and_the_next_takes_over() {
    let server = Server::start();
    let settings = settings(&server.url());
    let first = Bench::new(&settings).await;
    let second = Bench::new(&settings).await;
    let limits = team_limits("drained", 1_000_000);
    let spend = async |bench: &Bench| {
        for _ in 0..20 {
            let id = new_id();
            bench.store.hold(&limits, ask(id, 10)).await.expect("held");
            let end = ending(&limits, id, settled(10));
            bench.store.settle(end).await.expect("an answer");
        }
    };
    spend(&first).await;
    let drains = |bench: &Bench| {
        bench
            .events
            .count(|event| matches!(event, StoreEvent::Draining { now: true }))
    };
    assert_eq!(drains(&first) + drains(&second), 1);
    let (holder, other) = match drains(&first) {
        1 => (first, second),
        _ => (second, first),
    };
    holder.drained(limits.scope.name()).await;
    assert_eq!(other.lines.all().len(), 0);
    let lines = Arc::clone(&holder.lines);
    holder.stop().await;
    spend(&other).await;
    let mut fold = other.drained(limits.scope.name()).await;
    for entry in lines.all() {
        fold.apply(&entry);
    }
    assert_eq!(
        fold.spent("drained", &day()).nanos(),
        400,
        "between them, all"
    );
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_ledger_on_disk_is_what_a_rebuild_reads() {
    let server = Server::start();
    let dir = tempfile::tempdir().expect("a directory");
    let options = crate::ledger::Options::new(dir.path());
    let archive = drain::LedgerArchive::new(options.clone(), Arc::new(SystemClock));
    let archive = Arc::new(archive);
    let bench = Bench::with_archive(&settings(&server.url()), Vec::new(), archive).await;
    let limits = team_limits("durable", 10_000);
    for cost in [100, 200, 300] {
        let id = new_id();
        let held = bench.store.hold(&limits, in_run(id, 400)).await;
        assert!(matches!(held, Ok(HoldReply::Held(_))));
        let end = ending(&limits, id, settled(cost));
        bench.store.settle(end).await.expect("an answer");
    }
    bench.drained(limits.scope.name()).await;
    server.command("FLUSHALL");
    assert_eq!(money(&*bench.store, &limits).await, (600, 0));
    let run = bench
        .store
        .run_balance(&limits.scope, &"run-1".into())
        .await;
    assert_eq!(run.expect("an answer").expect("known").spent.nanos(), 600);
    bench.stop().await;
    // The role was given back, and with it the ledger.
    let opened = crate::ledger::Ledger::open(options, SystemClock.now());
    let (_ledger, restored) = opened.expect("nobody has it open");
    assert_eq!(restored.fold.spent("durable", &day()).nanos(), 600);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_ledger_is_not_begun_even_after_redis_has_lost_all() {
    let server = Server::start();
    let dir = tempfile::tempdir().expect("a directory");
    let archive = |name: &str| {
        let options = crate::ledger::Options::new(dir.path().join(name));
        Arc::new(drain::LedgerArchive::new(options, Arc::new(SystemClock)))
    };
    let settings = settings(&server.url());
    let right = Bench::with_archive(&settings, vec!["one".into()], archive("right")).await;
    let limits = team_limits("one", 10_000);
    let id = new_id();
    right.store.hold(&limits, ask(id, 400)).await.expect("held");
    let end = ending(&limits, id, settled(400));
    right.store.settle(end).await.expect("an answer");
    right.drained(limits.scope.name()).await;
    let hasty = Settings {
        rebuild_wait: Duration::from_millis(200),
        ..settings.clone()
    };
    let wrong = Bench::with_archive(&hasty, Vec::new(), archive("wrong")).await;
    let refused = |event: &StoreEvent| match event {
        StoreEvent::DrainFailed { why } => why.contains("another ledger"),
        _ => false,
    };
    for _ in 0..200 {
        if wrong.events.count(refused) > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(wrong.events.count(refused), 1, "told once");
    right.stop().await;
    server.command("FLUSHALL");
    // Only the ledger that it was drained into may say what was spent.
    let reply = wrong.store.hold(&limits, ask(new_id(), 1)).await;
    assert!(reply.is_err(), "{reply:?}");
    let right = Bench::with_archive(&settings, vec!["one".into()], archive("right")).await;
    assert_eq!(money(&*right.store, &limits).await, (400, 0));
    right.stop().await;
    wrong.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_drain_notices_when_redis_and_the_ledger_disagree() {
    let server = Server::start();
    let settings = settings(&server.url());
    let drifts = |bench: &Bench| -> Vec<i64> {
        let told = bench.events.all();
        let drift = |event: &StoreEvent| match event {
            StoreEvent::Compared { drift } => Some(drift.nanos()),
            _ => None,
        };
        told.iter().filter_map(drift).collect()
    };
    let first = Bench::with_teams(&settings, vec!["drifting".into()]).await;
    let limits = team_limits("drifting", 10_000);
    let id = new_id();
    first.store.hold(&limits, ask(id, 400)).await.expect("held");
    let end = ending(&limits, id, settled(400));
    first.store.settle(end).await.expect("an answer");
    first.drained(limits.scope.name()).await;
    assert!(drifts(&first).iter().all(|drift| *drift == 0));
    let lines = Arc::clone(&first.lines);
    first.stop().await;
    // Somebody meddles. The next one who drains compares at once.
    let account = Keys::of(&limits.scope).account();
    server.command(&format!("HINCRBY {account} s:day:2026-11-24 -70"));
    let second = Bench::with_archive(&settings, vec!["drifting".into()], lines as _).await;
    for _ in 0..200 {
        if !drifts(&second).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(drifts(&second), [70]);
    second.stop().await;
}
