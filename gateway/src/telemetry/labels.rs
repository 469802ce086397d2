//! The closed sets of label values. A label that is not from one of these comes from the
//! configuration or the build, never from a caller.

/// A set, its values with their names, and [`Closed`] for it.
macro_rules! closed {
    ($(#[$doc:meta])* $vis:vis $set:ident { $($(#[$about:meta])* $value:ident = $name:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $vis enum $set { $($(#[$about])* $value,)+ }

        impl Closed for $set {
            const ALL: &'static [Self] = &[$(Self::$value),+];
            const NAMES: &'static [&'static str] = &[$($name),+];

            fn ordinal(self) -> usize {
                self as usize
            }
        }
    };
}

mod attempt;
mod fallback;
mod outcome;
mod rpc;

pub(crate) use fallback::{FallbackReason, Skip};
#[cfg(test)]
pub(super) use outcome::all_errors;
pub(super) use outcome::{Class, Outcome};
pub(super) use rpc::{GrpcCode, Rpc};

use attempt::KINDS;
use std::marker::PhantomData;

/// A closed set of label values.
pub(super) trait Closed: Copy + 'static {
    /// All of them.
    const ALL: &'static [Self];

    /// Their names in metrics and logs, in the same order.
    const NAMES: &'static [&'static str];

    /// Its place among all.
    fn ordinal(self) -> usize;

    /// Its name.
    fn name(self) -> &'static str {
        Self::NAMES[self.ordinal()]
    }

    /// The value of this name.
    fn named(name: &str) -> Option<Self> {
        let place = Self::NAMES.iter().position(|known| *known == name)?;
        Self::ALL.get(place).copied()
    }
}

/// One handle for each value of a set.
pub(super) struct Each<E, H> {
    handles: Box<[H]>,
    of: PhantomData<E>,
}

impl<E: Closed, H> Each<E, H> {
    /// Makes a handle for each value.
    pub(super) fn new(make: impl FnMut(&&'static str) -> H) -> Self {
        Self {
            handles: E::NAMES.iter().map(make).collect(),
            of: PhantomData,
        }
    }

    /// The handle of one value.
    pub(super) fn at(&self, value: E) -> &H {
        &self.handles[value.ordinal()]
    }
}

closed! {
    /// What bounds a team or a deployment.
    pub(super) Limiter {
        /// Calls or attempts per minute.
        Requests = "requests_per_minute",
        /// Tokens per minute.
        Tokens = "tokens_per_minute",
        /// Input tokens per minute.
        InputTokens = "input_tokens_per_minute",
        /// Output tokens per minute.
        OutputTokens = "output_tokens_per_minute",
        /// What runs at once.
        Concurrency = "concurrency",
        /// A budget.
        Budget = "budget",
        /// A provider that asked to be left alone.
        Cooldown = "cooldown",
        /// A limit of another name.
        Other = "other",
    }
}

impl Limiter {
    /// The limiter of a limit's name.
    pub(super) fn of_limit(name: &str) -> Self {
        Self::named(name).unwrap_or(Self::Other)
    }
}

closed! {
    /// What a limiter said.
    pub(super) Decision {
        /// There is room.
        Allow = "allow",
        /// There is none.
        Deny = "deny",
        /// The store did not answer.
        Error = "error",
    }
}

closed! {
    /// The span of a budget.
    pub(super) Period {
        /// A calendar day.
        Day = "day",
        /// A calendar month.
        Month = "month",
        /// A run of a pipeline.
        Run = "run",
    }
}

closed! {
    /// The classes of tokens: disjoint, their sum is what passed through the model.
    pub(super) TokenClass {
        /// Input that was not cached.
        Input = "input",
        /// Input read from the provider's cache.
        CacheRead = "cache_read",
        /// Input written to the provider's cache.
        CacheWrite = "cache_write",
        /// Output that the caller sees.
        Output = "output",
        /// Output spent on reasoning.
        Reasoning = "reasoning",
    }
}

closed! {
    /// How a hold ended.
    pub(super) HoldEnding {
        /// With what its call really cost.
        Settled = "settled",
        /// Without a charge.
        Cancelled = "cancelled",
        /// By its lease, charged in full.
        Expired = "expired",
        /// After it expired, with what its call really cost.
        Corrected = "corrected",
    }
}

closed! {
    /// The state of a breaker, in the order of its gauge.
    pub(super) BreakerState {
        /// Attempts go through.
        Closed = "closed",
        /// One attempt probes.
        HalfOpen = "half_open",
        /// No attempts.
        Open = "open",
    }
}

closed! {
    /// Why a call was refused before any work.
    pub(super) Shed {
        /// Too many calls are in flight.
        InFlight = "in_flight",
        /// The gateway is shutting down.
        Draining = "draining",
        /// Anything else.
        Other = "other",
    }
}

closed! {
    /// Whether a key was known.
    pub(super) Auth {
        /// It is a team's.
        Ok = "ok",
        /// Missing, malformed, unknown, or wrong.
        Refused = "refused",
    }
}

closed! {
    /// What can run without the store.
    pub Component {
        /// Rate and concurrency limits.
        Limits = "limits",
        /// Budgets.
        Budgets = "budgets",
        /// Idempotency keys.
        Idempotency = "idempotency",
    }
}

closed! {
    /// What was decided without the store.
    pub(super) Alone {
        /// The call was admitted.
        Held = "held",
        /// This replica's part of the limits refused it.
        Refused = "refused",
        /// What happens without the store does not admit it.
        Unavailable = "unavailable",
    }
}

closed! {
    /// What the store is asked for.
    pub StoreCommand {
        /// Taking a hold.
        Hold = "hold",
        /// Adding to a hold.
        Extend = "extend",
        /// Ending a hold.
        Settle = "settle",
        /// Keeping leases.
        Renew = "renew",
        /// Ending holds whose leases ran out.
        Sweep = "sweep",
        /// Leaving a deployment alone.
        CoolDown = "cool_down",
        /// Noting a provider's quota.
        Observe = "observe",
        /// Reading balances.
        Balances = "balances",
        /// Reading usage.
        Usage = "usage",
        /// Moving the outbox to the ledger, and rebuilding from it.
        Drain = "drain",
        /// Looking whether it is there.
        Ping = "ping",
        /// Reading and writing what operators decided.
        Operators = "operators",
        /// Raising a budget.
        TopUp = "top_up",
    }
}

closed! {
    /// What became of an alert for the webhook.
    pub Delivery {
        /// The webhook took it.
        Delivered = "delivered",
        /// It did not, this time.
        Failed = "failed",
        /// Given up.
        Dropped = "dropped",
    }
}

closed! {
    /// What can be lost when too much of it comes.
    pub(super) Signal {
        /// Log lines.
        Log = "log",
        /// Entries of the interaction log.
        Interaction = "interaction",
    }
}

closed! {
    /// A label whose values come from the configuration.
    pub(super) Folded {
        /// The team.
        Team = "team",
        /// The model.
        Model = "model",
        /// The deployment.
        Deployment = "deployment",
        /// The pipeline.
        Pipeline = "pipeline",
    }
}
