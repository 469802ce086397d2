//! The table.

use super::scenario::Scenario;
use crate::bench::machine::Machine;
use serde::Serialize;
use std::fmt;

/// All rows, and the machine that they were made on.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// Where.
    #[serde(flatten)]
    pub machine: Machine,
    /// The same at the end, this program included.
    pub load_after: f64,
    /// The rows.
    pub rows: Vec<Row>,
}

/// What a scenario came to.
#[derive(Clone, Debug, Serialize)]
pub struct Row {
    /// The scenario.
    pub name: &'static str,
    /// What happens in it.
    pub what: &'static str,
    /// Gateways that share a Redis.
    pub replicas: usize,
    /// Callers of all of them.
    pub callers: usize,
    /// Calls that got to the provider.
    pub admitted: u64,
    /// Calls that the budget refused.
    pub refused: u64,
    /// Calls that were refused because Redis did not answer.
    pub unavailable: u64,
    /// What was spent, or billed if that is more, over the limit.
    pub spent_share: f64,
    /// The most that was spent and held at an admission, over the limit.
    pub most_taken_share: f64,
    /// The most that may be spent, over the limit.
    pub bound: f64,
    /// What the provider bills over what was charged.
    pub billed_share: f64,
    /// Calls that fit by their holds and were refused all the same.
    pub falsely_refused: u64,
    /// How long it took until every gateway admitted calls again.
    pub recovery: Option<Recovery>,
    /// How long it took until all holds of a killed gateway were charged.
    pub charged_after_s: Option<f64>,
    /// What is beyond its bound.
    pub problems: Vec<String>,
}

/// How long it took until every gateway admitted calls again.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Recovery {
    /// From the moment when Redis was well again.
    pub seconds: f64,
    /// Whether balances had to be rebuilt from the ledger.
    pub is_rebuild: bool,
}

impl Report {
    /// The problems of all rows.
    #[must_use]
    pub fn problems(&self) -> Vec<String> {
        let of = |row: &Row| {
            let name = row.name;
            let named = row
                .problems
                .iter()
                .map(move |what| format!("{name}: {what}"));
            named.collect::<Vec<_>>()
        };
        self.rows.iter().flat_map(of).collect()
    }
}

impl Row {
    /// The row of a scenario that has this problem, and no figures yet.
    pub(super) fn failed(scenario: &Scenario, problem: String) -> Self {
        Self {
            name: scenario.name,
            what: scenario.what,
            replicas: scenario.replicas,
            callers: scenario.replicas * scenario.callers,
            admitted: 0,
            refused: 0,
            unavailable: 0,
            spent_share: 0.0,
            most_taken_share: 0.0,
            bound: 0.0,
            billed_share: 0.0,
            falsely_refused: 0,
            recovery: None,
            charged_after_s: None,
            problems: vec![problem],
        }
    }

    /// The time to recover, in words.
    pub(super) fn recovered(&self) -> String {
        match (self.recovery, self.charged_after_s) {
            (Some(Recovery { seconds, .. }), Some(charged)) => {
                format!("{seconds:.2} s; holds charged after {charged:.1} s")
            }
            (
                Some(Recovery {
                    seconds,
                    is_rebuild: true,
                }),
                None,
            ) => {
                format!("{seconds:.2} s (rebuild)")
            }
            (Some(Recovery { seconds, .. }), None) => format!("{seconds:.2} s"),
            (None, _) => "-".to_owned(),
        }
    }

    /// The row as a line of text.
    #[must_use]
    pub fn line(&self) -> String {
        let verdict = if self.problems.is_empty() {
            "ok".to_owned()
        } else {
            self.problems.join("; ")
        };
        format!(
            "{:18} {} gateways  admitted {:>4}  spent/limit {:.4} (bound {:.4})  falsely refused {}  \
             recovered {}  {verdict}",
            self.name,
            self.replicas,
            self.admitted,
            self.spent_share,
            self.bound,
            self.falsely_refused,
            self.recovered(),
        )
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for row in &self.rows {
            writeln!(f, "{}", row.line())?;
        }
        write!(f, "{}, after {:.2}", self.machine, self.load_after)
    }
}
