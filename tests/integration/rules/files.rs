//! The files, as Prometheus reads them.

use super::{expression, files, passes, repository, run};
use crate::catalogue::Catalogue;
use serde_json::Value;
use std::{collections::BTreeSet, fs, process::Command, time::Duration};
use tollgate_tests::harness::prometheus::{Prometheus, Setup};

/// A rule, in Prometheus's words.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) alert: bool,
    pub(super) expression: String,
    pub(super) labels: Value,
    pub(super) annotations: Value,
}

impl Rule {
    pub(super) fn annotation(&self, name: &str) -> &str {
        self.annotations[name].as_str().unwrap_or_default()
    }
}

/// A Prometheus that has the rules and nothing to scrape.
pub(super) async fn prometheus() -> Prometheus {
    let setup = Setup {
        scrape: Vec::new(),
        rules: files("deploy/prometheus/rules", ".yml"),
        alertmanager: None,
        interval: Duration::from_secs(60),
        evaluation: Duration::from_secs(60),
    };
    Prometheus::start(setup).await.expect("it takes the rules")
}

/// All rules.
pub(super) async fn rules(prometheus: &Prometheus) -> Vec<Rule> {
    let url = format!("http://{}/api/v1/rules", prometheus.addr());
    let answer = reqwest::get(url).await.expect("it answers");
    let answer: Value =
        serde_json::from_slice(&answer.bytes().await.expect("whole")).expect("JSON");
    let groups = answer["data"]["groups"].as_array().expect("groups").iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().expect("rules"));
    let rules = rules.map(|rule| Rule {
        name: rule["name"].as_str().expect("a name").to_owned(),
        alert: rule["type"] == "alerting",
        expression: rule["query"].as_str().expect("an expression").to_owned(),
        labels: rule["labels"].clone(),
        annotations: rule["annotations"].clone(),
    });
    let rules: Vec<_> = rules.collect();
    assert!(rules.len() > 40, "they are all there");
    rules
}

/// The names that expressions may use.
pub(super) fn catalogue(rules: &[Rule]) -> Catalogue {
    let mut catalogue = Catalogue::read();
    for rule in rules.iter().filter(|rule| !rule.alert) {
        catalogue.add_recorded(&rule.name);
    }
    catalogue
}

#[test]
fn prometheus_takes_its_configuration_and_the_rules() {
    let config = repository().join("deploy/prometheus/prometheus.yml");
    let mut check = Command::new("promtool");
    passes(
        check
            .args(["check", "config", "--lint=all", "--lint-fatal"])
            .arg(config),
    );
    let mut check = Command::new("promtool");
    let rules = files("deploy/prometheus/rules", ".yml");
    passes(
        check
            .args(["check", "rules", "--lint=all", "--lint-fatal"])
            .args(rules),
    );
}

#[test]
fn the_rules_do_what_their_tests_say() {
    for test in files("tests/rules", ".yml") {
        // Now and then promtool 2.42 waits for ever while it closes its database (a goroutine in
        // tsdb.DB.Close). One file takes seconds.
        let asked = (0..3).find(|_| {
            let mut bounded = Command::new("timeout");
            bounded.args(["--signal=KILL", "90", "promtool", "test", "rules"]);
            let output = run(bounded.arg(&test));
            let ended = output.status.code().is_some_and(|code| code != 137);
            let said = String::from_utf8_lossy(&output.stdout);
            let complained = String::from_utf8_lossy(&output.stderr);
            assert!(
                !ended || output.status.success(),
                "{} fails:\n{said}{complained}",
                test.display()
            );
            ended
        });
        assert!(asked.is_some(), "promtool never ends: {}", test.display());
    }
}

#[tokio::test]
async fn every_rule_uses_names_of_the_catalogues() {
    let rules = rules(&prometheus().await).await;
    let catalogue = catalogue(&rules);
    let problems = rules.iter().flat_map(|rule| {
        let found = expression::problems(&rule.expression, &catalogue);
        found
            .into_iter()
            .map(|told| format!("{}: {told}", rule.name))
    });
    let problems: Vec<_> = problems.collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[tokio::test]
async fn every_alert_says_what_is_wrong_how_bad_it_is_and_where_to_read_on() {
    let rules = rules(&prometheus().await).await;
    for alert in rules.iter().filter(|rule| rule.alert) {
        let name = &alert.name;
        let severity = alert.labels["severity"].as_str().unwrap_or_default();
        assert!(
            ["critical", "warning"].contains(&severity) || name == "Watchdog",
            "{name} is critical or a warning, not {severity:?}"
        );
        for annotation in ["summary", "description"] {
            let text = alert.annotation(annotation);
            assert!(text.ends_with('.'), "{name} has a sentence as {annotation}");
        }
        assert!(
            !alert.annotation("summary").contains("{{"),
            "the summary of {name} is the same for all that is grouped"
        );
        let description = alert.annotation("description");
        // What is not there has no value.
        let nothing = ["TollgateDown", "TollgateLedgerUnwritten", "Watchdog"];
        assert!(
            description.contains("{{ $value")
                || description.contains("{{ $labels.")
                || nothing.contains(&name.as_str()),
            "{name} says how much, or which"
        );
        assert_eq!(
            alert.annotation("runbook_url"),
            format!("docs/runbooks/{name}.md")
        );
    }
}

#[tokio::test]
async fn every_alert_has_tests_that_it_fires_and_that_it_does_not() {
    let rules = rules(&prometheus().await).await;
    let alerts: BTreeSet<_> = rules
        .iter()
        .filter(|rule| rule.alert)
        .map(|rule| &rule.name)
        .collect();
    let texts = files("tests/rules", ".yml").into_iter();
    let tests: String = texts
        .map(|path| fs::read_to_string(path).expect("text"))
        .collect();
    for name in alerts {
        assert!(
            tests.contains(&format!("        alertname: {name}\n")),
            "{name}: no test says what it says when it fires"
        );
        let quiet = format!("ALERTS{{alertname=\"{name}\"");
        let mut asked = tests
            .split("      - expr: '")
            .filter(|test| test.starts_with(&quiet));
        assert!(
            name == "Watchdog" || asked.any(|test| test.contains("exp_samples: []")),
            "{name}: no test says when it is quiet"
        );
    }
}
