//! Makes Grafana's dashboards of the panels.

use super::grafana::{
    Annotation, Dashboard, Defaults, FieldConfig, GridPos, List, Panel, Source, Step, Target,
    Thresholds, Time, Variable,
};
use super::panels::{self, Board, Kind};
use serde_json::{Value, json};

/// The columns of Grafana's grid.
pub(super) const COLUMNS: u32 = 24;

/// What `$scope` stands for.
const SCOPE: &str = r#"job=~"$job", instance=~"$instance""#;

/// The file of a dashboard.
pub(super) fn file(board: &Board) -> String {
    let text = serde_json::to_string_pretty(&dashboard(board)).expect("plain data");
    text + "\n"
}

fn dashboard(board: &Board) -> Dashboard {
    // Both programs say which build they are, so their jobs are found by it.
    let chain = board.variables.iter().any(|name| name == "chain");
    let build = if chain {
        "chain_client_build_info"
    } else {
        "tollgate_build_info"
    };
    let mut variables = vec![
        datasource(),
        query("job", &format!("label_values({build}, job)")),
        query(
            "instance",
            &format!("label_values({build}{{job=~\"$job\"}}, instance)"),
        ),
    ];
    variables.extend(board.variables.iter().map(|name| {
        let metric = match name.as_str() {
            "team" => "tollgate_team_requests_total",
            "model" => "tollgate_model_requests_total",
            "deployment" => "tollgate_upstream_attempts_total",
            "chain" => "chain_client_runs_total",
            other => panic!("{other} is no variable of these dashboards"),
        };
        query(name, &format!("label_values({metric}{{{SCOPE}}}, {name})"))
    }));
    let reloads = "changes(tollgate_config_last_reload_success_timestamp_seconds{$scope}[1m]) > 0";
    let annotations = Annotation {
        name: "New configuration".to_owned(),
        datasource: source(),
        enable: true,
        expr: expand(reloads),
        step: "60s".to_owned(),
        icon_color: "blue".to_owned(),
        title_format: "{{instance}} took a new configuration".to_owned(),
    };
    Dashboard {
        uid: board.uid.clone(),
        title: board.title.clone(),
        description: board.description.clone(),
        tags: vec!["tollgate".to_owned()],
        editable: false,
        graph_tooltip: 1,
        schema_version: 41,
        refresh: "30s".to_owned(),
        time: Time {
            from: "now-6h".to_owned(),
            to: "now".to_owned(),
        },
        timezone: "browser".to_owned(),
        templating: List { list: variables },
        // A run of the chain reloads nothing.
        annotations: List {
            list: if chain { Vec::new() } else { vec![annotations] },
        },
        links: vec![json!({
            "type": "dashboards", "title": "", "icon": "dashboard", "tooltip": "", "url": "",
            "tags": ["tollgate"], "asDropdown": false, "includeVars": false, "keepTime": true,
            "targetBlank": false,
        })],
        panels: laid_out(board),
    }
}

/// The panels in their places: rows below each other, each filled from the left.
fn laid_out(board: &Board) -> Vec<Panel> {
    let mut placed = Vec::new();
    let mut y = 0;
    for row in &board.rows {
        let id = u32::try_from(placed.len() + 1).expect("few panels");
        placed.push(heading(id, &row.title, y));
        y += 1;
        let mut x = 0;
        for panel in &row.panels {
            if x + panel.width > COLUMNS {
                x = 0;
                y += row.height;
            }
            let id = u32::try_from(placed.len() + 1).expect("few panels");
            let place = GridPos {
                x,
                y,
                w: panel.width,
                h: row.height,
            };
            placed.push(rendered(id, panel, place));
            x += panel.width;
        }
        y += row.height;
    }
    placed
}

fn heading(id: u32, title: &str, y: u32) -> Panel {
    Panel {
        id,
        kind: "row".to_owned(),
        title: title.to_owned(),
        grid_pos: GridPos {
            x: 0,
            y,
            w: COLUMNS,
            h: 1,
        },
        collapsed: Some(false),
        panels: Some([]),
        description: String::new(),
        datasource: None,
        field_config: None,
        options: Value::Null,
        targets: Vec::new(),
        transformations: Vec::new(),
    }
}

fn rendered(id: u32, panel: &panels::Panel, place: GridPos) -> Panel {
    let table = panel.kind == Kind::Table;
    let targets = panel
        .queries
        .iter()
        .zip('A'..)
        .map(|(query, letter)| Target {
            ref_id: letter.to_string(),
            datasource: source(),
            editor_mode: "code".to_owned(),
            expr: expand(&query.expr),
            legend_format: query.legend.clone(),
            range: !query.instant,
            instant: query.instant,
            format: table.then(|| "table".to_owned()),
        });
    Panel {
        id,
        kind: format!("{:?}", panel.kind).to_lowercase(),
        title: panel.title.clone(),
        grid_pos: place,
        collapsed: None,
        panels: None,
        description: panel.description.clone(),
        datasource: Some(source()),
        field_config: Some(FieldConfig {
            defaults: defaults(panel),
            overrides: overrides(panel),
        }),
        options: options(panel.kind),
        targets: targets.collect(),
        transformations: if table { merged(panel) } else { Vec::new() },
    }
}

