//! From a broken provider to a message in a channel, and back: all of it real, with the shipped rules
//! and the shipped routing on a faster clock.

use super::{alertmanager::Alertmanager, shortened, webhook::Webhook};
use std::{
    net::SocketAddr,
    sync::Arc,
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    time::{Duration, Instant},
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tollgate_tests::{
    harness::{
        Gateway,
        prometheus::{Alert, Prometheus, Setup},
        spec,
    },
    simulator::{Options, Simulator},
};

/// How long the slowest machine may take for what takes some seconds.
const PATIENCE: Duration = Duration::from_secs(90);
const ALERT: &str = "TollgateModelUnavailable";
const SUMMARY: &str = "Calls fail although every target was tried.";
const CALLERS: usize = 8;

const ROUTES: &str = r#"
[routes.cheap]
targets = ["gpt-3.5-turbo"]
attempt_timeout = "2s"
retries = 0

[routes.strong]
targets = ["gpt-4"]
"#;

async fn simulator(options: Options) -> Simulator {
    Simulator::start(options).await.expect("it starts")
}

fn metrics_of(gateway: &Gateway) -> SocketAddr {
    let url = gateway.metrics_url();
    let address = url
        .trim_start_matches("http://")
        .trim_end_matches("/metrics");
    address.parse().expect("an address")
}

/// What fires before Prometheus knows where to send it is only sent again after a minute.
async fn until_alertmanager_is_known(prometheus: &Prometheus) {
    let url = format!("http://{}/api/v1/alertmanagers", prometheus.addr());
    let begin = Instant::now();
    loop {
        let answer = reqwest::get(&url).await.expect("it answers");
        let answer = answer.text().await.expect("text");
        if answer.contains("/api/v2/alerts") {
            return;
        }
        assert!(begin.elapsed() < PATIENCE, "it knows none: {answer}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn fires(alerts: &[Alert]) -> bool {
    alerts
        .iter()
        .any(|alert| alert.firing && alert.name == ALERT)
}

/// Callers that go on until they are told to stop, whatever they are answered.
struct Load {
    stop: Arc<AtomicBool>,
    callers: Vec<JoinHandle<()>>,
}

impl Load {
    fn start(gateway: &Gateway) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let callers = (0..CALLERS).map(|_| {
            let (caller, stop) = (gateway.caller("news"), Arc::clone(&stop));
            tokio::spawn(async move {
                while !stop.load(Relaxed) {
                    let _ = caller.complete(spec("cheap", "What is new in town?")).await;
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
            })
        });
        let callers = callers.collect();
        Self { stop, callers }
    }

    async fn stop(self) {
        self.stop.store(true, Relaxed);
        for caller in self.callers {
            caller.await.expect("no panic");
        }
    }
}

/// Prometheus with the shipped rules, which watches a gateway and tells an Alertmanager.
async fn watch(gateway: &Gateway, alertmanager: &Alertmanager, rules: &TempDir) -> Prometheus {
    let prometheus = Prometheus::start(Setup {
        scrape: vec![("tollgate".to_owned(), metrics_of(gateway))],
        rules: shortened::rules(rules.path()),
        alertmanager: Some(alertmanager.address),
        interval: Duration::from_millis(300),
        evaluation: Duration::from_millis(300),
    });
    let prometheus = prometheus.await.expect("it starts");
    until_alertmanager_is_known(&prometheus).await;
    prometheus
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_that_breaks_is_told_and_so_is_its_return() {
    let provider = simulator(Options::default()).await;
    let listen = provider.address();
    let gateway = Gateway::start_with(&provider.base_url(), &[("news", "")], |settings| {
        settings
            .routes(ROUTES)
            .section("[breaker]\nopen = \"100ms\"")
    })
    .await;
    let webhook = Webhook::start();
    let alertmanager = Alertmanager::start(webhook.address);
    let dir = TempDir::new().expect("a directory");
    let prometheus = watch(&gateway, &alertmanager, &dir).await;
    let load = Load::start(&gateway);

    // All is well.
    let answered = r#"sum(tollgate_requests_total{job="tollgate",outcome="ok"}) > 100"#;
    let some = |samples: &[_]| !samples.is_empty();
    let seen = prometheus.wait_for(answered, PATIENCE, some).await;
    seen.expect("calls are answered");
    let alerts = prometheus.alerts().await.expect("it answers");
    assert!(!fires(&alerts), "{alerts:?}");

    provider.stop().await;
    let told = prometheus.wait_for_alerts(PATIENCE, fires).await;
    let told = told.expect("it fires");
    let alert = told.iter().find(|alert| alert.name == ALERT);
    assert_eq!(alert.expect("there").labels["model"], "gpt-3.5-turbo");
    let message = webhook.wait_for(PATIENCE, |message| message.title.contains(SUMMARY));
    assert_eq!(message.place, "on-call");
    assert!(message.title.starts_with("critical: "), "{message:?}");
    assert!(message.text.contains("gpt-3.5-turbo failed"), "{message:?}");
    let runbook = "/docs/runbooks/TollgateModelUnavailable.md";
    assert!(message.text.contains(runbook), "{message:?}");

    let provider = simulator(Options {
        listen,
        ..Options::default()
    })
    .await;
    let told = prometheus
        .wait_for_alerts(PATIENCE, |alerts| !fires(alerts))
        .await;
    told.expect("it is over");
    let over = format!("over: {SUMMARY}");
    let message = webhook.wait_for(PATIENCE, |message| message.title.contains(&over));
    assert_eq!(message.place, "on-call");

    load.stop().await;
    gateway.stop().await;
    provider.stop().await;
}
