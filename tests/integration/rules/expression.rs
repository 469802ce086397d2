//! The names in an expression. Whether it is an expression at all is for Prometheus to say.

use super::catalogue::Catalogue;

/// Words that labels in parentheses follow.
const LISTS: [&str; 6] = [
    "by",
    "without",
    "on",
    "ignoring",
    "group_left",
    "group_right",
];
const OPERATORS: [&str; 5] = ["and", "or", "unless", "bool", "offset"];

/// What is used: metrics, their matchers, and labels that are grouped by.
#[derive(Debug, Default, PartialEq, Eq)]
struct Used {
    metrics: Vec<String>,
    /// Metric, label, and the texts that it is compared with.
    matchers: Vec<(String, String, Vec<String>)>,
    groups: Vec<String>,
}

/// The names of an expression that no catalogue has, in words.
pub(super) fn problems(text: &str, catalogue: &Catalogue) -> Vec<String> {
    let used = read(text);
    let mut all = Vec::new();
    if used.metrics.is_empty() && text != "vector(1)" {
        all.push(format!("it selects nothing: {text}"));
    }
    for metric in &used.metrics {
        if catalogue.labels(metric).is_none() {
            all.push(format!("no catalogue has {metric}"));
        }
    }
    for (metric, label, values) in &used.matchers {
        match catalogue.labels(metric).map(|labels| labels.get(label)) {
            None => {}
            Some(None) => all.push(format!("{metric} has no label {label}")),
            Some(Some(None)) => {}
            Some(Some(Some(closed))) => {
                let unknown = values.iter().filter(|value| !closed.contains(*value));
                all.extend(unknown.map(|value| format!("{metric} never has {label}={value}")));
            }
        }
    }
    for label in &used.groups {
        let has = |metric: &String| {
            let labels = catalogue.labels(metric);
            labels.is_none_or(|labels| labels.contains_key(label))
        };
        if !used.metrics.iter().any(has) {
            all.push(format!("nothing in it has the label {label}"));
        }
    }
    all
}

fn read(text: &str) -> Used {
    let mut used = Used::default();
    let mut rest = text;
    let mut listing = false;
    while let Some(next) = rest.chars().next() {
        if next == '[' || next == '"' {
            let end = if next == '[' { ']' } else { '"' };
            rest = rest[1..].split_once(end).expect("it ends").1;
            continue;
        }
        if next.is_ascii_digit() {
            rest =
                rest.trim_start_matches(|letter: char| letter.is_alphanumeric() || letter == '.');
            continue;
        }
        let end = rest.find(|letter: char| !(letter.is_alphanumeric() || "_:".contains(letter)));
        let (word, after) = rest.split_at(end.unwrap_or(rest.len()));
        if word.is_empty() {
            listing &= next != ')';
            rest = &rest[next.len_utf8()..];
            continue;
        }
        rest = after;
        let after = after.trim_start();
        if listing {
            used.groups.push(word.to_owned());
        } else if LISTS.contains(&word) {
            listing = after.starts_with('(');
        } else if let Some(braced) = after.strip_prefix('{') {
            let (inside, after) = braced.split_once('}').expect("braces end");
            used.metrics.push(word.to_owned());
            used.matchers.extend(matchers(word, inside));
            rest = after;
        } else if !OPERATORS.contains(&word) && !after.starts_with('(') && !after.starts_with("by ")
        {
            used.metrics.push(word.to_owned());
        }
    }
    used
}

/// `label="value",other=~"one|two"`. No value has a quote or a brace inside.
fn matchers(metric: &str, inside: &str) -> Vec<(String, String, Vec<String>)> {
    let mut found = Vec::new();
    let mut rest = inside;
    while let Some((before, after)) = rest.split_once('"') {
        let (value, after) = after.split_once('"').expect("quotes end");
        let label =
            before.trim_matches(|letter: char| !(letter.is_alphanumeric() || letter == '_'));
        let regex = before.ends_with('~');
        let values = value.split('|').filter(|_| regex).map(str::to_owned);
        let mut values: Vec<_> = values.collect();
        if !regex {
            values.push(value.to_owned());
        }
        found.push((metric.to_owned(), label.to_owned(), values));
        rest = after;
    }
    found
}

#[test]
fn metrics_labels_and_values_are_read() {
    let text = r#"1 - sum by (le, job) (rate(a_total{x="1|2", y!~"b|c"}[5m])) / scalar(d:e:f > 1e9) and on (z) up"#;
    let used = read(text);
    assert_eq!(used.metrics, ["a_total", "d:e:f", "up"]);
    assert_eq!(used.groups, ["le", "job", "z"]);
    let matcher = |label: &str, values: &[&str]| {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        ("a_total".to_owned(), label.to_owned(), values)
    };
    assert_eq!(
        used.matchers,
        [matcher("x", &["1|2"]), matcher("y", &["b", "c"])]
    );
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
