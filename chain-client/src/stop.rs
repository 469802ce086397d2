//! Why and how a run stops before its input ends.
//!
//! Two stages: no more articles are admitted, and later whatever is in flight is cancelled. The
//! first reason stands; the report and the exit code follow it.

use std::sync::{Arc, OnceLock};
use tokio_util::sync::CancellationToken;

/// Why the run stopped early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The time budget is used up, or the next article would not fit into it.
    TimeBudget,
    /// The gateway refuses for lack of money.
    CostBudget,
    /// No call can work; with the cause.
    Systemic(String),
    /// Ctrl-C.
    Interrupted,
    /// SIGTERM.
    Terminated,
}

/// A handle that all parts of the run share.
#[derive(Clone, Debug, Default)]
pub(crate) struct Stop(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    admission: CancellationToken,
    work: CancellationToken,
    reason: OnceLock<Reason>,
}

impl Stop {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Admits no more articles; those in flight go on.
    pub(crate) fn admission(&self, reason: Reason) {
        self.0.reason.get_or_init(|| reason);
        self.0.admission.cancel();
    }

    /// Admits no more articles and cancels what is in flight.
    pub(crate) fn everything(&self, reason: Reason) {
        self.admission(reason);
        self.0.work.cancel();
    }

    pub(crate) fn reason(&self) -> Option<&Reason> {
        self.0.reason.get()
    }

    pub(crate) fn is_admitting(&self) -> bool {
        !self.0.admission.is_cancelled()
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.0.work.is_cancelled()
    }

    /// Ends when no more articles are admitted.
    pub(crate) async fn admission_ended(&self) {
        self.0.admission.cancelled().await;
    }

    /// Ends when what is in flight is cancelled.
    pub(crate) async fn cancelled(&self) {
        self.0.work.cancelled().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reason_stands() {
        let stop = Stop::new();
        stop.admission(Reason::Interrupted);
        stop.everything(Reason::TimeBudget);
        assert_eq!(stop.reason(), Some(&Reason::Interrupted));
        assert!(stop.is_cancelled() && !stop.is_admitting());
    }
}