fn defaults(panel: &panels::Panel) -> Defaults {
    let base = panel.base.clone().unwrap_or_else(|| "green".to_owned());
    let first = Step {
        color: base,
        value: None,
    };
    let others = panel.thresholds.iter().map(|threshold| Step {
        color: threshold.color.clone(),
        value: Some(threshold.at),
    });
    let mappings = panel.mappings.iter().enumerate().map(|(index, mapping)| {
        let result = json!({ "text": mapping.text, "color": mapping.color, "index": index });
        json!({ "type": "value", "options": { mapping.value.to_string(): result } })
    });
    let series = panel.kind == Kind::Timeseries;
    Defaults {
        unit: panel.unit.clone(),
        decimals: panel.decimals,
        min: panel.min,
        max: panel.max,
        color: json!({ "mode": if series { "palette-classic" } else { "thresholds" } }),
        thresholds: Thresholds {
            mode: "absolute".to_owned(),
            steps: std::iter::once(first).chain(others).collect(),
        },
        mappings: mappings.collect(),
        custom: custom(panel),
    }
}

fn custom(panel: &panels::Panel) -> Value {
    match panel.kind {
        Kind::Timeseries => without_nulls(json!({
            "drawStyle": "line",
            "lineInterpolation": if panel.step { "stepAfter" } else { "linear" },
            "lineWidth": 1,
            "fillOpacity": if panel.stack { 30 } else { 8 },
            "showPoints": "never",
            "spanNulls": false,
            "axisSoftMin": 0,
            "axisSoftMax": panel.soft_max,
            "stacking": { "mode": if panel.stack { "normal" } else { "none" }, "group": "A" },
            "thresholdsStyle": { "mode": if panel.line { "dashed" } else { "off" } },
        })),
        Kind::Table => {
            json!({ "align": "auto", "minWidth": 80, "cellOptions": { "type": "auto" } })
        }
        Kind::Stat | Kind::Bargauge => Value::Null,
    }
}

/// Options that a panel does not set are left to Grafana.
fn without_nulls(mut options: Value) -> Value {
    if let Some(options) = options.as_object_mut() {
        options.retain(|_, value| !value.is_null());
    }
    options
}

fn options(kind: Kind) -> Value {
    let last = json!({ "calcs": ["lastNotNull"], "fields": "", "values": false });
    match kind {
        Kind::Timeseries => json!({
            "legend": { "displayMode": "list", "placement": "bottom", "showLegend": true, "calcs": [] },
            "tooltip": { "mode": "multi", "sort": "desc" },
        }),
        Kind::Stat => json!({
            "reduceOptions": last, "orientation": "auto", "textMode": "auto", "colorMode": "value",
            "graphMode": "none", "justifyMode": "auto", "wideLayout": true,
        }),
        Kind::Bargauge => json!({
            "reduceOptions": last, "orientation": "horizontal", "displayMode": "basic",
            "valueMode": "color", "showUnfilled": true, "namePlacement": "auto", "sizing": "auto",
        }),
        Kind::Table => json!({ "showHeader": true, "cellHeight": "sm" }),
    }
}

/// One line for each key, with a column for each query.
fn merged(panel: &panels::Panel) -> Vec<Value> {
    let queries = panel.queries.iter().zip('A'..);
    let renamed = queries.map(|(query, letter)| {
        // A single query's column has no letter.
        let letter = if panel.queries.len() > 1 {
            format!(" #{letter}")
        } else {
            String::new()
        };
        (format!("Value{letter}"), Value::from(query.legend.clone()))
    });
    let mut renamed: serde_json::Map<_, _> = renamed.collect();
    let columns = panel.key.iter().chain(renamed.keys());
    let order: serde_json::Map<_, _> = columns
        .enumerate()
        .map(|(place, name)| (name.clone(), Value::from(place)))
        .collect();
    renamed.extend(
        panel
            .key
            .iter()
            .map(|label| (label.clone(), label.replace('_', " ").into())),
    );
    vec![
        json!({ "id": "merge", "options": {} }),
        json!({ "id": "organize", "options": {
            "excludeByName": { "Time": true },
            "indexByName": order,
            "renameByName": renamed,
        }}),
    ]
}

fn overrides(panel: &panels::Panel) -> Vec<Value> {
    let own = panel.queries.iter().filter_map(|query| {
        let unit = query.unit.as_ref()?;
        Some(json!({
            "matcher": { "id": "byName", "options": query.legend },
            "properties": [{ "id": "unit", "value": unit }],
        }))
    });
    own.collect()
}

fn expand(expr: &str) -> String {
    expr.replace("$scope", SCOPE)
}

fn source() -> Source {
    Source {
        kind: "prometheus".to_owned(),
        uid: "${datasource}".to_owned(),
    }
}

fn datasource() -> Variable {
    Variable {
        kind: "datasource".to_owned(),
        name: "datasource".to_owned(),
        label: "Data source".to_owned(),
        query: json!("prometheus"),
        datasource: None,
        refresh: 1,
        sort: None,
        multi: false,
        include_all: false,
        all_value: None,
        current: None,
    }
}

fn query(name: &str, definition: &str) -> Variable {
    let (first, rest) = name.split_at(1);
    Variable {
        kind: "query".to_owned(),
        name: name.to_owned(),
        label: first.to_uppercase() + rest,
        query: json!({ "qryType": 1, "query": definition, "refId": "PrometheusVariableQueryEditor-VariableQuery" }),
        datasource: Some(source()),
        refresh: 2,
        sort: Some(1),
        multi: true,
        include_all: true,
        // All jobs are those that the definition finds, not any.
        all_value: (name != "job").then(|| ".+".to_owned()),
        current: Some(json!({ "text": ["All"], "value": ["$__all"] })),
    }
}
