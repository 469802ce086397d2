//! A dashboard as an operator looks at it.

use super::{
    grafana::{Dashboard, Target},
    shipped,
};
use std::{collections::BTreeMap, time::Duration};
use tollgate_tests::{harness::prometheus::Sample, stage::Stage};

/// What Grafana makes of the rate interval: four scrapes, and some for a busy machine.
const RATE: &str = "3s";
/// How long an effect may take to show.
const SOON: Duration = Duration::from_secs(20);

/// All dashboards before one Prometheus, with all of everything chosen.
pub(super) struct Look<'a> {
    pub(super) stage: &'a Stage,
    pub(super) boards: BTreeMap<String, Dashboard>,
    begin: f64,
}

impl<'a> Look<'a> {
    /// From the first scrape on.
    pub(super) async fn at(stage: &'a Stage) -> Self {
        let first = stage
            .prometheus
            .wait_for("timestamp(tollgate_build_info)", SOON, |found| {
                !found.is_empty()
            });
        Self {
            stage,
            boards: shipped(),
            begin: first.await.expect("it is scraped")[0].value.floor() - 1.0,
        }
    }

    async fn now(&self) -> f64 {
        let now = self.stage.prometheus.query("time()").await;
        now.expect("it answers")[0].value
    }

    /// What Grafana asks Prometheus for this query.
    async fn expand(&self, board: &Dashboard, expr: &str) -> String {
        let range = (self.now().await - self.begin).ceil();
        let mut text = expr.replace("$__rate_interval", RATE);
        text = text.replace("$__range", &format!("{range}s"));
        for variable in &board.templating.list {
            if let Some(definition) = variable.definition() {
                let all = match &variable.all_value {
                    Some(all) => all.clone(),
                    None => self.values(definition).await.join("|"),
                };
                text = text.replace(&format!("${}\"", variable.name), &format!("{all}\""));
            }
        }
        assert!(!text.contains('$'), "{text}");
        text
    }

    /// What a variable offers to choose from.
    pub(super) async fn values(&self, definition: &str) -> Vec<String> {
        let inside = definition.strip_prefix("label_values(").expect("of labels");
        let (series, label) = inside
            .trim_end_matches(')')
            .rsplit_once(", ")
            .expect("of one");
        let series = series.replace("$job", ".+").replace("$instance", ".+");
        // Also of what has ended meanwhile: Grafana asks for the time shown.
        let range = (self.now().await - self.begin).ceil();
        let query = format!("count by ({label}) (last_over_time({series}[{range}s]))");
        let found = self.stage.prometheus.query(&query).await;
        let found = found.expect("it answers");
        found
            .into_iter()
            .map(|sample| sample.labels[label].clone())
            .collect()
    }

    /// The expression of a panel's first query.
    async fn panel(&self, board: &str, title: &str) -> String {
        let board = &self.boards[board];
        let panel = board.panels.iter().find(|panel| panel.title == title);
        let panel = panel.unwrap_or_else(|| panic!("there is a panel {title}"));
        self.expand(board, &panel.targets[0].expr).await
    }

    /// What a panel shows now.
    pub(super) async fn shows(&self, board: &str, title: &str) -> Vec<Sample> {
        let expression = self.panel(board, title).await;
        self.stage
            .prometheus
            .query(&expression)
            .await
            .expect("it answers")
    }

    /// Waits until a panel shows what is wanted.
    pub(super) async fn until(&self, board: &str, title: &str, wanted: impl Fn(&[Sample]) -> bool) {
        let expression = self.panel(board, title).await;
        let shown = self
            .stage
            .prometheus
            .wait_for(&expression, SOON, wanted)
            .await;
        shown.unwrap_or_else(|problem| panic!("{board}: {title}: {problem}"));
    }

    /// Why a query of a panel shows nothing that can be read, if so.
    pub(super) async fn nothing(&self, board: &Dashboard, target: &Target) -> Option<String> {
        let expression = self.expand(board, &target.expr).await;
        let prometheus = &self.stage.prometheus;
        let series: Vec<_> = if target.instant {
            let found = prometheus.query(&expression).await.expect("it answers");
            found
                .into_iter()
                .map(|sample| (sample.labels, vec![sample.value]))
                .collect()
        } else {
            let (begin, end) = (self.begin, self.now().await);
            let found = prometheus
                .range(&expression, begin, end, Duration::from_secs(1))
                .await;
            let found = found.expect("it answers").into_iter();
            found
                .map(|one| (one.labels, one.points.iter().map(|point| point.1).collect()))
                .collect()
        };
        if !series
            .iter()
            .any(|(_, values)| values.iter().any(|value| value.is_finite()))
        {
            return Some(format!("no data of {expression}"));
        }
        let names = target.legend_format.split("{{").skip(1);
        let names: Vec<_> = names.filter_map(|rest| rest.split("}}").next()).collect();
        let nameless = series.iter().find(|(labels, _)| {
            names
                .iter()
                .any(|name| labels.get(*name).is_none_or(String::is_empty))
        });
        nameless.map(|(labels, _)| format!("{} is not in {labels:?}", target.legend_format))
    }
}

/// Whether a series with these labels is above this value.
pub(super) fn any(samples: &[Sample], labels: &[(&str, &str)], above: f64) -> bool {
    samples.iter().any(|sample| {
        let is =
            |(name, value): &(&str, &str)| sample.labels.get(*name).is_some_and(|v| v == value);
        labels.iter().all(is) && sample.value > above
    })
}
