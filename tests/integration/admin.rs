//! What operators do to running gateways, with the commands that they use.

mod keys;
mod money;
mod targets;

use crate::contract::reflected;
use serde_json::Value;
use std::{
    fs,
    process::{Command, Output},
    time::Duration,
};
use tempfile::TempDir;
use tollgate_proto::admin::v1::{self as admin, admin_service_client::AdminServiceClient};
use tollgate_tests::{
    harness::{Caller, Credentials, GatewayProcess, Redis, Refused, Settings, program, simulator},
    simulator::Simulator,
};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

/// Gateways that operators can reach.
struct Site {
    simulator: Simulator,
    credentials: Credentials,
    dir: TempDir,
    redis: Option<Redis>,
    teams: Vec<(String, String)>,
    /// In place of the usual ones.
    routes: Option<&'static str>,
}

impl Site {
    /// A site for one gateway, with its store in memory.
    async fn in_memory(teams: &[(&str, &str)]) -> Self {
        let names: Vec<&str> = teams.iter().map(|(name, _)| *name).collect();
        let owned = |(name, bounds): &(&str, &str)| ((*name).to_owned(), (*bounds).to_owned());
        Self {
            simulator: simulator(0).await,
            credentials: Credentials::new(&names),
            dir: TempDir::new().expect("a directory"),
            redis: None,
            teams: teams.iter().map(owned).collect(),
            routes: None,
        }
    }

    /// A site for several gateways, with a Redis.
    async fn shared(teams: &[(&str, &str)]) -> Self {
        Self {
            redis: Some(Redis::start()),
            ..Self::in_memory(teams).await
        }
    }

    fn start(&self, replica: &str) -> GatewayProcess {
        let dir = self.dir.path().join(replica);
        fs::create_dir_all(&dir).expect("it is made");
        let mut settings = Settings::new(&self.simulator.base_url(), &dir)
            .ledger(&self.dir.path().join("ledger"))
            .server("max_wait = \"0s\"")
            .operators();
        let mut variables: Vec<_> = self.credentials.variables().clone().into_iter().collect();
        if let Some(redis) = &self.redis {
            // Machines of tests are slow and shared.
            settings = settings.section(
                "[store]\nkind = \"redis\"\nurl_env = \"TEST_REDIS_URL\"\n\
                 command_timeout = \"500ms\"\nexpected_replicas = 2",
            );
            variables.push(("TEST_REDIS_URL".to_owned(), redis.url()));
        }
        if let Some(routes) = self.routes {
            settings = settings.routes(routes);
        }
        for (name, bounds) in &self.teams {
            settings = settings.team(name, bounds);
        }
        let path = dir.join("tollgate.toml");
        fs::write(&path, settings.text()).expect("it is written");
        GatewayProcess::start_with(&path, &variables).expect("it says where it listens")
    }

    async fn caller(&self, gateway: &GatewayProcess, team: &str) -> Caller {
        gateway.caller(&self.credentials, team).await
    }

    /// Runs an operator's command.
    fn run(&self, gateway: &GatewayProcess, command: &str) -> Output {
        let mut program = Command::new(program("tollgate"));
        program
            .args(command.split(' '))
            .args(["--admin", &office_url(gateway)])
            .env("TOLLGATE_ADMIN_KEY", self.credentials.operator());
        program.output().expect("it runs")
    }

    /// The same for what must go well, as programs read it.
    fn json(&self, gateway: &GatewayProcess, command: &str) -> Value {
        let output = self.run(gateway, &format!("{command} --json"));
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command}: {said}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// The same for what must be refused. Returns the exit code and what was said.
    fn refused(&self, gateway: &GatewayProcess, command: &str) -> (Option<i32>, String) {
        let output = self.run(gateway, command);
        assert!(!output.status.success(), "{command} went well");
        let said = String::from_utf8(output.stderr).expect("text");
        (output.status.code(), said)
    }
}

fn office_url(gateway: &GatewayProcess) -> String {
    let address = gateway.admin.expect("operators are served");
    format!("http://{address}")
}

async fn connect(gateway: &GatewayProcess) -> Channel {
    let endpoint = Endpoint::from_shared(office_url(gateway)).expect("an address");
    endpoint.connect().await.expect("it listens")
}

