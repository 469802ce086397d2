//! Mistakes that the rules must notice.

use super::{grafana::Dashboard, grafana::Panel, lint, names, shipped};

type Mistake = (&'static str, fn(&mut Dashboard));

fn graph(board: &mut Dashboard) -> &mut Panel {
    let mut panels = board.panels.iter_mut();
    let found = panels.find(|panel| panel.kind == "timeseries");
    found.expect("it has a graph")
}

/// What a dashboard may get wrong, and the problem that names it.
const MISTAKES: [Mistake; 16] = [
    ("a file can't be edited", |board| board.editable = true),
    ("ids of panels are unique", |board| board.panels[1].id = 1),
    ("titles of panels are unique", |board| {
        board.panels[1].title = "Calls".to_owned();
    }),
    ("the first variable is the data source", |board| {
        board.templating.list[0].name = "DS_PROMETHEUS".to_owned();
    }),
    ("$instance: means .+ by all", |board| {
        board.templating.list[2].all_value = None;
    }),
    ("$job: means its own jobs", |board| {
        board.templating.list[1].all_value = Some(".+".to_owned());
    }),
    ("is declared and not used", |board| {
        board.templating.list[1].name = "team".to_owned();
    }),
    ("$job is used and not declared", |board| {
        drop(board.templating.list.remove(1));
    }),
    ("is in the grid", |board| board.panels[1].grid_pos.w = 25),
    ("is not on Availability", |board| {
        board.panels[2].grid_pos.x = 0;
    }),
    ("it has a description", |board| {
        graph(board).description.clear();
    }),
    ("it has a unit", |board| graph(board).field_config = None),
    ("it asks something", |board| graph(board).targets.clear()),
    ("its series have names", |board| {
        graph(board).targets[0].legend_format.clear();
    }),
    ("it asks the chosen data source", |board| {
        graph(board).datasource = None;
    }),
    ("graphs ask for a time", |board| {
        graph(board).targets[0].range = false;
    }),
];

/// What an expression may get wrong.
const EXPRESSIONS: [(&str, &str); 10] = [
    ("is in a catalogue", "tollgate_calls"),
    ("is a recording rule", r#"a:b:c{job=~"$job"}"#),
    ("is of the chosen jobs", "tollgate_store_up"),
    (
        "is of the chosen instances",
        r#"tollgate_store_up{job=~"$job"}"#,
    ),
    (
        "only counters have rates",
        "rate(tollgate_store_up[$__rate_interval])",
    ),
    ("is a counter", "tollgate_requests_total"),
    ("over $__rate_interval", "rate(tollgate_requests_total[5m])"),
    ("has a label team", "sum by (team) (tollgate_store_up)"),
    ("has a label period", r#"tollgate_store_up{period="day"}"#),
    (
        "can have outcome=fine",
        r#"tollgate_requests_total{outcome=~"ok|fine"}"#,
    ),
];

#[test]
fn each_rule_notices_what_it_is_about() {
    let names = names();
    let noticed = |expected: &str, change: &dyn Fn(&mut Dashboard)| {
        let mut board = shipped().remove("overview").expect("it is there");
        change(&mut board);
        let problems = lint::problems(&board, &names);
        assert!(
            problems.iter().any(|problem| problem.contains(expected)),
            "{expected}: {problems:?}"
        );
    };
    for (expected, change) in MISTAKES {
        noticed(expected, &change);
    }
    for (expected, expression) in EXPRESSIONS {
        noticed(expected, &|board| {
            graph(board).targets[0].expr = expression.to_owned();
        });
    }
}

#[test]
fn a_key_that_no_dashboard_has_is_refused() {
    let mut value = serde_json::to_value(&shipped()["overview"]).expect("plain data");
    value["panels"][1]["tittle"] = "x".into();
    let refused = serde_json::from_value::<Dashboard>(value).expect_err("no such key");
    assert!(refused.to_string().contains("tittle"), "{refused}");
}
