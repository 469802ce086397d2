//! The runbooks: one for each alert, and what they tell to ask and to run exists.

use super::{
    expression, files as paths,
    files::{catalogue, prometheus, rules},
    passes, repository,
};
use std::{collections::BTreeSet, fs, path::Path, process::Command};
use tollgate_tests::harness::program;

const SECTIONS: [&str; 5] = [
    "What it means",
    "How bad it is",
    "What to look at",
    "What to do",
    "When to relax it",
];

/// The runbooks by the names of their alerts; the list of them is left out.
fn runbooks() -> Vec<(String, String)> {
    let name = |path: &Path| {
        path.file_stem()
            .expect("a name")
            .to_string_lossy()
            .into_owned()
    };
    let all = paths("docs/runbooks", ".md").into_iter();
    let all = all.map(|path| (name(&path), fs::read_to_string(&path).expect("text")));
    all.filter(|(name, _)| name != "README").collect()
}

/// The lines of all blocks of a language.
fn blocks<'a>(page: &'a str, language: &str) -> Vec<&'a str> {
    let opening = format!("```{language}\n");
    let parts = page.split(opening.as_str()).skip(1);
    parts
        .map(|part| part.split("\n```").next().expect("the first part"))
        .collect()
}

#[tokio::test]
async fn every_alert_has_a_runbook_and_every_runbook_an_alert() {
    let rules = rules(&prometheus().await).await;
    let alerts = rules.iter().filter(|rule| rule.alert);
    let alerts: BTreeSet<_> = alerts.map(|rule| rule.name.clone()).collect();
    let pages: BTreeSet<_> = runbooks().into_iter().map(|(name, _)| name).collect();
    assert_eq!(alerts, pages);
    let list = fs::read_to_string(repository().join("docs/runbooks/README.md")).expect("text");
    for rule in rules.iter().filter(|rule| rule.alert) {
        let name = &rule.name;
        let begin = format!("| [{name}]({name}.md) |");
        let listed = list.lines().filter(|line| line.starts_with(&begin));
        let severity = rule.labels["severity"].as_str().expect("a text");
        // One line each, of those that share a name and a runbook too.
        let summary = rule.annotation("summary");
        let mut told = listed.filter(|line| line.contains(severity) && line.contains(summary));
        assert!(
            told.next().is_some(),
            "docs/runbooks/README.md lists {name} as {severity}: {summary}"
        );
    }
}

#[test]
fn every_runbook_has_its_sections_and_its_links_lead_somewhere() {
    let folder = repository().join("docs/runbooks");
    for (name, page) in runbooks() {
        assert!(page.starts_with(&format!("# {name}\n")), "{name}");
        let sections = page.lines().filter_map(|line| line.strip_prefix("## "));
        assert_eq!(sections.collect::<Vec<_>>(), SECTIONS, "{name}");
        for link in page.split("](").skip(1) {
            let target = link.split(')').next().expect("the first part");
            assert!(folder.join(target).is_file(), "{name} links to {target}");
        }
    }
}

#[tokio::test]
async fn what_runbooks_tell_to_ask_prometheus_understands() {
    let prometheus = prometheus().await;
    let mut catalogue = catalogue(&rules(&prometheus).await);
    for own in [
        "prometheus_notifications_alertmanagers_discovered",
        "prometheus_notifications_errors_total",
    ] {
        catalogue.add_own(own);
    }
    for (name, page) in runbooks() {
        let questions = blocks(&page, "promql");
        assert!(!questions.is_empty(), "{name} tells what to ask");
        for question in questions {
            let problems = expression::problems(question, &catalogue);
            assert!(problems.is_empty(), "{name}: {question}: {problems:?}");
            let answer = prometheus.query(question).await;
            answer.unwrap_or_else(|problem| panic!("{name}: {question}: {problem}"));
        }
    }
}

/// What a page tells to run: in blocks, line by line, and within its text.
fn commands(page: &str) -> Vec<String> {
    let blocks = blocks(page, "sh").into_iter().flat_map(str::lines);
    let mut all: Vec<_> = blocks.map(str::to_owned).collect();
    let outside = page.split("```").step_by(2);
    let spans = outside.flat_map(|text| text.split('`').skip(1).step_by(2));
    all.extend(spans.map(|span| span.split_whitespace().collect::<Vec<_>>().join(" ")));
    all
}

#[test]
fn what_runbooks_tell_to_run_exists() {
    let mut tried = BTreeSet::new();
    for (name, page) in runbooks() {
        for line in commands(&page) {
            let command = line.split(['|', '#', '>']).next().unwrap_or_default();
            let words: Vec<_> = command.split_whitespace().collect();
            let Some((&program_name @ ("tollgate" | "chain-client"), words)) = words.split_first()
            else {
                continue;
            };
            let plain = |word: &&&str| {
                word.chars()
                    .all(|letter| letter.is_ascii_lowercase() || letter == '-')
            };
            let subcommands = words
                .iter()
                .take_while(|word| plain(word) && !word.starts_with('-'));
            let mut help = Command::new(program(program_name));
            let help = passes(help.args(subcommands).arg("--help"));
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(
                    help.contains(option),
                    "{name}: {line}: no {option} in\n{help}"
                );
            }
            tried.insert(line);
        }
    }
    assert!(tried.len() > 15, "some were found: {tried:?}");
}
