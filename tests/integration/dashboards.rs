//! The dashboards: rendered from their panels, true to the catalogues, and moved by what they are
//! named for.

mod grafana;
mod lint;
mod live;
mod look;
mod mistakes;
mod panels;
mod render;

use crate::catalogue::Catalogue;
use grafana::Dashboard;
use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

/// The dashboards as they are shipped, by file.
fn shipped() -> BTreeMap<String, Dashboard> {
    let folder = panels::grafana().join("dashboards");
    let entries = fs::read_dir(folder).expect("deploy/grafana/dashboards is there");
    let boards = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("text");
        let board = serde_json::from_str(&text);
        let board = board.unwrap_or_else(|problem| panic!("{}: {problem}", path.display()));
        let name = path.file_stem().expect("a name").to_string_lossy();
        (name.into_owned(), board)
    });
    boards.collect()
}

/// The names of the recording rules.
fn recorded() -> BTreeSet<String> {
    let folder = panels::grafana().join("../prometheus/rules");
    let entries = fs::read_dir(folder).expect("deploy/prometheus/rules is there");
    let texts = entries.map(|entry| fs::read_to_string(entry.expect("an entry").path()));
    let texts: Vec<String> = texts.collect::<Result<_, _>>().expect("text");
    let lines = texts.iter().flat_map(|text| text.lines());
    let names = lines.filter_map(|line| line.trim().strip_prefix("- record: "));
    names.map(str::to_owned).collect()
}

fn names() -> lint::Names {
    lint::Names {
        metrics: Catalogue::read(),
        recorded: recorded(),
    }
}

/// Links of people and of alerts have them.
#[test]
fn the_five_dashboards_keep_their_uids() {
    let uids: BTreeMap<String, String> = shipped()
        .into_iter()
        .map(|(name, board)| (name, board.uid))
        .collect();
    let five = ["chain", "internals", "models", "overview", "teams"];
    let expected = five.map(|name| (name.to_owned(), format!("tollgate-{name}")));
    assert_eq!(uids, BTreeMap::from(expected));
}

#[test]
fn the_dashboards_are_rendered_from_their_panels() {
    let folder = panels::grafana().join("dashboards");
    let boards = panels::read();
    for (name, board) in &boards {
        let path = folder.join(format!("{name}.json"));
        let rendered = render::file(board);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &rendered).expect("it can be written");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == rendered,
            "{name}.json is not what its panels say: run this test with UPDATE_DOCS=1"
        );
    }
    let shipped: Vec<_> = shipped().into_keys().collect();
    assert_eq!(
        shipped,
        boards.into_keys().collect::<Vec<_>>(),
        "and no others"
    );
}

#[test]
fn the_dashboards_keep_the_rules_and_the_contract_of_names() {
    let names = names();
    let shipped = shipped();
    let problems = shipped
        .values()
        .flat_map(|board| lint::problems(board, &names));
    let problems: Vec<_> = problems.collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}
