//! The caller's trace goes with its call: to each provider, and into the log.

use serde_json::Value;
use std::{fs, process::Command};
use tempfile::TempDir;
use tollgate_proto::v1;
use tollgate_tests::{
    harness::{Caller, Credentials, GatewayProcess, Settings, program, simulator, spec},
    simulator::{Action, Fault, Refused, RetryAfter},
};

const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";

/// A call with these in its metadata.
async fn call(caller: &Caller, parents: &[&str]) {
    let mut request = caller.request(v1::CompleteRequest {
        spec: Some(spec("strong", "Hello")),
    });
    for parent in parents {
        let value = parent.parse().expect("metadata");
        request.metadata_mut().append("traceparent", value);
    }
    let answered = caller.completions().complete(request).await;
    answered.expect("it falls back");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trace_of_a_call_is_passed_on_with_each_attempt_and_logged() {
    let simulator = simulator(0).await;
    let down = Action::Refuse(Refused::NotFound, RetryAfter::Absent);
    simulator.push_fault(Fault::always(down).for_model("claude-sonnet-4-5"));
    let dir = TempDir::new().expect("a directory");
    let credentials = Credentials::new(&["news"]);
    let settings = Settings::new(&simulator.base_url(), dir.path())
        .section(
            r#"
[breaker]
failures = 1_000
[models.claude]
context_tokens = 200_000
max_output_tokens = 8192
price = { input = "3", output = "15" }
deployments = [{ provider = "anthropic", name = "claude-sonnet-4-5" }]
"#,
        )
        .routes(
            r#"
[routes.cheap]
targets = ["local"]
[routes.strong]
targets = ["claude", "gpt-4"]
"#,
        )
        .team("news", "");
    let (config, log) = (dir.path().join("tollgate.toml"), dir.path().join("log"));
    fs::write(&config, settings.text()).expect("it is written");
    let variables: Vec<_> = credentials.variables().clone().into_iter().collect();
    let mut command = Command::new(program("tollgate"));
    command.args(["serve", "--config"]).arg(&config);
    let file = fs::File::create(&log).expect("a file");
    let gateway = GatewayProcess::spawn_logging(command, &variables, file);
    let gateway = gateway.expect("it says where it listens");
    let caller = gateway.caller(&credentials, "news").await;
    let good = format!("00-{TRACE}-b7ad6b7169203331-01");
    let zeros = format!("00-{}-b7ad6b7169203331-01", "0".repeat(32));
    call(&caller, &[&good]).await;
    call(&caller, &[]).await;
    call(&caller, &[&zeros]).await;
    call(&caller, &[&good, &good]).await;
    assert!(gateway.terminate().success());
    let asked = simulator.requests();
    let parents: Vec<Option<&str>> = asked
        .iter()
        .map(|one| Some(one.headers.get("traceparent")?.to_str().expect("text")))
        .collect();
    // Two attempts each: the first call's carry it, the others' are as if they had none.
    assert_eq!(parents[..2], [Some(good.as_str()); 2]);
    assert_eq!(parents[2..], [None; 6]);
    let log = fs::read_to_string(&log).expect("text");
    let lines = log.lines().map(serde_json::from_str);
    let lines = lines.map(|line: Result<Value, _>| line.expect("JSON"));
    let calls: Vec<Value> = lines.filter(|line| line["event"] == "call").collect();
    let traces: Vec<&Value> = calls.iter().map(|line| &line["trace_id"]).collect();
    let none = &Value::Null;
    assert_eq!(traces, [&Value::from(TRACE), none, none, none]);
}
