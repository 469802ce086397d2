//! Raising the bound of a budget until its window ends.

use std::sync::Arc;
use tollgate_core::{
    Money,
    budget::BudgetSpec,
    limit::{LARGEST_EXACT, Limits},
};

/// By how much the bound of a budget's current window is raised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopUp {
    /// The budget.
    pub budget: Arc<str>,
    /// What is added; above zero.
    pub amount: Money,
    /// Who repeats the request says the same, and it is added once. It is remembered while the
    /// window's sums are.
    pub request: Arc<str>,
}

/// What became of a top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToppedUp {
    /// The bound is raised, by this request or by an earlier one that was the same.
    Done,
    /// The request raised something else already, by so much.
    Reused(Money),
    /// The budget has no bound.
    Unbounded,
    /// The bound would be larger than what is computed exactly.
    TooLarge,
}

/// A top-up that was made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// The budget.
    pub budget: Arc<str>,
    /// What was added.
    pub amount: Money,
}

impl TopUp {
    /// The budget with its bound, if it has one.
    pub(super) fn spec<'a>(&self, limits: &'a Limits) -> Option<(&'a BudgetSpec, Money)> {
        let mut budgets = limits.budgets.iter();
        let spec = budgets.find(|spec| spec.name == self.budget)?;
        Some((spec, spec.limit?))
    }

    /// What to answer after an earlier one of the same request.
    pub(super) fn after(&self, made: &Made) -> ToppedUp {
        if (&made.budget, made.amount) == (&self.budget, self.amount) {
            ToppedUp::Done
        } else {
            ToppedUp::Reused(made.amount)
        }
    }
}

/// Whether a bound of so much is computed exactly everywhere.
pub(super) fn is_exact(bound: Money) -> bool {
    u64::try_from(bound.nanos()).is_ok_and(|nanos| nanos <= LARGEST_EXACT)
}
