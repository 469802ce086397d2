//! The text format, read back.

use std::collections::{BTreeMap, BTreeSet};

/// What a scrape says.
#[derive(Debug, Default)]
pub(super) struct Scrape {
    /// Kinds by name.
    pub(super) types: BTreeMap<String, String>,
    /// Names that have a help.
    pub(super) helps: BTreeSet<String>,
    /// Values by series.
    pub(super) samples: BTreeMap<Series, f64>,
}

/// The name and the labels of one sample.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Series {
    pub(super) name: String,
    pub(super) labels: BTreeMap<String, String>,
}

impl Scrape {
    pub(super) fn of(text: &str) -> Self {
        let mut scrape = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                let (name, kind) = rest.split_once(' ').expect("a kind");
                assert!(
                    scrape.types.insert(name.into(), kind.into()).is_none(),
                    "{line}"
                );
            } else if let Some(rest) = line.strip_prefix("# HELP ") {
                let (name, _) = rest.split_once(' ').expect("a help");
                assert!(scrape.helps.insert(name.into()), "{line}");
            } else {
                let (series, value) = line.rsplit_once(' ').expect("a value");
                let value = value.parse().expect("a number");
                assert!(
                    scrape.samples.insert(series_of(series), value).is_none(),
                    "{line}"
                );
            }
        }
        scrape
    }

    /// The sum over all series of this name whose labels include these.
    pub(super) fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let matching = self.samples.iter().filter(|(series, _)| {
            let has = |(label, value): &(&str, &str)| {
                series
                    .labels
                    .get(*label)
                    .is_some_and(|known| known == value)
            };
            series.name == name && labels.iter().all(has)
        });
        let values: Vec<f64> = matching.map(|(_, value)| *value).collect();
        assert!(!values.is_empty(), "no series {name} {labels:?}");
        values.iter().sum()
    }

    /// The series whose values differ from an earlier scrape.
    pub(super) fn changed_since(&self, before: &Self) -> BTreeSet<&Series> {
        let same = |(series, value): &(&Series, &f64)| before.samples.get(*series) == Some(*value);
        self.samples
            .iter()
            .filter(|sample| !same(sample))
            .map(|(series, _)| series)
            .collect()
    }
}

fn series_of(text: &str) -> Series {
    let Some((name, labels)) = text.split_once('{') else {
        return Series {
            name: text.into(),
            labels: BTreeMap::new(),
        };
    };
    let labels = labels.strip_suffix("\"}").expect("closed").split("\",");
    let labels = labels.map(|label| {
        let (label, value) = label.split_once("=\"").expect("a quoted value");
        (label.to_owned(), value.to_owned())
    });
    Series {
        name: name.into(),
        labels: labels.collect(),
    }
}
