//! Budgets: money per calendar window.

use crate::{Money, Timestamp};
use std::{fmt, sync::Arc};

/// One calendar window of a budget, such as a day in Berlin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its id, such as `2026-11-24`: the same on every replica, so that a new window needs no reset.
    pub id: Arc<str>,
    /// When it ends; `None` for a run's budget, which has no calendar.
    pub ends_at: Option<Timestamp>,
}

/// Cuts time into windows.
pub trait Calendar: Send + Sync + fmt::Debug {
    /// The window that contains `now`.
    fn window_at(&self, now: Timestamp) -> Window;
}

/// A money bound per window, or a mere counter.
#[derive(Clone, Debug)]
pub struct BudgetSpec {
    /// Its name: `day` or `month`.
    pub name: Arc<str>,
    /// The bound per window; `None`: only counted.
    pub limit: Option<Money>,
    /// Whether calls are refused at the bound.
    pub hard: bool,
    /// Where the windows begin and end.
    pub calendar: Arc<dyn Calendar>,
    /// When to raise an alert.
    pub marks: Arc<[Mark]>,
}

/// A share of a budget at which an alert is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The share in thousandths.
    pub permille: u16,
}

impl Mark {
    /// The spend at which this mark is reached.
    #[must_use]
    pub fn reached_at(self, limit: Money) -> Money {
        limit.permille_up(self.permille)
    }
}

/// A budget and what is left of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// `day`, `month`, or `run`.
    pub name: Arc<str>,
    /// The window.
    pub window: Window,
    /// The bound, top-ups included.
    pub limit: Option<Money>,
    /// Whether calls are refused at the bound.
    pub hard: bool,
    /// What settled calls cost.
    pub spent: Money,
    /// What open holds took.
    pub held: Money,
}

impl Balance {
    /// The used share in thousandths, holds included; `None` without a bound.
    ///
    /// A bound of zero is used up.
    #[must_use]
    pub fn used_permille(&self) -> Option<u64> {
        let limit = i128::from(self.limit?.nanos());
        let used = i128::from(self.spent.plus(self.held).nanos()).max(0);
        if limit <= 0 {
            return Some(1_000);
        }
        Some(u64::try_from(used * 1_000 / limit).unwrap_or(u64::MAX))
    }
}

/// A mark that was passed. Reported once per budget, window and mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// The budget as of the crossing.
    pub balance: Balance,
    /// The mark.
    pub permille: u16,
}
