//! What an account says to a hold, and whether waiting cures a refusal.

use crate::{
    Money, Timestamp,
    budget::{Balance, Crossing},
    hold::State,
};
use std::sync::Arc;

/// What an account says to a hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HoldReply {
    /// Taken, all of it.
    Held(Held),
    /// Nothing taken.
    Refused(Refused),
    /// This id asked before: nothing was taken again.
    Duplicate(State),
    /// The run has a budget of another amount.
    RunBudgetConflict {
        /// The amount that its first call set.
        limit: Money,
    },
}

/// What a granted hold took from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The time that was used.
    pub now: Timestamp,
    /// The budgets that apply, this hold included, in the order of the limits; a run's last.
    pub budgets: Vec<Balance>,
    /// Whole units left in each bucket, in the order of the limits.
    pub remaining: Vec<u64>,
}

/// Why a hold was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The time that was used.
    pub now: Timestamp,
    /// Everything that refuses, so that a caller does not learn it one by one.
    pub refusals: Vec<Refusal>,
    /// Marks that this refusal passed: the first refusal of a budget is its 100 %.
    pub crossings: Vec<Crossing>,
}

/// One limit or budget that refuses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A bucket has too little now.
    Rate {
        /// The bucket.
        limit: Arc<str>,
        /// The time until the need fits, if nobody else takes.
        wait_ms: u64,
    },
    /// The need is larger than the bucket: it can never fit.
    Unsatisfiable {
        /// The bucket.
        limit: Arc<str>,
        /// What was asked for.
        need: u64,
        /// What the bucket holds when full.
        capacity: u64,
    },
    /// Too many holds are open.
    Concurrency {
        /// The gauge.
        limit: Arc<str>,
        /// Its bound.
        bound: u64,
    },
    /// The provider asked to be left alone.
    Cooldown {
        /// For how much longer.
        wait_ms: u64,
    },
    /// A budget has too little left.
    Budget {
        /// The budget as it is.
        balance: Balance,
        /// What was asked for.
        need: Money,
    },
}

/// Whether waiting can cure a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cure {
    /// After so many milliseconds.
    After(u64),
    /// As soon as another call ends, nobody knows when.
    Release,
    /// Not within this window, or never.
    None,
}

impl Refusal {
    /// What waiting does for it.
    #[must_use]
    pub fn cure(&self) -> Cure {
        match self {
            Self::Rate { wait_ms, .. } | Self::Cooldown { wait_ms } => Cure::After(*wait_ms),
            Self::Concurrency { .. } => Cure::Release,
            Self::Unsatisfiable { .. } => Cure::None,
            Self::Budget { balance, need } => match balance.limit {
                Some(limit) if balance.spent.plus(*need) > limit => Cure::None,
                _ => Cure::Release,
            },
        }
    }
}
