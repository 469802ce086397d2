//! The metrics of both programs and the series that rules record, with their labels.

use std::{
    collections::{BTreeMap, BTreeSet},
    process::Command,
};
use tollgate::telemetry::catalogue::{self, Kind, Values};
use tollgate_tests::harness::program;

/// The values of a label, if they are a closed set.
type Closed = Option<BTreeSet<String>>;

/// Every name that an expression may use, with its labels.
#[derive(Debug)]
pub(super) struct Catalogue(BTreeMap<String, BTreeMap<String, Closed>>);

impl Catalogue {
    /// What both programs serve, and what Prometheus itself adds.
    pub(super) fn read() -> Self {
        let mut known = Self(BTreeMap::new());
        known.add_own("up");
        known.add("ALERTS", false, vec![("alertname".to_owned(), None)]);
        for metric in catalogue::all() {
            let labels = metric.labels.iter().map(|label| {
                let values = match label.values {
                    Values::Closed(names) => Some(names.iter().map(|&name| name.into()).collect()),
                    Values::Configured(_) => None,
                };
                (label.name.to_owned(), values)
            });
            let histogram = matches!(metric.kind, Kind::Histogram(_));
            known.add(metric.name, histogram, labels.collect());
        }
        known.add_chain_client();
        known
    }

    /// A series that a rule records: the part before the first colon names its labels.
    pub(super) fn add_recorded(&mut self, name: &str) {
        let (level, _) = name.split_once(':').expect("level:metric:operation");
        let labels = level.split('_').map(|label| (label.to_owned(), None));
        self.add(name, false, labels.collect());
    }

    /// A metric of Prometheus's own.
    pub(super) fn add_own(&mut self, name: &str) {
        self.add(name, false, Vec::new());
    }

    /// The labels of a name.
    pub(super) fn labels(&self, name: &str) -> Option<&BTreeMap<String, Closed>> {
        self.0.get(name)
    }

    fn add(&mut self, name: &str, histogram: bool, mut labels: Vec<(String, Closed)>) {
        labels.extend(["job", "instance"].map(|label| (label.to_owned(), None)));
        let labels: BTreeMap<_, _> = labels.into_iter().collect();
        if !histogram {
            self.0.insert(name.to_owned(), labels);
            return;
        }
        for part in ["sum", "count", "bucket"] {
            let mut labels = labels.clone();
            if part == "bucket" {
                labels.insert("le".to_owned(), None);
            }
            self.0.insert(format!("{name}_{part}"), labels);
        }
    }

    /// The table that `chain-client metrics-doc` prints.
    fn add_chain_client(&mut self) {
        let printed = super::passes(Command::new(program("chain-client")).arg("metrics-doc"));
        let before = self.0.len();
        for line in printed.lines().filter(|line| line.starts_with("| `")) {
            let cells: Vec<_> = line.split('|').map(str::trim).collect();
            let labels = cells[3].split(';').map(str::trim);
            let labels = labels.filter(|label| !label.is_empty()).map(|label| {
                match label.split_once(": ") {
                    Some((name, values)) => {
                        let values = values.split(", ").map(str::to_owned).collect();
                        (name.trim_matches('`').to_owned(), Some(values))
                    }
                    None => (label.trim_matches('`').to_owned(), None),
                }
            });
            let name = cells[1].trim_matches('`');
            self.add(name, cells[2] == "histogram", labels.collect());
        }
        assert!(self.0.len() > before + 15, "a table:\n{printed}");
    }
}
