//! Every metric of both programs, as their own documents say, and the series that rules record.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::Write as _,
    process::{Command, Stdio},
};
use tollgate_tests::harness::program;

/// What Prometheus itself thinks of a scrape.
pub(crate) fn promtool_accepts(text: &str) {
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is there: `make prerequisites` installs it");
    let mut stdin = promtool.stdin.take().expect("piped");
    stdin.write_all(text.as_bytes()).expect("it reads");
    drop(stdin);
    let checked = promtool.wait_with_output().expect("it ends");
    let told = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success(), "{told}");
}

/// The metrics that a program documents, with their types.
pub(crate) fn documented(program: &str) -> BTreeMap<String, String> {
    let document = document(program);
    let rows = document.lines().filter_map(|line| {
        let mut cells = line.strip_prefix("| `")?.split(" | ");
        let name = cells.next()?.strip_suffix('`')?;
        let kind = cells.next()?;
        // Other tables have labels and edges.
        let is_kind = ["counter", "gauge", "histogram"].contains(&kind);
        is_kind.then(|| (name.to_owned(), kind.to_owned()))
    });
    rows.collect()
}

/// The values of a label, if they are a closed set.
pub(crate) type Closed = Option<BTreeSet<String>>;

/// A metric, or a part of a histogram.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) counter: bool,
    pub(crate) labels: BTreeMap<String, Closed>,
}

/// Every name that an expression may use.
#[derive(Debug, Default)]
pub(crate) struct Catalogue(BTreeMap<String, Known>);

impl Catalogue {
    /// What both programs serve, and what Prometheus itself adds.
    pub(crate) fn read() -> Self {
        let mut known = Self::default();
        for own in ["up", "scrape_samples_scraped"] {
            known.add_own(own);
        }
        known.add("ALERTS", "gauge", &[("alertname".to_owned(), None)]);
        for (program, least) in [("tollgate", 60), ("chain-client", 15)] {
            known.add_document(&document(program), least);
        }
        known
    }

    /// A series that a rule records: the part before the first colon names its labels.
    pub(crate) fn add_recorded(&mut self, name: &str) {
        let (level, _) = name.split_once(':').expect("level:metric:operation");
        let labels = level.split('_').map(|label| (label.to_owned(), None));
        self.add(name, "gauge", &labels.collect::<Vec<_>>());
    }

    /// A metric of Prometheus's own.
    pub(crate) fn add_own(&mut self, name: &str) {
        self.add(name, "gauge", &[]);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Known> {
        self.0.get(name)
    }

    /// The labels of a name.
    pub(crate) fn labels(&self, name: &str) -> Option<&BTreeMap<String, Closed>> {
        self.get(name).map(|known| &known.labels)
    }

    /// The tables that `metrics-doc` prints: of metrics, then of the values of labels.
    fn add_document(&mut self, text: &str, least: usize) {
        let rows = text.lines().filter(|line| line.starts_with("| `"));
        let rows = rows.map(|line| line.split('|').map(str::trim).collect::<Vec<_>>());
        let mut values: BTreeMap<(String, String), Closed> = BTreeMap::new();
        let mut metrics = Vec::new();
        for cells in rows {
            match cells[..] {
                ["", name, kind, labels, _unit, _help, ""] => metrics.push((name, kind, labels)),
                ["", label, of, told, ""] => {
                    for metric in quoted(of) {
                        values.insert((metric, unquoted(label)), closed(told));
                    }
                }
                // Edges of histograms.
                ["", _, _, ""] => {}
                _ => panic!("no row of a known table: {cells:?}"),
            }
        }
        assert!(metrics.len() >= least, "a document of metrics:\n{text}");
        for (name, kind, labels) in metrics {
            let name = unquoted(name);
            let labels = quoted(labels).map(|label| {
                let told = values.remove(&(name.clone(), label.clone()));
                let told = told.unwrap_or_else(|| panic!("{name}: nothing is said of {label}"));
                (label, told)
            });
            let labels: Vec<_> = labels.collect();
            self.add(&name, kind, &labels);
        }
        assert!(values.is_empty(), "labels of no metric: {values:?}");
    }

    fn add(&mut self, name: &str, kind: &str, labels: &[(String, Closed)]) {
        let scraped = ["job", "instance"].map(|label| (label.to_owned(), None));
        let labels = labels.iter().cloned().chain(scraped);
        let parts: &[&str] = match kind {
            "histogram" => &["_sum", "_count", "_bucket"],
            "counter" | "gauge" => &[""],
            other => panic!("{name} is a {other}"),
        };
        for part in parts {
            let edge = (*part == "_bucket").then(|| ("le".to_owned(), None));
            let known = Known {
                counter: kind != "gauge",
                labels: labels.clone().chain(edge).collect(),
            };
            self.0.insert(format!("{name}{part}"), known);
        }
    }
}

/// What `metrics-doc` of a program prints.
fn document(name: &str) -> String {
    let printed = Command::new(program(name)).arg("metrics-doc").output();
    String::from_utf8(printed.expect("it runs").stdout).expect("text")
}

fn unquoted(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

/// The names of a cell, or none of `-`.
fn quoted(cell: &str) -> impl Iterator<Item = String> {
    let names = cell.split(", ").filter(|name| name.starts_with('`'));
    names.map(unquoted)
}

/// A list of names is closed; words say where the values come from.
fn closed(told: &str) -> Closed {
    let names = told.split(", ");
    let all = names.clone().all(|name| name.starts_with('`'));
    all.then(|| names.map(unquoted).collect())
}

#[test]
fn both_programs_print_their_documents() {
    for (program, committed) in [
        ("tollgate", include_str!("../../docs/metrics.md")),
        (
            "chain-client",
            include_str!("../../docs/metrics-chain-client.md"),
        ),
    ] {
        assert_eq!(document(program).trim_end(), committed.trim_end());
    }
}

#[test]
fn metrics_labels_and_values_are_read() {
    let catalogue = Catalogue::read();
    let bucket = catalogue.get("tollgate_store_call_duration_seconds_bucket");
    let bucket = bucket.expect("it is there");
    assert!(bucket.counter && bucket.labels["le"].is_none());
    assert!(
        bucket.labels["command"]
            .as_ref()
            .is_some_and(|set| set.contains("hold"))
    );
    let teams = catalogue
        .labels("tollgate_tokens_total")
        .expect("it is there");
    assert!(teams["team"].is_none(), "as configured");
    let used = catalogue
        .get("chain_client_articles_inflight")
        .expect("it is there");
    assert!(!used.counter);
    let chain = used.labels["chain"].as_ref().expect("closed");
    assert!(chain.contains("content-analysis"));
}
