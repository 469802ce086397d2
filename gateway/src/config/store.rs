//! `[store]`: where balances are kept, and what happens without it.

mod redis;

use super::{budget, ledger, reader::Reader};
pub(super) use redis::TOPOLOGIES;
pub use redis::{Redis, Topology};
use std::{num::NonZeroU32, path::PathBuf, time::Duration};
use tollgate_core::Money;

/// How long calls may be admitted on a grace: it is no way to live without a store.
const SHORTEST_GRACE: Duration = Duration::from_secs(1);
const LONGEST_GRACE: Duration = Duration::from_hours(1);

/// Where balances are kept, and what happens without it.
#[derive(Clone, Debug)]
pub struct Store {
    /// Where.
    pub kind: Kind,
    /// What happens while it can't be reached.
    pub on_failure: OnFailure,
    /// How many gateways share it: the divisor of local fractions.
    pub expected_replicas: NonZeroU32,
}

/// Where balances are kept.
#[derive(Clone, Debug)]
pub enum Kind {
    /// In this process, rebuilt from the ledger at start.
    Memory,
    /// In Redis, shared by replicas.
    Redis(Redis),
}

/// What happens while the store can't be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnFailure {
    /// To rate and concurrency limits.
    pub limits: LimitsOnFailure,
    /// To hard budgets.
    pub budgets: BudgetsOnFailure,
    /// Where this gateway keeps what it admitted without the store, so that a kill loses none of
    /// it.
    pub journal: Option<PathBuf>,
}

/// What happens to rate and concurrency limits without the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitsOnFailure {
    /// Each replica enforces its part: the limit over the expected replicas.
    LocalFraction,
    /// They are not enforced.
    Open,
    /// Calls are refused.
    Deny,
}

/// What happens to hard budgets without the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BudgetsOnFailure {
    /// Calls are refused: a budget that can't be looked at is not spent.
    Deny,
    /// Calls are admitted up to an amount, for a while.
    Grace(Grace),
    /// They are not enforced.
    Open,
}

/// How much may be spent without the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Grace {
    /// The most that all replicas may spend per budget and window.
    pub amount: Money,
    /// For how long after the store was lost.
    pub lasts: Duration,
}

/// The words for [`LimitsOnFailure`].
pub(super) const LIMITS: [(&str, LimitsOnFailure); 3] = [
    ("local_fraction", LimitsOnFailure::LocalFraction),
    ("open", LimitsOnFailure::Open),
    ("deny", LimitsOnFailure::Deny),
];

/// What stands for hard budgets in the file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BudgetsWord {
    Deny,
    Grace,
    Open,
}

impl BudgetsOnFailure {
    pub(super) const fn word(self) -> BudgetsWord {
        match self {
            Self::Deny => BudgetsWord::Deny,
            Self::Grace(_) => BudgetsWord::Grace,
            Self::Open => BudgetsWord::Open,
        }
    }
}

/// The words for [`BudgetsOnFailure`].
pub(super) const BUDGETS: [(&str, BudgetsWord); 3] = [
    ("deny", BudgetsWord::Deny),
    ("grace", BudgetsWord::Grace),
    ("open", BudgetsWord::Open),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Memory,
    Redis,
}

/// `None` if there is a problem with Redis, or with what happens without it.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Store> {
    let word = reader.word("kind", &[("memory", Word::Memory), ("redis", Word::Redis)]);
    let kind = match word {
        Some(Word::Redis) => redis::read(reader).map(Kind::Redis),
        Some(Word::Memory) | None => {
            redis::refuse(reader);
            Some(Kind::Memory)
        }
    };
    let on_failure = reader.table("on_failure", on_failure);
    let expected_replicas = reader
        .number("expected_replicas", 1..=10_000)
        .and_then(|replicas| NonZeroU32::new(u32::try_from(replicas).ok()?))
        .unwrap_or(NonZeroU32::MIN);
    Some(Store {
        kind: kind?,
        on_failure: on_failure?,
        expected_replicas,
    })
}

fn on_failure(reader: &mut Reader<'_>) -> Option<OnFailure> {
    let limits = reader.word("limits", &LIMITS);
    let journal = reader.text("journal", ledger::directory);
    let word = reader.word("budgets", &BUDGETS);
    let budgets = match word.unwrap_or(BudgetsWord::Deny) {
        BudgetsWord::Grace => {
            reader.require("grace", "{ amount = \"1.00\", lasts = \"2m\" }");
            // Money that a kill forgets is no budget.
            reader.require("journal", "\"data/failover\"");
            let grace = reader.optional_table("grace", grace);
            grace.map(BudgetsOnFailure::Grace)
        }
        other => {
            reader.refuse(
                "grace",
                "belongs to budgets = \"grace\"; remove it or change that",
            );
            Some(match other {
                BudgetsWord::Open => BudgetsOnFailure::Open,
                BudgetsWord::Deny | BudgetsWord::Grace => BudgetsOnFailure::Deny,
            })
        }
    };
    Some(OnFailure {
        limits: limits.unwrap_or(LimitsOnFailure::LocalFraction),
        budgets: budgets?,
        journal,
    })
}

fn grace(reader: &mut Reader<'_>) -> Option<Grace> {
    let amount = reader.text("amount", budget::amount);
    reader.require("amount", "\"1.00\"");
    let lasts = reader.duration("lasts", SHORTEST_GRACE..=LONGEST_GRACE);
    reader.require("lasts", "\"2m\"");
    Some(Grace {
        amount: amount?,
        lasts: lasts?,
    })
}
