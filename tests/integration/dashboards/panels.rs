//! The panels as deploy/grafana/panels/*.toml says them: what a maintainer edits.

use serde::Deserialize;
use std::{collections::BTreeMap, fs, path::PathBuf};

/// One dashboard.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Board {
    pub(super) uid: String,
    pub(super) title: String,
    pub(super) description: String,
    /// What can be chosen, besides the data source, jobs and instances.
    pub(super) variables: Vec<String>,
    pub(super) rows: Vec<Row>,
}

/// Panels under one heading.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) title: String,
    #[serde(default = "eight")]
    pub(super) height: u32,
    pub(super) panels: Vec<Panel>,
}

/// One panel.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Panel {
    pub(super) title: String,
    pub(super) kind: Kind,
    /// Of 24 columns.
    #[serde(default = "half")]
    pub(super) width: u32,
    /// A unit by Grafana's name of it.
    pub(super) unit: String,
    pub(super) decimals: Option<u32>,
    pub(super) min: Option<u32>,
    pub(super) max: Option<u32>,
    /// How far the axis of a graph goes at least.
    pub(super) soft_max: Option<f64>,
    pub(super) description: String,
    /// The colour below all thresholds.
    pub(super) base: Option<String>,
    #[serde(default)]
    pub(super) thresholds: Vec<Threshold>,
    /// Whether a graph draws its thresholds as lines.
    #[serde(default)]
    pub(super) line: bool,
    /// Whether a graph adds its series up.
    #[serde(default)]
    pub(super) stack: bool,
    /// Whether a graph holds a value until the next.
    #[serde(default)]
    pub(super) step: bool,
    /// Words for values.
    #[serde(default)]
    pub(super) mappings: Vec<Mapping>,
    /// The labels that make a line of a table.
    #[serde(default)]
    pub(super) key: Vec<String>,
    pub(super) queries: Vec<Query>,
}

/// How a panel shows its values.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Timeseries,
    Stat,
    Bargauge,
    Table,
}

/// Where a value becomes good or bad.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Threshold {
    pub(super) at: f64,
    pub(super) color: String,
    /// The alert that it comes from.
    pub(super) alert: Option<String>,
    /// The number in the alert's expression, where it is another than `at`.
    pub(super) number: Option<f64>,
    /// Whether the number is in the recording rules that the alert is about.
    #[serde(default)]
    pub(super) recorded: bool,
}

/// A word for a value.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Mapping {
    pub(super) value: u32,
    pub(super) text: String,
    pub(super) color: String,
}

/// What a panel asks Prometheus. `$scope` stands for the jobs and instances that were chosen.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Query {
    pub(super) expr: String,
    pub(super) legend: String,
    /// Whether it asks for now only.
    #[serde(default)]
    pub(super) instant: bool,
    /// The unit of a table's column, where it is another than the panel's.
    pub(super) unit: Option<String>,
}

const fn eight() -> u32 {
    8
}

const fn half() -> u32 {
    12
}

/// All dashboards, by the name of their file.
pub(super) fn read() -> BTreeMap<String, Board> {
    let folder = grafana().join("panels");
    let entries = fs::read_dir(&folder).expect("deploy/grafana/panels is there");
    let boards = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("text");
        let board = toml::from_str(&text);
        let board = board.unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
        let name = path.file_stem().expect("a name").to_string_lossy();
        (name.into_owned(), board)
    });
    let boards: BTreeMap<_, _> = boards.collect();
    assert!(!boards.is_empty(), "{} has boards", folder.display());
    boards
}

/// deploy/grafana.
pub(super) fn grafana() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../deploy/grafana")
}
