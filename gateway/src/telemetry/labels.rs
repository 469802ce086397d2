//! The closed sets of label values. A label that is not from one of these comes from the
//! configuration or the build, never from a caller.

mod fallback;

pub(crate) use fallback::{FallbackReason, Skip};

use crate::{complete::AttemptOutcome, error::Error, provider::FailureKind};
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

closed! {
    /// How a call ended: the reasons of errors in lower case, and what is no error.
    #[expect(clippy::enum_variant_names, reason = "OUTCOME_UNKNOWN is the reason's name")]
    pub(super) Outcome {
        /// Answered.
        Ok = "ok",
        /// Answered with what another call was told.
        Replay = "replay",
        /// Its caller hung up.
        Cancelled = "cancelled",
        /// INVALID_REQUEST.
        InvalidRequest = "invalid_request",
        /// LIMIT_UNSATISFIABLE.
        LimitUnsatisfiable = "limit_unsatisfiable",
        /// INVALID_CREDENTIAL.
        InvalidCredential = "invalid_credential",
        /// MODEL_FORBIDDEN.
        ModelForbidden = "model_forbidden",
        /// UNKNOWN_MODEL.
        UnknownModel = "unknown_model",
        /// UNKNOWN_ROUTE.
        UnknownRoute = "unknown_route",
        /// PROMPT_REJECTED.
        PromptRejected = "prompt_rejected",
        /// RATE_LIMITED.
        RateLimited = "rate_limited",
        /// CONCURRENCY_LIMITED.
        ConcurrencyLimited = "concurrency_limited",
        /// BUDGET_EXHAUSTED.
        BudgetExhausted = "budget_exhausted",
        /// OVERLOADED.
        Overloaded = "overloaded",
        /// TARGETS_EXHAUSTED.
        TargetsExhausted = "targets_exhausted",
        /// OUTCOME_UNKNOWN.
        OutcomeUnknown = "outcome_unknown",
        /// DEADLINE_EXCEEDED.
        DeadlineExceeded = "deadline_exceeded",
        /// INTERNAL.
        Internal = "internal",
        /// STORE_UNAVAILABLE.
        StoreUnavailable = "store_unavailable",
        /// IDEMPOTENCY_CONFLICT.
        IdempotencyConflict = "idempotency_conflict",
    }
}

closed! {
    /// Whose doing an outcome is, for the durations.
    pub(super) Class {
        /// Answered.
        Ok = "ok",
        /// Limits and budgets did their work.
        Rejected = "rejected",
        /// The caller's.
        ClientError = "client_error",
        /// Ours or a provider's: what the availability objective counts.
        ServerError = "server_error",
    }
}

impl Outcome {
    /// The outcome of a call that failed so.
    pub(super) fn of(error: &Error) -> Self {
        match error {
            Error::InvalidRequest(_) => Self::InvalidRequest,
            Error::LimitUnsatisfiable(_) => Self::LimitUnsatisfiable,
            Error::InvalidCredential => Self::InvalidCredential,
            Error::ModelForbidden(_) => Self::ModelForbidden,
            Error::UnknownModel(_) => Self::UnknownModel,
            Error::UnknownRoute(_) => Self::UnknownRoute,
            Error::PromptRejected { .. } => Self::PromptRejected,
            // Which of the two it is was decided where callers are told.
            Error::Limited(_) => Self::named(error.reason()).unwrap_or(Self::RateLimited),
            Error::BudgetExhausted(_) => Self::BudgetExhausted,
            Error::Overloaded { .. } => Self::Overloaded,
            Error::TargetsExhausted { .. } => Self::TargetsExhausted,
            Error::OutcomeUnknown { .. } => Self::OutcomeUnknown,
            Error::DeadlineExceeded { .. } => Self::DeadlineExceeded,
            Error::Internal { .. } => Self::Internal,
            Error::StoreUnavailable => Self::StoreUnavailable,
            Error::IdempotencyConflict => Self::IdempotencyConflict,
        }
    }

