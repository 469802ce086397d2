//! What dashboards are looked at with: two real gateways on a real Redis, a real chain-client and a
//! real Prometheus, and teams that call.

use crate::{
    harness::{
        Caller, Certificate, Credentials, GatewayProcess, Redis, Settings, program,
        prometheus::{Prometheus, Setup},
        spec,
    },
    simulator::{Options, Simulator},
};
use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use tempfile::TempDir;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tollgate_proto::v1;

/// The teams, each with what bounds it. Those of `chain` come with the stage's pace.
const TEAMS: [(&str, &str); 4] = [
    (
        "news",
        r#"limits = { requests_per_minute = 6000, concurrency = 60 }
budgets = [{ per = "day", amount = "25" }, { per = "month", amount = "400" }]"#,
    ),
    (
        "research",
        r#"limits = { requests_per_minute = 120, tokens_per_minute = 400000, concurrency = 20 }
budgets = [{ per = "day", amount = "10" }]"#,
    ),
    (
        "web",
        r#"limits = { concurrency = 20 }
budgets = [{ per = "day", amount = "0.20" }]"#,
    ),
    ("chain", r#"budgets = [{ per = "day", amount = "5" }]"#),
];

/// How fast all goes.
pub struct Pace {
    /// How often Prometheus scrapes.
    pub scrape: Duration,
    /// What the provider takes at least.
    pub latency: Duration,
    /// What the team that runs the chain may ask for. A run asks about 34 times.
    pub chain_per_minute: u32,
}

/// Machines of tests are slow and shared, so the store may take longer than by default.
const STORE: &str = r#"[store]
kind = "redis"
url_env = "TEST_REDIS_URL"
command_timeout = "500ms"
expected_replicas = 2"#;

/// All that runs, and ends with it.
pub struct Stage {
    /// The provider.
    pub simulator: Simulator,
    /// The store of both gateways.
    pub redis: Redis,
    /// The gateways.
    pub gateways: [GatewayProcess; 2],
    /// It scrapes gateways and chain-client, with the rules of deploy/.
    pub prometheus: Prometheus,
    /// Both gateways show it.
    certificate: Certificate,
    credentials: Credentials,
    chain_metrics: SocketAddr,
    dir: TempDir,
}

impl Stage {
    /// Starts all but the load.
    ///
    /// # Panics
    /// If something does not start.
    pub async fn set(pace: &Pace) -> Self {
        let options = Options {
            latency: pace.latency,
            jitter: pace.latency * 2,
            ..Options::default()
        };
        let simulator = Simulator::start(options).await.expect("it starts");
        let dir = TempDir::new().expect("a directory");
        let certificate = Certificate::ending_in_2040();
        certificate.write(dir.path());
        let credentials = Credentials::new(&TEAMS.map(|(team, _)| team));
        let redis = Redis::start();
        let mut variables: Vec<_> = credentials.variables().clone().into_iter().collect();
        variables.push(("TEST_REDIS_URL".to_owned(), redis.url()));
        let gateways = ["a", "b"].map(|replica| {
            let own = dir.path().join(replica);
            fs::create_dir_all(&own).expect("it is made");
            let mut settings = Settings::new(&simulator.base_url(), &own)
                .ledger(&dir.path().join("ledger"))
                .server("max_wait = \"300ms\"")
                .server(&Certificate::line(dir.path()))
                .section(STORE)
                // The load reaches it now and then.
                .quota("gpt-4", "concurrency = 2")
                .section("[breaker]\nfailures = 5\nopen = \"2s\"");
            let chain = format!(
                "limits = {{ requests_per_minute = {} }}",
                pace.chain_per_minute
            );
            for (team, lines) in TEAMS {
                let more = if team == "chain" { &chain } else { "" };
                settings = settings.team(team, &format!("{lines}\n{more}"));
            }
            let config = own.join("tollgate.toml");
            fs::write(&config, settings.text()).expect("it is written");
            GatewayProcess::start_with(&config, &variables).expect("it says where it listens")
        });
        let chain_metrics = free_address();
        let setup = Setup {
            scrape: vec![
                ("tollgate".to_owned(), gateways[0].metrics),
                ("tollgate".to_owned(), gateways[1].metrics),
                ("chain-client".to_owned(), chain_metrics),
            ],
            rules: rules(),
            alertmanager: None,
            interval: pace.scrape,
            evaluation: pace.scrape,
        };
        let prometheus = Prometheus::start(setup).await.expect("it starts");
        Self {
            simulator,
            redis,
            gateways,
            prometheus,
            certificate,
            credentials,
            chain_metrics,
            dir,
        }
    }

    /// A caller of the first gateway.
    pub async fn caller(&self, team: &str) -> Caller {
        self.connected(0, &self.credentials, team).await
    }

    async fn connected(&self, gateway: usize, credentials: &Credentials, team: &str) -> Caller {
        let channel = self.certificate.connect(self.gateways[gateway].grpc).await;
        Caller::new(channel.expect("it is trusted"), credentials.key(team))
    }

    /// Teams that call until they are stopped, each at its own pace.
    pub async fn load(&self) -> Load {
        let mut load = Load::default();
        for (team, route, callers, pause) in [
            ("news", "strong", 3, 40),
            ("news", "cheap", 3, 20),
            ("research", "cheap", 4, 150),
            ("research", "strong", 1, 300),
            ("web", "cheap", 1, 60),
        ] {
            for number in 0..callers {
                let caller = self.connected(number % 2, &self.credentials, team).await;
                let pause = Duration::from_millis(pause);
                load.add(move || call(caller.clone(), asked(route)), pause);
            }
        }
        // What callers get wrong: a key that is none, a model that is none.
        let stranger = Credentials::new(&["web"]);
        let stranger = self.connected(1, &stranger, "web").await;
        let pause = Duration::from_millis(500);
        load.add(move || call(stranger.clone(), asked("cheap")), pause);
        let wrong = self.caller("web").await;
        let model = v1::CompletionSpec {
            target: Some(v1::completion_spec::Target::Model("gpt-5-typo".to_owned())),
            ..asked("cheap")
        };
        load.add(move || call(wrong.clone(), model.clone()), pause);
        load
    }

    /// One run of the chain over the example articles; gives back its exit code. Each edition has
    /// texts of its own: what was asked before would be replayed.
    ///
    /// # Panics
    /// If it does not run.
    pub fn chain_run(&self, edition: u32) -> impl Future<Output = Option<i32>> + 'static {
        let folder = self.dir.path().join(format!("edition-{edition}"));
        let articles = folder.join("articles");
        fs::create_dir_all(&articles).expect("it is made");
        let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/articles");
        for entry in fs::read_dir(examples).expect("there are some") {
            let entry = entry.expect("an entry");
            let text = fs::read_to_string(entry.path()).expect("text");
            let text = format!("{text}\nThis is edition {edition}.\n");
            fs::write(articles.join(entry.file_name()), text).expect("it is written");
        }
        let mut run = Command::new(program("chain-client"));
        run.arg("run")
            .arg(articles)
            .args(["--gateway", &format!("https://{}", self.gateways[0].grpc)])
            .arg("--ca-file")
            .arg(self.dir.path().join("cert.pem"))
            .args(["--metrics-addr", &self.chain_metrics.to_string()])
            .args([
                "-j",
                "2",
                "--time-budget",
                "5m",
                "--progress",
                "none",
                "--out",
            ])
            .arg(folder.join("run"))
            .env("TOLLGATE_API_KEY", self.credentials.key("chain"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        async move {
            let ended = tokio::task::spawn_blocking(move || run.status().expect("it runs"));
            ended.await.expect("no panic").code()
        }
    }
}

/// deploy/prometheus/rules.
fn rules() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus/rules");
    let entries = fs::read_dir(folder).expect("the rules are there");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    paths
        .map(|path| path.canonicalize().expect("it is there"))
        .collect()
}

/// An address that Prometheus can know before a program listens on it. Nothing else in the tests
/// uses this one of the loopback addresses, so the port stays free.
fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.94.65:0").expect("a port");
    listener.local_addr().expect("bound")
}

fn asked(route: &str) -> v1::CompletionSpec {
    v1::CompletionSpec {
        attribution: Some(v1::Attribution {
            pipeline: if route == "cheap" {
                "content-analysis"
            } else {
                ""
            }
            .to_owned(),
            ..v1::Attribution::default()
        }),
        ..spec(route, "What is new in town, and what is it about?")
    }
}

/// What becomes of it shows in the metrics.
async fn call(caller: Caller, spec: v1::CompletionSpec) {
    let _ = caller.complete(spec).await;
}

/// Callers in the background.
#[derive(Default)]
pub struct Load {
    stop: CancellationToken,
    callers: JoinSet<()>,
}

impl Load {
    fn add<F: Future<Output = ()> + Send>(
        &mut self,
        again: impl Fn() -> F + Send + Sync + 'static,
        pause: Duration,
    ) {
        let stop = self.stop.clone();
        self.callers.spawn(async move {
            while !stop.is_cancelled() {
                again().await;
                // The pace of a caller, which makes the load what it is on any machine.
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(pause) => {}
                }
            }
        });
    }

    /// Lets every caller end its call.
    pub async fn stop(mut self) {
        self.stop.cancel();
        while self.callers.join_next().await.is_some() {}
    }
}
