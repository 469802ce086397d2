//! The names in an expression. Whether it is an expression at all is for Prometheus to say.

use crate::{catalogue::Catalogue, promql};

/// The names of an expression that no catalogue has, in words.
pub(super) fn problems(text: &str, catalogue: &Catalogue) -> Vec<String> {
    let used = promql::read(text);
    let mut all = Vec::new();
    if used.selectors.is_empty() && text != "vector(1)" {
        all.push(format!("it selects nothing: {text}"));
    }
    for selector in &used.selectors {
        let metric = &selector.name;
        let Some(labels) = catalogue.labels(metric) else {
            all.push(format!("no catalogue has {metric}"));
            continue;
        };
        for (label, operator, value) in &selector.matchers {
            match labels.get(label) {
                None => all.push(format!("{metric} has no label {label}")),
                Some(None) => {}
                Some(Some(closed)) => {
                    let regex = operator.ends_with('~');
                    let values = value.split(|letter| regex && letter == '|');
                    let unknown = values.filter(|value| !closed.contains(*value));
                    all.extend(unknown.map(|value| format!("{metric} never has {label}={value}")));
                }
            }
        }
    }
    for label in &used.labels {
        let has = |selector: &promql::Selector| {
            let labels = catalogue.labels(&selector.name);
            labels.is_none_or(|labels| labels.contains_key(label))
        };
        if !used.selectors.iter().any(has) {
            all.push(format!("nothing in it has the label {label}"));
        }
    }
    all
}

#[test]
fn what_no_catalogue_has_is_told() {
    let catalogue = Catalogue::read();
    let of = |text: &str| problems(text, &catalogue).join("; ");
    assert_eq!(of("tollgate_holds"), "no catalogue has tollgate_holds");
    assert_eq!(
        of(r#"tollgate_degraded_mode{component="budget"}"#),
        "tollgate_degraded_mode never has component=budget"
    );
    assert_eq!(
        of(r#"sum by (team) (tollgate_holds_open{model="m"})"#),
        "tollgate_holds_open has no label model; nothing in it has the label team"
    );
    assert_eq!(
        of(r#"chain_client_runs_total{outcome="dead"}"#),
        "chain_client_runs_total never has outcome=dead"
    );
}
