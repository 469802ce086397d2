//! Who is told, and what need not be told.

use super::{
    alertmanager::Alertmanager,
    files::{prometheus, rules},
    passes, repository,
    webhook::Webhook,
};
use serde_json::{Value, json};
use std::{fs, process::Command};

fn config() -> String {
    let path = repository().join("deploy/alertmanager/alertmanager.yml");
    path.display().to_string()
}

#[test]
fn alertmanager_takes_its_configuration_and_no_secret_is_in_it() {
    passes(Command::new("amtool").args(["check-config", &config()]));
    let text = fs::read_to_string(config()).expect("text");
    for line in text.lines().filter(|line| line.contains("url")) {
        assert!(
            line.contains("api_url_file: /etc/alertmanager/urls/") || line.trim().starts_with('#'),
            "{line} is not in a file"
        );
    }
}

/// The receiver of an alert with these labels.
fn receiver(labels: &[String]) -> String {
    let mut test = Command::new("amtool");
    test.args(["config", "routes", "test", "--config.file", &config()]);
    passes(test.args(labels)).trim().to_owned()
}

#[tokio::test]
async fn each_alert_goes_to_whom_it_concerns() {
    for rule in rules(&prometheus().await).await {
        if !rule.alert {
            continue;
        }
        let severity = rule.labels["severity"].as_str().expect("a text");
        let mut labels = vec![
            format!("alertname={}", rule.name),
            format!("severity={severity}"),
        ];
        let of_teams = rule.annotation("description").contains("$labels.team");
        if of_teams {
            labels.push("team=news".to_owned());
        }
        let wanted = match severity {
            "none" => "watchdog",
            _ if of_teams => "team-news",
            "critical" => "on-call",
            _ => "platform",
        };
        assert_eq!(receiver(&labels), wanted, "{labels:?}");
        if of_teams {
            labels.pop();
            labels.push("team=another".to_owned());
            assert_eq!(receiver(&labels), "teams", "{labels:?}");
        }
    }
}

fn alert(name: &str, severity: &str, more: &Value) -> Value {
    let mut labels = json!({ "alertname": name, "severity": severity });
    let labels_of = labels.as_object_mut().expect("an object");
    labels_of.extend(more.as_object().expect("an object").clone());
    labels
}

#[tokio::test]
async fn what_follows_from_something_worse_is_not_told() {
    let alertmanager = Alertmanager::start(Webhook::start().address);
    let job = json!({ "job": "tollgate" });
    let of = |team: &str, period: &str| json!({ "team": team, "period": period });
    let none = json!({});
    alertmanager
        .raise(&[
            alert("Watchdog", "none", &none),
            alert("TollgateAvailabilityBurn", "critical", &job),
            alert("TollgateAvailabilityBurn", "warning", &job),
            alert("TollgateOverheadBurn", "warning", &job),
            alert("TollgateBudgetUsed", "warning", &of("news", "day")),
            alert("TollgateBudgetAlmostUsed", "warning", &of("news", "day")),
            alert("TollgateBudgetAlmostUsed", "warning", &of("lab", "day")),
            alert("ChainRunsFailing", "warning", &none),
        ])
        .await;
    let milder = [
        "TollgateAvailabilityBurn warning",
        "TollgateBudgetAlmostUsed warning news",
    ];
    assert_eq!(alertmanager.inhibited().await, milder);
    alertmanager
        .raise(&[
            alert("TollgateStoreDown", "critical", &none),
            alert("TollgateBudgetsDegraded", "critical", &none),
            alert(
                "TollgateStoreSlow",
                "warning",
                &json!({ "command": "hold" }),
            ),
            alert(
                "TollgateBreakerOpen",
                "warning",
                &json!({ "deployment": "d" }),
            ),
        ])
        .await;
    let without_store = [
        "TollgateAvailabilityBurn critical",
        "TollgateAvailabilityBurn warning",
        "TollgateBudgetAlmostUsed warning news",
        "TollgateBudgetsDegraded critical",
        "TollgateStoreSlow warning",
    ];
    assert_eq!(alertmanager.inhibited().await, without_store);
    alertmanager
        .raise(&[alert("TollgateDown", "critical", &none)])
        .await;
    let without_gateway = [
        "ChainRunsFailing warning",
        "TollgateAvailabilityBurn critical",
        "TollgateAvailabilityBurn warning",
        "TollgateBreakerOpen warning",
        "TollgateBudgetAlmostUsed warning lab",
        "TollgateBudgetAlmostUsed warning news",
        "TollgateBudgetUsed warning news",
        "TollgateBudgetsDegraded critical",
        "TollgateOverheadBurn warning",
        "TollgateStoreDown critical",
        "TollgateStoreSlow warning",
    ];
    assert_eq!(alertmanager.inhibited().await, without_gateway);
}
