//! The registry: makes handles of the metrics in the catalogue, and renders them.
//!
//! Labels never change, so that the text of a series up to its number is made once, when the series
//! is. A scrape copies these texts and adds the numbers.

mod buckets;

use super::catalogue::{self, Kind, Metric, Values};
use buckets::Buckets;
use metrics::{Counter, Gauge, Histogram, Key, Label, atomics::AtomicU64};
use metrics_exporter_prometheus::{
    LabelSet,
    formatting::{write_help_line, write_metric_line, write_type_line},
};
use std::{
    collections::BTreeMap,
    fmt::{self, Display, Write as _},
    sync::{Arc, Mutex, PoisonError, atomic::Ordering::Acquire},
};

/// Where the metrics of one observer are. Without families it keeps none.
#[derive(Default)]
pub(super) struct Registry {
    counters: Vec<Family<AtomicU64>>,
    /// The bits of floating point numbers.
    gauges: Vec<Family<AtomicU64>>,
    histograms: Vec<Family<Buckets>>,
}

/// One metric and its series, by their text up to the number.
struct Family<S> {
    metric: &'static Metric,
    series: Mutex<BTreeMap<String, Arc<S>>>,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

impl Registry {
    /// A registry that knows the catalogue, and has no series yet.
    pub(super) fn new() -> Self {
        let mut registry = Self::default();
        if super::is_left_out() {
            return registry;
        }
        for metric in catalogue::all() {
            match metric.kind {
                Kind::Counter => registry.counters.push(Family::new(metric)),
                Kind::Gauge => registry.gauges.push(Family::new(metric)),
                Kind::Histogram(_) => registry.histograms.push(Family::new(metric)),
            }
        }
        registry
    }

    /// The series of these label values; there at 0 from now on.
    pub(super) fn counter(&self, metric: &'static Metric, values: &[&str]) -> Counter {
        debug_assert!(metric.kind == Kind::Counter, "{}", metric.name);
        let family = of(&self.counters, metric);
        let series = family.map(|family| family.series(values, AtomicU64::default));
        series.map_or_else(Counter::noop, Counter::from_arc)
    }

    /// The series of these label values; there at 0 from now on.
    pub(super) fn gauge(&self, metric: &'static Metric, values: &[&str]) -> Gauge {
        debug_assert!(metric.kind == Kind::Gauge, "{}", metric.name);
        let family = of(&self.gauges, metric);
        let series = family.map(|family| family.series(values, AtomicU64::default));
        series.map_or_else(Gauge::noop, Gauge::from_arc)
    }

    /// The series of these label values; there at 0 from now on.
    pub(super) fn histogram(&self, metric: &'static Metric, values: &[&str]) -> Histogram {
        let Kind::Histogram(edges) = metric.kind else {
            debug_assert!(false, "{}", metric.name);
            return Histogram::noop();
        };
        let family = of(&self.histograms, metric);
        let new = || Buckets::new(edges, |suffix, edge| line(metric, values, suffix, edge));
        let series = family.map(|family| family.series(values, new));
        series.map_or_else(Histogram::noop, Histogram::from_arc)
    }

    /// All series in the text format.
    pub(super) fn render(&self) -> String {
        let mut text = String::new();
        for family in &self.counters {
            family.render(&mut text, |text, line, count| {
                sample(text, line, count.load(Acquire));
            });
        }
        for family in &self.gauges {
            family.render(&mut text, |text, line, bits| {
                sample(text, line, f64::from_bits(bits.load(Acquire)));
            });
        }
        for family in &self.histograms {
            family.render(&mut text, |text, _, buckets| buckets.render(text));
        }
        text
    }
}

impl<S> Family<S> {
    const fn new(metric: &'static Metric) -> Self {
        Self {
            metric,
            series: Mutex::new(BTreeMap::new()),
        }
    }

    /// The series of these label values, which is new or as it was left.
    fn series(&self, values: &[&str], new: impl FnOnce() -> S) -> Arc<S> {
        let mut series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        let known = series.entry(line(self.metric, values, None, None));
        Arc::clone(known.or_insert_with(|| Arc::new(new())))
    }