    /// Whose doing it is.
    pub(super) const fn class(self) -> Class {
        match self {
            Self::Ok | Self::Replay => Class::Ok,
            Self::RateLimited
            | Self::ConcurrencyLimited
            | Self::BudgetExhausted
            | Self::LimitUnsatisfiable => Class::Rejected,
            Self::Cancelled
            | Self::InvalidRequest
            | Self::InvalidCredential
            | Self::ModelForbidden
            | Self::UnknownModel
            | Self::UnknownRoute
            | Self::PromptRejected
            | Self::IdempotencyConflict => Class::ClientError,
            Self::Overloaded
            | Self::TargetsExhausted
            | Self::OutcomeUnknown
            | Self::DeadlineExceeded
            | Self::Internal
            | Self::StoreUnavailable => Class::ServerError,
        }
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

closed! {
    /// The code of an RPC, in the order of its number.
    pub(super) GrpcCode {
        /// 0
        Ok = "OK",
        /// 1
        Cancelled = "CANCELLED",
        /// 2
        Unknown = "UNKNOWN",
        /// 3
        InvalidArgument = "INVALID_ARGUMENT",
        /// 4
        DeadlineExceeded = "DEADLINE_EXCEEDED",
        /// 5
        NotFound = "NOT_FOUND",
        /// 6
        AlreadyExists = "ALREADY_EXISTS",
        /// 7
        PermissionDenied = "PERMISSION_DENIED",
        /// 8
        ResourceExhausted = "RESOURCE_EXHAUSTED",
        /// 9
        FailedPrecondition = "FAILED_PRECONDITION",
        /// 10
        Aborted = "ABORTED",
        /// 11
        OutOfRange = "OUT_OF_RANGE",
        /// 12
        Unimplemented = "UNIMPLEMENTED",
        /// 13
        Internal = "INTERNAL",
        /// 14
        Unavailable = "UNAVAILABLE",
        /// 15
        DataLoss = "DATA_LOSS",
        /// 16
        Unauthenticated = "UNAUTHENTICATED",
    }
}

impl GrpcCode {
    /// The code of a number; UNKNOWN for any other.
    pub(super) fn numbered(number: i32) -> Self {
        let place = usize::try_from(number).ok();
        let code = place.and_then(|place| Self::ALL.get(place));
        code.copied().unwrap_or(Self::Unknown)
    }
}

closed! {
    /// The RPCs that are served, by their full names; all others are one.
    pub(super) Rpc {
        /// Complete.
        Complete = "tollgate.v1.CompletionService/Complete",
        /// CompleteStream.
        CompleteStream = "tollgate.v1.CompletionService/CompleteStream",
        /// EstimateCost.
        EstimateCost = "tollgate.v1.CompletionService/EstimateCost",
        /// CountTokens.
        CountTokens = "tollgate.v1.CompletionService/CountTokens",
        /// QueryUsage.
        QueryUsage = "tollgate.v1.UsageService/QueryUsage",
        /// GetBudget.
        GetBudget = "tollgate.v1.UsageService/GetBudget",
        /// ListBudgets.
        ListBudgets = "tollgate.v1.UsageService/ListBudgets",
        /// ListModels.
        ListModels = "tollgate.v1.UsageService/ListModels",
        /// CreateKey.
        CreateKey = "tollgate.admin.v1.AdminService/CreateKey",
        /// ListKeys.
        ListKeys = "tollgate.admin.v1.AdminService/ListKeys",
        /// RevokeKey.
        RevokeKey = "tollgate.admin.v1.AdminService/RevokeKey",
        /// ListTargets.
        ListTargets = "tollgate.admin.v1.AdminService/ListTargets",
        /// DrainTarget.
        DrainTarget = "tollgate.admin.v1.AdminService/DrainTarget",
        /// RestoreTarget.
        RestoreTarget = "tollgate.admin.v1.AdminService/RestoreTarget",
        /// ListBudgets, of all teams.
        AllBudgets = "tollgate.admin.v1.AdminService/ListBudgets",
        /// TopUpBudget.
        TopUpBudget = "tollgate.admin.v1.AdminService/TopUpBudget",
        /// QueryUsage, of all teams.
        AllUsage = "tollgate.admin.v1.AdminService/QueryUsage",
        /// ReloadConfig.
        ReloadConfig = "tollgate.admin.v1.AdminService/ReloadConfig",
        /// Health, once.
        HealthCheck = "grpc.health.v1.Health/Check",
        /// Health, from now on.
        HealthWatch = "grpc.health.v1.Health/Watch",
        /// Reflection.
        Reflection = "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        /// Any other path.
        Other = "_OTHER/_OTHER",
    }
}

impl Rpc {
    /// The RPC of an HTTP path.
    pub(super) fn of_path(path: &str) -> Self {
        let name = path.strip_prefix('/').unwrap_or(path);
        Self::named(name).unwrap_or(Self::Other)
    }

    /// Its service and its method.
    pub(super) fn parts(self) -> (&'static str, &'static str) {
        self.name().split_once('/').expect("every name has a slash")
    }

    /// The kind of its messages.
    pub(super) const fn kind(self) -> &'static str {
        match self {
            Self::CompleteStream | Self::HealthWatch => "server_stream",
            Self::Reflection => "bidi_stream",
            Self::Complete
            | Self::EstimateCost
            | Self::CountTokens
            | Self::QueryUsage
            | Self::GetBudget
            | Self::ListBudgets
            | Self::ListModels
            | Self::CreateKey
            | Self::ListKeys
            | Self::RevokeKey
            | Self::ListTargets
            | Self::DrainTarget
            | Self::RestoreTarget
            | Self::AllBudgets
            | Self::TopUpBudget
            | Self::AllUsage
            | Self::ReloadConfig
            | Self::HealthCheck
            | Self::Other => "unary",
        }
    }
}

const KINDS: usize = FailureKind::ALL.len();

/// `ok`, and the kinds of failures.
const RESULTS: [AttemptOutcome; KINDS + 1] = {
    let mut results = [AttemptOutcome::Ok; KINDS + 1];
    let mut place = 0;
    while place < KINDS {
        results[place + 1] = AttemptOutcome::Failed(FailureKind::ALL[place]);
        place += 1;
    }
    results
};

const RESULT_NAMES: [&str; KINDS + 1] = {
    let mut names = [""; KINDS + 1];
    let mut place = 0;
    while place <= KINDS {
        names[place] = RESULTS[place].name();
        place += 1;
    }
    names
};

impl Closed for AttemptOutcome {
    const ALL: &'static [Self] = &RESULTS;
    const NAMES: &'static [&'static str] = &RESULT_NAMES;

