//! docs/metrics-chain-client.md, in the shape of docs/metrics.md, which is the gateway's.

use super::table::{self, Family, Kind, SECONDS, SECTIONS, families};
use std::fmt::Write as _;

/// The document.
#[must_use]
pub(crate) fn markdown() -> String {
    let mut text = String::from(INTRODUCTION);
    for (section, families) in &SECTIONS {
        let _ = write!(
            text,
            "\n## {section}\n\n| metric | type | labels | unit | what it says |\n|---|---|---|---|---|\n"
        );
        for family in *families {
            let labels = quoted(family.labels);
            let (name, kind) = (family.name, kind(family));
            let (unit, help) = (family.unit, family.help);
            let _ = writeln!(text, "| `{name}` | {kind} | {labels} | {unit} | {help} |");
        }
    }
    text.push_str("\n## Label values\n\n| label | of | values |\n|---|---|---|\n");
    for (label, values, families) in label_sets() {
        let of = quoted(&families);
        let _ = writeln!(text, "| `{label}` | {of} | {values} |");
    }
    text.push_str("\n## Histogram edges\n\n| metric | upper edges |\n|---|---|\n");
    let edges = SECONDS.map(|edge| edge.to_string()).join(", ");
    for family in families().filter(|family| family.kind == Kind::Histogram) {
        let _ = writeln!(text, "| `{}` | {edges} |", family.name);
    }
    text
}

const fn kind(family: &Family) -> &'static str {
    match family.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram => "histogram",
    }
}

fn quoted(names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// The labels that differ in name or values, each with the metrics that have it.
fn label_sets() -> Vec<(&'static str, String, Vec<&'static str>)> {
    let mut sets: Vec<(&str, String, Vec<&str>)> = Vec::new();
    for family in families() {
        for &label in family.labels {
            let values = match label {
                "version" => "of the build".to_owned(),
                _ => quoted(&table::values(family, label)),
            };
            let known = sets
                .iter_mut()
                .find(|(name, its, _)| *name == label && *its == values);
            match known {
                Some((.., families)) => families.push(family.name),
                None => sets.push((label, values, vec![family.name])),
            }
        }
    }
    sets
}

const INTRODUCTION: &str = "\
# Metrics of chain-client

Rendered from `chain-client/src/metrics/table.rs` by `chain-client metrics-doc`; a test keeps both equal. Served in the
Prometheus text format at `/metrics` while a run lasts and for a while after it (`--metrics-addr`, `--metrics-linger`), and
written to a file at its end with `--metrics-textfile`. The gateway's are in [metrics.md](metrics.md).

- Every combination of label values is there at 0 from the start, so that the first event is a rate.
- No label has a value that comes from an article or an answer.
- Money is in integer nano-dollars (a dollar is 1e9): divide in rules and panels.
- Counters begin at 0 with each run.
";

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, path::Path};

    #[test]
    fn the_document_is_rendered_from_the_table() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics-chain-client.md");
        let rendered = markdown();
        #[expect(
            clippy::disallowed_methods,
            reason = "a switch of the tests, not of the program"
        )]
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &rendered).expect("docs/ can be written");
        }
        let committed = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            committed == rendered,
            "docs/metrics-chain-client.md is out of date: run `make docs`"
        );
    }
}
