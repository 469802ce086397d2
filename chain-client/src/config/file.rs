//! The configuration file as it is written: chain.toml.

use serde::Deserialize;
use std::{collections::BTreeMap, path::PathBuf};

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct File {
    pub(super) gateway: Gateway,
    pub(super) run: Run,
    pub(super) input: Input,
    pub(super) steps: BTreeMap<String, Step>,
    pub(super) metrics: Metrics,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Gateway {
    pub(super) url: Option<String>,
    pub(super) ca_file: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Run {
    pub(super) concurrency: Option<usize>,
    pub(super) time_budget: Option<String>,
    pub(super) max_cost: Option<String>,
    pub(super) max_failures: Option<String>,
    pub(super) drain: Option<String>,
    pub(super) prompts: Option<PathBuf>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Input {
    pub(super) include: Vec<String>,
    pub(super) exclude: Vec<String>,
    pub(super) max_bytes: Option<u64>,
    pub(super) text_field: Option<String>,
    pub(super) id_field: Option<String>,
    pub(super) title_field: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Step {
    pub(super) prompt_version: Option<String>,
    pub(super) complexity: Option<String>,
    pub(super) route: Option<String>,
    pub(super) model: Option<String>,
    pub(super) max_output_tokens: Option<i32>,
    pub(super) timeout: Option<String>,
    pub(super) retries: Option<u32>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Metrics {
    pub(super) addr: Option<String>,
    pub(super) linger: Option<String>,
    pub(super) textfile: Option<PathBuf>,
}
