//! Every metric of both programs, as their own catalogues say.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    process::Command,
};
use tollgate::telemetry::catalogue::{self, Kind, Values};
use tollgate_tests::harness::program;

/// A metric, or a part of a histogram.
#[derive(Debug)]
pub(super) struct Known {
    pub(super) counter: bool,
    /// The labels, with their values where they are a closed set.
    pub(super) labels: BTreeMap<String, Option<BTreeSet<String>>>,
}

/// The metrics by the names that Prometheus gives them.
pub(super) fn metrics() -> BTreeMap<String, Known> {
    let mut all = gateway();
    all.extend(chain_client());
    for name in ["up", "scrape_samples_scraped"] {
        add(&mut all, name, "gauge", BTreeMap::new());
    }
    for metric in all.values_mut() {
        for label in ["job", "instance"] {
            metric.labels.insert(label.to_owned(), None);
        }
    }
    all
}

/// The names of the recording rules.
pub(super) fn recorded() -> BTreeSet<String> {
    let folder = super::panels::grafana().join("../prometheus/rules");
    let entries = fs::read_dir(folder).expect("deploy/prometheus/rules is there");
    let texts = entries.map(|entry| fs::read_to_string(entry.expect("an entry").path()));
    let texts: Vec<String> = texts.collect::<Result<_, _>>().expect("text");
    let lines = texts.iter().flat_map(|text| text.lines());
    let names = lines.filter_map(|line| line.trim().strip_prefix("- record: "));
    names.map(str::to_owned).collect()
}

fn gateway() -> BTreeMap<String, Known> {
    let mut all = BTreeMap::new();
    for metric in catalogue::all() {
        let labels = metric.labels.iter().map(|label| {
            let values = match label.values {
                Values::Closed(names) => {
                    Some(names.iter().map(|name| (*name).to_owned()).collect())
                }
                Values::Configured(_) => None,
            };
            (label.name.to_owned(), values)
        });
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        add(&mut all, metric.name, kind, labels.collect());
    }
    all
}

/// Reads the table that `chain-client metrics-doc` prints.
fn chain_client() -> BTreeMap<String, Known> {
    let printed = Command::new(program("chain-client"))
        .arg("metrics-doc")
        .output();
    let printed = String::from_utf8(printed.expect("it runs").stdout).expect("text");
    let mut all = BTreeMap::new();
    for line in printed.lines().filter(|line| line.starts_with("| `")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let (name, kind) = (cells[1].trim_matches('`'), cells[2]);
        let labels = cells[3]
            .split(';')
            .map(str::trim)
            .filter(|label| !label.is_empty());
        let labels = labels.map(|label| match label.split_once(':') {
            Some((name, values)) => {
                let values = values.split(',').map(|value| value.trim().to_owned());
                (name.trim_matches('`').to_owned(), Some(values.collect()))
            }
            None => (label.trim_matches('`').to_owned(), None),
        });
        add(&mut all, name, kind, labels.collect());
    }
    assert!(all.len() > 20, "chain-client prints its table:\n{printed}");
    all
}

fn add(
    all: &mut BTreeMap<String, Known>,
    name: &str,
    kind: &str,
    labels: BTreeMap<String, Option<BTreeSet<String>>>,
) {
    if kind != "histogram" {
        let counter = kind == "counter";
        all.insert(name.to_owned(), Known { counter, labels });
        return;
    }
    for part in ["sum", "count", "bucket"] {
        let mut labels = labels.clone();
        if part == "bucket" {
            labels.insert("le".to_owned(), None);
        }
        all.insert(
            format!("{name}_{part}"),
            Known {
                counter: true,
                labels,
            },
        );
    }
}
