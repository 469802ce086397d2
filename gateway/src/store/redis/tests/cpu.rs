//! How much of Redis' single thread the scripts take. A measurement, not a test.

use super::*;
use crate::ledger::{AttemptRecord, CallRecord};
use futures_util::{StreamExt as _, stream};

const CALLS: usize = 20_000;

fn full() -> Arc<Limits> {
    let budget = |name: &str| BudgetSpec {
        name: name.into(),
        limit: Some(Money::from_nanos(1 << 50)),
        hard: true,
        calendar: Arc::new(OneWindow),
        marks: [500, 800, 1_000].map(|permille| Mark { permille }).into(),
    };
    let gauge = |name: &str| GaugeSpec {
        name: name.into(),
        limit: 1_000_000,
    };
    let bucket = |unit| BucketSpec::per_minute(unit, 1_000_000_000);
    Arc::new(Limits {
        scope: Scope::Team("full".into()),
        buckets: vec![
            bucket(Unit::Requests),
            bucket(Unit::Tokens),
            bucket(Unit::InputTokens),
            bucket(Unit::OutputTokens),
        ],
        gauges: vec![gauge("concurrency"), gauge("pipeline")],
        budgets: ["day", "month", "week", "year"].map(budget).into(),
    })
}

fn usual() -> Arc<Limits> {
    let mut limits = (*full()).clone();
    limits.scope = Scope::Team("usual".into());
    limits.buckets.truncate(2);
    limits.gauges.truncate(1);
    limits.budgets.truncate(2);
    Arc::new(limits)
}

fn usec_per_call(server: &Server) -> f64 {
    let info = server.command("INFO commandstats");
    let line = info
        .lines()
        .find(|line| line.starts_with("cmdstat_evalsha:"))
        .expect("scripts ran");
    let value = line.split("usec_per_call=").nth(1).expect("a figure");
    let value = value.split(',').next().expect("a figure");
    value.parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
#[ignore = "a measurement: cargo test -p tollgate --release scripts_take -- --ignored --nocapture"]
async fn scripts_take_so_much_of_redis() {
    let server = Server::start();
    let bench = Bench::new(&settings(&server.url())).await;
    for (name, limits) in [("4 buckets, 2 gauges, 4 budgets", full()), ("2, 1, 2", usual())] {
        let record = Arc::new(CallRecord {
            pipeline: "content-analysis".into(),
            run: "run-1".into(),
            step: "extract_entities".into(),
            outcome: "ok".into(),
            attempts: vec![AttemptRecord {
                model: "gpt-4".into(),
                deployment: "openai/gpt-4".into(),
                outcome: "ok".into(),
                input_tokens: 800,
                output_tokens: 90,
                cost_nano_usd: 1_234_567,
                ..AttemptRecord::default()
            }],
            ..CallRecord::default()
        });
        // Seeds the team.
        let first = bench.store.hold(&limits, ask(new_id(), 1)).await;
        first.expect("an answer");
        for round in 0..3 {
            let ids: Vec<_> = (0..CALLS).map(|_| new_id()).collect();
            server.command("CONFIG RESETSTAT");
            let holds = stream::iter(&ids).map(|id| bench.store.hold(&limits, ask(*id, 2_000_000)));
            holds.buffer_unordered(64).for_each(|reply| async move {
                assert!(matches!(reply, Ok(HoldReply::Held(_))));
            })
            .await;
            let hold = usec_per_call(&server);
            server.command("CONFIG RESETSTAT");
            let ends = stream::iter(&ids).map(|id| {
                let mut end = ending(&limits, *id, settled(1_234_567));
                end.record = Some(Arc::clone(&record));
                bench.store.settle(end)
            });
            ends.buffer_unordered(64).for_each(|reply| async move {
                assert!(matches!(reply, Ok(SettleReply::Applied(_))));
            })
            .await;
            let settle = usec_per_call(&server);
            println!("{name}, round {round}: hold {hold} us, settle {settle} us");
        }
    }
    bench.stop().await;
}
