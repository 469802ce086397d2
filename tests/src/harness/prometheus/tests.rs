//! That the harness says what a real Prometheus says.

use super::*;
use crate::harness::Gateway;

const SECOND: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_secs(20);

fn setup(rules: Vec<PathBuf>) -> Setup {
    Setup {
        scrape: Vec::new(),
        rules,
        alertmanager: None,
        interval: SECOND,
        evaluation: SECOND,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_scrapes_evaluates_and_alerts() {
    let dir = TempDir::new().expect("a directory");
    let rules = dir.path().join("rules.yml");
    let text = r#"{"groups": [{"name": "test", "rules": [
        {"record": "twice", "expr": "2 * up"},
        {"alert": "Up", "expr": "up == 1", "annotations": {"summary": "{{ $labels.job }} is up"}}
    ]}]}"#;
    fs::write(&rules, text).expect("it is written");
    let gateway = Gateway::start("http://127.0.0.1:1", &[]).await;
    let url = gateway.metrics_url();
    let address = url
        .trim_start_matches("http://")
        .trim_end_matches("/metrics");
    let setup = Setup {
        scrape: vec![("gateway".to_owned(), address.parse().expect("an address"))],
        ..setup(vec![rules])
    };
    let prometheus = Prometheus::start(setup).await.expect("it starts");
    let twice = prometheus.wait_for("twice == 2", SOON, |found| !found.is_empty());
    let twice = twice.await.expect("it is evaluated");
    assert_eq!(twice[0].labels["job"], "gateway");
    let firing = prometheus.wait_for_alerts(SOON, |alerts| alerts.iter().any(|one| one.firing));
    let firing = firing.await.expect("it fires");
    assert_eq!((firing.len(), firing[0].name.as_str()), (1, "Up"));
    assert_eq!(firing[0].annotations["summary"], "gateway is up");
    let rules = prometheus.rules().await.expect("there are some");
    assert_eq!(rules[0], ("twice".to_owned(), "2 * up".to_owned()));
    let now = prometheus.query("time()").await.expect("a number")[0].value;
    let series = prometheus.range("up == 1", now - 60.0, now, SECOND).await;
    let series = series.expect("a range");
    assert_eq!(series.len(), 1);
    assert!(!series[0].points.is_empty());
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_it_refuses_is_said() {
    let dir = TempDir::new().expect("a directory");
    let rules = dir.path().join("rules.yml");
    let text = r#"{"groups": [{"name": "test", "rules": [{"record": "bad", "expr": "sum("}]}]}"#;
    fs::write(&rules, text).expect("it is written");
    let refused = Prometheus::start(setup(vec![rules])).await.err();
    let refused = refused.expect("there is no such rule").to_string();
    assert!(refused.contains("rules.yml"), "{refused}");

    let prometheus = Prometheus::start(setup(Vec::new())).await;
    let prometheus = prometheus.expect("it starts");
    let refused = prometheus.query("sum(").await;
    let refused = refused
        .expect_err("there is no such expression")
        .to_string();
    assert!(refused.contains("parse error"), "{refused}");
    let absent = prometheus.wait_for("up", SECOND, |found| !found.is_empty());
    let absent = absent.await.expect_err("nothing is scraped").to_string();
    assert!(absent.contains("`up`"), "{absent}");
}
