//! The rules that Grafana's dashboard-linter made well known, as far as they fit files, and the
//! contract of expressions with the catalogues.

use super::grafana::{Dashboard, Panel, Source, Variable};
use super::render::COLUMNS;
use crate::{
    catalogue::Catalogue,
    promql::{self, Selector},
};
use std::collections::BTreeSet;

const UNITS: [&str; 8] = [
    "none",
    "short",
    "s",
    "bytes",
    "percentunit",
    "currencyUSD",
    "reqps",
    "ops",
];
/// Functions that want a counter.
const RATES: [&str; 2] = ["rate", "increase"];
/// The most panels that a page can have and still be read.
const MOST: usize = 18;

/// What the rules know about metrics.
pub(super) struct Names {
    pub(super) metrics: Catalogue,
    pub(super) recorded: BTreeSet<String>,
}

/// Everything that is wrong with a dashboard.
pub(super) fn problems(board: &Dashboard, names: &Names) -> Vec<String> {
    let mut all = whole(board);
    all.extend(variables(board));
    all.extend(places(board));
    for panel in board.panels.iter().filter(|panel| panel.kind != "row") {
        let found = shown(panel).into_iter().chain(asked(panel, names));
        all.extend(found.map(|problem| format!("{}: {problem}", panel.title)));
    }
    for annotation in &board.annotations.list {
        all.extend(expression(&annotation.expr, names));
    }
    all.into_iter()
        .map(|problem| format!("{}: {problem}", board.uid))
        .collect()
}

/// The variables that an expression or a definition uses.
fn used(text: &str) -> impl Iterator<Item = &str> {
    let after = text.split('$').skip(1);
    let names = after.map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
        &rest[..end.unwrap_or(rest.len())]
    });
    names.filter(|name| !name.is_empty())
}

fn ours(source: Option<&Source>) -> bool {
    source.is_some_and(|source| source.kind == "prometheus" && source.uid == "${datasource}")
}

fn whole(board: &Dashboard) -> Vec<String> {
    let panels = board
        .panels
        .iter()
        .filter(|panel| panel.kind != "row")
        .count();
    let ids: BTreeSet<_> = board.panels.iter().map(|panel| panel.id).collect();
    let titles: BTreeSet<_> = board.panels.iter().map(|panel| &panel.title).collect();
    let checks = [
        (
            board.uid.starts_with("tollgate-"),
            "its uid is tollgate-...",
        ),
        (
            board.title.starts_with("Tollgate / "),
            "its title begins with Tollgate /",
        ),
        (board.description.ends_with('.'), "it has a description"),
        (!board.editable, "a file can't be edited"),
        (
            board.tags.iter().any(|tag| tag == "tollgate"),
            "links go by the tag tollgate",
        ),
        (panels <= MOST, "it can be taken in"),
        (ids.len() == board.panels.len(), "ids of panels are unique"),
        (
            titles.len() == board.panels.len(),
            "titles of panels are unique",
        ),
    ];
    broken(&checks)
}

fn variables(board: &Dashboard) -> Vec<String> {
    let mut all = Vec::new();
    let list = &board.templating.list;
    let first = list.first().filter(|first| {
        first.name == "datasource"
            && first.label == "Data source"
            && first.kind == "datasource"
            && first.query == "prometheus"
    });
    if first.is_none() {
        all.push("the first variable is the data source".to_owned());
    }
    for variable in list.iter().skip(1) {
        let job = variable.name == "job";
        let checks = [
            (
                variable.kind == "query" && variable.definition().is_some(),
                "is a query",
            ),
            (
                ours(variable.datasource.as_ref()),
                "asks the chosen data source",
            ),
            (
                variable.multi && variable.include_all,
                "can be several, and all",
            ),
            (
                job || variable.all_value.as_deref() == Some(".+"),
                "means .+ by all",
            ),
            // Any job would be any program: all of them have `up`, and many have `process_...`.
            (
                !job || variable.all_value.is_none(),
                "means its own jobs by all",
            ),
            (variable.refresh == 2, "is asked anew when the time changes"),
            (
                variable.label.to_lowercase() == variable.name,
                "is labelled by its name",
            ),
        ];
        all.extend(
            broken(&checks)
                .into_iter()
                .map(|rule| format!("${}: {rule}", variable.name)),
        );
    }
    let declared: BTreeSet<_> = list.iter().map(|variable| variable.name.as_str()).collect();
    let targets = board.panels.iter().flat_map(|panel| &panel.targets);
    let texts = targets.map(|target| target.expr.as_str());
    let definitions = list.iter().filter_map(Variable::definition);
    let in_panels: BTreeSet<_> = texts.flat_map(used).collect();
    let everywhere = in_panels.iter().copied().chain(definitions.flat_map(used));
    for name in everywhere.filter(|name| !name.starts_with("__")) {
        if !declared.contains(name) {
            all.push(format!("${name} is used and not declared"));
        }
    }
    for name in ["job", "instance"] {
        if !declared.contains(name) {
            all.push(format!("${name} can be chosen"));
        }
    }
    for name in declared.iter().filter(|name| **name != "datasource") {
        if !in_panels.contains(name) {
            all.push(format!("${name} is declared and not used"));
        }
    }
    all
}

