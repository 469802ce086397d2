//! Keys and prompts are neither in the log of a real process, at its most talkative, nor in Redis.

use super::{Site, until};
use std::{fs, process::Command};
use tollgate_tests::{
    harness::{GatewayProcess, program, spec},
    simulator::{Action, Fault, Refused, RetryAfter},
};

const CANARY: &str = "canary-7215ee9c7d9dc229";

/// All that Redis has: names, and what is in streams, hashes, sorted sets and texts.
fn all_of_redis(site: &Site) -> String {
    let keys: Vec<Vec<u8>> = site.redis.command(&["KEYS", "*"]);
    let mut all = String::new();
    for key in keys {
        let name = String::from_utf8_lossy(&key).into_owned();
        let kind: String = site.redis.command(&["TYPE", &name]);
        let value: redis::Value = match &*kind {
            "stream" => site.redis.command(&["XRANGE", &name, "-", "+"]),
            "hash" => site.redis.command(&["HGETALL", &name]),
            "zset" => site.redis.command(&["ZRANGE", &name, "0", "-1"]),
            "set" => site.redis.command(&["SMEMBERS", &name]),
            _ => site.redis.command(&["GET", &name]),
        };
        all.push_str(&format!("{name} {value:?}\n"));
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn no_secret_is_in_the_log_of_a_gateway_or_in_redis() {
    let site = Site::new(0, &[("news", "")]).await;
    let config = site.config("a");
    let text = fs::read_to_string(&config).expect("it was written");
    let talkative = text.replace("[telemetry]\n", "[telemetry]\nlog_level = \"trace\"\n");
    assert_ne!(text, talkative);
    fs::write(&config, talkative).expect("it is written");
    let path = site.dir.path().join("log");
    let log = fs::File::create(&path).expect("it is made");
    let mut command = Command::new(program("tollgate"));
    command.args(["serve", "--config"]).arg(&config);
    let gateway = GatewayProcess::spawn_into(command, &site.variables(), log);
    let gateway = gateway.expect("it says where it listens");
    let caller = site.caller(&gateway, "news").await;
    let answer = caller.complete(spec("cheap", CANARY)).await;
    answer.expect("an answer");
    // What providers refuse quotes the prompt, too.
    for refusal in [Refused::BadRequest, Refused::Unavailable] {
        let refuse = Action::Refuse(refusal, RetryAfter::Absent);
        site.simulator.push_fault(Fault::always(refuse));
        let refused = caller.complete(spec("cheap", CANARY)).await;
        refused.expect_err("refused");
    }
    let nobody = caller.with_key("tg_news_not-a-key");
    let refused = nobody.complete(spec("cheap", CANARY)).await;
    refused.expect_err("nobody");
    let kept = all_of_redis(&site);
    assert!(kept.contains("tollgate:1:{t:news}"), "{kept}");
    assert!(gateway.terminate().success());
    let read = || fs::read_to_string(&path).expect("text");
    until("its last line is there", async || {
        read().contains("\"stopped\"")
    })
    .await;
    let told = read();
    assert!(told.contains("\"attempt_failed\""), "it is talkative");
    let key = site.credentials.key("news");
    for secret in [CANARY, key, "simulated-provider-key", "not-a-key"] {
        assert!(!told.contains(secret), "{secret} is in the log");
        assert!(!kept.contains(secret), "{secret} is in Redis");
    }
}
