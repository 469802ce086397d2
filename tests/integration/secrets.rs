//! Keys and prompts are in no metric, no error, no ledger, and in no log that was not asked.

use std::{fs, path::Path};
use tollgate_proto::v1;
use tollgate_tests::{
    harness::{Gateway, simulator, spec},
    simulator::{Action, Fault, Refused, RetryAfter},
};

const CANARY: &str = "canary-d41d8cd98f00b204";

/// All bytes of all files below a directory.
fn everything(dir: &Path) -> String {
    let mut all = String::new();
    for entry in fs::read_dir(dir).expect("there") {
        let path = entry.expect("there").path();
        if path.is_dir() {
            all.push_str(&everything(&path));
        } else {
            all.push_str(&String::from_utf8_lossy(
                &fs::read(&path).expect("readable"),
            ));
        }
    }
    all
}

#[tokio::test]
async fn prompts_and_keys_stay_where_they_belong() {
    let simulator = simulator(0).await;
    let teams = [
        ("news", "log_bodies = \"hash\""),
        ("open", "log_bodies = \"full\""),
    ];
    let gateway = Gateway::start(&simulator.base_url(), &teams).await;
    let mut told = String::new();
    let caller = gateway.caller("news");
    caller
        .complete(spec("cheap", CANARY))
        .await
        .expect("an answer");
    // Real providers echo parts of the prompt in what they refuse.
    let reject = Action::Refuse(Refused::BadRequest, RetryAfter::Absent);
    simulator.push_fault(Fault::always(reject));
    let refused = caller
        .complete(spec("cheap", CANARY))
        .await
        .expect_err("rejected");
    told.push_str(&format!("{:?}", refused.status));
    let model = v1::completion_spec::Target::Model("gpt-4".to_owned());
    let named = v1::CompletionSpec {
        target: Some(model),
        messages: Vec::new(),
        ..spec("unused", CANARY)
    };
    let refused = caller.complete(named).await.expect_err("empty");
    told.push_str(&format!("{:?}", refused.status));
    let key = gateway.key("news").to_owned();
    told.push_str(
        &reqwest::get(gateway.metrics_url())
            .await
            .expect("up")
            .text()
            .await
            .expect("text"),
    );
    let dir = gateway.stop().await;
    told.push_str(&everything(dir.path()));
    assert!(told.len() > 1_000);
    for secret in [CANARY, key.as_str(), "simulated-provider-key"] {
        assert!(!told.contains(secret), "{secret} is told");
    }
}

#[tokio::test]
async fn a_team_that_asked_for_full_bodies_has_them() {
    let simulator = simulator(0).await;
    let teams = [("open", "log_bodies = \"full\"")];
    let gateway = Gateway::start(&simulator.base_url(), &teams).await;
    gateway
        .caller("open")
        .complete(spec("cheap", CANARY))
        .await
        .expect("an answer");
    let key = gateway.key("open").to_owned();
    let dir = gateway.stop().await;
    let log = everything(&dir.path().join("interactions"));
    assert!(log.contains(CANARY) && !log.contains(&key));
    assert!(!everything(&dir.path().join("ledger")).contains(CANARY));
}
