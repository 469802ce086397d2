//! The numbers of one histogram.

use super::sample;
use metrics::{HistogramFn, atomics::AtomicU64};
use std::sync::atomic::Ordering::{Acquire, Relaxed, Release};

/// Counts values by upper edges. Recording takes no lock and no memory.
pub(super) struct Buckets {
    edges: &'static [f64],
    /// Of the values up to each edge and above the one before, and at last of those above all.
    counts: Box<[AtomicU64]>,
    /// The bits of the sum of all values.
    sum: AtomicU64,
    /// The lines of the counts up to their numbers, then those of the sum and of the count of all.
    lines: Box<[String]>,
    sum_line: String,
    count_line: String,
}

impl Buckets {
    /// No values. `line` makes a line of a suffix of the name and an edge.
    pub(super) fn new(
        edges: &'static [f64],
        line: impl Fn(Option<&'static str>, Option<&str>) -> String,
    ) -> Self {
        let edge = |edge: &f64| line(Some("bucket"), Some(&edge.to_string()));
        let last = line(Some("bucket"), Some("+Inf"));
        Self {
            edges,
            counts: (0..=edges.len()).map(|_| AtomicU64::new(0)).collect(),
            sum: AtomicU64::new(0),
            lines: edges.iter().map(edge).chain([last]).collect(),
            sum_line: line(Some("sum"), None),
            count_line: line(Some("count"), None),
        }
    }

    /// Adds the lines. The count is that of the last bucket, whatever is recorded meanwhile.
    pub(super) fn render(&self, text: &mut String) {
        let sum = f64::from_bits(self.sum.load(Acquire));
        let mut so_far = 0;
        for (line, count) in self.lines.iter().zip(&self.counts) {
            so_far += count.load(Acquire);
            sample(text, line, so_far);
        }
        sample(text, &self.sum_line, sum);
        sample(text, &self.count_line, so_far);
    }
}

impl HistogramFn for Buckets {
    fn record(&self, value: f64) {
        let place = self.edges.partition_point(|edge| *edge < value);
        self.counts[place].fetch_add(1, Release);
        let add = |sum| Some((f64::from_bits(sum) + value).to_bits());
        // It never refuses, so that this ends.
        let _ = self.sum.fetch_update(Release, Relaxed, add);
    }
}
