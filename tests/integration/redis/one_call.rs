//! The limits of a team and of the deployment: one question before the provider is called.

use super::{Site, until};
use tollgate_tests::harness::spec;

const BOUNDS: &str = "limits = { requests_per_minute = 600, concurrency = 10 }\n\
                      budgets = [{ per = \"day\", amount = \"1.00\" }]";
const MODELS: &str = r#"
[models.gpt-4]
deployments = [{ provider = "openai", name = "gpt-4", limits = { concurrency = 1 } }]

[models."gpt-3.5-turbo"]
deployments = [{ provider = "openai", name = "gpt-3.5-turbo" }]
"#;
const ROUTES: &str = r#"
[routes.cheap]
targets = ["gpt-3.5-turbo"]
[routes.strong]
targets = ["gpt-4", "gpt-3.5-turbo"]
"#;

/// A command that Redis ran: when, how long, its words, and whose it was.
type Ran = (i64, i64, i64, Vec<Vec<u8>>, String, String);

fn has(ran: &Ran, part: &str) -> bool {
    let text = |word: &Vec<u8>| String::from_utf8_lossy(word).contains(part);
    ran.3.iter().any(text)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_asks_redis_once_before_its_provider() {
    let mut site = Site::new(400, &[("news", BOUNDS)]).await;
    site.catalogue = Some((MODELS, ROUTES));
    let gateway = site.start("a");
    let news = site.caller(&gateway, "news").await;
    let call = || {
        let news = news.clone();
        async move {
            let answer = news.complete(spec("strong", "Hello")).await;
            let answer = answer.unwrap_or_else(|refused| panic!("{:?}", refused.status));
            let receipt = answer.receipt.expect("a receipt");
            receipt.attempts.last().expect("one").model.clone()
        }
    };
    // Also makes the scripts known.
    assert_eq!(call().await, "gpt-4");
    news.settled_spend().await;
    for setting in [
        ["slowlog-max-len", "10000"],
        ["slowlog-log-slower-than", "0"],
    ] {
        let [name, value] = setting;
        site.redis
            .command::<String>(&["CONFIG", "SET", name, value]);
    }
    let first = tokio::spawn(call());
    until("the provider has the call", async || {
        site.simulator.requests().len() == 2
    })
    .await;
    let ran: Vec<Ran> = site.redis.command(&["SLOWLOG", "GET", "-1"]);
    // What touches the record of a hold; commands within a script are told beside it.
    let asked = |record| {
        let scripts = ran.iter().filter(|ran| ran.3[0].starts_with(b"EVAL"));
        scripts.filter(|ran| has(ran, record)).collect::<Vec<_>>()
    };
    let of_team = asked("{t:news}:h:");
    assert_eq!(of_team.len(), 1);
    assert_eq!(asked("{d:openai/gpt-4}:h:"), of_team, "the same one");
    // The one seat of the deployment is taken, and the next target has room.
    assert_eq!(call().await, "gpt-3.5-turbo");
    assert_eq!(first.await.expect("no panic"), "gpt-4");
    until("the seat is free", async || call().await == "gpt-4").await;
    let spent = news.settled_spend().await;
    assert!(gateway.terminate().success());
    assert_eq!(site.ledger_spend("news"), spent);
}

/// Both targets let one call in at a time.
const NARROW: &str = r#"
[models.gpt-4]
deployments = [{ provider = "openai", name = "gpt-4", limits = { concurrency = 1 } }]

[models."gpt-3.5-turbo"]
deployments = [{ provider = "openai", name = "gpt-3.5-turbo", limits = { input_tokens_per_minute = 20 } }]
"#;

/// Takes the room of all deployments, and looks at what a call leaves that finds none.
async fn a_call_without_a_deployment_leaves_nothing(site: &mut Site) {
    site.catalogue = Some((NARROW, ROUTES));
    let gateway = site.start("a");
    let news = site.caller(&gateway, "news").await;
    let call = |text: &'static str| {
        let news = news.clone();
        tokio::spawn(async move { news.complete(spec("strong", text)).await })
    };
    let first = call("Hello");
    until("the provider has the call", async || {
        site.simulator.requests().len() == 1
    })
    .await;
    let held = news.budget("day").await.held_nano_usd;
    let long = "These are many more words than twenty tokens could ever stand for, and so the \
                deployment of the second target has no room for them in this minute or the next.";
    let refused = call(long).await.expect("no panic").expect_err("no room");
    assert_eq!(refused.reason, "TARGETS_EXHAUSTED", "{refused:?}");
    until("only the first call is held", async || {
        news.budget("day").await.held_nano_usd == held
    })
    .await;
    assert_eq!(site.simulator.requests().len(), 1, "nobody was asked");
    let answer = first.await.expect("no panic");
    let cost = answer.expect("it had room").receipt.expect("a receipt");
    assert_eq!(news.settled_spend().await, cost.cost_nano_usd);
    // The deployments are free again too.
    let again = call("Hello").await.expect("no panic");
    again.unwrap_or_else(|refused| panic!("{:?}", refused.status));
    assert!(gateway.terminate().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_finds_no_deployment_gives_back_its_hold() {
    let mut site = Site::new(800, &[("news", BOUNDS)]).await;
    a_call_without_a_deployment_leaves_nothing(&mut site).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_finds_no_deployment_in_a_cluster_gives_back_its_hold() {
    let mut site = Site::of_cluster(800, &[("news", BOUNDS)]).await;
    a_call_without_a_deployment_leaves_nothing(&mut site).await;
}