    fn ordinal(self) -> usize {
        match self {
            Self::Ok => 0,
            Self::Failed(kind) => 1 + kind.ordinal(),
        }
    }
}

impl Closed for FailureKind {
    const ALL: &'static [Self] = &Self::ALL;
    const NAMES: &'static [&'static str] = RESULT_NAMES.split_at(1).1;

    fn ordinal(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
pub(super) use tests::all_errors;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Denial;
    use tollgate_core::{Money, account::Refusal};

    /// One error of each variant, and both reasons of `Limited`.
    pub(in crate::telemetry) fn all_errors() -> Vec<Error> {
        let denial = |refusals| Denial {
            refusals,
            retry_after_ms: None,
        };
        let cost = Money::ZERO;
        vec![
            Error::InvalidRequest(Vec::new()),
            Error::LimitUnsatisfiable(Vec::new()),
            Error::InvalidCredential,
            Error::ModelForbidden("model x".into()),
            Error::UnknownModel("x".into()),
            Error::UnknownRoute("x".into()),
            Error::PromptRejected {
                provider: "openai".into(),
            },
            Error::Limited(denial(vec![Refusal::Rate {
                limit: "tokens_per_minute".into(),
                wait_ms: 5,
            }])),
            Error::Limited(denial(vec![Refusal::Concurrency {
                limit: "concurrency".into(),
                bound: 5,
            }])),
            Error::BudgetExhausted(denial(Vec::new())),
            Error::Overloaded { retry_after_ms: 1 },
            Error::TargetsExhausted { retry_after_ms: 1 },
            Error::OutcomeUnknown { cost },
            Error::DeadlineExceeded { cost },
            Error::Internal { cost },
            Error::StoreUnavailable,
            Error::IdempotencyConflict,
        ]
    }

    #[test]
    fn outcomes_are_the_reasons_of_errors_and_three_more() {
        let reasons: Vec<&str> = all_errors()
            .iter()
            .map(|error| {
                assert_eq!(Outcome::of(error).name(), error.reason());
                error.reason()
            })
            .collect();
        let mut names = vec!["ok", "replay", "cancelled"];
        names.extend(reasons);
        assert_eq!(names, Outcome::NAMES);
    }

    #[test]
    fn ordinals_are_places() {
        for kind in FailureKind::ALL {
            assert_eq!(Closed::name(kind), kind.name());
            assert_eq!(Closed::name(AttemptOutcome::Failed(kind)), kind.name());
        }
        assert_eq!(GrpcCode::numbered(16).name(), "UNAUTHENTICATED");
        assert_eq!(GrpcCode::numbered(-7).name(), "UNKNOWN");
        assert_eq!(GrpcCode::numbered(99).name(), "UNKNOWN");
    }

    #[test]
    fn an_unknown_path_is_one_method_of_its_own() {
        assert_eq!(
            Rpc::of_path("/tollgate.v1.CompletionService/Complete"),
            Rpc::Complete
        );
        assert_eq!(
            Rpc::of_path("/tollgate.v1.CompletionService/complete"),
            Rpc::Other
        );
        assert_eq!(Rpc::Other.parts(), ("_OTHER", "_OTHER"));
    }
}
