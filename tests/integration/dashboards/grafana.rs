//! Dashboards in Grafana's own form, as far as ours use it: anything else is an error.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A dashboard.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Dashboard {
    pub(super) uid: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) tags: Vec<String>,
    pub(super) editable: bool,
    pub(super) graph_tooltip: u8,
    pub(super) schema_version: u16,
    pub(super) refresh: String,
    pub(super) time: Time,
    pub(super) timezone: String,
    pub(super) templating: List<Variable>,
    pub(super) annotations: List<Annotation>,
    pub(super) links: Vec<Value>,
    pub(super) panels: Vec<Panel>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Time {
    pub(super) from: String,
    pub(super) to: String,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct List<T> {
    pub(super) list: Vec<T>,
}

/// What an operator chooses above the panels.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Variable {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) name: String,
    pub(super) label: String,
    pub(super) query: Value,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) datasource: Option<Source>,
    pub(super) refresh: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sort: Option<u8>,
    pub(super) multi: bool,
    pub(super) include_all: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) all_value: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) current: Option<Value>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Annotation {
    pub(super) name: String,
    pub(super) datasource: Source,
    pub(super) enable: bool,
    pub(super) expr: String,
    pub(super) step: String,
    pub(super) icon_color: String,
    pub(super) title_format: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) uid: String,
}

impl Variable {
    /// The query that finds its values.
    pub(super) fn definition(&self) -> Option<&str> {
        self.query["query"].as_str()
    }
}

/// A panel, or the heading of a row of them.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Panel {
    pub(super) id: u32,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) title: String,
    pub(super) grid_pos: GridPos,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) collapsed: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) panels: Option<[(); 0]>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) description: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) datasource: Option<Source>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) field_config: Option<FieldConfig>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) options: Value,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) targets: Vec<Target>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) transformations: Vec<Value>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GridPos {
    pub(super) x: u32,
    pub(super) y: u32,
    pub(super) w: u32,
    pub(super) h: u32,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FieldConfig {
    pub(super) defaults: Defaults,
    pub(super) overrides: Vec<Value>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Defaults {
    pub(super) unit: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) decimals: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) min: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) max: Option<u32>,
    pub(super) color: Value,
    pub(super) thresholds: Thresholds,
    pub(super) mappings: Vec<Value>,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) custom: Value,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Thresholds {
    pub(super) mode: String,
    pub(super) steps: Vec<Step>,
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    pub(super) color: String,
    /// `None` is from minus infinity on.
    pub(super) value: Option<f64>,
}

/// A query of a panel.
#[derive(Debug, Deserialize, PartialEq, Serialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Target {
    pub(super) ref_id: String,
    pub(super) datasource: Source,
    pub(super) editor_mode: String,
    pub(super) expr: String,
    pub(super) legend_format: String,
    pub(super) range: bool,
    pub(super) instant: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) format: Option<String>,
}
