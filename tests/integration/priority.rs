//! Who goes first: by priority, and by turns of the teams that share a provider's quota.

use futures_util::future::{BoxFuture, FutureExt as _, join_all};
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use tollgate_proto::v1;
use tollgate_tests::harness::{Caller, Gateway, scrape::Scrape, simulator, spec};

fn with(priority: v1::Priority) -> v1::CompletionSpec {
    v1::CompletionSpec {
        priority: priority.into(),
        ..spec("cheap", "Hello")
    }
}

/// The order in which calls were answered.
#[derive(Clone, Default)]
struct Order(Arc<Mutex<Vec<&'static str>>>);

impl Order {
    fn call(
        &self,
        name: &'static str,
        caller: &Caller,
        priority: v1::Priority,
    ) -> BoxFuture<'static, ()> {
        let (order, caller) = (self.clone(), caller.clone());
        let call = async move {
            caller.complete(with(priority)).await.expect("an answer");
            order.0.lock().expect("no panic").push(name);
        };
        // On its own from here on, whoever waits for it.
        tokio::spawn(call)
            .map(|ended| ended.expect("no panic"))
            .boxed()
    }

    fn all(&self) -> Vec<&'static str> {
        self.0.lock().expect("no panic").clone()
    }
}

/// Waits until so many calls are in the pipeline.
async fn in_flight(gateway: &Gateway, count: u32) {
    let wanted = count.to_string();
    for _ in 0..400 {
        let scrape = Scrape::of(&gateway.metrics_url()).await;
        if scrape.sum("tollgate_inflight_requests", &[]).to_string() == wanted {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    panic!("there never were {wanted} calls in flight");
}

#[tokio::test]
async fn batch_calls_leave_a_part_of_each_rate_for_others() {
    let simulator = simulator(0).await;
    let bounds = "limits = { requests_per_minute = 10 }";
    let teams = [("news", bounds)];
    let at_once =
        |settings: tollgate_tests::harness::Settings| settings.server("max_wait = \"0s\"");
    let gateway = Gateway::start_with(&simulator.base_url(), &teams, at_once).await;
    let caller = gateway.caller("news");
    let batch = (0..10).map(|_| caller.complete(with(v1::Priority::Batch)));
    let answers = join_all(batch).await;
    let (admitted, refused): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    assert_eq!((admitted.len(), refused.len()), (7, 3));
    for refused in refused {
        assert_eq!(refused.expect_err("refused").reason, "RATE_LIMITED");
    }
    for _ in 0..3 {
        let others = caller.complete(with(v1::Priority::Interactive)).await;
        others.expect("what batch calls left");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_critical_call_goes_before_all_that_wait() {
    let simulator = simulator(150).await;
    let bounds = "limits = { concurrency = 1 }";
    let gateway = Gateway::start(&simulator.base_url(), &[("news", bounds)]).await;
    let caller = gateway.caller("news");
    let order = Order::default();
    let mut calls = vec![order.call("running", &caller, v1::Priority::Interactive)];
    in_flight(&gateway, 1).await;
    for (name, priority) in [
        ("batch", v1::Priority::Batch),
        ("interactive", v1::Priority::Interactive),
        ("critical", v1::Priority::Critical),
    ] {
        let count = u32::try_from(calls.len()).expect("few") + 1;
        calls.push(order.call(name, &caller, priority));
        in_flight(&gateway, count).await;
    }
    join_all(calls).await;
    assert_eq!(order.all(), ["running", "critical", "interactive", "batch"]);
    gateway.stop().await;
}

#[tokio::test]
async fn teams_take_turns_at_a_providers_quota_however_many_calls_one_has() {
    let simulator = simulator(60).await;
    let narrow = |settings: tollgate_tests::harness::Settings| {
        settings.models(
            r#"
[models.gpt-4]
deployments = [{ provider = "openai", name = "gpt-4" }]

[models."gpt-3.5-turbo"]
deployments = [{ provider = "openai", name = "gpt-3.5-turbo", limits = { concurrency = 1 } }]
"#,
        ).routes("[routes.cheap]\ntargets = [\"gpt-3.5-turbo\"]\n[routes.strong]\ntargets = [\"gpt-4\"]\n")
    };
    let teams = [("crowd", ""), ("quiet", "")];
    let gateway = Gateway::start_with(&simulator.base_url(), &teams, narrow).await;
    let (crowd, quiet) = (gateway.caller("crowd"), gateway.caller("quiet"));
    let order = Order::default();
    let mut calls: Vec<_> = (0..8)
        .map(|_| order.call("crowd", &crowd, v1::Priority::Interactive))
        .collect();
    in_flight(&gateway, 8).await;
    calls.push(order.call("quiet", &quiet, v1::Priority::Interactive));
    join_all(calls).await;
    let place = order.all().iter().position(|name| *name == "quiet");
    // One runs, one is at the head, and one may have been answered before it came.
    assert!(place.is_some_and(|place| place <= 4), "{:?}", order.all());
    gateway.stop().await;
}
