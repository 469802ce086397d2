//! Keys and prompts are in no metric, no error, no ledger, and in no log that was not asked.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::Command,
    thread::JoinHandle,
};
use tempfile::TempDir;
use tollgate_proto::v1;
use tollgate_tests::{
    harness::{Credentials, Gateway, GatewayProcess, Redis, Settings, program, simulator, spec},
    simulator::{Action, Fault, Refused, RetryAfter, Simulator},
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

/// What the provider says when it refuses, so that a test need not know.
async fn upstream_text(simulator: &Simulator) -> String {
    tollgate::provider::http::install_tls();
    let asked = reqwest::Client::new()
        .post(format!("{}/v1/chat/completions", simulator.base_url()))
        .bearer_auth("any")
        .header("content-type", "application/json")
        .body(r#"{"model":"gpt-3.5-turbo","messages":[]}"#)
        .send();
    let body = asked.await.expect("up").text().await.expect("text");
    let body: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let message = body.pointer("/error/message").and_then(|it| it.as_str());
    message.expect("an error with a message").to_owned()
}

/// Calls that end in every way a provider has, with the canary in each; what the provider said.
async fn calls_of_all_kinds(
    simulator: &Simulator,
    gateway: &GatewayProcess,
    credentials: &Credentials,
) -> Vec<String> {
    let mut said = Vec::new();
    let caller = gateway.caller(credentials, "news").await;
    let answer = caller.complete(spec("cheap", CANARY)).await;
    let answer = format!("{:?}", answer.expect("an answer").message);
    assert!(answer.contains(CANARY), "the answer has it too: {answer}");
    for refused in [Refused::BadRequest, Refused::ServerError, Refused::NotFound] {
        simulator.clear_faults();
        simulator.push_fault(Fault::always(Action::Refuse(refused, RetryAfter::Absent)));
        said.push(upstream_text(simulator).await);
        let refused = caller.complete(spec("cheap", CANARY)).await;
        refused.expect_err("the provider refuses");
    }
    for odd in [Action::InvalidJson, Action::ErrorInside, Action::Close] {
        simulator.clear_faults();
        simulator.push_fault(Fault::always(odd));
        let refused = caller.complete(spec("cheap", CANARY)).await;
        refused.expect_err("the provider fails");
    }
    let stranger = Credentials::new(&["news"]);
    let stranger_key = stranger.key("news").to_owned();
    let caller = gateway.caller(&stranger, "news").await;
    let refused = caller.complete(spec("cheap", CANARY)).await;
    let refused = refused.expect_err("another gateway's key");
    assert_eq!(refused.reason, "INVALID_CREDENTIAL");
    said.push(stranger_key);
    said
}

#[tokio::test(flavor = "multi_thread")]
async fn the_loudest_log_of_a_gateway_and_its_redis_tell_no_secret() {
    let simulator = simulator(0).await;
    let store =
        "[store]\nkind = \"redis\"\nurl_env = \"TEST_REDIS_URL\"\ncommand_timeout = \"500ms\"";
    for store in ["[store]\nkind = \"memory\"", store] {
        simulator.clear_faults();
        let redis = Redis::start();
        let monitor = monitor(&redis);
        let dir = TempDir::new().expect("a directory");
        let credentials = Credentials::new(&["news"]);
        let settings = Settings::new(&simulator.base_url(), dir.path())
            .loud()
            .section(store)
            .team("news", "log_bodies = \"hash\"");
        let (config, log) = (dir.path().join("tollgate.toml"), dir.path().join("log"));
        fs::write(&config, settings.text()).expect("it is written");
        let mut variables: Vec<_> = credentials.variables().clone().into_iter().collect();
        variables.push(("TEST_REDIS_URL".to_owned(), redis.url()));
        let mut command = Command::new(program("tollgate"));
        command.args(["serve", "--config"]).arg(&config);
        let file = fs::File::create(&log).expect("a file");
        let gateway = GatewayProcess::spawn_logging(command, &variables, file);
        let gateway = gateway.expect("it says where it listens");
        let said = calls_of_all_kinds(&simulator, &gateway, &credentials).await;
        let mut told = in_redis(&redis);
        assert_eq!(store.contains("redis"), told.contains("{t:news}"));
        assert!(gateway.terminate().success());
        told.push_str(&in_redis(&redis));
        drop(redis);
        let sent = monitor.join().expect("no panic");
        assert_eq!(store.contains("redis"), sent.contains("EVALSHA"));
        told.push_str(&sent);
        let log = fs::read_to_string(&log).expect("text");
        let calls = log
            .lines()
            .filter(|line| line.contains(r#""event":"call""#));
        assert_eq!(calls.count(), 8, "one line a call: {log}");
        told.push_str(&log);
        let mut secrets = vec![CANARY, credentials.key("news"), "simulated-provider-key"];
        secrets.extend(said.iter().map(String::as_str));
        for (name, value) in credentials.variables() {
            if name.contains("PEPPER") || name.contains("HMAC") {
                secrets.push(value);
            }
        }
        for secret in secrets {
            assert!(!told.contains(secret), "{secret} is told with {store}");
        }
    }
}

/// All that is sent to Redis from now on: much of it is gone again a moment later.
fn monitor(redis: &Redis) -> JoinHandle<String> {
    let address = redis.url().replace("redis://", "");
    let mut stream = TcpStream::connect(address).expect("it listens");
    stream.write_all(b"MONITOR\r\n").expect("it reads");
    let mut sent = vec![0; b"+OK\r\n".len()];
    stream.read_exact(&mut sent).expect("it watches");
    std::thread::spawn(move || {
        // Until it is killed.
        let _ = stream.read_to_end(&mut sent);
        String::from_utf8_lossy(&sent).into_owned()
    })
}

/// All keys and values.
fn in_redis(redis: &Redis) -> String {
    let mut all = String::new();
    for key in redis.command::<Vec<String>>(&["KEYS", "*"]) {
        let kind: String = redis.command(&["TYPE", &key]);
        let read: &[&str] = match kind.as_str() {
            "string" => &["GET", &key],
            "hash" => &["HGETALL", &key],
            "list" => &["LRANGE", &key, "0", "-1"],
            "set" => &["SMEMBERS", &key],
            "zset" => &["ZRANGE", &key, "0", "-1"],
            "stream" => &["XRANGE", &key, "-", "+"],
            // It went away in between.
            "none" => continue,
            other => panic!("{key} is a {other}"),
        };
        let value: redis::Value = redis.command(read);
        all.push_str(&format!("{key} {value:?}\n"));
    }
    all
}
