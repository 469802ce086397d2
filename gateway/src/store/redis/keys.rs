//! The names of keys: `tollgate:1:{t:<team>}:...` and `tollgate:1:{d:<deployment>}:...`.
//!
//! All keys of a scope share the part in braces, which a cluster hashes: so one script may touch
//! them all. Braces in names are escaped, so that no name can end that part early.
//!
//! | suffix | type | what |
//! |---|---|---|
//! | `a` | hash | the account: `ep` epoch, `cd` cooldown, `b:<bucket>`, `g:<gauge>`, `s:`, `h:` and `m:<budget>:<window>` spent, held, and (end, top-up, mark) |
//! | `h:<id>` | text | a hold: `O` and what it took; `S`, `C` a tombstone; `X` an expiry that may be corrected |
//! | `l` | sorted set | open holds by the end of their lease |
//! | `o` | stream | the outbox of the ledger |
//! | `r:<run>` | hash | a run's budget: `l` limit, `s` spent, `h` held |
//! | `t:<request>` | text | a top-up: what it added to which budget |
//! | `u:<day>` | hash | sums of usage of a UTC day, counted from the epoch |
//! | `x` | text | who drains the outbox, as a number that only grows |

use std::fmt::Write as _;
use tollgate_core::{HoldId, limit::Scope};

/// The version of the layout of keys and values.
pub(super) const SCHEMA: &str = "1";
/// Tells which version of the layout a Redis holds.
pub(super) const SCHEMA_KEY: &str = "tollgate:schema";
/// A mark that is gone when all data is gone.
pub(super) const LIFE: &str = "tollgate:1:life";
/// The teams that were ever seeded, so that those removed from the configuration are drained too.
pub(super) const TEAMS: &str = "tollgate:1:teams";
/// The teams whose accounts are gone and that wait to be rebuilt from the ledger.
pub(super) const UNSEEDED: &str = "tollgate:1:unseeded";
/// Who drains.
pub(super) const DRAIN_LEASE: &str = "tollgate:1:drain:lease";
/// The identity of the ledger that it is drained into.
pub(super) const DRAIN_LEDGER: &str = "tollgate:1:drain:ledger";
/// Counts the drains, so that a later one can be told from an earlier one.
pub(super) const DRAIN_TERM: &str = "tollgate:1:drain:term";

/// What operators decided, by name.
pub(super) const OPERATORS: &str = "tollgate:1:operators";

/// The keys of one scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Keys(String);

impl Keys {
    /// The keys of a scope.
    pub(super) fn of(scope: &Scope) -> Self {
        let (kind, name) = match scope {
            Scope::Team(name) => ('t', name),
            Scope::Deployment(name) => ('d', name),
        };
        let mut base = String::with_capacity(32 + name.len());
        let _ = write!(base, "tollgate:{SCHEMA}:{{{kind}:");
        for letter in name.chars() {
            match letter {
                '{' => base.push_str("%7B"),
                '}' => base.push_str("%7D"),
                '%' => base.push_str("%25"),
                other => base.push(other),
            }
        }
        base.push_str("}:");
        Self(base)
    }

    pub(super) fn account(&self) -> String {
        self.with("a")
    }

    pub(super) fn leases(&self) -> String {
        self.with("l")
    }

    pub(super) fn outbox(&self) -> String {
        self.with("o")
    }

    pub(super) fn drain(&self) -> String {
        self.with("x")
    }

    /// What the ids of holds are appended to.
    pub(super) fn records(&self) -> String {
        self.with("h:")
    }

    pub(super) fn record(&self, id: HoldId) -> String {
        let mut key = self.with("h:");
        let _ = write!(key, "{id}");
        key
    }

    pub(super) fn run(&self, run: &str) -> String {
        let mut key = self.with("r:");
        key.push_str(run);
        key
    }

    pub(super) fn top_up(&self, request: &str) -> String {
        let mut key = self.with("t:");
        key.push_str(request);
        key
    }

    /// What the day is appended to.
    pub(super) fn usage(&self) -> String {
        self.with("u:")
    }

    fn with(&self, suffix: &str) -> String {
        let mut key = String::with_capacity(self.0.len() + suffix.len() + 26);
        key.push_str(&self.0);
        key.push_str(suffix);
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_name_can_leave_its_hash_tag() {
        let evil = Keys::of(&Scope::Team("a}:{t:b%".into()));
        assert_eq!(evil.account(), "tollgate:1:{t:a%7D:%7Bt:b%25}:a");
        let escaped = Keys::of(&Scope::Team("a%7D:%7Bt:b%25".into()));
        assert_ne!(evil, escaped);
        let deployment = Keys::of(&Scope::Deployment("openai/gpt-4".into()));
        assert_eq!(deployment.leases(), "tollgate:1:{d:openai/gpt-4}:l");
    }
}
