//! `[store]`: where balances are kept, and what happens without it.

use super::{
    reader::Reader,
    secret::{self, Secret, Wanted},
};
use std::{num::NonZeroU32, time::Duration};

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
    Redis(RedisStore),
}

/// How Redis is reached.
#[derive(Clone, Debug)]
pub struct RedisStore {
    /// `redis://` or `rediss://`; may hold a password.
    pub url: Secret,
    /// How long one command may take.
    pub command_timeout: Duration,
}

/// What happens while the store can't be reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnFailure {
    /// To rate and concurrency limits.
    pub limits: LimitsOnFailure,
    /// To hard budgets.
    pub budgets: BudgetsOnFailure,
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
    /// They are not enforced.
    Open,
}

/// The words for [`LimitsOnFailure`].
pub(super) const LIMITS: [(&str, LimitsOnFailure); 3] = [
    ("local_fraction", LimitsOnFailure::LocalFraction),
    ("open", LimitsOnFailure::Open),
    ("deny", LimitsOnFailure::Deny),
];

/// The words for [`BudgetsOnFailure`].
pub(super) const BUDGETS: [(&str, BudgetsOnFailure); 2] = [
    ("deny", BudgetsOnFailure::Deny),
    ("open", BudgetsOnFailure::Open),
];

#[derive(Clone, Copy, PartialEq, Eq)]
enum Word {
    Memory,
    Redis,
}

/// `None` if there is a problem with Redis.
pub(super) fn read(reader: &mut Reader<'_>) -> Option<Store> {
    let word = reader.word("kind", &[("memory", Word::Memory), ("redis", Word::Redis)]);
    let kind = match word {
        Some(Word::Redis) => redis(reader).map(Kind::Redis),
        Some(Word::Memory) | None => {
            for key in ["url_env", "url_file", "command_timeout"] {
                reader.refuse(
                    key,
                    "belongs to kind = \"redis\"; remove it or change the kind",
                );
            }
            reader.refuse("url", "belongs to kind = \"redis\", as url_env or url_file");
            Some(Kind::Memory)
        }
    };
    let on_failure = reader.table("on_failure", |reader| OnFailure {
        limits: reader
            .word("limits", &LIMITS)
            .unwrap_or(LimitsOnFailure::LocalFraction),
        budgets: reader
            .word("budgets", &BUDGETS)
            .unwrap_or(BudgetsOnFailure::Deny),
    });
    let expected_replicas = reader
        .number("expected_replicas", 1..=10_000)
        .and_then(|replicas| NonZeroU32::new(u32::try_from(replicas).ok()?))
        .unwrap_or(NonZeroU32::MIN);
    Some(Store {
        kind: kind?,
        on_failure,
        expected_replicas,
    })
}

fn redis(reader: &mut Reader<'_>) -> Option<RedisStore> {
    let command_timeout = reader
        .duration(
            "command_timeout",
            Duration::from_millis(1)..=Duration::from_secs(10),
        )
        .unwrap_or(Duration::from_millis(50));
    let wanted = Wanted {
        stem: "url",
        default_variable: None,
    };
    let url = secret::read(reader, wanted, |url| {
        let known = url.starts_with("redis://") || url.starts_with("rediss://");
        known
            .then_some(())
            .ok_or_else(|| "does not hold a redis:// or rediss:// URL".to_owned())
    });
    if !reader.has("url_file") {
        reader.require("url_env", "\"REDIS_URL\"");
    }
    let (url, ()) = url?;
    Some(RedisStore {
        url,
        command_timeout,
    })
}