    fn render(&self, text: &mut String, each: impl Fn(&mut String, &str, &S)) {
        let series = self.series.lock().unwrap_or_else(PoisonError::into_inner);
        if series.is_empty() {
            return;
        }
        let Metric {
            name, kind, help, ..
        } = self.metric;
        write_help_line(text, name, None, None, help);
        write_type_line(text, name, None, None, kind.name());
        for (line, series) in &*series {
            each(text, line, series);
        }
        text.push('\n');
    }
}

/// The family of a metric. There is none where no metrics are kept.
fn of<'a, S>(families: &'a [Family<S>], metric: &'static Metric) -> Option<&'a Family<S>> {
    families
        .iter()
        .find(|family| std::ptr::eq(family.metric, metric))
}

/// A line of the text format up to its number.
fn line(
    metric: &'static Metric,
    values: &[&str],
    suffix: Option<&'static str>,
    edge: Option<&str>,
) -> String {
    debug_assert_eq!(metric.labels.len(), values.len(), "{}", metric.name);
    let labels = metric.labels.iter().zip(values).map(|(label, value)| {
        if let Values::Closed(names) = label.values {
            debug_assert!(names.contains(value), "{}: {value}", metric.name);
        }
        Label::new(label.name, (*value).to_owned())
    });
    let key = Key::from_parts(metric.name, labels.collect::<Vec<_>>());
    let labels = LabelSet::from_key_and_global(&key, &Default::default());
    let edge = edge.map(|edge| ("le", edge));
    let mut line = String::new();
    write_metric_line(&mut line, metric.name, suffix, &labels, edge, "", None);
    line.truncate(line.trim_end().len());
    line.shrink_to_fit();
    line
}

/// Adds a line of the text format.
fn sample(text: &mut String, line: &str, number: impl Display) {
    text.push_str(line);
    let _ = writeln!(text, " {number}");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::catalogue::{BREAKER_STATE, CONFIG_INFO, HOLDS_OPEN, OVERHEAD, RETRIES};

    #[test]
    fn a_series_is_there_at_zero_once_and_keeps_its_number() {
        let registry = Registry::new();
        assert_eq!(registry.render(), "", "a metric without series is not told");
        let retries = registry.counter(&RETRIES, &["openai/small"]);
        let help = RETRIES.help;
        let told = |number| {
            format!(
                "# HELP tollgate_retries_total {help}\n# TYPE tollgate_retries_total counter\n\
                 tollgate_retries_total{{deployment=\"openai/small\"}} {number}\n\n"
            )
        };
        assert_eq!(registry.render(), told(0));
        retries.increment(2);
        registry.counter(&RETRIES, &["openai/small"]).increment(40);
        assert_eq!(registry.render(), told(42));
    }

    #[test]
    fn gauges_have_fractions_and_no_labels_have_no_braces() {
        let registry = Registry::new();
        registry.gauge(&HOLDS_OPEN, &[]).set(0.25);
        registry.gauge(&BREAKER_STATE, &["a"]).set(f64::NAN);
        let text = registry.render();
        assert!(text.contains("\ntollgate_holds_open 0.25\n"), "{text}");
        let state = "\ntollgate_circuit_breaker_state{deployment=\"a\"} NaN\n";
        assert!(text.contains(state), "{text}");
    }

    #[test]
    fn what_would_end_a_label_is_escaped() {
        let registry = Registry::new();
        registry.gauge(&CONFIG_INFO, &["a\"\n"]).set(1.0);
        let text = registry.render();
        let info = "\ntollgate_config_info{hash=\"a\\\"\\n\"} 1\n";
        assert!(text.contains(info), "{text}");
    }

    #[test]
    fn a_histogram_counts_up_to_each_edge_and_its_count_is_the_last_of_them() {
        let registry = Registry::new();
        let overhead = registry.histogram(&OVERHEAD, &[]);
        for seconds in [0.000_25, 0.000_3, 3.0, 0.5] {
            overhead.record(seconds);
        }
        let text = registry.render();
        for told in [
            "# TYPE tollgate_overhead_duration_seconds histogram\n",
            "_bucket{le=\"0.00025\"} 1\n",
            "_bucket{le=\"0.0005\"} 2\n",
            "_bucket{le=\"0.25\"} 2\n",
            "_bucket{le=\"0.5\"} 3\n",
            "_bucket{le=\"2.5\"} 3\n",
            "_bucket{le=\"+Inf\"} 4\n",
            "_sum 3.50055\n",
            "_count 4\n",
        ] {
            assert!(text.contains(told), "{told} is not in {text}");
        }
        assert_eq!(text.matches("_bucket{").count(), 13);
    }
    #[test]
    fn what_threads_record_at_once_is_all_counted() {
        let registry = Registry::new();
        let overhead = registry.histogram(&OVERHEAD, &[]);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1_000).for_each(|_| overhead.record(0.25)));
            }
        });
        let text = registry.render();
        assert!(text.contains("_bucket{le=\"0.25\"} 4000\n"), "{text}");
        assert!(text.contains("_sum 1000\n"), "{text}");
    }
}