/// A caller with a key that an operator made.
async fn with_key(gateway: &GatewayProcess, key: &str) -> Caller {
    let endpoint = Endpoint::from_shared(format!("http://{}", gateway.grpc)).expect("an address");
    Caller::new(endpoint.connect().await.expect("it listens"), key)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    let found = value[key].as_str();
    found.unwrap_or_else(|| panic!("{key} of {value}"))
}

/// Waits until something is so, and for at most 5 seconds: what operators were promised.
async fn within_five_seconds(what: &str, is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(5), waiting).await;
    assert!(waited.is_ok(), "it did not come about in time that {what}");
}

#[tokio::test]
async fn only_operators_keys_open_the_operators_api() {
    let site = Site::in_memory(&[("news", "")]).await;
    let gateway = site.start("one");
    let office = AdminServiceClient::new(connect(&gateway).await);
    let mut credentials = vec![None, Some("Bearer nonsense".to_owned())];
    // A team's key is no operator's.
    credentials.push(Some(format!("Bearer {}", site.credentials.key("news"))));
    for credential in credentials {
        let mut request = tonic::Request::new(admin::CreateKeyRequest {
            team: "news".to_owned(),
            key_id: String::new(),
        });
        if let Some(credential) = &credential {
            let value = credential.parse().expect("a header");
            request.metadata_mut().insert("authorization", value);
        }
        let refused = office.clone().create_key(request).await;
        let refused = Refused::from(refused.expect_err("nobody"));
        assert_eq!(refused.code, Code::Unauthenticated, "{credential:?}");
        assert_eq!(refused.reason, "INVALID_CREDENTIAL");
    }
    // And an operator's is no team's.
    let operator = with_key(&gateway, site.credentials.operator()).await;
    let refused = operator.complete(tollgate_tests::harness::spec("cheap", "hello"));
    assert_eq!(
        refused.await.expect_err("no team").reason,
        "INVALID_CREDENTIAL"
    );
    // Callers do not find the operators' API where they call.
    let mut elsewhere = AdminServiceClient::new({
        let url = format!("http://{}", gateway.grpc);
        let endpoint = Endpoint::from_shared(url).expect("an address");
        endpoint.connect().await.expect("it listens")
    });
    let mut request = tonic::Request::new(admin::ListTargetsRequest {});
    let bearer = format!("Bearer {}", site.credentials.operator());
    let bearer = bearer.parse().expect("a header");
    request.metadata_mut().insert("authorization", bearer);
    let refused = elsewhere
        .list_targets(request)
        .await
        .expect_err("not there");
    assert_eq!(refused.code(), Code::Unimplemented);
    assert_eq!(site.json(&gateway, "keys list")[0]["from"], "configuration");
    assert!(gateway.terminate().success());
}

#[tokio::test]
async fn reflection_names_what_operators_find_where_they_call() {
    let site = Site::in_memory(&[("news", "")]).await;
    let gateway = site.start("one");
    let symbols = ["tollgate.admin.v1.AdminService.CreateKey"];
    let (services, has) = reflected(connect(&gateway).await, &symbols).await;
    let expected = [
        "grpc.reflection.v1.ServerReflection",
        "grpc.reflection.v1alpha.ServerReflection",
        "tollgate.admin.v1.AdminService",
    ];
    assert_eq!(services, expected);
    assert_eq!(has, [true]);
    assert!(gateway.terminate().success());
}

#[tokio::test]
async fn a_reload_takes_a_good_file_and_refuses_a_bad_one() {
    let site = Site::in_memory(&[("news", "")]).await;
    let gateway = site.start("one");
    let same = site.json(&gateway, "reload");
    assert_eq!(same["changed"], false);
    let path = site.dir.path().join("one/tollgate.toml");
    let before = fs::read_to_string(&path).expect("text");
    let after = before.clone() + "limits = { concurrency = 7 }\n";
    fs::write(&path, &after).expect("it is written");
    let changed = site.json(&gateway, "reload");
    assert_eq!(changed["changed"], true);
    assert_ne!(changed["config_hash"], same["config_hash"]);
    fs::write(&path, after + "nonsense = 1\n").expect("it is written");
    let (code, said) = site.refused(&gateway, "reload");
    assert_eq!(code, Some(1));
    assert!(said.contains("nonsense"), "{said}");
    assert!(gateway.terminate().success());
}