/// No panel is beside the grid or on another.
fn places(board: &Dashboard) -> Vec<String> {
    let mut all = Vec::new();
    for (index, panel) in board.panels.iter().enumerate() {
        let place = panel.grid_pos;
        if place.w == 0 || place.h == 0 || place.x + place.w > COLUMNS {
            all.push(format!("{} is in the grid", panel.title));
        }
        for other in &board.panels[..index] {
            let beside = other.grid_pos;
            let columns = place.x < beside.x + beside.w && beside.x < place.x + place.w;
            let rows = place.y < beside.y + beside.h && beside.y < place.y + place.h;
            if columns && rows {
                all.push(format!("{} is not on {}", panel.title, other.title));
            }
        }
    }
    all
}

fn shown(panel: &Panel) -> Vec<String> {
    let Some(config) = &panel.field_config else {
        return vec!["it has a unit".to_owned()];
    };
    let steps = &config.defaults.thresholds.steps;
    let values: Vec<_> = steps.iter().skip(1).filter_map(|step| step.value).collect();
    let refs: BTreeSet<_> = panel.targets.iter().map(|target| &target.ref_id).collect();
    let series = panel.kind == "timeseries";
    let checks = [
        (!panel.title.is_empty(), "it has a title"),
        (
            panel.description.ends_with('.'),
            "it has a description, in sentences",
        ),
        (
            UNITS.contains(&config.defaults.unit.as_str()),
            "it has a unit of the known ones",
        ),
        (
            ours(panel.datasource.as_ref()),
            "it asks the chosen data source",
        ),
        (!panel.targets.is_empty(), "it asks something"),
        (
            refs.len() == panel.targets.len(),
            "its queries have names of their own",
        ),
        (
            steps.first().is_some_and(|step| step.value.is_none()),
            "its thresholds have a base",
        ),
        (
            values.len() + 1 == steps.len() && values.is_sorted(),
            "its thresholds ascend",
        ),
        (
            panel
                .targets
                .iter()
                .all(|target| !target.legend_format.is_empty()),
            "its series have names",
        ),
        (
            panel
                .targets
                .iter()
                .all(|target| ours(Some(&target.datasource))),
            "its queries ask the chosen data source",
        ),
        (
            panel
                .targets
                .iter()
                .all(|target| target.range == series && target.instant != series),
            "graphs ask for a time, the others for now",
        ),
    ];
    broken(&checks)
}

fn asked(panel: &Panel, names: &Names) -> Vec<String> {
    panel
        .targets
        .iter()
        .flat_map(|target| expression(&target.expr, names))
        .collect()
}

fn expression(text: &str, names: &Names) -> Vec<String> {
    let selectors = promql::selectors(text);
    let found = selectors
        .iter()
        .flat_map(|selector| selected(selector, names));
    let mut all: Vec<String> = found.collect();
    if selectors.is_empty() {
        all.push(format!("{text} selects nothing"));
    }
    all
}

fn selected(selector: &Selector, names: &Names) -> Vec<String> {
    let name = &selector.name;
    if name.contains(':') {
        // Rules that are recorded over all instances have no label of one.
        let checks = [
            (names.recorded.contains(name), "is a recording rule"),
            (
                selector.matcher("job") == Some(("=~", "$job")),
                "is of the chosen jobs",
            ),
        ];
        return broken(&checks)
            .into_iter()
            .map(|rule| format!("{name} {rule}"))
            .collect();
    }
    let Some(known) = names.metrics.get(name) else {
        return vec![format!("{name} is in a catalogue")];
    };
    let rated = RATES.contains(&selector.function.as_str());
    let range = selector.range.as_deref();
    let checks = [
        (
            selector.matcher("job") == Some(("=~", "$job")),
            "is of the chosen jobs",
        ),
        (
            selector.matcher("instance") == Some(("=~", "$instance")),
            "is of the chosen instances",
        ),
        (
            known.counter == rated,
            "is a counter, and only counters have rates",
        ),
        (
            selector.function != "rate" || range == Some("$__rate_interval"),
            "has a rate over $__rate_interval",
        ),
    ];
    let mut all = broken(&checks);
    let labels = selector.matchers.iter().map(|(label, ..)| label);
    for label in labels.chain(&selector.kept) {
        if !known.labels.contains_key(label) {
            all.push(format!("has a label {label}"));
        }
    }
    for (label, _, value) in &selector.matchers {
        let Some(Some(closed)) = known.labels.get(label) else {
            continue;
        };
        let wanted = value.split('|').filter(|value| !value.starts_with('$'));
        let unknown = wanted.filter(|value| !closed.contains(*value));
        all.extend(unknown.map(|value| format!("can have {label}={value}")));
    }
    all.into_iter()
        .map(|rule| format!("{name} {rule}"))
        .collect()
}

/// The rules that do not hold.
fn broken(checks: &[(bool, &str)]) -> Vec<String> {
    let broken = checks.iter().filter(|(holds, _)| !holds);
    broken.map(|(_, rule)| (*rule).to_owned()).collect()
}
