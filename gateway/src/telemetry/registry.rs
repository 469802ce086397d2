//! The registry: makes handles of the metrics in the catalogue, and renders them.
//!
//! Each observer has one of its own, so that several gateways can run in one process.

use super::catalogue::{self, Kind, Metric, Values};
use metrics::{
    Counter, Gauge, Histogram, Key, Label, Level, Metadata, NoopRecorder, Recorder, SharedString,
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::fmt;

static METADATA: Metadata<'static> = Metadata::new("tollgate", Level::INFO, None);

/// Where the metrics of one observer are.
pub(super) struct Registry {
    recorder: Box<dyn Recorder + Send + Sync>,
    handle: PrometheusHandle,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
    /// A registry that knows the kinds and helps of the catalogue, and has no series yet.
    pub(super) fn new() -> Self {
        let mut builder = PrometheusBuilder::new();
        for metric in catalogue::all() {
            if let Kind::Histogram(edges) = metric.kind {
                let name = Matcher::Full(metric.name.to_owned());
                builder = builder
                    .set_buckets_for_metric(name, edges)
                    .expect("every histogram of the catalogue has edges");
            }
        }
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        let recorder: Box<dyn Recorder + Send + Sync> = if super::is_left_out() {
            Box::new(NoopRecorder)
        } else {
            Box::new(recorder)
        };
        for metric in catalogue::all() {
            let (name, help) = (metric.name.into(), metric.help.into());
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, None, help),
                Kind::Gauge => recorder.describe_gauge(name, None, help),
                Kind::Histogram(_) => recorder.describe_histogram(name, None, help),
            }
        }
        Self { recorder, handle }
    }

    /// The series of these label values; there at 0 from now on.
    pub(super) fn counter(&self, metric: &'static Metric, values: &[&str]) -> Counter {
        debug_assert!(metric.kind == Kind::Counter, "{}", metric.name);
        self.recorder
            .register_counter(&key(metric, values), &METADATA)
    }

    /// The series of these label values; there at 0 from now on.
    pub(super) fn gauge(&self, metric: &'static Metric, values: &[&str]) -> Gauge {
        debug_assert!(metric.kind == Kind::Gauge, "{}", metric.name);
        self.recorder
            .register_gauge(&key(metric, values), &METADATA)
    }

    /// The series of these label values; there at 0 from now on.
    pub(super) fn histogram(&self, metric: &'static Metric, values: &[&str]) -> Histogram {
        debug_assert!(matches!(metric.kind, Kind::Histogram(_)), "{}", metric.name);
        self.recorder
            .register_histogram(&key(metric, values), &METADATA)
    }

    /// All series in the text format.
    pub(super) fn render(&self) -> String {
        self.handle.render()
    }

    /// Sorts what histograms recorded into their buckets. Until then every value takes memory.
    pub(super) fn upkeep(&self) {
        self.handle.run_upkeep();
    }
}

fn key(metric: &'static Metric, values: &[&str]) -> Key {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let labels = metric.labels.iter().zip(values);
    let labels: Vec<Label> = labels
        .map(|(label, value)| Label::new(label.name, shared(label.values, value)))
        .collect();
    Key::from_parts(metric.name, labels)
}

/// The value as a text that is copied without allocating: rendering copies every key.
fn shared(values: Values, value: &str) -> SharedString {
    match values {
        Values::Closed(names) => {
            let known = names.iter().find(|name| **name == value);
            SharedString::const_str(known.expect("handles are made from the names of the set"))
        }
        Values::Configured(_) => SharedString::from_shared(value.into()),
    }
}
